"""Put data on one worker and use it on another: the workers move it between themselves."""

import time

import numpy as np

from session import report, session

SIZE = 4_000_000


def total(data):
    return int(data.sum())


def moves(dask_worker):
    """Return who sent which keys to a worker; where data are does not show it, since spare copies are soon dropped."""
    return [(move["who"], list(move["keys"])) for move in dask_worker.transfer_incoming_log]


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
        after = client.who_has(result)[result.key]
        moved = client.run(moves, workers=[target])[target]

    problem = ""
    if value != total(data):
        problem = f"the other worker computed {value}, plain NumPy gives {total(data)}."
    elif tuple(before) != (source,):
        problem = f"the data were scattered to {before} instead of {source}."
    elif not any(sender == source and future.key in keys for sender, keys in moved):
        problem = f"{target} received {moved}, but not the data of {source}."
    elif tuple(after) != (target,):
        problem = f"the task ran on {after} instead of {target}."
    report("data_moves", problem, bytes=data.nbytes, source=source, target=target, seconds=round(seconds, 3))


if __name__ == "__main__":
    main()
