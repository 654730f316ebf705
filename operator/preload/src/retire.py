"""Drain a pod's workers without losing a result or starting a task twice.

The workers are paused; what they have not started is handed back; what they execute may end. What only they
keep is copied away meanwhile, their results after them. They stay registered and idle until their pod goes.
"""

import asyncio
import contextlib
import time

from distributed.preloading import logger

from drain import close, drains, outcome, remember
from handback import PREFIX, forget_asked, hand_back
from pods import STAYING, arriving, free_to_go, unique_keys, workers_of
from watch import changed

# What Dask calls a paused worker that will not go on by itself.
CORDONED = "closing_gracefully"

# A copy that has not come after this many seconds is asked for again, as Dask's own policies do.
ASKED_AGAIN = 2

# A pod that goes anyway waits for a shuffle to end, for peers to have memory again, and for one that takes
# its place; and while its actors are lost, what else it has need not be.
MAY_PASS = "vetoed", "peers paused", "actors", "last worker"

# Results wait so many seconds for a worker that takes their last one's place: there may be none to come.
ALONE = 30


def retire(scheduler, pod, ip, deadline, reserve, leaving):
    """Drain a pod, or join the drain under way; return its record. The latest request sets the deadline."""
    drain = drains.get(pod)
    if not drain or (drain.told and not is_over(scheduler, drain)):
        drain = remember(pod, ip)
        drain.job = asyncio.ensure_future(run(scheduler, drain))
    drain.until = time.monotonic() + deadline
    drain.reserve = reserve
    drain.leaving = drain.leaving or leaving
    changed()
    return drain


def is_over(scheduler, drain):
    """Whether what was found out about a pod still holds."""
    states = look(scheduler, drain)
    return not states or (drain.verdict in ("ready", "lost") and is_empty(drain, states))


def is_empty(drain, states):
    paused = all(state.status.name == CORDONED for state in states)
    return paused and not drain.unfinished and not drain.left


async def run(scheduler, drain):
    """Drain until it is over, and say how it ended; a failure in here must not reach the scheduler."""
    try:
        verdict = await until_over(scheduler, drain)
    except asyncio.CancelledError:
        verdict = "cancelled"
    except Exception as error:
        logger.exception("dask-operator")
        verdict, drain.why = "failed", type(error).__name__
        await give_up(scheduler, drain)
    forget_asked(drain.addresses)
    close(drain, verdict)
    changed()


async def give_up(scheduler, drain):
    """Leave nobody paused, and no task to be blamed, by a drain that failed."""
    with contextlib.suppress(Exception):
        if drain.leaving:
            await dismiss(scheduler, drain)
        else:
            uncordon(scheduler, drain)


async def until_over(scheduler, drain):
    pause, verdict = 0.01, ""
    while True:
        began = time.monotonic()
        # A connection may have broken that the scheduler still believes in.
        with contextlib.suppress(OSError):
            verdict = step(scheduler, drain)
        if verdict:
            break
        # Long lists of keys are not looked at so often.
        pause = max(min(pause * 1.5, 0.2), 20 * (time.monotonic() - began))
        await asyncio.sleep(max(0.01, min(pause, drain.until - time.monotonic())))
    if drain.leaving and verdict != "ready" and drain.why != "closing":
        # The pod goes, whatever is on it: its tasks are not to be blamed for that.
        await dismiss(scheduler, drain)
    elif verdict == "refused":
        uncordon(scheduler, drain)
    return verdict


