"""Notice changes, and let those who wait for one go on."""

import asyncio
import contextlib
import time
from types import SimpleNamespace

from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger

from demand import note_needs
from drain import note_loss
from facts import idle_since

# How often to look for what no hook tells, in seconds.
LOOK = 0.25
# How long after an answer about a change the next one comes at the earliest, in seconds.
SPACING = 0.03
MOST_WAITING = 8

changes = SimpleNamespace(revision=1, waiting=0, not_before=0.0, happened=asyncio.Event())


def changed():
    """Note a change and wake everybody who waits for one."""
    changes.revision += 1
    wake()


def wake():
    changes.happened.set()
    changes.happened = asyncio.Event()


async def change_after(revision, seconds, gave_up):
    """Return when the revision is another one, the time is over or the asker has gone."""
    until = time.monotonic() + seconds
    changes.waiting += 1
    while changes.revision == revision and not gave_up() and (left := until - time.monotonic()) > 0:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(changes.happened.wait(), left)
    if changes.revision != revision and seconds:
        # The first change is told at once; a stream of them must not keep the scheduler busy with us.
        await asyncio.sleep(changes.not_before - time.monotonic())
    changes.waiting -= 1


def spent(seconds):
    """Note what an answer about a change took: the next one comes twenty times that later, or more."""
    changes.not_before = time.monotonic() + max(SPACING, 20 * seconds)


class Watch(SchedulerPlugin):
    """No hook on transitions: it would cost every task of the users."""

    def update_graph(self, scheduler, **graph):
        guarded(note_needs, scheduler, graph.get("annotations") or {})

    def remove_worker(self, **event):
        guarded(note_loss, event["scheduler"], event["worker"])

    def add_worker(self, *_, **__):
        changed()

    def add_client(self, *_, **__):
        changed()

    def remove_client(self, *_, **__):
        changed()


def guarded(note, *arguments):
    """Note something about a change; a failure must not reach the scheduler."""
    try:
        note(*arguments)
    except Exception:
        logger.exception("dask-operator")
    changed()


async def watch(scheduler):
    """Look at what no hook tells, for ever."""
    before = None
    while True:
        with contextlib.suppress(Exception):
            seen = look_round(scheduler)
            if seen != before:
                before = seen
                changed()
        await asyncio.sleep(LOOK)


def look_round(scheduler):
    """Note who has nothing to do; return what differs when something has changed."""
    for address, state in scheduler.workers.items():
        if state.processing:
            idle_since.pop(address, None)
        else:
            idle_since.setdefault(address, time.time())
    for address in set(idle_since).difference(scheduler.workers):
        del idle_since[address]
    statuses = [state.status for state in scheduler.workers.values()]
    published = getattr(scheduler.extensions.get("publish"), "datasets", ())
    return scheduler.transition_counter, scheduler.idle_since, len(published), statuses
