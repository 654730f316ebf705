"""Submit what people mix in a day, shortened: bursts, pauses shorter and longer than a window, a trickle, a long task.

ROUNDS times (3) over; WINDOW is how many seconds (4) an autoscaler waits before workers go. It tells how often
the number of workers needed has turned round, which is how often it may.
"""

import os
import time

from dask.distributed import wait

from session import report, session

PATIENCE = 120
# A burst needs several workers, one of a trickle never more than one.
BURST, SHORT, TRICKLE = 40, 0.1, 8
# To more, to fewer for the trickle, to more for what comes beside the long task, to none.
TURNS = 4


def body(number, seconds):
    time.sleep(seconds)
    return number


def burst(client):
    return client.map(body, range(BURST), seconds=SHORT, pure=False)


def trickle(client, window):
    """Each comes when the one before is done, over more than a window."""
    for number in range(TRICKLE):
        began = time.monotonic()
        if client.submit(body, number, SHORT, pure=False).result(timeout=PATIENCE) != number:
            raise ValueError(f"{number} is wrong")
        time.sleep(max(0, 1.5 * window / TRICKLE - (time.monotonic() - began)))


def one_round(client, window):
    first = burst(client)
    wait(first, timeout=PATIENCE)
    time.sleep(window / 3)
    second = burst(client)
    results = client.gather(first) + client.gather(second)
    del first, second
    trickle(client, window)
    long = client.submit(body, -1, 1.5 * window, pure=False)
    beside = burst(client)
    results += client.gather(beside) + [long.result(timeout=PATIENCE)]
    del long, beside
    time.sleep(2 * window)
    return results == [*range(BURST)] * 3 + [-1]


def main():
    rounds, window = int(os.environ.get("ROUNDS", "3")), float(os.environ.get("WINDOW", "4"))
    began = time.monotonic()
    with session(workers=0) as client:
        wrong = [number for number in range(rounds) if not one_round(client, window)]
    problem = f"wrong results in rounds {wrong}" if wrong else ""
    report("mixed", problem, turns=rounds * TURNS, seconds=round(time.monotonic() - began, 1))


if __name__ == "__main__":
    main()
