"""The committed texts are what the sources give, small enough and safe in an environment variable."""

import ast

import pytest
from distributed import Scheduler
from distributed.scheduler import ClientState, TaskGroup, TaskPrefix, TaskState, WorkerState
from distributed.stealing import WorkStealing

from conftest import INJECTED, TEXTS
from generate import GENERATED, STUBS, join, own_fields, unpack

LIMIT = 2880
SCHEDULER_LIMIT = 8192
PACKED = "scheduler-packed.txt"
# What may be expanded, and where: the plain source is there to be read.
INJECTED_TEXTS = sorted(set(TEXTS) - {"scheduler.py"})


@pytest.mark.parametrize("name", sorted(set(TEXTS) - {PACKED}))
def test_a_generated_file_is_what_generate_writes_now(name):
    assert (GENERATED / name).read_text() == TEXTS[name], "run generate.py"


def test_the_packed_source_is_the_one_beside_it():
    # Not byte by byte: there is more than one way to compress.
    assert unpack((GENERATED / PACKED).read_text()) == TEXTS["scheduler.py"], "run generate.py"


def test_nothing_else_lies_among_the_generated_files():
    assert {path.name for path in GENERATED.iterdir()} == set(TEXTS)


def test_everything_injected_into_a_worker_pod_fits_the_limit():
    variables = sum(len(name) + len(value) for name, value in INJECTED.items())
    argument = len("--preload-nanny") + len(TEXTS["preload-nanny.txt"])
    assert variables + argument + len(TEXTS["leave.py"]) <= LIMIT
    assert len(TEXTS["leave.py"]) <= 1024


def test_everything_injected_into_a_scheduler_pod_fits_the_limit():
    assert len(TEXTS[PACKED]) <= SCHEDULER_LIMIT


@pytest.mark.parametrize("name", INJECTED_TEXTS)
def test_no_text_has_a_character_that_kubernetes_or_dask_would_expand(name):
    assert "$" not in TEXTS[name]
    assert TEXTS[name].isascii()


@pytest.mark.parametrize("name", sorted(set(STUBS)))
def test_a_stub_is_one_line_that_dask_takes_for_source_text(name):
    stub = TEXTS[name]
    assert " " in stub
    assert "\n" not in stub
    assert not stub.endswith(".py")


@pytest.mark.parametrize("name", ["wait.py", "scheduler.py", "leave.py"])
def test_a_source_is_understood_by_the_oldest_python_that_dask_supports(name):
    ast.parse(TEXTS[name], feature_version=(3, 10))


def test_no_field_of_our_records_has_a_name_that_dask_uses():
    # Their names are shortened wherever they occur.
    fields = own_fields(list(ast.walk(join("scheduler"))))
    assert "unfinished" in fields
    for dask in Scheduler, WorkerState, TaskState, TaskGroup, TaskPrefix, WorkStealing, ClientState:
        assert not {name for name in fields if hasattr(dask, name)}
