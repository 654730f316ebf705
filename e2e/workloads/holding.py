"""Hold something on every worker of a cluster that nobody can make anew, whoever comes and goes.

It reads a word a line, and prints `done` when that is done.
"""

import signal
import sys
import time

from session import session

BYTES = 1_000_000


def running(dask_scheduler):
    return [worker.address for worker in dask_scheduler.running]


def holders(keys, dask_scheduler):
    """Return for each key where it is."""
    tasks = [dask_scheduler.tasks[key] for key in keys]
    return [worker.address for task in tasks for worker in task.who_has]


class Held:
    """What is held, a piece for each worker that ever was there."""

    def __init__(self, client, workers):
        self.client = client
        self.workers = workers
        self.pieces = []

    def hold(self):
        """Return when all workers are there and each holds something."""
        while len(found := self.client.run_on_scheduler(running)) != self.workers:
            time.sleep(0.02)
        keys = [piece.key for piece in self.pieces]
        for address in set(found) - set(self.client.run_on_scheduler(holders, keys)):
            self.pieces.append(self.client.scatter(bytes(BYTES), workers=[address], hash=False))

    def check(self):
        """End unless all is there."""
        lengths = [len(piece) for piece in self.client.gather(self.pieces)]
        if lengths != [BYTES] * len(self.pieces):
            sys.exit(f"of {len(self.pieces)} pieces there are {lengths}")


def main():
    workers = int(sys.stdin.readline())
    with session(workers=workers) as client:
        held = Held(client, workers)
        for line in sys.stdin:
            # Whatever it waits for in vain.
            signal.alarm(120)
            getattr(held, line.strip())()
            signal.alarm(0)
            print("done", flush=True)


if __name__ == "__main__":
    main()
