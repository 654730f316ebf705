#!/usr/bin/env python3
"""Answer the operator as a scheduler would, with whatever is to be told; it schedules nothing.

TASKS tasks (0) of SECONDS (1) each are said to be queued. In the folder TROUBLE, if that is named, a file `hangs` has
all later requests for facts hang, and a file `dies` ends it, however often it is started again.
operator/preload/README.md says what is asked.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TASKS, SECONDS = int(os.environ.get("TASKS", "0")), float(os.environ.get("SECONDS", "1"))
TROUBLE = os.environ.get("TROUBLE", "")
PORT = int(os.environ.get("PORT", "8787"))
STARTED = time.time()
# Longer than anybody waits for an answer.
LONG = 600


def has(trouble):
    return bool(TROUBLE) and os.path.exists(os.path.join(TROUBLE, trouble))


def die_when_told():
    if not has("dies"):
        while not has("dies"):
            time.sleep(0.2)
        # Whoever said so from within has an answer first.
        time.sleep(0.5)
    print("no more", file=sys.stderr, flush=True)
    os._exit(4)


def facts():
    """One revision for ever: nothing changes here."""
    queued = {"count": TASKS, "seconds": TASKS * SECONDS, "unmeasured": 0}
    kind = {"resources": {}, "hosts": [], "workers": [], "tasks": {"queued": queued}}
    return {
        "schema": 1,
        "revision": 1,
        "polls": threading.active_count(),
        "pod_uid": os.environ.get("OPERATOR_POD_UID", ""),
        "time": time.time(),
        "status": "running",
        "missing": [],
        "idle_since": None if TASKS else STARTED,
        "clients": 0,
        "datasets": 0,
        "bytes": 0,
        "workers": [],
        "demand": [kind] if TASKS else [],
        "drains": [],
        "versions": [],
    }


class Handler(BaseHTTPRequestHandler):
    """Answers probes, polls and orders."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = urlsplit(self.path)
        if parts.path.endswith("/facts"):
            self.poll(parse_qs(parts.query))
        else:
            self.answer({"workers": 0})

    def poll(self, query):
        wait = 0 if query.get("after") != ["1"] else min(60, float(query.get("wait", ["0"])[0]))
        end = time.monotonic() + wait
        while time.monotonic() < end and not has("hangs"):
            time.sleep(0.2 if TROUBLE else wait)
        if has("hangs"):
            time.sleep(LONG)
        self.answer(facts())

    def do_POST(self):
        """No worker has ever registered."""
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        self.answer(
            {"schema": 1, "pods": [{"name": pod["name"], "state": "unknown"} for pod in asked["pods"]]}
        )

    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Probes are not worth a line."""


if __name__ == "__main__":
    # The first process of a container ignores it otherwise.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Thread(target=die_when_told, daemon=True).start()
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()
