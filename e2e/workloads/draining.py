"""Keep workers busy while any of them leave, and count whatever is lost or done twice.

All that is done follows from SEED. It waits for WORKERS workers (3). In the directory BODIES, which workers
see as BODIES_THERE, the start of each task is logged. It prints `ready` when workers may leave, works in
rounds until it reads `enough` or the end of its input, and finishes what is under way. Losses are counted and
are no problem of its own; anything else that goes wrong is one, and so are more than ten minutes.
"""

import os
import random
import time
import traceback

import cloudpickle
import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.distributed import futures_of

import draining_plan as plan
import draining_watch as watch
from draining_bodies import begin, mix, value
from draining_data import Data
from draining_end import LAST_READ, LAST_ROUND, bounded, told_to_end
from draining_losses import Losses, new_log
from session import report, session

# How many tasks of a round take scattered data.
WEIGHED = 3
# How many results of a round are kept, and for how many rounds.
KEPT = 6
KEPT_FOR = 2, 4, 8, 1000
# One round of so many has a shuffle.
SHUFFLE_EVERY = 3
ROWS = 2000
GROUPS = 500


def weigh(log, name, seconds, data):
    begin(log, name)
    time.sleep(seconds)
    return value(name, 1, [data])


def piece(number, seed):
    """Return one part of a table; part and seed say what is in it."""
    numbers = np.random.default_rng([seed, number])
    group, amount = numbers.integers(GROUPS, size=ROWS), numbers.integers(1000, size=ROWS)
    return pd.DataFrame({"group": group, "amount": amount})


def sums(part, seconds=0):
    time.sleep(seconds)
    return part.groupby("group", as_index=False).amount.sum()


class Load:
    """The rounds under way, and the results that are kept for longer."""

    def __init__(self, client, losses, seed, log):
        self.client = client
        self.losses = losses
        self.figures = losses.figures
        self.random = random.Random(seed)
        self.data = Data(client, losses, seed)
        self.log = log
        self.rounds = []
        self.kept = []
        self.table = None

    def submit(self):
        """Submit one more round."""
        number = self.figures["submitted"]
        self.figures["submitted"] += 1
        wanted = self.submit_graph(number) + self.submit_weighing(number)
        # Two rounds are under way: that of the table has ended when it is shuffled.
        if number % SHUFFLE_EVERY == 0:
            wanted += self.submit_table()
        elif number % SHUFFLE_EVERY == 2:
            wanted += self.submit_shuffle()
        self.rounds.append((number, wanted))

    def submit_graph(self, number):
        tasks = plan.graph(self.random, number)
        self.figures["tasks"] += len(tasks)
        made = {}
        for name, task in tasks.items():
            inputs = [made[given] for given in task.inputs]
            given = self.log, name, task.seconds, task.copies, inputs
            made[name] = dask.delayed(mix)(*given, dask_key_name=name)
        kept = self.random.sample(list(tasks), KEPT)
        names = list(dict.fromkeys(kept + plan.ends(tasks)))
        futures = self.client.compute([made[name] for name in names], optimize_graph=False)
        expected = plan.values(tasks, value)
        wanted = [(future, expected[name]) for name, future in zip(names, futures, strict=True)]
        self.kept += [(number + self.random.choice(KEPT_FOR), *item) for item in wanted[:KEPT]]
        return wanted

    def submit_weighing(self, number):
        self.figures["tasks"] += WEIGHED
        wanted = []
        for index, (future, data) in enumerate(self.random.sample(self.data.items, WEIGHED)):
            name = f"weigh-{number}-{index}"
            task = self.client.submit(weigh, self.log, name, plan.seconds(self.random), future, key=name)
            wanted.append((task, value(name, 1, [data])))
        return wanted

    def submit_table(self):
        """Make a table that stays in memory, for a shuffle that must not wait for it."""
        seed, count, seconds = plan.table(self.random)
        parts = [piece(part, seed) for part in range(count)]
        table = self.client.persist(dd.from_map(piece, range(count), seed=seed, meta=parts[0].head(0)))
        self.table = table, sums(pd.concat(parts)), seconds
        return list(zip(futures_of(table), parts, strict=True))

    def submit_shuffle(self):
        """Shuffle the table, before all else: until that is over, hardly any drain is allowed."""
        self.figures["shuffles"] += 1
        table, expected, seconds = self.table
        self.table = None
        shuffled = table.shuffle("group", shuffle_method="p2p")
        result = shuffled.map_partitions(sums, seconds=seconds, meta=expected.head(0))
        return [(self.client.compute(result, priority=1), expected)]

    def finish(self):
        """Wait for the oldest round; read what is kept no longer; replace some of the data."""
        number, wanted = self.rounds.pop(0)
        over = [item for until, *item in self.kept if until <= number]
        self.kept = [kept for kept in self.kept if kept[0] > number]
        for item in wanted + over:
            self.losses.check(*item)
        self.data.replace()
        self.figures["rounds"] += 1

    def finish_all(self):
        while self.rounds:
            self.finish()
        for item in [item for _, *item in self.kept] + self.data.items:
            self.losses.check(*item)


def work(load, until, enough):
    """Keep two rounds under way, so that workers always have something to do."""
    load.data.fill()
    load.submit()
    load.submit()
    _, first, _ = load.kept[0]
    first.result(timeout=60)
    print("ready", flush=True)
    while not enough.is_set() and time.monotonic() < until:
        load.finish()
        load.submit()
    load.finish_all()
    return "" if enough.is_set() else "nobody said enough"


def main():
    started = time.monotonic()
    bounded("draining")
    enough = told_to_end()
    log, log_there = new_log()
    with session(workers=int(os.environ.get("WORKERS", "3"))) as client:
        # Neither the scheduler nor the workers have this file.
        cloudpickle.register_pickle_by_value(watch)
        for plugin in watch.Watch(), watch.Import():
            client.register_plugin(plugin, name=watch.NAME)
        losses = Losses(client, started + LAST_READ)
        try:
            load = Load(client, losses, int(os.environ["SEED"]), log_there)
            problem = work(load, started + LAST_ROUND, enough)
        except Exception as error:
            # Told together with what was counted until then.
            traceback.print_exc()
            problem = f"{type(error).__name__}: {error}"
        figures = losses.counted(log)
    report("draining", problem, why=problem, **figures, seconds=round(time.monotonic() - started, 1))


if __name__ == "__main__":
    main()
