"""Group a persisted table that is several times larger than one worker's memory, read from a Parquet dataset."""

import os
import shutil
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
from dask.distributed import WorkerPlugin, wait
from dask.utils import format_bytes

from session import holders, report, session, spilled

CITIES = [f"city-{number:03}" for number in range(100)]
FILE_ROWS = 125_000
# A string of 8 bytes with its offset of 8, and two numbers of 8 bytes.
FILE_BYTES = FILE_ROWS * (8 + 8 + 8 + 8)
# The others have the same rows as one of these: it takes as long to read them, but not to make them.
DISTINCT = 20
RATIO = 3
CAP = 2 << 30


def columns(number):
    """Return city, customer and amount of the rows of one file; few values, so that files are small."""
    rng = np.random.default_rng(number)
    city = rng.integers(len(CITIES), size=FILE_ROWS)
    return city, rng.integers(1000, size=FILE_ROWS), rng.integers(1000, size=FILE_ROWS) / 100


def write(folder, files):
    """Write the dataset; whoever shares the folder writes the same, and each moves whole files into place."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(min(files, DISTINCT)):
        city, customer, amount = columns(number)
        table = {"city": pyarrow.array(CITIES).take(city), "customer": customer, "amount": amount}
        made = folder / uuid.uuid4().hex
        pyarrow.parquet.write_table(pyarrow.table(table), made)
        for copy in range(number, files, DISTINCT):
            aside = folder / uuid.uuid4().hex
            os.link(made, aside)
            aside.rename(folder / f"{copy}.parquet")
        made.unlink()


class ParquetFiles(WorkerPlugin):
    """Write the dataset on each worker, also on those that join later: workers need not share a disk."""

    name = "parquet-files"

    def __init__(self, folder, files):
        self.folder, self.files = folder, files

    def setup(self, worker):
        # Arrow's own pool keeps freed memory, which a small worker cannot spare.
        pyarrow.set_memory_pool(pyarrow.system_memory_pool())
        write(self.folder, self.files)


@contextmanager
def dataset(client, files):
    """Yield the folder of so many Parquet files, which is there on the workers and here, where the graph is made."""
    temporary = client.submit(tempfile.gettempdir).result(timeout=120)
    folder = Path(temporary) / f"dataframe-groupby-{uuid.uuid4().hex}"
    try:
        client.register_plugin(ParquetFiles(folder, files))
        write(folder, files)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        client.unregister_worker_plugin(ParquetFiles.name)
        client.run(shutil.rmtree, folder, ignore_errors=True)


def expected(files):
    """Return sum, mean and count per city, added up file by file without Dask or pandas."""
    amounts, counts = np.zeros(len(CITIES)), np.zeros(len(CITIES), dtype=int)
    for number in range(DISTINCT):
        copies = len(range(number, files, DISTINCT))
        city, _, amount = columns(number)
        amounts += copies * np.bincount(city, amount, len(CITIES))
        counts += copies * np.bincount(city, minlength=len(CITIES))
    return pd.DataFrame({"sum": amounts, "mean": amounts / counts, "count": counts}, index=CITIES)


def main():
    start = time.monotonic()
    with session() as client:
        limits = [worker["memory_limit"] for worker in client.scheduler_info()["workers"].values()]
        files = int(min(RATIO * min(limits), CAP) / FILE_BYTES) + 1
        with dataset(client, files) as folder:
            table = dd.read_parquet(str(folder / "*.parquet")).persist()
            wait(table, timeout=300)
            on_disk, holding = spilled(client), holders(client)
            size, result = dask.compute(
                table.memory_usage(deep=True).sum(),
                table.groupby("city").amount.agg(["sum", "mean", "count"], split_out=1),
            )

    ratio = size / min(limits)
    problem = ""
    if not np.allclose(result.sort_index().to_numpy(dtype=float), expected(files).to_numpy(dtype=float)):
        problem = "the groups differ from those added up file by file."
    elif ratio < 2:
        problem = f"the workers are too large to show anything: {format_bytes(min(limits))} each."
    elif on_disk == 0 and size > sum(limits):
        problem = "the table is larger than all workers together, yet nothing was spilled."
    report(
        "dataframe_groupby",
        problem,
        rows=files * FILE_ROWS,
        bytes=int(size),
        partitions=table.npartitions,
        worker_limit=min(limits),
        ratio=round(ratio, 2),
        workers=len(limits),
        holders=holding,
        spilled_bytes=on_disk,
        seconds=round(time.monotonic() - start, 1),
    )


if __name__ == "__main__":
    main()
