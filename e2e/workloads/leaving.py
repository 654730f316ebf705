"""Hold results, data and running tasks on every worker while one of them leaves: nothing is lost or done twice.

It prints `ready` when a worker may leave, and goes on when one has.
"""

import os
import time
from collections import Counter

import distributed
import numpy as np
from dask.distributed import get_worker, wait

from session import report, session

RESULTS = 3
RUNNING = float(os.environ.get("RUNNING", "3"))
PATIENCE = 150


def body(name, seconds):
    """Tell the scheduler that it began; return a value that no second run would return."""
    get_worker().log_event("bodies", name)
    time.sleep(seconds)
    return name, time.time_ns()


def suspicious(dask_scheduler):
    """Return how often tasks were blamed for the end of a worker."""
    return sum(task.suspicious for task in dask_scheduler.tasks.values())


def bodies(client):
    """Return how often each body began."""
    return Counter(name for _, name in client.get_events("bodies"))


def main():
    with session(workers=3) as client:
        workers = sorted(client.nthreads())
        first, scattered, running = {}, {}, []
        for number, worker in enumerate(workers):
            pin = {"workers": [worker], "allow_other_workers": True, "pure": False}
            for index in range(RESULTS):
                name = f"result-{number}-{index}"
                first[name] = client.submit(body, name, 0, **pin)
            data = np.full(100_000, number)
            scattered[number] = client.scatter(data, workers=[worker], hash=False)
        values = client.gather(first)
        for number, worker in enumerate(workers):
            for index in range(2):
                name = f"running-{number}-{index}"
                running.append(
                    client.submit(body, name, RUNNING, workers=[worker], allow_other_workers=True, pure=False)
                )
        while sum(bodies(client).values()) < len(first) + len(workers):
            time.sleep(0.05)
        print("ready", flush=True)

        end = time.monotonic() + PATIENCE
        while set(workers) <= set(client.nthreads()) and time.monotonic() < end:
            time.sleep(0.05)
        gone = set(workers) - set(client.nthreads())
        problem = check(client, first, values, scattered, running) if gone else "no worker left"
        begun = sum(bodies(client).values())
        version = client.run_on_scheduler(lambda: distributed.__version__)
        report("leaving", problem, why=problem, gone=sorted(gone), bodies=begun, version=version)


def check(client, first, values, scattered, running):
    """Return what was lost or done twice."""
    wait([*running, *first.values()], timeout=PATIENCE)
    twice = [name for name, count in bodies(client).items() if count > 1]
    if twice:
        return f"begun twice: {twice}"
    if client.gather(first) != values:
        return "results were computed anew"
    for number, future in scattered.items():
        if future.status != "finished":
            return f"the scattered data {number} are {future.status}"
        if client.gather(future)[0] != number:
            return f"the scattered data {number} are others"
    blamed = client.run_on_scheduler(suspicious)
    return f"tasks were blamed {blamed} times" if blamed else ""


if __name__ == "__main__":
    main()
