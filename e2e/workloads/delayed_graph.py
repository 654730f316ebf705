"""Run a graph whose parts are shared by many consumers, and show that each part runs exactly once."""

import random
import uuid
from collections import Counter
from itertools import combinations

from dask import delayed
from dask.distributed import get_worker

from session import report, session

PARTS = 12


def draw(number):
    """Return the lottery numbers of one part; the same number gives the same set everywhere."""
    return set(random.Random(number).sample(range(10_000), 2_000))


def counted_draw(number, topic):
    """Do the same on a worker and leave a note of it with the scheduler."""
    get_worker().log_event(topic, number)
    return draw(number)


def overlap(one, other):
    return len(one & other)


def build(topic):
    """Every pair of parts is compared, so each part has eleven consumers; the overlaps are added up."""
    parts = [delayed(counted_draw)(number, topic) for number in range(PARTS)]
    overlaps = [delayed(overlap)(one, other) for one, other in combinations(parts, 2)]
    return delayed(sum)(overlaps)


def main():
    topic = f"delayed-graph-{uuid.uuid4().hex}"
    with session() as client:
        result = client.compute(build(topic)).result(timeout=120)
        runs = Counter(number for _, number in client.get_events(topic))

    sets = [draw(number) for number in range(PARTS)]
    expected = sum(overlap(one, other) for one, other in combinations(sets, 2))
    problem = ""
    if result != expected:
        problem = f"the graph gave {result}, plain Python gives {expected}."
    elif runs != Counter(range(PARTS)):
        problem = f"not every part ran exactly once: {dict(runs)}."
    report("delayed_graph", problem, result=result, parts=PARTS, runs=runs.total(), consumers=PARTS - 1)


if __name__ == "__main__":
    main()
