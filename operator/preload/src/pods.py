"""Which of the scheduler's workers belong to a pod, and what would be lost with them."""

import contextlib
import re

# The names that the operator gives to pods, and Dask to the processes of one.
OUR_NAME = re.compile(r"(.+-worker-[0-9a-f]{10})(-\d+)?")

# The states of a worker that is not about to go; `paused` is Dask's word for being short of memory.
STAYING = "running", "paused"


def workers_of(scheduler, pod, ip):
    """Return the states of a pod's workers, looked up by its address if that is known, else by name."""
    at_ip = scheduler.host_info.get(ip, {}).get("addresses") if ip else None
    states = [scheduler.workers[a] for a in at_ip or scheduler.workers if a in scheduler.workers]
    return [state for state in states if belongs(str(state.name), pod, bool(at_ip))]


def belongs(name, pod, same_ip):
    """Whether a worker's name makes it one of the pod's; any name will do at the pod's address, except ours.

    An address may have gone to another pod, whose worker then has that pod's name. A worker of a Deployment
    has the Deployment's name, with which its pods' names begin.
    """
    if name == pod or re.fullmatch(re.escape(pod) + r"-\d+", name):
        return True
    ours = OUR_NAME.fullmatch(name)
    return same_ip and (not ours or pod.startswith(ours.group(1) + "-"))


def unique_keys(scheduler, states):
    """Return the size in bytes of each result that no worker keeps but these and others that are leaving.

    Actors are left out: they are never copied.
    """
    safe = {state for state in scheduler.workers.values() if state.status.name in STAYING}.difference(states)
    held = {task for state in states for task in state.has_what}
    return {task.key: task.get_nbytes() for task in held if not task.actor and safe.isdisjoint(task.who_has)}


def arriving(scheduler, states):
    """Return how many tasks Dask is moving to these workers by work stealing at this moment."""
    stealing = scheduler.extensions.get("stealing")
    return sum(info["thief"] in states for info in stealing.in_flight.values()) if stealing else 0


def free_to_go(scheduler, states):
    """Return the workers that no plugin, such as a running P2P shuffle, forbids to take away."""
    free = set(states)
    for plugin in list(scheduler.plugins.values()):
        # One that is broken forbids nothing.
        with contextlib.suppress(Exception):
            free.intersection_update(plugin.valid_workers_downscaling(scheduler, list(states)))
    return free
