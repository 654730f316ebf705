"""Have a worker with nothing, one with data and one with a task, and tell in which order two of them leave.

It prints `ready` when workers may leave, and goes on when one is left.
"""

import time

import numpy as np
from dask.distributed import Event, wait

from session import report, session

BYTES = 500_000_000
PATIENCE = 150


def until_let_go(name):
    """Be busy until the client says otherwise; return a value that no second run would return."""
    Event(name).wait()
    return time.time_ns()


def main():
    with session(workers=3) as client:
        idle, holder, busy = sorted(client.nthreads())
        roles = {idle: "idle", holder: "holder", busy: "busy"}
        data = client.submit(np.ones, BYTES // 8, workers=[holder], pure=False)
        wait(data)
        let_go = Event("let go", client=client)
        pin = {"workers": [busy], "allow_other_workers": True, "pure": False}
        task = client.submit(until_let_go, "let go", **pin)
        while not client.processing()[busy]:
            time.sleep(0.02)
        print("ready", flush=True)

        order, moved = [], False
        end = time.monotonic() + PATIENCE
        while len(left := client.nthreads()) > 1 and time.monotonic() < end:
            # Copied, and the first copy is still there.
            moved = moved or {holder, busy} <= set(client.who_has([data])[data.key])
            order += [role for address, role in roles.items() if address not in left and role not in order]
            time.sleep(0.02)
        order += [role for address, role in roles.items() if address not in left and role not in order]
        begun = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks[data.key].who_has))
        let_go.set()
        wait(task, timeout=PATIENCE)
        problem = "" if begun == 1 and data.status == "finished" else "the data are gone"
        report("shrinking", problem, order=order, moved=moved, sum=client.submit(np.sum, data).result())


if __name__ == "__main__":
    main()
