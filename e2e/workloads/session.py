"""What the workloads share: a client to begin with, and one line of JSON to end with."""

import json
import os
import sys
from contextlib import contextmanager

from dask.distributed import Client, LocalCluster


@contextmanager
def session(workers=1):
    """Yield a client of the cluster at DASK_SCHEDULER_ADDRESS, or else of a small one on this machine."""
    address = os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address:
        with Client(address) as client:
            if workers:
                client.wait_for_workers(workers, timeout=120)
            yield client
    else:
        with (
            LocalCluster(
                n_workers=2, threads_per_worker=2, memory_limit="400MiB", dashboard_address=":0"
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client


def spilled(client):
    """Return the bytes on the workers' disks, as their last heartbeats told."""
    workers = client.scheduler_info()["workers"].values()
    return sum(worker["metrics"]["spilled_bytes"]["disk"] for worker in workers)


def holders(client):
    """Return how many workers hold a result."""
    return sum(bool(keys) for keys in client.has_what().values())


def report(workload, problem="", **figures):
    """Print the result as the last line; a problem, given as a sentence, makes the process fail."""
    print(json.dumps({"workload": workload, "ok": not problem, **figures}), flush=True)
    if problem:
        sys.exit(f"{workload}: {problem}")
