"""Shuffle a table by P2P while one of the workers leaves, and count how often the shuffle began.

It prints `ready` when all take part in the shuffle and most of the table has yet to come.
"""

import time

import cloudpickle
import dask.dataframe as dd
import pandas as pd
from dask.distributed import SchedulerPlugin

import draining_watch
from session import report, session

WORKERS = 3
PIECES, ROWS = 36, 90
SECONDS = 0.7
NAME = "runs"


class Runs(SchedulerPlugin):
    """The runs of all shuffles, and who takes part in the last one."""

    name = NAME

    def start(self, scheduler):
        self.scheduler = scheduler
        self.runs, self.workers = set(), set()

    def transition(self, *_, **__):
        shuffles = getattr(self.scheduler.plugins.get("shuffle"), "active_shuffles", {})
        for shuffle in shuffles.values():
            self.runs.add(shuffle.run_id)
            self.workers = set(shuffle.participating_workers)


def told(dask_scheduler):
    plugin = dask_scheduler.plugins[NAME]
    return len(plugin.runs), len(plugin.workers)


def piece(number):
    """A part of the table, which takes its time; each group has rows in every part."""
    time.sleep(SECONDS if number >= WORKERS else 0)
    return pd.DataFrame({"group": range(ROWS), "number": number})


def main():
    cloudpickle.register_pickle_by_value(draining_watch)
    with session(workers=WORKERS) as client:
        client.register_plugin(draining_watch.Import())
        client.register_plugin(Runs())
        meta = piece(0).head(0)
        table = dd.from_map(piece, range(PIECES), meta=meta)
        shuffled = client.compute(table.shuffle("group", shuffle_method="p2p").to_delayed())
        while client.run_on_scheduler(told)[1] < WORKERS:
            time.sleep(0.02)
        print("ready", flush=True)
        parts = client.gather(shuffled)
        runs, _ = client.run_on_scheduler(told)
        groups = [part.group.unique() for part in parts]
        whole = sorted(group for some in groups for group in some) == list(range(ROWS))
        sums = [part.groupby("group").number.sum() for part in parts]
        right = whole and all((some == sum(range(PIECES))).all() for some in sums)
        report("shuffling", "" if right else "the table is not what it was", runs=runs)


if __name__ == "__main__":
    main()
