"""Hold what workers of several groups cannot leave with, a group for each trouble, and act as it is told to.

It prints `ready`, reads a word a line, and prints `done` when that is done.
"""

import os
import signal
import sys
import time

import numpy as np
from dask.distributed import Event, wait
from distributed.core import Status

from session import session

GROUPS = "default", "actors", "holder", "killed", "plain", "blind", "scant"
KILLED = "killed", "plain"
BYTES = 500_000_000
PATIENCE = 300


class Slow:
    """Something that takes longer to be copied than anybody is given."""

    def __sizeof__(self):
        return BYTES

    def __reduce__(self):
        time.sleep(30)
        return Slow, ()


class Heavy(Slow):
    """The same, and it is as large as it says."""

    def __init__(self):
        self.data = np.ones(BYTES // 8)


class Actor:
    """Something that cannot be moved."""


def until_let_go():
    Event("let go").wait()


async def die():
    os.kill(os.getpid(), signal.SIGKILL)


def pause(dask_worker):
    """Be short of memory, for as long as it is said to be."""
    dask_worker.memory_manager.memory_pause_fraction = False
    dask_worker.status = Status.paused


def resume(dask_worker):
    dask_worker.status = Status.running


def names(dask_scheduler):
    return {worker.name: address for address, worker in dask_scheduler.workers.items()}


def addresses(dask_scheduler):
    return [*dask_scheduler.workers]


def status(address, dask_scheduler):
    return dask_scheduler.workers[address].status.name


class Held:
    """What the groups' workers have. None of it can be made anew elsewhere."""

    def __init__(self, client):
        self.client = client
        self.at = {}
        while set(self.at) != set(GROUPS):
            # Workers are called like their pods, which begin with the cluster's and the group's names.
            found = client.run_on_scheduler(names)
            self.at = {name.split("-")[1]: address for name, address in found.items()}
        self.kept = {group: self.on(group, time.time_ns) for group in GROUPS}
        self.values = client.gather(self.kept)
        self.others = [self.on("holder", Heavy), self.on("actors", Actor, actor=True)]
        self.others += [self.on(group, Slow) for group in KILLED]
        wait(self.others)
        self.tasks = [self.on(group, until_let_go, allow_other_workers=True) for group in KILLED]
        while not all(client.processing()[self.at[group]] for group in KILLED):
            time.sleep(0.02)

    def on(self, group, function, **how):
        return self.client.submit(function, workers=[self.at[group]], pure=False, **how)

    def kill(self):
        """Kill those that are told to leave and have not ended their tasks; these end elsewhere."""
        for group in KILLED:
            while self.client.run_on_scheduler(status, self.at[group]) != "closing_gracefully":
                time.sleep(0.02)
            self.client.run(die, workers=[self.at[group]], wait=False)
            while self.at[group] in self.client.run_on_scheduler(addresses):
                time.sleep(0.02)
        Event("let go", client=self.client).set()
        self.client.gather(self.tasks)

    def pause(self):
        self.client.run(pause, workers=[self.at["default"]])
        while self.client.run_on_scheduler(status, self.at["default"]) != "paused":
            time.sleep(0.02)

    def resume(self):
        self.client.run(resume, workers=[self.at["default"]])

    def check(self):
        """End unless all is there that could be moved."""
        for group in "blind", "scant", "default":
            if self.kept[group].status != "finished" or self.kept[group].result() != self.values[group]:
                sys.exit(f"the result of {group} is {self.kept[group].status}")


def main():
    # Whatever it waits for in vain.
    signal.alarm(PATIENCE)
    with session(workers=len(GROUPS)) as client:
        held = Held(client)
        print("ready", flush=True)
        for line in sys.stdin:
            signal.alarm(PATIENCE)
            getattr(held, line.strip())()
            print("done", flush=True)


if __name__ == "__main__":
    main()
