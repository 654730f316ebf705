"""When a workload under which workers leave ends: it is told so, and it is bounded in any case."""

import os
import threading
from contextlib import suppress

from session import report

# Seconds from the start: no round begins after this; nothing is waited for; it ends all the same.
LAST_ROUND, LAST_READ, LAST = 480, 570, 595


def bounded(workload):
    """End the process when the last of its time is over, whatever it hangs in."""
    guard = threading.Timer(LAST, end_anyway, [workload])
    guard.daemon = True
    guard.start()


def end_anyway(workload):
    with suppress(SystemExit):
        report(workload, "it did not end", why="it did not end")
    os._exit(1)


def told_to_end():
    """Return an event that is set when `enough` is read, or the end of the input."""
    enough = threading.Event()
    threading.Thread(target=listen, args=[enough], daemon=True).start()
    return enough


def listen(enough):
    """Read without a buffer, which a thread would hold until the process ends."""
    with open(0, "rb", buffering=0, closefd=False) as lines:
        next((line for line in lines if line.strip() == b"enough"), None)
    enough.set()
