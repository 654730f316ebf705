"""Has imported Dask, and forks a process for each order: an import takes most of a second of a processor.

Run with the interpreter that is tested, and with a socket on which orders come: a JSON object with
`arguments`, `environment` and `folder`, and three open files, for the input, for the output, and for what
becomes of the process: a line with its pid, then one with its exit code.
"""

import json
import os
import random
import runpy
import signal
import socket
import sys

import dask.config
import distributed.cli.dask_scheduler
import distributed.cli.dask_worker  # noqa: F401

MOST_BYTES = 1 << 20


def main(orders):
    """Fork until nobody has orders any more. It returns in each process that is forked, too."""
    # Nobody waits for the keepers.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        order, files, _, _ = socket.recv_fds(orders, MOST_BYTES, 3)
        if not order:
            return None
        if os.fork() == 0:
            return kept(json.loads(order), *files)
        for file in files:
            os.close(file)


def kept(order, stdin, stdout, fate):
    """Fork once more, and tell what becomes of that process; only there it returns."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        # Whoever knows its pid may end its whole group.
        os.setsid()
        os.write(fate, f"{os.getpid()}\n".encode())
        os.dup2(stdin, 0), os.dup2(stdout, 1), os.dup2(stdout, 2)
        os.closerange(3, 256)
        return order
    os.closerange(0, fate), os.closerange(fate + 1, 256)
    _, status = os.waitpid(pid, 0)
    os.write(fate, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def become(arguments, environment, folder):
    """Do what Python does with these arguments."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    dask.config.refresh()
    if arguments[0] == "-m":
        sys.argv, sys.path[0] = arguments[1:], folder
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(arguments[0])
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    if order := main(socket.socket(fileno=int(sys.argv[1]))):
        become(**order)
