"""What the user configured goes on working beside the injected texts."""

from conftest import INJECTED, NANNY_SCRIPT

# A preload that says on standard output what Dask calls, and with what.
PRELOAD = """
def dask_setup(server):
    print("SETUP {name} in", type(server).__name__, flush=True)
def dask_teardown(server):
    print("TEARDOWN {name} in", type(server).__name__, flush=True)
"""

CLICK_PRELOAD = """
import click
@click.command()
@click.option("--colour")
def dask_setup(server, colour):
    print("SETUP clicked in", type(server).__name__, colour, flush=True)
"""

BROKEN_PRELOAD = """
def dask_setup(server):
    raise RuntimeError("broken on purpose")
"""


def write_preload(lab, name, source=PRELOAD):
    path = lab.folder / f"{name}_preload.py"
    path.write_text(source.replace("{name}", name))
    return path


def configure(lab, text):
    """Write the user's configuration; return the variable that names it."""
    path = lab.folder / "dask.yaml"
    path.write_text(text)
    return {"DASK_CONFIG": path}


def test_preloads_of_the_users_configuration_run_with_set_up_and_tear_down(lab):
    first, second = write_preload(lab, "first"), write_preload(lab, "second")
    config = configure(lab, f"distributed: {{worker: {{preload: ['{first}', '{second}']}}}}")
    scheduler = lab.scheduler()
    workers = [lab.worker(*way, **config) for way in ([], ["--no-nanny"])]
    scheduler.sees("Register worker", len(workers))
    for worker in workers:
        assert worker.sees("SETUP first in Worker") <= worker.sees("SETUP second in Worker")
        assert len(worker.times("SETUP")) == 2

    retire = "import sys; from distributed import Client; c = Client(sys.argv[1]); c.retire_workers()"
    lab.script(retire, lab.address)
    for worker in workers:
        assert worker.exit_code(within=20) == 0
        assert len(worker.times("TEARDOWN first")) == len(worker.times("TEARDOWN second")) == 1


def test_arguments_of_the_users_configuration_reach_its_preload(lab):
    path = write_preload(lab, "click", CLICK_PRELOAD)
    config = configure(lab, f"distributed: {{worker: {{preload: '{path}', preload-argv: [--colour, red]}}}}")
    worker = lab.worker("--no-nanny", **config)
    worker.sees("SETUP clicked in Worker red")


def test_each_of_several_preloads_gets_its_own_arguments(lab):
    first, click = write_preload(lab, "first"), write_preload(lab, "click", CLICK_PRELOAD)
    own = f"preload: ['{first}', '{click}'], preload-argv: [[], [--colour, red]]"
    worker = lab.worker("--no-nanny", **configure(lab, f"distributed: {{worker: {{{own}}}}}"))
    worker.sees("SETUP first in Worker")
    worker.sees("SETUP clicked in Worker red")


def test_a_preload_that_fails_does_not_keep_the_next_ones_and_the_wait_from_running(lab):
    broken, sound = write_preload(lab, "broken", BROKEN_PRELOAD), write_preload(lab, "sound")
    config = configure(lab, f"distributed: {{worker: {{preload: ['{broken}', '{sound}']}}}}")
    worker = lab.worker("--no-nanny", **config)
    worker.sees("broken on purpose")
    worker.sees("SETUP sound in Worker")
    lab.scheduler().sees("Register worker")


def test_a_preload_that_cannot_be_imported_ends_the_worker_as_it_does_in_stock_dask(lab):
    config = configure(lab, "distributed: {worker: {preload: no.such.module}}")
    lab.scheduler()
    worker = lab.worker("--no-nanny", **config)
    assert worker.exit_code(within=20) != 0
    assert "No module named 'no'" in worker.output


def test_the_users_preload_argument_runs_with_and_without_a_nanny(lab):
    path = write_preload(lab, "argument")
    scheduler = lab.scheduler()
    workers = [lab.worker(*way, "--preload", path) for way in ([], ["--no-nanny"])]
    scheduler.sees("Register worker", len(workers))
    for worker in workers:
        worker.sees("SETUP argument in Worker")


def test_the_users_preload_for_the_nanny_runs_beside_ours(lab):
    path = write_preload(lab, "nanny")
    worker = lab.worker("--preload-nanny", path)
    worker.sees("SETUP nanny in Nanny")
    lab.scheduler().sees("Register worker")


def test_nanny_preloads_of_the_configuration_run_where_dask_reads_them(lab):
    path = write_preload(lab, "configured")
    config = configure(lab, f"distributed: {{nanny: {{preload: ['{path}']}}}}")
    scheduler = lab.scheduler()
    worker = lab.script(NANNY_SCRIPT, lab.address, **INJECTED, **config)
    scheduler.sees("Register worker")
    worker.sees("SETUP configured in Nanny")


def test_other_configuration_by_file_and_variable_stays_in_force(lab):
    config = configure(lab, "distributed: {worker: {validate: true}, nanny: {environ: {COLOUR: blue}}}")
    probe = """
import sys, os, dask
from distributed import Client
def look():
    get = dask.config.get
    return get("distributed.worker.validate"), get("my.own"), os.environ.get("COLOUR")
if __name__ == "__main__":
    client = Client(sys.argv[1])
    client.wait_for_workers(1)
    print(list(client.run(look).values()), flush=True)
"""
    lab.scheduler()
    lab.worker(**config, DASK_MY__OWN="['a', 1]")
    lab.script(probe, lab.address).sees(r"\[\(True, \['a', 1\], 'blue'\)\]")
