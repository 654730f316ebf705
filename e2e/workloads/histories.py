"""Submit graphs of all shapes at random, wait for some, cancel some, and come and go as a client.

What is submitted follows from SEED. In the directory BODIES, which workers see as BODIES_THERE, the start of
each task is logged. It prints `ready` when the first work is submitted, works until it reads `enough` or the
end of its input, and then reads all that is still wanted. Values are compared with those of an undisturbed
run. Losses are counted and are no problem of its own; anything else that goes wrong is one.
"""

import os
import random
import time
import traceback

import cloudpickle
import dask
from dask.distributed import Client

import draining_plan as plan
import draining_watch as watch
import histories_plan as shapes
from draining_bodies import mix, value
from draining_end import LAST_READ, LAST_ROUND, bounded, told_to_end
from draining_losses import Losses, new_log
from session import report, session

RESOURCE = "GPU"
# How many graphs are under way at most, and how many results of each stay wanted to the end.
UNDER_WAY = 4
KEPT = 2
# Seconds of a pause: some are longer than an autoscaler waits before workers go.
PAUSE = 0.05, 6


def another_client(address):
    """Return one more client of a scheduler.

    All clients are told of a graph that one cancels. Who hears of it with the greeting gives up, once:
    `assert len(msg) == 1` in distributed/client.py, `_ensure_connected` (2026.8.0).
    """
    try:
        return Client(address, set_as_default=False)
    except AssertionError:
        return Client(address, set_as_default=False)


class People:
    """The graphs under way, and the results that stay wanted."""

    def __init__(self, client, losses, seed, log):
        self.client = client
        self.losses = losses
        self.figures = losses.figures
        self.random = random.Random(seed)
        self.log = log
        self.under_way = []
        self.kept = []

    def act(self):
        """Do one thing that people do."""
        acts = [self.submit] * 4 + [self.finish] * 3 + [self.cancel, self.come_and_go, self.pause]
        self.random.choice(acts)()

    def submit(self):
        if len(self.under_way) >= UNDER_WAY:
            self.finish()
        self.under_way.append(self.submit_by(self.client, self.random.choice(shapes.SHAPES)))

    def submit_by(self, client, shape):
        """Submit a graph of this shape; return its wanted futures with what they must be."""
        number = self.figures["submitted"]
        self.figures["submitted"] += 1
        tasks = shape(self.random, number)
        self.figures["tasks"] += len(tasks)
        made = {}
        for name, task in tasks.items():
            given = self.log, name, task.seconds, task.copies, [made[before] for before in task.inputs]
            made[name] = dask.delayed(mix)(*given, dask_key_name=name)
        names = plan.ends(tasks)
        needs = {RESOURCE: 1} if shape is shapes.rare else None
        futures = client.compute([made[name] for name in names], optimize_graph=False, resources=needs)
        expected = plan.values(tasks, value)
        return [(future, expected[name]) for name, future in zip(names, futures, strict=True)]

    def finish(self):
        """Wait for the oldest graph; some of its results stay wanted."""
        if self.under_way:
            wanted = self.under_way.pop(0)
            self.check(wanted)
            self.kept += wanted[:KEPT]

    def cancel(self):
        """Want one of the graphs no longer, whatever has begun of it."""
        if self.under_way:
            wanted = self.under_way.pop(self.random.randrange(len(self.under_way)))
            self.client.cancel([future for future, _ in wanted])
            self.figures["cancelled"] += 1

    def come_and_go(self):
        """Submit as another client, which goes before all is done."""
        with another_client(self.client.scheduler.address) as other:
            self.submit_by(other, self.random.choice(shapes.SHAPES))
            time.sleep(self.random.uniform(0, 1))
        self.figures["gone"] += 1

    def pause(self):
        shortest, longest = PAUSE
        time.sleep(shortest * (longest / shortest) ** self.random.random())

    def finish_all(self):
        while self.under_way:
            self.finish()
        self.check(self.kept)

    def check(self, wanted):
        self.figures["compared"] += len(wanted)
        for item in wanted:
            self.losses.check(*item)


def work(people, until, enough):
    people.submit()
    print("ready", flush=True)
    while not enough.is_set() and time.monotonic() < until:
        people.act()
    people.finish_all()
    return "" if enough.is_set() else "nobody said enough"


def main():
    started = time.monotonic()
    bounded("histories")
    enough = told_to_end()
    log, log_there = new_log()
    with session(workers=0) as client:
        # The scheduler does not have this file.
        cloudpickle.register_pickle_by_value(watch)
        client.register_plugin(watch.Watch(), name=watch.NAME)
        losses = Losses(client, started + LAST_READ)
        people = People(client, losses, int(os.environ["SEED"]), log_there)
        try:
            problem = work(people, started + LAST_ROUND, enough)
        except Exception as error:
            # Told together with what was counted until then.
            traceback.print_exc()
            problem = f"{type(error).__name__}: {error}"
        beside = {name: losses.figures[name] for name in ("submitted", "compared", "cancelled", "gone")}
        figures = {**losses.counted(log), **beside}
    report("histories", problem, why=problem, **figures, seconds=round(time.monotonic() - started, 1))


if __name__ == "__main__":
    main()
