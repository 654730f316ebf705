"""Compute x @ x.T for an array several times larger than one worker's memory, by spreading and spilling."""

import math
import time

import dask.array as da
import numpy as np
from dask.distributed import wait
from dask.utils import format_bytes

from session import holders, report, session, spilled

ROWS, BLOCK_ROWS, BLOCK_COLUMNS = 512, 256, 4096
PANEL_BYTES = ROWS * BLOCK_COLUMNS * 8
RATIO = 3
CAP = 2 << 30


def block(row, column):
    """Return one block of x; the same place gives the same numbers everywhere."""
    return np.random.default_rng([row, column]).random((BLOCK_ROWS, BLOCK_COLUMNS)) - 0.5


def array(panels):
    chunks = ((BLOCK_ROWS,) * (ROWS // BLOCK_ROWS), (BLOCK_COLUMNS,) * panels)
    return da.map_blocks(lambda block_id: block(*block_id), chunks=chunks, dtype=float, meta=np.empty((0, 0)))


def product_with(vector, panels):
    """Return x @ (x.T @ vector) one panel at a time: a check of every number of x @ x.T in little memory."""
    total = np.zeros(ROWS)
    for column in range(panels):
        panel = np.vstack([block(row, column) for row in range(ROWS // BLOCK_ROWS)])
        total += panel @ (panel.T @ vector)
    return total


def main():
    start = time.monotonic()
    with session() as client:
        workers = client.scheduler_info()["workers"].values()
        limits = [worker["memory_limit"] for worker in workers]
        panels = math.ceil(min(RATIO * min(limits), CAP) / PANEL_BYTES)
        x = array(panels).persist()
        wait(x, timeout=300)
        on_disk, holding = spilled(client), holders(client)
        product = (x @ x.T).compute()

    vector = np.random.default_rng(1).random(ROWS)
    ratio = x.nbytes / min(limits)
    problem = ""
    if not np.allclose(product @ vector, product_with(vector, panels)):
        problem = "x @ x.T differs from the product computed panel by panel."
    elif ratio < 2:
        problem = f"the workers are too large to show anything: {format_bytes(min(limits))} each."
    elif on_disk == 0 and x.nbytes > sum(limits):
        problem = "x is larger than all workers together, yet nothing was spilled."
    report(
        "array_larger_than_memory",
        problem,
        bytes=x.nbytes,
        worker_limit=min(limits),
        ratio=round(ratio, 2),
        workers=len(limits),
        holders=holding,
        spilled_bytes=on_disk,
        seconds=round(time.monotonic() - start, 1),
    )


if __name__ == "__main__":
    main()
