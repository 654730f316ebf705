"""On SIGTERM a worker without a nanny leaves soon, whatever it is doing."""

import time

from conftest import PATIENCE, TEXTS, WORKER_VARIABLE

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


# A worker that leaves after one second, for what does not depend on how long it takes.
SOON = {WORKER_VARIABLE: TEXTS["wait.py"].replace("time.sleep(8)", "time.sleep(1)")}


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
    assert time.monotonic() - sent >= 8
    # Dask's own handler has run as well.
    assert worker.times("Received signal SIGTERM")[0] - sent < PATIENCE


def test_a_worker_with_a_running_task_exits_although_the_scheduler_has_gone(lab):
    worker = busy_worker(lab, **SOON)
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
    worker = busy_worker(lab, DASK_CONFIG=config, **SOON)
    worker.terminate()
    worker.sees("OWN HANDLER")
    assert worker.exit_code(within=11) == 0


def test_under_a_nanny_dask_keeps_its_own_way_of_leaving(lab):
    scheduler = lab.scheduler()
    one, two = lab.worker(), lab.worker("--nworkers", "2")
    scheduler.sees("Register worker", 3)
    one.sees("Starting established connection")
    two.sees("Starting established connection", 2)
    for worker in one, two:
        worker.terminate()
    assert [worker.exit_code(within=12) for worker in (one, two)] == [0, 0]


def test_a_worker_that_is_closed_by_its_scheduler_exits_although_its_task_runs(lab):
    worker = busy_worker(lab, **SOON)
    lab.script(CLOSE, lab.address)
    assert worker.exit_code(within=11) == 0
