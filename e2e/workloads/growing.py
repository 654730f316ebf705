"""Submit more work than there are workers for, and tell how many came, and that each task was done once.

TASKS tasks (24) take SECONDS (1) each; each needs one RESOURCE, if one is named. It prints `submitted`, and
`half` when half of them are done. With BEHIND all of them depend on one task, which runs until a line is read:
then it prints `root` when that has begun, and tells how many workers there were when the line came.
"""

import os
import sys
import threading
import time
from collections import Counter

from dask.distributed import Event, as_completed, get_worker

from session import report, session

PATIENCE = 300


def root(begun, let_go, topic):
    """Tell that it began, and run until the client says otherwise."""
    get_worker().log_event(topic, "root")
    Event(begun).set()
    Event(let_go).wait()


def body(number, *_, seconds, topic):
    """Tell the scheduler that it began."""
    get_worker().log_event(topic, number)
    time.sleep(seconds)
    return number


def watch(client, seen, over):
    """Note how many workers there are at most, by the names of their groups."""
    while not over.is_set():
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        now = Counter(worker["name"].rpartition("-worker-")[0] for worker in workers)
        for group, count in now.items():
            seen[group] = max(seen[group], count)
        time.sleep(0.1)


def until_told(client, begun, let_go):
    """Have the root go on until a line is read; return how many workers there were then."""
    Event(begun, client=client).wait(timeout=PATIENCE)
    print("root", flush=True)
    sys.stdin.readline()
    count = len(client.scheduler_info(n_workers=-1)["workers"])
    Event(let_go, client=client).set()
    return count


def main():
    count, seconds = int(os.environ.get("TASKS", "24")), float(os.environ.get("SECONDS", "1"))
    needs = {name: 1 for name in [os.environ.get("RESOURCE")] if name}
    seen, over = Counter(), threading.Event()
    with session(workers=0) as client:
        # The scheduler remembers what earlier clients asked for.
        topic = f"bodies of {client.id}"
        watching = threading.Thread(target=watch, args=(client, seen, over), daemon=True)
        watching.start()
        began, submitted = time.monotonic(), time.time()
        events = f"begun of {client.id}", f"let go of {client.id}"
        above = [client.submit(root, *events, topic, pure=False)] if "BEHIND" in os.environ else []
        behind = [above * count] if above else []
        given = {"seconds": seconds, "topic": topic, "pure": False, "resources": needs}
        futures = client.map(body, range(count), *behind, **given)
        print("submitted", flush=True)
        before = until_told(client, *events) if behind else 0
        done = as_completed(futures, timeout=PATIENCE)
        for number, _ in enumerate(done):
            if number == count // 2:
                print("half", flush=True)
        times = {"seconds": round(time.monotonic() - began, 1), "submitted": submitted}
        results = client.gather(futures)
        bodies = Counter(number for _, number in client.get_events(topic))
        over.set()
        watching.join(timeout=10)
    wrong = "" if results == list(range(count)) else "wrong results"
    twice = [number for number, times in bodies.items() if times > 1]
    bodies.pop("root", None)
    problem = wrong or (f"begun twice: {twice}" if twice else "")
    report("growing", problem, why=problem, workers=dict(seen), before=before, bodies=bodies.total(), **times)


if __name__ == "__main__":
    main()
