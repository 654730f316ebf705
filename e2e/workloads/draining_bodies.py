"""The bodies of tasks that log their start, and whose values follow from their names and what they are given."""

import hashlib
import os
import time


def begin(log, name):
    """Log that a body starts, in one write, so that all processes can share the file."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(file, f"{name}\n".encode())
    finally:
        os.close(file)


def value(name, copies, inputs):
    digest = hashlib.blake2b(name.encode())
    for given in inputs:
        digest.update(given)
    return digest.digest() * copies


def mix(log, name, seconds, copies, inputs):
    begin(log, name)
    time.sleep(seconds)
    return value(name, copies, inputs)


# Dask sends by value what belongs to the program itself, and only that; workers do not have this file.
for function in begin, value, mix:
    function.__module__ = "__main__"
