"""Estimate π on the cluster whose scheduler DASK_SCHEDULER_ADDRESS names."""

import dask.array as da
from dask.distributed import Client

with Client() as client:
    x, y = da.random.default_rng(seed=1).random((2, 20_000_000), chunks=(2, 1_000_000))
    inside = (x**2 + y**2 < 1).mean()
    print(f"π ≈ {4 * inside.compute():.4f}")
