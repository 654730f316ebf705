"""On SIGTERM a worker without a nanny leaves soon, whatever it is doing."""

import time

import pytest

from conftest import PATIENCE

BUSY = """
import sys, time
from distributed import Client
def long(seconds):
    print("TASK RUNS", flush=True)
    time.sleep(seconds)
if __name__ == "__main__":
    client = Client(sys.argv[1])
    future = client.submit(long, 120)
    time.sleep(120)
"""

CLOSE = """
import sys
from distributed import Client
async def close(dask_scheduler):
    for address in list(dask_scheduler.workers):
        await dask_scheduler.remove_worker(address, stimulus_id="test", expected=True)
if __name__ == "__main__":
    Client(sys.argv[1]).run_on_scheduler(close)
"""

# A preload argument hides the variable, so the handler is the user's business then.
OWN_HANDLER = """
import signal
def dask_setup(worker):
    before = signal.getsignal(signal.SIGTERM)
    def own(*args):
        print("OWN HANDLER", flush=True)
        before(*args)
    signal.signal(signal.SIGTERM, own)
"""


def busy_worker(lab, **environ):
    lab.scheduler()
    worker = lab.worker("--no-nanny", **environ)
    lab.script(BUSY, lab.address)
    worker.sees("TASK RUNS")
    return worker


def test_a_worker_with_a_running_task_exits_zero_eight_seconds_after_sigterm(lab):
    worker = busy_worker(lab)
    sent = worker.terminate()
    assert worker.exit_code(within=11) == 0
    # Dask's own handler has run as well.
    assert worker.times("Received signal SIGTERM")[0] - sent < PATIENCE


def test_a_worker_with_a_running_task_exits_although_the_scheduler_has_gone(lab):
    worker = busy_worker(lab)
    scheduler = lab.processes[0]
    worker.terminate()
    scheduler.terminate()
    assert worker.exit_code(within=11) == 0


def test_an_idle_worker_exits_zero_at_once(lab):
    scheduler = lab.scheduler()
    worker = lab.worker("--no-nanny")
    scheduler.sees("Register worker")
    worker.sees("Starting established connection")
    worker.terminate()
    assert worker.exit_code(within=3) == 0


def test_a_second_sigterm_ends_a_busy_worker_at_once(lab):
    worker = busy_worker(lab)
    worker.terminate()
    worker.sees("Received signal SIGTERM")
    worker.terminate()
    began = time.monotonic()
    worker.exit_code(within=10)
    # One alone ends it after eight seconds.
    assert time.monotonic() - began < min(2 * PATIENCE, 7)


def test_a_handler_that_the_users_preload_installs_still_runs(lab):
    path = lab.folder / "own_handler.py"
    path.write_text(OWN_HANDLER)
    config = lab.folder / "dask.yaml"
    config.write_text(f"distributed: {{worker: {{preload: '{path}'}}}}")
    worker = busy_worker(lab, DASK_CONFIG=config)
    worker.terminate()
    worker.sees("OWN HANDLER")
    assert worker.exit_code(within=11) == 0


@pytest.mark.parametrize("way", [[], ["--nworkers", "2"]], ids=["nanny", "two processes"])
def test_under_a_nanny_dask_keeps_its_own_way_of_leaving(lab, way):
    scheduler = lab.scheduler()
    worker = lab.worker(*way)
    scheduler.sees("Register worker", 2 if way else 1)
    worker.sees("Starting established connection", 2 if way else 1)
    worker.terminate()
    assert worker.exit_code(within=12) == 0


def test_a_worker_that_is_closed_by_its_scheduler_exits_although_its_task_runs(lab):
    worker = busy_worker(lab)
    lab.script(CLOSE, lab.address)
    assert worker.exit_code(within=11) == 0
