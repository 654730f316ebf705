#!/usr/bin/env python3
"""Be a scheduler that is honest until a worker is asked to leave, and from then on what TURNS says.

Called as `dask worker` it is such a worker: it registers, and does nothing more. It is said to be at work and
to hold what nobody else has. operator/preload/README.md says what is asked.
"""

import json
import os
import signal
import sys
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TURNS = os.environ.get("TURNS", "")
PORT = 8787
ROUTE = "/dask-operator/v1/"
# How late each answer of a slow one is, which is less than anybody waits.
SLOW = 2
HUGE = 2**64 - 1
GIGABYTE = 2**30

news = threading.Condition()
workers, leaving = [], set()
revision = 1


def changed():
    """Answer those who wait for news; the caller holds the lock."""
    global revision
    revision += 1
    news.notify_all()


def worker(name):
    """Tell the truth about a worker, or what nobody can believe."""
    absurd = TURNS == "absurd" and leaving
    told = {"name": name, "status": "closing_gracefully" if name in leaving else "running", "threads": 1}
    return told | dict.fromkeys(("processing", "unique_bytes", "bytes"), HUGE if absurd else 1)


def drain(name):
    if TURNS == "absurd":
        return {"name": name, "state": "waiting"} | dict.fromkeys(("tasks", "keys", "bytes"), HUGE)
    return {"name": name, "state": "ready"}


def facts():
    return {
        "schema": 99 if TURNS == "schema" and leaving else 1,
        "revision": revision,
        "pod_uid": os.environ.get("OPERATOR_POD_UID", ""),
        "time": time.time(),
        "workers": [worker(name) for name in workers],
        "drains": [drain(name) for name in leaving],
    }


class Handler(BaseHTTPRequestHandler):
    """Answers workers, probes, polls and orders."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = urlsplit(self.path)
        if not parts.path.startswith(ROUTE):
            return self.answer({"workers": len(workers)})
        query = {key: float(value) for key, [value] in parse_qs(parts.query).items()}
        with news:
            news.wait_for(lambda: revision != query.get("after"), query.get("wait", 0))
        self.turn()

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        with news:
            if self.path == "/register":
                # One that had no answer in time asks again.
                if asked not in workers:
                    workers.append(asked)
            elif self.path == ROUTE + "retire":
                leaving.update(pod["name"] for pod in asked["pods"])
            changed()
        self.turn()

    def turn(self):
        """Answer the operator, and workers that leave."""
        turned = getattr(self, TURNS, None) if leaving else None
        (turned or self.tell)()

    def tell(self):
        self.answer(facts())

    def slow(self):
        time.sleep(SLOW)
        self.tell()

    def stops(self):
        os.kill(os.getpid(), signal.SIGSTOP)

    def endless(self):
        """Never be done, and never be silent for long."""
        self.begin(200, GIGABYTE)
        while True:
            self.wfile.write(b" ")
            time.sleep(0.2)

    def gigabyte(self):
        self.begin(200, GIGABYTE)
        for _ in range(GIGABYTE >> 16):
            self.wfile.write(bytes(1 << 16))

    def negative(self):
        self.answer(facts() | {"revision": -1})

    def broken(self):
        self.write(200, b'{"schema": 1, "revision')

    def redirects(self):
        self.write(302, b"", Location=self.path)

    def answer(self, value):
        self.write(200, json.dumps(value).encode())

    def write(self, status, body, **headers):
        self.begin(status, len(body), **headers)
        self.wfile.write(body)

    def begin(self, status, length, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        """Probes are not worth a line."""


class Server(ThreadingHTTPServer):
    """Does not wait for those who are still answered, and says nothing of those who hang up."""

    daemon_threads = True

    def handle_error(self, *_):
        pass


def register():
    """Wait for the scheduler, and tell it that this worker is there."""
    host = os.environ["DASK_SCHEDULER_ADDRESS"].split("//")[-1].rsplit(":", 1)[0]
    while True:
        try:
            link = HTTPConnection(host, PORT, timeout=5)
            link.request("POST", "/register", json.dumps(os.environ["DASK_WORKER_NAME"]))
            return link.getresponse().read()
        except OSError:
            time.sleep(0.1)


if __name__ == "__main__":
    # The first process of a container ignores it otherwise; it cannot be stopped, so another answers.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if sys.argv[1] == "worker":
        register()
    elif not os.fork():
        Server(("", PORT), Handler).serve_forever()
    while True:
        signal.pause()
