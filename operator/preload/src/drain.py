"""What is known of each pod's drain."""

import time
from types import SimpleNamespace

from pods import workers_of

# How many drains that are over are remembered.
REMEMBERED = 200

# By the name of the pod.
drains = {}


def remember(pod, ip):
    """Make the record of a new drain; forget the oldest ones that are over."""
    before = drains.pop(pod, None)
    over = [name for name, drain in drains.items() if drain.told]
    for name in over[: max(0, len(over) - REMEMBERED)]:
        del drains[name]
    drains[pod] = drain = SimpleNamespace(
        pod_name=pod,
        pod_ip=ip,
        job=None,
        until=0,
        reserve=0,
        leaving=False,
        cordoned=False,
        # The addresses of the pod's workers; those that went meanwhile, too.
        addresses=set(),
        # Those of them that went; another pod may have the address by now.
        gone=set(),
        verdict="waiting",
        why="",
        here=0,
        unfinished=0,
        # The only copies on the pod, with their sizes: all that were seen, what is left, and what was lost,
        # before this drain, too.
        seen={},
        left={},
        lost=before.lost if before else {},
        # How many tasks went with workers, likewise.
        interrupted=before.interrupted if before else 0,
        # When each of them was asked to be copied.
        asked={},
        began=time.monotonic(),
        # Since when it is the last one and nothing is executed on it.
        alone_since=time.monotonic(),
        # What was measured last: most keys are remembered no longer than a drain takes.
        told=None,
    )
    return drain


def report(drain):
    """Return what is known of a drain, as it is answered and told among the facts."""
    return {
        "name": drain.pod_name,
        "state": drain.verdict,
        "reason": drain.why,
        "lost_keys": len(drain.lost),
        "lost_bytes": sum(drain.lost.values()),
        **(drain.told or measured(drain)),
    }


def measured(drain):
    moved = [size for key, size in drain.seen.items() if key not in drain.left and key not in drain.lost]
    return {
        "workers": drain.here,
        "tasks": drain.unfinished + drain.interrupted,
        "keys": len(drain.left),
        "bytes": sum(drain.left.values()),
        "moved_keys": len(moved),
        "moved_bytes": sum(moved),
        "seconds": round(time.monotonic() - drain.began, 3),
    }


def close(drain, verdict):
    """End the record of a drain."""
    drain.verdict = verdict
    drain.told = measured(drain)
    drain.seen, drain.left, drain.asked = drain.left, {}, {}


def note_loss(scheduler, address):
    """Note what went with a worker that the scheduler has just removed."""
    for drain in drains.values():
        if address in drain.addresses and not (drain.told and address in drain.gone):
            drain.gone.add(address)
            events = [event for _, event in scheduler.get_events(address) if isinstance(event, dict)]
            *_, removal = (event for event in events if event.get("action") == "remove-worker")
            keys = removal["lost-computed-tasks"] | removal["lost-scattered-tasks"]
            drain.lost.update((key, drain.seen.get(key, 0)) for key in keys)
            drain.interrupted += len(removal["processing-tasks"])
            # Without workers, whatever stood in the way of a drain that is over does no more.
            gone = drain.told and not workers_of(scheduler, drain.pod_name, drain.pod_ip)
            if gone and drain.verdict != "forgotten":
                drain.told.update(workers=0, tasks=drain.interrupted, keys=0, bytes=0)
                drain.verdict = outcome(drain)


def outcome(drain):
    """Return how a drain has ended that has no workers any more."""
    return "lost" if drain.lost or drain.interrupted else "ready"
