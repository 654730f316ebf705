"""Hear from the scheduler when something changes."""

from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.preloading import logger

from drain import note_loss


class Watch(SchedulerPlugin):
    """No hook on transitions: it would cost every task of the users."""

    def remove_worker(self, **event):
        try:
            note_loss(event["scheduler"], event["worker"])
        except Exception:
            logger.exception("dask-operator")


def watch(scheduler):
    """Begin to listen."""
    scheduler.add_plugin(Watch(), name="dask-operator", idempotent=True)
