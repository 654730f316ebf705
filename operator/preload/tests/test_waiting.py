"""Workers that are started before their scheduler wait for it and join as soon as it listens."""

import socket

import pytest

from conftest import INJECTED, NANNY_SCRIPT, PATIENCE, TEXTS, stays_true
from generate import SOURCES

# The ways to start a worker, which are tried side by side.
WAYS = {"nanny": [], "no nanny": ["--no-nanny"], "two processes": ["--nworkers", "2"]}
ONE_PROCESS = "nanny", "no nanny"

# Seconds after "listening" in which the scheduler must be reached;
# seconds a process may take to start.
LIMIT = PATIENCE
CHILD_START = 5 * PATIENCE

# A resolver that knows a name only once a file with its address exists.
RESOLVER = """
import os, socket
resolve = socket.getaddrinfo
def late(host, *args, **kwargs):
    if host == "scheduler.test":
        if not os.path.exists(os.environ["NAME_FILE"]):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        host = open(os.environ["NAME_FILE"]).read()
    return resolve(host, *args, **kwargs)
socket.getaddrinfo = late
"""

# Told to stop in the very moment in which it is refused.
STOPPED = """
import asyncio
import wait
async def refused(*_):
    waiting.cancel()
    raise ConnectionRefusedError
async def main():
    global waiting
    asyncio.open_connection = refused
    waiting = asyncio.ensure_future(wait.scheduler_listens("tcp://127.0.0.1:1"))
    await asyncio.wait([waiting], timeout=5)
    print("STOPPED" if waiting.cancelled() else "GOES ON", flush=True)
    waiting.cancel()
asyncio.run(main())
"""


def start(lab, *arguments, ways=WAYS, **options):
    """Start a worker in each way; return them by the name of the way."""
    return {way: lab.worker(*WAYS[way], *arguments, **options) for way in ways}


def start_all(lab):
    """Add a nanny that reads its preloads from the configuration."""
    return start(lab) | {"configured nanny": lab.script(NANNY_SCRIPT, lab.address, **INJECTED)}


def processes(way):
    return 2 if way == "two processes" else 1


def all_wait(workers, seconds):
    """Check that all wait for so long."""

    def ended():
        return [f"{way}:\n{worker.output}" for way, worker in workers.items() if worker.ended]

    stays_true(lambda: not ended(), seconds, lambda: "\n".join(ended()))


def join(lab, workers, within=LIMIT):
    """Start the scheduler and check that the waiting workers join in time."""
    scheduler = lab.scheduler()
    scheduler.sees("Register worker", sum(map(processes, workers)))
    for way, worker in workers.items():
        joined = worker.sees("Registered to", processes(way)) - scheduler.listening
        print(f"{way}: joined {joined:.2f} s after the scheduler listened")
        assert not worker.ended
        if nannies := worker.times("Start Nanny at"):
            # A nanny has connected by then; how long its worker process takes to start is not its affair.
            assert max(nannies) - scheduler.listening < within, worker.output
            assert joined < within + CHILD_START, worker.output
        else:
            assert joined < within, worker.output


def test_workers_join_a_scheduler_that_comes_five_seconds_later(lab):
    workers = start_all(lab)
    all_wait(workers, 5)
    join(lab, workers)


@pytest.mark.slow
def test_workers_outlast_the_time_after_which_dask_gives_up(lab):
    workers = start_all(lab)
    all_wait(workers, 35)
    join(lab, workers)


def test_workers_join_a_running_scheduler_at_once(lab):
    scheduler = lab.scheduler()
    workers = start(lab)
    scheduler.sees("Register worker", sum(map(processes, workers)))
    assert not any(worker.ended for worker in workers.values())


def test_workers_wait_for_a_name_that_does_not_resolve_yet(lab):
    (lab.folder / "sitecustomize.py").write_text(RESOLVER)
    name_file = lab.folder / "name"
    environ = {"PYTHONPATH": lab.folder, "NAME_FILE": name_file}
    address = f"tcp://scheduler.test:{lab.port}"
    workers = start(lab, "--host", "127.0.0.1", ways=ONE_PROCESS, address=address, **environ)
    all_wait(workers, 3)
    name_file.write_text("127.0.0.1")
    join(lab, workers)


def test_workers_wait_for_an_address_that_swallows_packets(lab):
    # A listener that never accepts and whose queue is full: the kernel drops further connection requests.
    with socket.create_server(("127.0.0.1", lab.port), backlog=0):
        fillers = [socket.socket() for _ in range(2)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", lab.port))
        workers = start(lab, ways=ONE_PROCESS)
        all_wait(workers, 4)
        for filler in fillers:
            filler.close()
    join(lab, workers, within=LIMIT + 1)


def test_waiting_workers_give_up_when_their_death_timeout_is_over(lab):
    workers = start(lab, "--death-timeout", "3")
    assert {way: worker.exit_code(within=15) for way, worker in workers.items()} == dict.fromkeys(WAYS, 1)


def test_waiting_workers_leave_at_once_on_sigterm(lab):
    workers = start(lab)
    for way, worker in workers.items():
        worker.sees(r"Run preload setup: exec", processes(way))
    sent = {way: worker.terminate() for way, worker in workers.items()}
    for way, worker in workers.items():
        worker.exit_code(within=15)
        assert worker.lines[-1][0] - sent[way] < 3 * PATIENCE, way


def test_a_worker_that_is_refused_while_it_is_told_to_stop_does_not_wait_on(lab):
    lab.script(STOPPED, PYTHONPATH=SOURCES).sees("STOPPED")


def test_the_worker_of_a_nanny_does_not_wait_again(lab):
    scheduler = lab.scheduler()
    worker = lab.worker()
    scheduler.sees("Register worker")
    assert len(scheduler.times("closed before handshake completed")) <= 1
    assert TEXTS["worker-preload.txt"] in worker.output
