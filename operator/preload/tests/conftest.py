"""Real Dask command-line processes on the loopback interface, ended by pid after every test.

DASK_VENVS may name the Python executables to test with, separated by colons; else it is the one of pytest.
PATIENCE multiplies every bound of time.
"""

import contextlib
import functools
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from generate import SCHEDULER_VARIABLE, WORKER_VARIABLE, generate

TEXTS = generate()
# How many times longer everything may take, for machines that are busy with other things.
PATIENCE = float(os.environ.get("PATIENCE", "1"))
# So long that whatever ends or happens by itself in this time does not in a test.
AN_HOUR = 3600
INJECTED = {
    WORKER_VARIABLE: TEXTS["wait.py"],
    "DASK_DISTRIBUTED__WORKER__PRELOAD": TEXTS["worker-preload.txt"],
    "DASK_DISTRIBUTED__WORKER__PRELOAD_ARGV": "[]",
    "DASK_DISTRIBUTED__NANNY__PRELOAD": TEXTS["nanny-preload.txt"],
    "DASK_DISTRIBUTED__NANNY__PRELOAD_ARGV": "[]",
}
TOKEN = "0123456789abcdef"
INTO_SCHEDULER = {
    SCHEDULER_VARIABLE: TEXTS["scheduler-packed.txt"],
    "DASK_DISTRIBUTED__SCHEDULER__PRELOAD": TEXTS["scheduler-preload.txt"],
    "DASK_DISTRIBUTED__SCHEDULER__PRELOAD_ARGV": "[]",
    "OPERATOR_TOKEN": TOKEN,
}

# Like `dask cuda worker`, which builds nannies itself and leaves their preloads to the configuration.
NANNY_SCRIPT = """
import asyncio, sys
from distributed import Nanny
async def main():
    async with Nanny(sys.argv[1], nthreads=1, dashboard=False) as nanny:
        await nanny.finished()
if __name__ == "__main__":
    asyncio.run(main())
"""


def pytest_generate_tests(metafunc):
    if "lab" in metafunc.fixturenames:
        pythons = os.environ.get("DASK_VENVS", sys.executable).split(":")
        names = [Path(python).parent.parent.name for python in pythons]
        metafunc.parametrize("lab", pythons, indirect=True, ids=names)


