"""The preloads that the user's own configuration names and our environment variable hides."""

import os

from dask import config
from distributed.preloading import logger, process_preloads

# Dask imports a preload and then reloads it into the same module: what the first pass loaded is kept.
preloads = globals().get("preloads", [])


def load(role):
    """Load the user's preloads for a role: worker, nanny or scheduler."""
    if not preloads:
        key = "distributed." + role + ".preload"
        # Ours are the preload and the empty list of its arguments, which must be as many as the preloads.
        theirs = {k: v for k, v in os.environ.items() if not k.endswith("__PRELOAD") and v != "[]"}
        own = config.collect(env=theirs)
        preloads.extend(process_preloads(None, config.get(key, [], own), config.get(key + "-argv", [], own)))


async def call(step, items, server):
    """Call one step of each of the user's preloads; like Dask, log a failure and go on."""
    for item in items:
        item.dask_object = server
        try:
            await getattr(item, step)()
        except Exception:
            logger.exception(item.name)
