"""Which kind of worker the unfinished tasks need, and for how long."""

from collections import Counter, defaultdict
from itertools import chain, islice

# What counts as unfinished; Dask calls a task that no worker may run `no-worker`.
UNFINISHED = {"waiting": "waiting", "queued": "queued", "processing": "processing", "no-worker": "unrunnable"}
# Of these each task can be looked at.
BOUND = "processing", "unrunnable"
DONE = "memory", "released", "erred", "forgotten"

MOST_TASKS = 20000
# What comes next is looked for among fewer, since each of these costs more.
MOST_AHEAD = 5000
MOST_KINDS = 100
MOST_NAMES = 20

# What any worker may run.
ANY = (), (), ()

# How many tasks of a group need a kind of worker, by group and kind. Dask itself counts tasks by group only,
# and what waiting tasks need could only be found by looking at all of them: so it is noted on the way in.
needs = defaultdict(Counter)


def note_needs(scheduler, annotations):
    """Note what the annotated tasks of a new graph need."""
    for name in ("resources", "workers"):
        for key in islice(annotations.get(name) or (), MOST_TASKS):
            task = scheduler.tasks.get(key)
            if task and (kind := kind_of(scheduler, task)) != ANY:
                needs[task.group.name][kind] += 1


def kind_of(scheduler, task):
    """Return the resources, hosts and workers that a task is restricted to."""
    resources, hosts, workers = task.resource_restrictions, task.host_restrictions, task.worker_restrictions
    if task.loose_restrictions or not (resources or hosts or workers):
        return ANY
    # Thousands are asked for in one go, and most have one of the three.
    return (
        tuple(sorted(resources.items())) if resources else (),
        tuple(sorted(hosts)) if hosts else (),
        tuple(sorted(worker_name(scheduler, address) for address in workers)) if workers else (),
    )


def worker_name(scheduler, address):
    worker = scheduler.workers.get(address)
    return str(worker.name if worker else address)


def demand_of(scheduler):
    """Return counts and estimated seconds of the unfinished tasks, for each kind of worker that they need."""
    kinds = defaultdict(lambda: {state: [0, 0.0, 0] for state in [*UNFINISHED.values(), "next"]})
    for name in set(needs).difference(scheduler.task_groups):
        del needs[name]
    for group in scheduler.task_groups.values():
        for state, told in UNFINISHED.items():
            if count := group.states[state]:
                add(scheduler, kinds[ANY][told], group.prefix, count)
    bound = bound_tasks(scheduler) if needs else {}
    for (kind, told, group), count in bound.items():
        count_for(scheduler, kinds, kind, told, group, count)
    for name, counts in needs.items():
        group = scheduler.task_groups[name]
        for kind, noted in counts.items():
            here = sum(bound.get((kind, told, group), 0) for told in BOUND)
            count_for(scheduler, kinds, kind, "waiting", group, still_waiting(group, noted - here))
    for (kind, group), count in next_tasks(scheduler).items():
        add(scheduler, kinds[kind]["next"], group.prefix, count)
    told = (told_kind(kind, states) for kind, states in kinds.items())
    return [*islice((kind for kind in told if kind["tasks"]), MOST_KINDS)]


def bound_tasks(scheduler):
    """Count the tasks that are restricted and could run, as far as they can be looked at."""
    counts = Counter()
    for tasks, told in zip((at_work(scheduler), scheduler.unrunnable), BOUND, strict=True):
        for task in islice(tasks, MOST_TASKS):
            if (kind := kind_of(scheduler, task)) != ANY:
                counts[kind, told, task.group] += 1
    return counts


def at_work(scheduler):
    return chain.from_iterable(worker.processing for worker in scheduler.workers.values())


def next_tasks(scheduler):
    """Count the tasks that wait for nothing but what is at work, as far as they can be looked at."""
    running = set(islice(at_work(scheduler), MOST_AHEAD))
    waiters = chain.from_iterable(task.waiters or () for task in running)
    counts, left = Counter(), MOST_TASKS - MOST_AHEAD
    for task in set(islice(waiters, MOST_AHEAD - len(running))):
        needed = task.waiting_on or ()
        # Where all wait for all, there is far more to compare than there are tasks.
        if 0 < len(needed) <= min(left, len(running)):
            left -= len(needed)
            if needed <= running:
                counts[kind_of(scheduler, task), task.group] += 1
    return counts


def still_waiting(group, count):
    """Estimate how many of a group's tasks that are not at work wait; the others are done."""
    waiting = group.states["waiting"]
    done = sum(group.states[state] for state in DONE)
    return min(waiting, round(max(0, count) * waiting / max(1, waiting + done)))


def count_for(scheduler, kinds, kind, told, group, count):
    """Count tasks for what they need instead of for any worker."""
    if kind != ANY and count:
        add(scheduler, kinds[ANY][told], group.prefix, -count)
        add(scheduler, kinds[kind][told], group.prefix, count)


def add(scheduler, counts, prefix, count):
    """Add tasks, their estimated seconds, and how many of them have not been measured."""
    counts[0] += count
    counts[1] += count * scheduler._get_prefix_duration(prefix)
    counts[2] += count * (prefix.duration_average < 0)


def told_kind(kind, states):
    resources, hosts, workers = kind
    return {
        "resources": dict(resources[:MOST_NAMES]),
        "hosts": hosts[:MOST_NAMES],
        "workers": workers[:MOST_NAMES],
        "tasks": {
            state: {"count": count, "seconds": round(seconds, 3), "unmeasured": unmeasured}
            for state, (count, seconds, unmeasured) in states.items()
            if count > 0
        },
    }