def pytest_collection_modifyitems(items):
    """Begin with what takes longest, so that no process is left alone with it."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def lab(request, tmp_path):
    lab = Lab(request.param, tmp_path)
    yield lab
    lab.end()


class Lab:
    """One port for a scheduler, one folder, and the processes started in it."""

    def __init__(self, python, folder):
        self.python = python
        self.folder = folder
        self.port = free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.processes = []
        # What pods leave behind that were told to leave.
        self.marks = set()

    def start(self, *arguments, **environ):
        process = Process(self.python, arguments, self.folder, environ)
        self.processes.append(process)
        if pod := environ.get("DASK_WORKER_NAME"):
            self.marks.add(Path("/dev/shm", pod))
        return process

    def scheduler(self):
        where = ["--host", "127.0.0.1", "--port", self.port, "--dashboard-address", ":0"]
        process = self.start("-m", "dask", "scheduler", "--no-dashboard", *where)
        process.listening = process.sees(r"Scheduler at:")
        return process

    def worker(self, *arguments, address=None, **environ):
        """Start `dask worker` the way the operator does: its variables, and --preload-nanny at the end."""
        arguments = [address or self.address, "--nthreads", 1, "--no-dashboard", *arguments]
        if "--no-nanny" not in arguments:
            arguments += ["--preload-nanny", TEXTS["preload-nanny.txt"]]
        return self.start("-m", "dask", "worker", *arguments, **{**INJECTED, **environ})

    def script(self, source, *arguments, **environ):
        """Run a Python script of several lines with the tested interpreter."""
        path = self.folder / f"script{len(self.processes)}.py"
        path.write_text(source)
        return self.start(path, *arguments, **environ)

    def end(self):
        for process in reversed(self.processes):
            process.end()
        for mark in self.marks:
            mark.unlink(missing_ok=True)


# A process that has imported Dask has read these, and does not do so again.
READ_ONCE = {"PYTHONPATH", "DASK_CONFIG"}


def inherited():
    """The environment without what would configure Dask."""
    mine = {key: value for key, value in os.environ.items() if not key.startswith("DASK_")}
    # Nobody calculates, and NumPy's threads take a tenth of the time in which a process starts.
    return {**mine, "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"}


def command(python, arguments, folder, environ):
    """Start Python as usual."""
    pipe = subprocess.PIPE
    files = {"stdin": pipe, "stdout": pipe, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([python, *arguments], cwd=folder, env=environ, start_new_session=True, **files)


class Nursery:
    """A process that has imported Dask and forks others; it ends with its end of the socket."""

    @staticmethod
    @functools.cache
    def of(python):
        return Nursery(python)

    def __init__(self, python):
        self.orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = [python, str(Path(__file__).parent / "nursery.py"), str(theirs.fileno())]
        with theirs:
            # Whoever runs the tests may have configured Dask.
            own = {**inherited(), "HOME": os.devnull}
            files = {"pass_fds": [theirs.fileno()], "stdin": subprocess.DEVNULL}
            # Not to be interrupted with the tests: it ends after them.
            subprocess.Popen(program, env=own, start_new_session=True, **files)


class Forked:
    """What a test needs of `subprocess.Popen`, of a process that is somebody else's child."""

    def __init__(self, orders, arguments, folder, environ):
        (theirs_in, ours_in), (ours_out, theirs_out), (fate, theirs_fate) = (os.pipe() for _ in range(3))
        self.stdin, self.stdout, self.fate = os.fdopen(ours_in, "w"), os.fdopen(ours_out), os.fdopen(fate)
        order = {"arguments": arguments, "environment": environ, "folder": str(folder)}
        files = [theirs_in, theirs_out, theirs_fate]
        socket.send_fds(orders, [json.dumps(order).encode()], files)
        for file in files:
            os.close(file)
        self.pid = int(self.fate.readline())
        self.returncode = None
        self.ended = threading.Event()
        threading.Thread(target=self.await_end, daemon=True).start()

    def await_end(self):
        with self.fate:
            # Nothing comes when somebody ended the one who should tell.
            self.returncode = int(self.fate.readline() or -signal.SIGKILL)
        self.ended.set()

    def poll(self):
        return self.returncode if self.ended.is_set() else None

    def wait(self, timeout):
        if not self.ended.wait(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return self.returncode

    def send_signal(self, number):
        if not self.ended.is_set():
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


class Process:
    """A process in its own process group; its output is kept as lines with their times of arrival."""

    def __init__(self, python, arguments, folder, environ):
        own = {"HOME": folder, "DASK_TEMPORARY_DIRECTORY": folder}
        environ = {key: str(value) for key, value in {**inherited(), **own, **environ}.items()}
        arguments = [str(argument) for argument in arguments]
        has_options = arguments[0].startswith("-") and arguments[0] != "-m"
        fresh = has_options or READ_ONCE & set(environ)
        if fresh:
            self.popen = command(python, arguments, folder, environ)
        else:
            self.popen = Forked(Nursery.of(python).orders, arguments, folder, environ)
        self.lines = []
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.popen.stdout:
            self.lines.append((time.monotonic(), line.rstrip()))

    def write(self, text):
        self.popen.stdin.write(text)
        self.popen.stdin.flush()

    @property
    def output(self):
        return "\n".join(line for _, line in self.lines)

    def times(self, pattern):
        return [seen for seen, line in list(self.lines) if re.search(pattern, line)]

    def sees(self, pattern, count=1, within=20):
        """Wait for a number of matching lines and return the time of the last one needed."""
        wait_until(lambda: len(self.times(pattern)) >= count or self.ended, within, lambda: self.output)
        if self.ended:
            # Its last words may not have been read yet.
            self.reader.join(5)
        found = self.times(pattern)
        assert len(found) >= count, f"ended without {count} times {pattern!r}:\n{self.output}"
        return found[count - 1]

    @property
    def ended(self):
        return self.popen.poll() is not None

    def exit_code(self, within):
        code = self.popen.wait(within * PATIENCE)
        self.reader.join(5)
        return code

    def terminate(self):
        self.popen.terminate()
        return time.monotonic()

    def end(self):
        """Kill the process and what it has spawned, which share its group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, 9)
        self.popen.wait(10)
        self.reader.join(5)
        self.popen.stdout.close()
        # What was written may still wait for a process that is gone.
        with contextlib.suppress(BrokenPipeError):
            self.popen.stdin.close()


# Below those that the kernel gives to outgoing connections, and another beginning in each process.
PORTS = (10000 + number % 20000 for number in itertools.count(os.getpid() * 97))


def free_port():
    for port in PORTS:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def wait_until(condition, within, explain=lambda: ""):
    deadline = time.monotonic() + within * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s\n{explain()}"
        time.sleep(0.02)


def stays_true(condition, seconds, explain=lambda: ""):
    """Watch a condition for a while; for what must not happen there is nothing to poll for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), explain()
        time.sleep(0.02)
