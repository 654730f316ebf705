"""Answer the operator inside the scheduler: what it may know, and what it may ask for.

The contract is `../README.md`. The routes lie on the scheduler's own HTTP server and open to a token only.
Nothing in here may raise into the scheduler or keep it busy.
"""

import asyncio
import hmac
import json
import math
import os
import time

from tornado.web import HTTPError, RequestHandler, stream_request_body

from facts import facts
from orders import forget_all, retire_all, stop_all, uncordon_all
from users_own import call, preloads
from watch import MOST_WAITING, Watch, change_after, changes, spent, wake, watch

ROUTE = "/dask-operator/v1/(facts|retire|uncordon|forget)"
TOKEN_VARIABLE = "OPERATOR_TOKEN"
LARGEST_BODY = 65536
LONGEST_WAIT = 60

ORDERS = {"retire": retire_all, "uncordon": uncordon_all, "forget": forget_all}

# A task that nothing refers to may be collected while it runs.
watching = []


async def dask_setup(scheduler):
    """Run the user's preloads, then open the routes, if there is a token to guard them."""
    await call("start", preloads, scheduler)
    if token := os.environ.get(TOKEN_VARIABLE):
        scheduler.add_plugin(Watch(), name="dask-operator")
        watching.append(asyncio.ensure_future(watch(scheduler)))
        route = ROUTE, Link, {"scheduler": scheduler, "token": token}
        scheduler.http_application.add_handlers(".*", [route])


async def dask_teardown(scheduler):
    """Answer everybody who waits, then tear down the user's preloads."""
    for job in watching:
        job.cancel()
    await stop_all()
    await call("teardown", preloads[::-1], scheduler)


@stream_request_body
class Link(RequestHandler):
    """A body is streamed only so that a request can be refused before its body is read."""

    def initialize(self, **given):
        vars(self).update(given, body=b"", gone=False)

    def prepare(self):
        given = self.request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), ("Bearer " + self.token).encode()):
            raise HTTPError(401)
        self.request.connection.set_max_body_size(LARGEST_BODY)

    def data_received(self, chunk):
        self.body += chunk

    def on_connection_close(self):
        self.gone = True
        wake()

    async def get(self, name):
        if name in ORDERS:
            raise HTTPError(405)
        if changes.waiting >= MOST_WAITING:
            raise HTTPError(429)
        try:
            after = int(self.get_argument("after", "-1"))
            wait = number(float(self.get_argument("wait", "0")))
        except ValueError:
            raise HTTPError(400) from None
        await change_after(after, min(wait, LONGEST_WAIT), lambda: self.gone)
        began = time.monotonic()
        self.answer(facts(self.scheduler, changes.revision, changes.waiting))
        if wait and changes.revision != after:
            spent(time.monotonic() - began)

    async def post(self, name):
        if name not in ORDERS:
            raise HTTPError(405)
        try:
            request = json.loads(self.body)
            pods = [(str(pod["name"]), str(pod.get("ip") or "")) for pod in request["pods"]]
            times = [number(request.get(key)) for key in ("deadline", "move_reserve", "wait")]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise HTTPError(400) from None
        told = await ORDERS[name](self.scheduler, pods, times, request.get("leaving") is True)
        self.answer({"schema": 1, "pods": told})

    def answer(self, told):
        """JSON knows neither infinity nor objects, which users may well have among their resources."""
        text = json.dumps(json.loads(json.dumps(told, default=str), parse_constant=str))
        self.set_header("Content-Type", "application/json")
        self.finish(text)

    def write_error(self, status_code, **_):
        self.finish({"error": status_code})


def number(value):
    """Return a sensible number of seconds, or nothing if it was not told."""
    if value is not None and not math.isfinite(value):
        raise ValueError
    return value and min(max(value, 0), 86400)
