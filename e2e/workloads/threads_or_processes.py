"""Show one kind of task that is faster with threads and one that is faster with processes.

The same two cores are offered as one process of two threads and as two processes of one thread. The clusters
are those at DASK_THREADS_ADDRESS and DASK_PROCESSES_ADDRESS, or else two local ones.
"""

import os
import time
from contextlib import contextmanager
from itertools import product

import numpy as np
from dask.distributed import Client, LocalCluster

from session import report

ROUNDS = 2
# By turns, and the best counts, because other programs may be at work on the machine.
LEAST_REPEATS, MOST_REPEATS = 2, 8
# So many times longer the slower one takes when no more repeats are needed.
CLEAR = 1.2
WINNERS = {"shared_data": ("threads", "processes"), "python_loop": ("processes", "threads")}


def big_array():
    return np.ones(12_000_000)


def scaled_sum(data, factor):
    """Work on a large array in C code, which lets other threads run meanwhile."""
    return factor * data.sum()


def remainders(part):
    """Loop in plain Python, which holds the interpreter's lock all the time."""
    return sum(number * number % 7 for number in range(part, 2_000_000 + part))


def shared_data(client):
    """Every process needs the same array: threads share it, processes must copy it first."""
    for _ in range(ROUNDS):
        data = client.submit(big_array, pure=False)
        client.replicate(data)
        client.gather([client.submit(scaled_sum, data, factor, pure=False) for factor in (1, 2)])


def python_loop(client):
    client.gather(client.map(remainders, range(4), pure=False))


def seconds(client, work):
    start = time.monotonic()
    work(client)
    return round(time.monotonic() - start, 2)


@contextmanager
def cluster(variable, processes, threads):
    if address := os.environ.get(variable):
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(processes, timeout=120)
            yield client
    else:
        with (
            LocalCluster(
                n_workers=processes, threads_per_worker=threads, memory_limit="800MiB", dashboard_address=":0"
            ) as local,
            Client(local, set_as_default=False) as client,
        ):
            yield client


def lead(times):
    """Return how many times longer the one takes that should be slower, in the work where it is least so."""
    return min(times[slower][work] / times[faster][work] for work, (faster, slower) in WINNERS.items())


def main():
    times = {"threads": {}, "processes": {}}
    with (
        cluster("DASK_THREADS_ADDRESS", processes=1, threads=2) as threads,
        cluster("DASK_PROCESSES_ADDRESS", processes=2, threads=1) as processes,
    ):
        clients = ("threads", threads), ("processes", processes)
        for repeat in range(MOST_REPEATS):
            if repeat >= LEAST_REPEATS and lead(times) > CLEAR:
                break
            for work, (kind, client) in product((shared_data, python_loop), clients):
                before = times[kind].get(work.__name__, float("inf"))
                times[kind][work.__name__] = min(before, seconds(client, work))

    problem = "" if lead(times) > 1 else "threads should win on shared data, processes on a loop in Python."
    report("threads_or_processes", problem, **times)


if __name__ == "__main__":
    main()
