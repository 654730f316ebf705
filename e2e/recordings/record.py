"""Records a load as real Dask runs it: when each task was submitted, how long it took, and what it waited for.

``python record.py burst|ramp|tail FILE``. Tasks sleep, so any machine will do; the load lies in when they come and how
long they take. Chance is seeded. The file is what ``cargo e2e bench autoscale`` plays.
"""

import json
import math
import random
import sys
import time

import distributed
from distributed import Client, LocalCluster, SchedulerPlugin

THREADS = 40


class Recorder(SchedulerPlugin):
    """Notes every task when it is first seen, and what it took when it is done."""

    name = "recorder"

    def __init__(self, scheduler):
        self.scheduler = scheduler
        self.tasks = {}

    def transition(self, key, start, finish, *args, startstops=None, **kwargs):
        if key not in self.tasks:
            state = self.scheduler.tasks[key]
            self.tasks[key] = {
                "submitted": time.time(),
                "function": state.prefix.name,
                "after": [one.key for one in state.dependencies],
                "resources": dict(state.resource_restrictions or {}),
            }
        for part in startstops or ():
            if finish == "memory" and part["action"] == "compute":
                self.tasks[key]["seconds"] = part["stop"] - part["start"]

    def recorded(self):
        """The tasks in the order in which they were submitted, the first one at 0."""
        done = {key: task for key, task in self.tasks.items() if "seconds" in task}
        order = {key: at for at, key in enumerate(sorted(done, key=lambda key: done[key]["submitted"]))}
        first = min(task["submitted"] for task in done.values())
        for key in order:
            task = done[key]
            row = {
                "submitted": round(task["submitted"] - first, 3),
                "function": task["function"],
                "seconds": round(task["seconds"], 3),
            }
            if task["after"]:
                row["after"] = sorted(order[one] for one in task["after"])
            if task["resources"]:
                row["resources"] = task["resources"]
            yield row


async def install(dask_scheduler):
    dask_scheduler.add_plugin(Recorder(dask_scheduler))


def recorded(dask_scheduler):
    return list(dask_scheduler.plugins["recorder"].recorded())


def load(_number, seconds):
    time.sleep(seconds)


def combine(*_parts, seconds=0.2):
    time.sleep(seconds)


def store(_part, seconds):
    time.sleep(seconds)


def around(median, spread):
    return median * math.exp(spread * random.gauss(0, 1))


def map_and_reduce(client, count, median, spread):
    parts = [client.submit(load, number, around(median, spread), pure=False) for number in range(count)]
    while len(parts) > 1:
        parts = [
            client.submit(combine, *parts[at : at + 8], pure=False) for at in range(0, len(parts), 8)
        ]
    parts[0].result()


def burst(client):
    """Somebody at a notebook: a graph, a short look at its result, the next one, a long look, the last one."""
    for pause in (0, 8, 60):
        time.sleep(pause)
        map_and_reduce(client, 400, 2.0, 0.5)


def ramp(client):
    """A stream of files that swells for a minute and a half and ebbs for one; each is loaded and stored."""
    start, last, due, kept = time.time(), 0.0, 0.0, []
    while last < 150:
        now = time.time() - start
        rate = 1 + 15 * now / 90 if now < 90 else max(0.0, 16 * (150 - now) / 60)
        due += rate * (now - last)
        last = now
        while due >= 1:
            part = client.submit(load, 0, around(2.0, 0.4), pure=False)
            kept.append(client.submit(store, part, around(0.3, 0.3), pure=False))
            due -= 1
        time.sleep(0.05)
    client.gather(kept)


def tail(client):
    """A search over parameters: most take a second, few take minutes; one sums up."""
    parts = [client.submit(load, number, around(1.0, 1.4), pure=False) for number in range(800)]
    client.submit(combine, *parts, pure=False).result()


def main():
    what, file = sys.argv[1:]
    random.seed(what)
    with (
        LocalCluster(n_workers=1, threads_per_worker=THREADS, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        client.run_on_scheduler(install)
        {"burst": burst, "ramp": ramp, "tail": tail}[what](client)
        tasks = client.run_on_scheduler(recorded)
    rows = ",\n".join(json.dumps(task, separators=(",", ":")) for task in tasks)
    with open(file, "w", encoding="utf-8") as out:
        out.write(f'{{"distributed":"{distributed.__version__}","tasks":[\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
