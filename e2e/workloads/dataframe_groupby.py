"""Group a persisted table, read from Parquet files, that is several times larger than one worker's memory."""

import tempfile
import time
from pathlib import Path

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
from dask.distributed import wait
from dask.utils import format_bytes

from session import holders, report, session, spilled

CITIES = [f"city-{number:03}" for number in range(100)]
PIECE_ROWS = 125_000
# A string of 8 bytes with its offset of 8, and two numbers of 8 bytes.
PIECE_BYTES = PIECE_ROWS * (8 + 8 + 8 + 8)
RATIO = 2.5
CAP = 2 << 30


def numbers(piece):
    """Return the columns of one piece; the same piece has the same numbers everywhere."""
    rng = np.random.default_rng(piece)
    city = rng.integers(len(CITIES), size=PIECE_ROWS)
    return city, rng.integers(1_000_000, size=PIECE_ROWS), rng.random(PIECE_ROWS)


def read_piece(piece):
    """Return one piece by way of a Parquet file; without a shared disk each worker writes what it reads."""
    # Arrow's own pool keeps freed memory, which a small worker cannot spare.
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    city, customer, amount = numbers(piece)
    table = pyarrow.table({"city": pyarrow.array(CITIES).take(city), "customer": customer, "amount": amount})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{piece}.parquet"
        pyarrow.parquet.write_table(table, path, use_dictionary=["city"], compression="none")
        return pd.read_parquet(path)


def expected(pieces):
    """Return sum and count per city, added up piece by piece without Dask or pandas."""
    amounts, counts = np.zeros(len(CITIES)), np.zeros(len(CITIES), dtype=int)
    for piece in range(pieces):
        city, _, amount = numbers(piece)
        amounts += np.bincount(city, amount, len(CITIES))
        counts += np.bincount(city, minlength=len(CITIES))
    return pd.DataFrame({"sum": amounts, "mean": amounts / counts, "count": counts}, index=CITIES)


def main():
    start = time.monotonic()
    with session() as client:
        limits = [worker["memory_limit"] for worker in client.scheduler_info()["workers"].values()]
        pieces = int(min(RATIO * min(limits), CAP) / PIECE_BYTES)
        table = dd.from_map(read_piece, range(pieces), meta=read_piece(0).head(0)).persist()
        wait(table, timeout=300)
        on_disk, holding = spilled(client), holders(client)
        size, result = dask.compute(
            table.memory_usage(deep=True).sum(),
            table.groupby("city").amount.agg(["sum", "mean", "count"], split_out=1),
        )

    ratio = size / min(limits)
    problem = ""
    if not np.allclose(result.sort_index().to_numpy(dtype=float), expected(pieces).to_numpy(dtype=float)):
        problem = "the groups differ from those added up piece by piece."
    elif ratio < 2:
        problem = f"the workers are too large to show anything: {format_bytes(min(limits))} each."
    elif on_disk == 0 and size > sum(limits):
        problem = "the table is larger than all workers together, yet nothing was spilled."
    report(
        "dataframe_groupby",
        problem,
        rows=pieces * PIECE_ROWS,
        bytes=int(size),
        worker_limit=min(limits),
        ratio=round(ratio, 2),
        workers=len(limits),
        holders=holding,
        spilled_bytes=on_disk,
        seconds=round(time.monotonic() - start, 1),
    )


if __name__ == "__main__":
    main()
