"""Tell when clusters of Dask work: one process for many clusters, so that none waits for Python itself to start.

Reads lines of JSON, {"host": …, "workers": …}; for each prints `registered` when the scheduler has so many workers,
and `result` when each of them could have run a task. The first line printed is the version of distributed.
"""

import asyncio
import json
import socket
import sys
import time

import distributed
from dask.distributed import Client

PORT = 8786


def wait_for_port(host):
    """Dask's own connect would back off, and so be late by up to seconds."""
    while True:
        try:
            socket.create_connection((host, PORT), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)


async def wait_for_workers(count, dask_scheduler):
    """Runs in the scheduler, which nobody needs to ask again and again then."""
    while len(dask_scheduler.workers) < count:
        await asyncio.sleep(0.01)


def increment(number):
    return number + 1


def tell(text):
    print(text, flush=True)


def main():
    tell(distributed.__version__)
    for line in sys.stdin:
        order = json.loads(line)
        wait_for_port(order["host"])
        with Client(f"tcp://{order['host']}:{PORT}") as client:
            client.run_on_scheduler(wait_for_workers, order["workers"])
            tell("registered")
            numbers = client.gather(client.map(increment, range(order["workers"]), pure=False))
            if numbers != list(range(1, order["workers"] + 1)):
                sys.exit(f"first_result: wrong numbers: {numbers}")
            tell("result")


if __name__ == "__main__":
    main()
