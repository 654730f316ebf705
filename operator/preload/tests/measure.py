"""Time what the scheduler spends on facts: 200 workers and 20,000 tasks, as states in a scheduler of its own.

Run by a test with the tested version of Dask; 200 worker processes would not fit into a test machine.
"""

import asyncio
import json
import os
import time
from collections import Counter

from distributed import Scheduler
from distributed.core import Status
from distributed.scheduler import WorkerState

from demand import kind_of, needs
from facts import facts

WORKERS, TASKS = 200, 20000


def add_workers(scheduler):
    for number in range(WORKERS):
        address = f"tcp://10.0.{number // 250}.{number % 250}:8789"
        versions = {"host": {"python": "3.11.2.final.0"}, "packages": {"dask": "1", "distributed": "1"}}
        state = WorkerState(
            address=address,
            status=Status.running,
            pid=1,
            name=f"cluster-default-worker-{number:010x}",
            nthreads=4,
            memory_limit=2**34,
            local_directory="/tmp",
            nanny=None,
            server_id=str(number),
            scheduler=scheduler,
            versions=versions,
        )
        state.metrics = {"memory": 2**30}
        scheduler.workers[address] = state
        scheduler.aliases[state.name] = address
        scheduler.running.add(state)


def add_tasks(scheduler):
    """A third is held in memory, a third of that twice; a third is at work, half bound; a third waits."""
    states = list(scheduler.workers.values())
    for number in range(TASKS):
        task = scheduler.new_task((f"group-{number % 50}-x", number), None, "released")
        if number % 3 == 0:
            task.state = "memory"
            task.set_nbytes(1000)
            for copy in range(2 if number % 9 == 0 else 1):
                scheduler.add_replica(task, states[(number + copy) % WORKERS])
        elif number % 3 == 1:
            task.state = "processing"
            if number % 2:
                task.resource_restrictions = {"GPU": 1}
            states[number % WORKERS].add_to_processing(task)
            task.processing_on = states[number % WORKERS]
            needs[task.group.name][kind_of(scheduler, task)] += 1
        else:
            task.state = "waiting"


def put_behind_one(scheduler):
    """Let one task be at work, and let all others be bound and wait for it."""
    root, *others = scheduler.tasks.values()
    states = list(scheduler.workers.values())
    for state in states:
        state.processing.clear()
    for task in others:
        task.state = "waiting"
        task.waiting_on = {root}
        task.resource_restrictions = {"GPU": 1}
    root.state = "processing"
    root.waiters = set(others)
    states[0].add_to_processing(root)


def measured(scheduler):
    times = []
    for _ in range(20):
        began = time.thread_time()
        told = facts(scheduler, 1, 0)
        text = json.dumps(told)
        times.append(time.thread_time() - began)
    assert told["missing"] == [], told["missing"]
    assert len(told["workers"]) == WORKERS
    counts = Counter()
    for kind in told["demand"]:
        counts.update({state: tasks["count"] for state, tasks in kind["tasks"].items()})
    # The least of 20: others use the machine, too.
    return {"ms": min(times) * 1000, "bytes": len(text), "counts": counts}


async def main():
    async with Scheduler(dashboard=False, port=0, dashboard_address=":0", host="127.0.0.1") as scheduler:
        add_workers(scheduler)
        add_tasks(scheduler)
        told = [measured(scheduler)]
        put_behind_one(scheduler)
        told.append(measured(scheduler))
        print("MEASURED", json.dumps(told), flush=True)
        os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
