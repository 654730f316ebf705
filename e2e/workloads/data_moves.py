"""Put data on one worker and use it on another: the workers move it between themselves."""

import time

import numpy as np

from session import report, session

SIZE = 4_000_000


def total(data):
    return int(data.sum())


def main():
    with session(workers=2) as client:
        source, target = sorted(client.nthreads())[:2]
        data = np.random.default_rng(7).integers(1_000_000, size=SIZE)
        future = client.scatter(data, workers=[source], hash=False)
        before = client.who_has(future)[future.key]

        start = time.monotonic()
        result = client.submit(total, future, workers=[target], pure=False)
        value = result.result(timeout=60)
        seconds = time.monotonic() - start
        after = client.who_has([future, result])

    problem = ""
    if value != total(data):
        problem = f"the other worker computed {value}, plain NumPy gives {total(data)}."
    elif tuple(before) != (source,):
        problem = f"the data were scattered to {before} instead of {source}."
    elif set(after[future.key]) != {source, target}:
        problem = f"after the move the data were on {after[future.key]}, not on both workers."
    elif tuple(after[result.key]) != (target,):
        problem = f"the task ran on {after[result.key]} instead of {target}."
    report("data_moves", problem, bytes=data.nbytes, source=source, target=target, seconds=round(seconds, 3))


if __name__ == "__main__":
    main()
