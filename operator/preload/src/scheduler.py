"""Answer the operator inside the scheduler: what it may know, and what it may ask for.

The contract is `../README.md`. The routes lie on the scheduler's own HTTP server and open to a token only.
Nothing in here may raise into the scheduler or keep it busy.
"""

import hmac
import json
import math
import os

from tornado.web import HTTPError, RequestHandler, stream_request_body

from orders import forget_all, retire_all, stop_all, uncordon_all
from users_own import call, preloads
from watch import watch

ROUTE = "/dask-operator/v1/(facts|retire|uncordon|forget)"
TOKEN_VARIABLE = "DASK_OPERATOR_TOKEN"
LARGEST_BODY = 65536

ORDERS = {"retire": retire_all, "uncordon": uncordon_all, "forget": forget_all}


async def dask_setup(scheduler):
    """Run the user's preloads, then open the routes, if there is a token to guard them."""
    await call("start", preloads, scheduler)
    if token := os.environ.get(TOKEN_VARIABLE):
        handler = (ROUTE, Handler, {"scheduler": scheduler, "token": token})
        watch(scheduler)
        scheduler.http_application.add_handlers(".*", [handler])


async def dask_teardown(scheduler):
    """Answer everybody who waits, then tear down the user's preloads."""
    await stop_all()
    await call("teardown", preloads[::-1], scheduler)


@stream_request_body
class Handler(RequestHandler):
    """Streams the body only to be asked for its opinion before it is read."""

    def initialize(self, **given):
        vars(self).update(given, body=b"")

    def prepare(self):
        given = self.request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), ("Bearer " + self.token).encode()):
            raise HTTPError(401)
        self.request.connection.set_max_body_size(LARGEST_BODY)

    def data_received(self, chunk):
        self.body += chunk

    async def post(self, name):
        if name not in ORDERS:
            raise HTTPError(405)
        try:
            request = json.loads(self.body)
            pods = [(str(pod["name"]), str(pod.get("ip") or "")) for pod in request["pods"]]
            times = [number(request.get(key)) for key in ("deadline", "move_reserve", "wait")]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise HTTPError(400) from None
        answers = await ORDERS[name](self.scheduler, pods, times, request.get("leaving") is True)
        self.finish({"schema": 1, "pods": answers})

    def write_error(self, status_code, **kwargs):
        self.finish({"error": status_code})


def number(value):
    """Return a sensible number of seconds, or nothing if it was not told."""
    if value is not None and not math.isfinite(value):
        raise ValueError
    return value and min(max(value, 0), 86400)
