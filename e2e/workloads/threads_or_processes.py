"""Show one kind of task that is faster with threads and one that is faster with processes.

The same two cores are offered as one process of two threads and as two processes of one thread. The clusters
are those at DASK_THREADS_ADDRESS and DASK_PROCESSES_ADDRESS, or else two local ones.
"""

import os
import time
from contextlib import contextmanager

import numpy as np
from dask.distributed import Client, LocalCluster, wait

from session import report

ROUNDS = 6


def big_array(seed):
    return np.random.default_rng(seed).random(8_000_000)


def analyse(data, _part):
    """Work on a large array; NumPy lets other threads run meanwhile."""
    return float(np.sqrt(data).sum())


def count_primes(start):
    """Loop in plain Python, which holds the interpreter's lock all the time."""
    return sum(all(number % divisor for divisor in range(2, 60)) for number in range(start, start + 60_000))


def shared_data(client):
    """Two tasks at a time need the same array: threads share it, processes must copy it first."""
    for seed in range(ROUNDS):
        data = client.submit(big_array, seed, pure=False)
        wait([client.submit(analyse, data, part, pure=False) for part in range(2)])


def python_loop(client):
    wait(client.map(count_primes, range(0, 240_000, 60_000), pure=False))


def seconds(client, work):
    """Return the better of two measurements, after a first run that imports what the work needs."""
    client.submit(big_array, 0, pure=False).result()
    times = []
    for _ in range(2):
        start = time.monotonic()
        work(client)
        times.append(time.monotonic() - start)
    return round(min(times), 2)


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


def measure(variable, processes, threads):
    with cluster(variable, processes, threads) as client:
        return {"shared_data": seconds(client, shared_data), "python_loop": seconds(client, python_loop)}


def main():
    threads = measure("DASK_THREADS_ADDRESS", processes=1, threads=2)
    processes = measure("DASK_PROCESSES_ADDRESS", processes=2, threads=1)
    problem = ""
    if threads["shared_data"] >= processes["shared_data"]:
        problem = "threads were not faster on shared data."
    elif processes["python_loop"] >= threads["python_loop"]:
        problem = "processes were not faster on a loop in plain Python."
    report("threads_or_processes", problem, threads=threads, processes=processes)


if __name__ == "__main__":
    main()
