"""The data that draining.py scatters to single workers, reads back and replaces."""

import random
import time

import draining_watch as watch

COUNT = 8
BYTES = 100_000, 5_000_000
REPLACED = 2


class Data:
    """Futures of scattered data, each with what it must be."""

    def __init__(self, client, losses, seed):
        self.client = client
        self.losses = losses
        self.random = random.Random(seed)
        # Of its own, since how often it is asked depends on who leaves.
        self.places = random.Random(seed)
        self.items = []

    def fill(self):
        while len(self.items) < COUNT:
            data = self.random.randbytes(self.random.randint(*BYTES))
            self.items.append((self.scatter(data), data))

    def scatter(self, data):
        """Put data on one worker; elsewhere, if that leaves now, for its drain may have been over before."""
        while time.monotonic() < self.losses.until:
            try:
                place = self.places.choice(self.client.run_on_scheduler(watch.running))
                future = self.client.scatter(data, [place], hash=False, direct=False, timeout=2)
            except (IndexError, KeyError, OSError):
                time.sleep(0.1)
            else:
                if self.client.run_on_scheduler(watch.in_reach, future.key):
                    return future
        raise TimeoutError("no worker takes data")

    def replace(self):
        """Read some and forget them; scatter others instead."""
        for _ in range(REPLACED):
            self.losses.check(*self.items.pop(self.random.randrange(len(self.items))))
        self.fill()