def step(scheduler, drain):
    """Look, and do what can be done at once; return the verdict, if there is one."""
    states = look(scheduler, drain)
    drain.why = objection(scheduler, drain, states)
    if not states:
        return outcome(drain) if drain.addresses else "unknown"
    if drain.why and not (drain.leaving and drain.why in MAY_PASS):
        return "refused"
    now = time.monotonic()
    if drain.why != "last worker" or drain.unfinished:
        drain.alone_since = now
    if now > min(drain.until, drain.alone_since + ALONE):
        return "interrupted"
    if drain.why != "vetoed":
        cordon(scheduler, drain, states)
        if is_empty(drain, states):
            return "refused" if drain.why and not drain.lost else outcome(drain)
    # Nobody can take copies yet: they are asked for as soon as somebody can.
    if drain.cordoned and drain.why not in ("last worker", "peers paused"):
        copy_away(scheduler, drain)
    return ""


def look(scheduler, drain):
    """Bring the record up to date; return the states of the pod's workers."""
    states = workers_of(scheduler, drain.pod_name, drain.pod_ip)
    drain.addresses.update(state.address for state in states)
    drain.here = len(states)
    drain.unfinished = sum(len(state.processing) for state in states) + arriving(scheduler, states)
    drain.left = unique_keys(scheduler, states)
    drain.seen.update(drain.left)
    return states


def objection(scheduler, drain, states):
    """Return why these workers cannot be drained now, or nothing."""
    if scheduler.status.name in ("closing", "closed"):
        return "closing"
    # A shuffle that begins now counts on paused workers, too: only a pod that goes anyway goes on.
    waits = not drain.cordoned and time.monotonic() < drain.until - drain.reserve
    if (waits or not drain.leaving) and len(free_to_go(scheduler, states)) < len(states):
        return "vetoed"
    # Those that leave are not running any more.
    alone = drain.addresses.issuperset(state.address for state in scheduler.running)
    waiting = {address for address, peer in scheduler.workers.items() if peer.status.name == "paused"}
    if alone and (drain.unfinished or drain.left) and not waiting - drain.addresses:
        return "last worker"
    if any(state.actors for state in states):
        return "actors"
    return "peers paused" if alone and (drain.unfinished or drain.left) else ""


def cordon(scheduler, drain, states):
    """Pause the workers and take back what they have not started."""
    drain.cordoned = True
    for state in states:
        # One that is just coming is paused when it has come.
        if state.status.name in STAYING:
            scheduler.handle_worker_status_change(CORDONED, state, PREFIX + "retire")
            send(scheduler, state, CORDONED)
        hand_back(scheduler, state)


def send(scheduler, state, status):
    """Tell a worker to pause or to go on, unless its connection has just broken."""
    order = {"op": "worker-status-change", "status": status, "stimulus_id": PREFIX + status}
    with contextlib.suppress(OSError):
        scheduler.stream_comms[state.address].send(order)


def copy_away(scheduler, drain):
    """Have copied to peers that stay what nobody else keeps, while tasks execute: there may be less time.

    Dask's own retirement drops what another worker holds, also one that is about to go: this drops nothing.
    """
    from distributed.active_memory_manager import ActiveMemoryManagerExtension, ActiveMemoryManagerPolicy

    now = time.monotonic()
    due = [key for key in drain.left if drain.asked.get(key, 0) < now - ASKED_AGAIN]
    drain.asked.update(dict.fromkeys(due, now))

    class Copy(ActiveMemoryManagerPolicy):
        def run(self):
            for key in due:
                yield "replicate", scheduler.tasks[key], None

    if due:
        ActiveMemoryManagerExtension(scheduler, {Copy()}, register=False, start=False).run_once()


def uncordon(scheduler, drain):
    """Let the workers go on; they tell the scheduler themselves."""
    drain.cordoned = False
    for state in workers_of(scheduler, drain.pod_name, drain.pod_ip):
        if state.status.name == CORDONED:
            send(scheduler, state, "running")


async def dismiss(scheduler, drain):
    """Remove the workers as expected: their tasks run elsewhere, and are not blamed."""
    drain.told = None
    states = look(scheduler, drain)
    here = drain.here
    for state in states:
        await scheduler.remove_worker(state.address, expected=True, stimulus_id=PREFIX + "dismiss")
    look(scheduler, drain)
    drain.here = here
