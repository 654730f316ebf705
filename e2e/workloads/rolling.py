"""Hold results on every worker and keep all busy while each is replaced: nothing is lost or done twice.

It prints `ready` when the workers may be replaced, and ends when none of the first is left.
"""

import time
from collections import Counter

from dask.distributed import SchedulerPlugin, get_worker, wait

from session import report, session

WORKERS = 6
SECONDS = 0.5
PATIENCE = 240


def body(name, seconds, *needs):
    """Tell the scheduler that it began; return a value that no second run would return."""
    get_worker().log_event("bodies", name)
    time.sleep(seconds)
    return name, time.time_ns()


class Fewest(SchedulerPlugin):
    """How few workers were registered at any time."""

    name = "fewest"

    def start(self, scheduler):
        """Begin with those that are there."""
        self.fewest = len(scheduler.workers)

    def remove_worker(self, scheduler, worker, **kwargs):
        """Count those that are left."""
        self.fewest = min(self.fewest, len(scheduler.workers))


def told(dask_scheduler):
    """Return how few workers there were, and how often tasks were blamed for the end of one."""
    blamed = sum(task.suspicious for task in dask_scheduler.tasks.values())
    return dask_scheduler.plugins["fewest"].fewest, blamed


def main():
    with session(workers=WORKERS) as client:
        client.register_plugin(Fewest())
        first = set(client.nthreads())
        results = [
            client.submit(body, f"result-{index}", 0, workers=[worker], allow_other_workers=True, pure=False)
            for index, worker in enumerate(sorted(first) * 2)
        ]
        values = client.gather(results)
        print("ready", flush=True)

        count, end = len(results), time.monotonic() + PATIENCE
        chain = [client.submit(body, f"chain-{index}", 0, pure=False) for index in range(WORKERS)]
        count += len(chain)
        while first & set(client.nthreads()) and time.monotonic() < end:
            # Each waits for one of the round before, so that results are wanted all the time.
            chain = [
                client.submit(body, f"body-{count + i}", SECONDS, need, pure=False)
                for i, need in enumerate(chain)
            ]
            count += len(chain)
            wait(chain, timeout=PATIENCE)
        left = first & set(client.nthreads())
        twice = [
            name
            for name, begun in Counter(name for _, name in client.get_events("bodies")).items()
            if begun > 1
        ]
        fewest, blamed = client.run_on_scheduler(told)
        problem = f"{len(left)} workers were not replaced" if left else ""
        problem = problem or (f"begun twice: {twice}" if twice else "")
        problem = problem or ("" if client.gather(results) == values else "results were computed anew")
        report("rolling", problem, fewest=fewest, blamed=blamed, bodies=count, why=problem)


if __name__ == "__main__":
    main()
