"""What a workload reads while workers leave, and what it counts when a value is lost or another one."""

import os
import time
from collections import Counter
from pathlib import Path

import pandas as pd
from dask.distributed import CancelledError, KilledWorker

from draining_watch import EXAMPLES, told, waits_for

# In what Dask raises without telling more: a shuffle failed that should have restarted; a task failed, and
# the reason is forgotten.
HINTS = "P2P", "with_traceback"
# How many seconds to wait before looking what a value waits for.
LOOK = 10


class Stuck(Exception):
    """Dask lets tasks wait for one that has failed, if their other inputs were lost afterwards."""

    def __init__(self, task):
        super().__init__(f"waits for {task}, which has failed")
        self.task = task


def new_log():
    """Make a log of bodies; return where it is here, and where workers see it, who may be other users."""
    here = Path(os.environ["BODIES"]) / f"begun-{time.time_ns()}.log"
    here.touch()
    here.chmod(0o666)
    return here, str(Path(os.environ.get("BODIES_THERE", here.parent)) / here.name)


class Losses:
    """Read what is wanted, until a moment at which everything must be there."""

    def __init__(self, client, until):
        self.client = client
        self.until = until
        self.figures = Counter()
        self.killed = set()
        self.examples = []

    def check(self, future, expected):
        """Read something that is wanted, and count it if it is lost or another one."""
        try:
            read = self.read(future)
        except (KilledWorker, Stuck) as error:
            self.killed.add(error.task)
            self.example(future, error)
        except (CancelledError, RuntimeError, AttributeError) as error:
            if not isinstance(error, CancelledError) and not any(hint in str(error) for hint in HINTS):
                raise
            self.figures["unreadable"] += 1
            self.example(future, error)
        else:
            if not same(read, expected):
                self.figures["wrong"] += 1
                self.example(future, "another value")

    def read(self, future):
        """Return a value; while it does not come, see whether it still can."""
        while True:
            try:
                return future.result(timeout=LOOK)
            except TimeoutError:
                key, state, place = self.client.run_on_scheduler(waits_for, future.key)
                if state == "erred":
                    raise Stuck(key) from None
                if time.monotonic() > self.until:
                    raise TimeoutError(f"{future.key} waits for {key}, which is {state} on {place}") from None

    def example(self, future, why):
        self.examples.append(f"{future.key}: {str(why).splitlines()[0]}"[:200])

    def counted(self, log):
        """Return all figures, with those of the scheduler and of the log of bodies."""
        seen = self.client.run_on_scheduler(told)
        begun = Counter(log.read_text().split())
        twice = [name for name, count in begun.items() if count > 1]
        examples = [*(f"{name} began {begun[name]} times" for name in twice[:1]), *self.examples[:2]]
        return {
            "rounds": self.figures["rounds"],
            "tasks": self.figures["tasks"],
            "bodies": begun.total(),
            "begun_twice": len(twice),
            "recomputed": seen["recomputed"],
            "unreadable": self.figures["unreadable"],
            "suspicious": seen["suspicious"],
            "killed": len(self.killed),
            "wrong": self.figures["wrong"],
            "shuffles": self.figures["shuffles"],
            "shuffle_restarts": seen["shuffle_restarts"],
            "examples": [*examples, *seen["examples"]][:EXAMPLES],
        }


def same(read, expected):
    """Whether a value is the expected one; a table's rows may come in any order."""
    if isinstance(expected, pd.DataFrame):
        read, expected = (
            table.sort_values(list(expected.columns), ignore_index=True) for table in (read, expected)
        )
        return expected.equals(read)
    return read == expected
