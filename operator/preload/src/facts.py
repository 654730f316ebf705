"""What the operator may know: facts, no decisions, and nothing that belongs to the users' data."""

import os
import sys
import time
from collections import Counter
from itertools import islice

import dask
import distributed

from demand import MOST_NAMES, demand_of
from drain import drains, report
from pods import free_to_go

MOST_WORKERS = 10000
MOST_REPLICAS = 20000

# Since when each worker has had nothing to do, by its address.
idle_since = {}


def facts(scheduler, revision, polls):
    """Return all facts as plain data; what cannot be found out is left out, and named."""
    told = {
        "schema": 1,
        "revision": revision,
        "polls": polls,
        "time": time.time(),
        "pod_uid": os.environ.get("OPERATOR_POD_UID", ""),
        "missing": [],
    }
    for name, part in PARTS.items():
        try:
            told[name] = part(scheduler)
        except Exception as error:
            told["missing"].append(name + " " + type(error).__name__)
    return told


def told_workers(scheduler):
    """Return what is known of each worker; what is zero, empty or false is left out."""
    states = list(scheduler.workers.values())[:MOST_WORKERS]
    free, shared = free_to_go(scheduler, states), shared_bytes(scheduler)
    return [told_worker(state, state not in free, shared[state.address]) for state in states]


def told_worker(state, vetoed, shared):
    told = {
        "name": str(state.name)[:253],
        "address": state.address,
        "status": state.status.name,
        "threads": state.nthreads,
        "resources": dict(islice(state.resources.items(), MOST_NAMES)),
        "memory_limit": state.memory_limit,
        "memory": state.metrics.get("memory"),
        "bytes": state.nbytes,
        "unique_bytes": state.nbytes - shared,
        "processing": len(state.processing),
        "long_running": len(state.long_running),
        "actors": len(state.actors),
        "vetoed": vetoed,
        # Says nothing before it ends: its container finds no interpreter (`wait.py`).
        "mute": state.extra.get("python3", 1) is None,
        "idle_since": None if state.processing else idle_since.get(state.address),
    }
    return {name: value for name, value in told.items() if value}


def shared_bytes(scheduler):
    """Return how much each worker holds of what others hold, too: a shorter list than of what is unique."""
    shared = Counter()
    for task in islice(scheduler.replicated_tasks, MOST_REPLICAS):
        size = task.get_nbytes()
        for state in task.who_has:
            shared[state.address] += size
    return shared


def idle(scheduler):
    """Return since when there has been nothing to do; Dask looks four times a second."""
    busy = scheduler.queued or scheduler.unrunnable or any(s.processing for s in scheduler.workers.values())
    return None if busy else scheduler.idle_since


def users(scheduler):
    """Return the clients that are connected, without those that tasks open inside workers."""
    return [client for client in scheduler.client_comms if "-worker-" not in client]


def told_versions(scheduler):
    """Return each combination of versions, and who has it."""
    versions = {}
    own = ".".join(map(str, sys.version_info)), dask.__version__, distributed.__version__
    tell_version(versions, own, "scheduler", "scheduler")
    for state in scheduler.workers.values():
        tell_version(versions, version_of(state), "workers", state.name)
    for client in users(scheduler):
        tell_version(versions, version_of(scheduler.clients[client]), "clients", client)
    return list(versions.values())[:MOST_NAMES]


def version_of(state):
    """Return the versions of a worker or client, as it told when it came, as far as it did."""
    packages = state.versions.get("packages", {})
    return state.versions.get("host", {}).get("python"), packages.get("dask"), packages.get("distributed")


def tell_version(versions, version, who, name):
    if version not in versions:
        python, *packages = (str(one or "?")[:99] for one in version)
        names = ("python", "dask", "distributed"), (".".join(python.split(".")[:3]), *packages)
        versions[version] = {
            **dict(zip(*names, strict=True)),
            "scheduler": 0,
            "workers": 0,
            "clients": 0,
            "names": [],
        }
    told = versions[version]
    told[who] += 1
    if len(told["names"]) < 3:
        told["names"].append(str(name)[:253])


PARTS = {
    "status": lambda scheduler: scheduler.status.name,
    "idle_since": idle,
    "clients": lambda scheduler: len(users(scheduler)),
    "datasets": lambda scheduler: len(scheduler.extensions["publish"].datasets),
    "bytes": lambda scheduler: sum(state.nbytes for state in scheduler.workers.values()),
    "workers": told_workers,
    "demand": demand_of,
    "drains": lambda scheduler: [report(drain) for drain in drains.values()],
    "versions": told_versions,
}
