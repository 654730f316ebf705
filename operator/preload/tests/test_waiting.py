"""Workers that are started before their scheduler wait for it and join as soon as it listens."""

import socket

import pytest

from conftest import INJECTED, NANNY_SCRIPT, PATIENCE, TEXTS, stays_true, wait_until

WAYS = {"nanny": [], "no nanny": ["--no-nanny"], "two processes": ["--nworkers", "2"]}

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


def joins(lab, worker, workers=1, within=LIMIT):
    """Start the scheduler and check that the waiting workers join in time."""
    scheduler = lab.scheduler()
    joined = scheduler.sees("Register worker", workers) - scheduler.listening
    print(f"joined {joined:.2f} s after the scheduler listened")
    assert not worker.ended
    if nannies := worker.times("Start Nanny at"):
        # A nanny has connected by then; how long its worker process takes to start is the machine's affair.
        assert max(nannies) - scheduler.listening < within, worker.output
        assert joined < within + CHILD_START, worker.output
    else:
        assert joined < within, worker.output


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_joins_a_scheduler_that_comes_five_seconds_later(lab, way):
    worker = lab.worker(*WAYS[way])
    stays_true(lambda: not worker.ended, 5, lambda: worker.output)
    joins(lab, worker, workers=2 if way == "two processes" else 1)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_worker_outlasts_the_time_after_which_dask_gives_up(lab, way):
    worker = lab.worker(*WAYS[way])
    stays_true(lambda: not worker.ended, 35, lambda: worker.output)
    joins(lab, worker, workers=2 if way == "two processes" else 1)


@pytest.mark.parametrize("way", WAYS)
def test_a_worker_joins_a_running_scheduler_at_once(lab, way):
    scheduler = lab.scheduler()
    worker = lab.worker(*WAYS[way])
    scheduler.sees("Register worker", 2 if way == "two processes" else 1)
    assert not worker.ended


def test_a_nanny_that_reads_its_preloads_from_the_configuration_waits_too(lab):
    worker = lab.script(NANNY_SCRIPT, lab.address, **INJECTED)
    stays_true(lambda: not worker.ended, 4, lambda: worker.output)
    joins(lab, worker)


@pytest.mark.parametrize("way", ["nanny", "no nanny"])
def test_a_worker_waits_for_a_name_that_does_not_resolve_yet(lab, way):
    (lab.folder / "sitecustomize.py").write_text(RESOLVER)
    name_file = lab.folder / "name"
    environ = {"PYTHONPATH": lab.folder, "NAME_FILE": name_file}
    address = f"tcp://scheduler.test:{lab.port}"
    worker = lab.worker(*WAYS[way], "--host", "127.0.0.1", address=address, **environ)
    stays_true(lambda: not worker.ended, 3, lambda: worker.output)
    name_file.write_text("127.0.0.1")
    joins(lab, worker)


@pytest.mark.parametrize("way", ["nanny", "no nanny"])
def test_a_worker_waits_for_an_address_that_swallows_packets(lab, way):
    # A listener that never accepts and whose queue is full: the kernel drops further connection requests.
    with socket.create_server(("127.0.0.1", lab.port), backlog=0):
        fillers = [socket.socket() for _ in range(2)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", lab.port))
        worker = lab.worker(*WAYS[way])
        stays_true(lambda: not worker.ended, 4, lambda: worker.output)
        for filler in fillers:
            filler.close()
    joins(lab, worker, within=LIMIT + 1)


@pytest.mark.parametrize("way", WAYS)
def test_a_waiting_worker_gives_up_when_its_death_timeout_is_over(lab, way):
    worker = lab.worker(*WAYS[way], "--death-timeout", "3")
    assert worker.exit_code(within=15) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_waiting_worker_leaves_at_once_on_sigterm(lab, way):
    worker = lab.worker(*WAYS[way])
    worker.sees(r"Run preload setup: exec", 2 if way == "two processes" else 1)
    sent = worker.terminate()
    worker.exit_code(within=15)
    wait_until(lambda: worker.ended, 1)
    assert worker.lines[-1][0] - sent < 3 * PATIENCE


def test_the_worker_of_a_nanny_does_not_wait_again(lab):
    scheduler = lab.scheduler()
    worker = lab.worker()
    scheduler.sees("Register worker")
    assert len(scheduler.times("closed before handshake completed")) <= 1
    assert TEXTS["worker-preload.txt"] in worker.output
