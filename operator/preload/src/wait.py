"""Make a Dask worker or nanny wait until its scheduler accepts connections.

Dask retries with a random back-off that grows to many seconds, and a nanny gives up after 30 seconds. With
this preload a worker may be started long before its scheduler and still joins at once. `generate.py` shrinks
this file; the result travels in a pod's environment, so every byte counts and a dollar sign may not appear.
"""

import asyncio
import os
import shutil
import signal
import threading
import time

from distributed.comm import get_address_host_port

from users_own import call, preloads

# That this process is to end, whatever still runs in it.
told = threading.Event()


async def dask_setup(server):
    """Run the user's preloads, then return once the scheduler listens."""
    await call("start", preloads, server)

    # A worker without a nanny has None here and a nanny has no such attribute. The worker of a nanny has
    # nothing to do: its nanny has waited already and owns the signals.
    nanny = getattr(server, "nanny", 0)
    if nanny != 0:
        # Told to the scheduler with what else a worker says when it registers: `leave.py` needs it.
        server.startup_information["python3"] = lambda _: shutil.which("python3")
    if not nanny:
        await scheduler_listens(server.scheduler.address)
    end_if_leaving()
    if nanny is None:
        exit_soon()


async def dask_teardown(server):
    """Tear down the user's preloads, the last one first, as Dask does; then the worker is to end.

    Dask gives SIGTERM back to the kernel when it ends, which keeps it from process 1; and then a running task
    would hold the process.
    """
    await call("teardown", preloads[::-1], server)
    told.set()


def end_if_leaving():
    """Do not register when the pod was told to leave before: what this worker did would be lost with it.

    While Python starts, it does not hear SIGTERM as process 1; and a scheduler that has gone with the cluster
    would be waited for without end. An older mark is of a container before this.
    """
    mark = f"/dev/shm/{os.getenv('DASK_WORKER_NAME')}"
    if os.path.exists(mark) and time.time() - os.path.getmtime(mark) < 30:
        os._exit(0)


async def scheduler_listens(address):
    """Try to connect until it works; Dask cancels this from outside when --death-timeout is over."""
    if address.startswith(("tcp:", "tls:", "ws")):
        pause = 0.05
        while True:
            end_if_leaving()
            # Resolves the name each time, because a Service may appear or change meanwhile. Until Python 3.12
            # `wait_for` would lose the order to stop if that came together with a refusal.
            attempt = asyncio.ensure_future(asyncio.open_connection(*get_address_host_port(address)))
            await asyncio.wait([attempt], timeout=1)
            if attempt.done() and not attempt.exception():
                return attempt.result()[1].close()
            attempt.cancel()
            # The pause grows with the wait: many workers that wait long must be light on the DNS server.
            await asyncio.sleep(pause)
            pause = min(pause * 1.005, 0.5)


def exit_soon():
    """Leave 8 seconds after SIGTERM or a close even if a task still runs: its result is lost anyway."""
    handler = signal.getsignal(signal.SIGTERM)

    def leave():
        told.wait()
        time.sleep(8)
        os._exit(0)

    def on_sigterm(*args):
        told.set()
        handler(*args)

    if callable(handler):
        # Started now, because starting a thread inside a signal handler can deadlock.
        threading.Thread(target=leave, daemon=True).start()
        signal.signal(signal.SIGTERM, on_sigterm)
