"""The facts are there, right, soon, and cheap."""

import json
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from conftest import AN_HOUR, PATIENCE, wait_until
from demand import MOST_AHEAD, next_tasks
from facts import told_versions
from linked import CLIENT, Cluster, Later, Remote, with_times

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"

# Work that holds still: whatever runs waits for an event that never comes.
HOLD = """
from distributed import Event
def hold(number, *needs):
    Event("never").wait()
"""

STANDSTILL = """
def states(dask_scheduler):
    told = [task.state for task in dask_scheduler.tasks.values()]
    return [told.count(state) for state in ("memory", "no-worker", "waiting")]
class Actor:
    pass
actor = client.submit(Actor, actor=True, workers=[plain]).result()
kept = client.submit(bytes, 1000, workers=[plain], pure=False)
shared = client.submit(bytes, 500, workers=[plain], pure=False)
wait([kept, shared])
client.replicate([shared])
bound = client.submit(hold, 0, workers=[plain], pure=False)
needing = [client.submit(hold, 1 + n, resources={"GPU": 1}) for n in range(3)]
missing = [client.submit(hold, 10 + n, resources={"FPGA": 2}) for n in range(2)]
later = [client.submit(hold, 20 + n, needing, resources={"GPU": 1}) for n in range(4)]
many = client.map(hold, range(100, 120), pure=False)
client.publish_dataset(kept=kept)
while client.run_on_scheduler(states) != [3, 2, 4]:
    time.sleep(0.01)
"""


def standstill(lab):
    """A cluster whose facts are known."""
    # Else Dask drops what is there twice.
    own = {"DASK_DISTRIBUTED__SCHEDULER__ACTIVE_MEMORY_MANAGER__START": False}
    cluster = Cluster(lab, "--no-dashboard", OPERATOR_POD_UID="8e1c2f2e", **own).open()
    plain = cluster.pod("--no-nanny", "--memory-limit", "1000000000")
    gpu = cluster.pod("--no-nanny", "--nthreads", "2", "--resources", "GPU=2", group="gpu")
    cluster.scheduler.sees("Register worker", 2)
    client = cluster.client()
    client.run(f"plain, gpu = {plain!r}, {gpu!r}" + HOLD + STANDSTILL)
    return cluster, client, plain, gpu


def test_facts_tell_what_is_there(lab):
    cluster, _, plain, gpu = standstill(lab)
    cluster.retire(gpu, wait=0)
    cluster.quiet()
    _, told = cluster.get("facts")
    print(json.dumps(told, indent=1))
    check_frame(told)
    check_workers({worker["name"]: worker for worker in told["workers"]}, plain, gpu)
    check_demand(told["demand"], plain)
    [drain] = told["drains"]
    assert (drain["name"], drain["state"]) == (gpu, "waiting")
    assert drain["tasks"] > 0
    published = json.loads((FIXTURES / "facts-1.json").read_text())
    assert told.keys() == published.keys()
    assert is_part(shape(told), shape(published))


def test_a_worker_that_finds_no_interpreter_is_mute(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    found = str(Path(lab.python).parent)
    paths = {"mute": "/nowhere", "speaks": found}
    for name, path in paths.items():
        lab.worker("--name", name, PATH=path)
    lab.worker("--no-nanny", "--name", "mute-alone", PATH="/nowhere")
    cluster.scheduler.sees("Register worker", 3)
    _, told = cluster.get("facts")
    mute = {worker["name"] for worker in told["workers"] if worker.get("mute")}
    assert (len(told["workers"]), mute) == (3, {"mute", "mute-alone"})


def check_frame(told):
    assert (told["schema"], told["pod_uid"], told["status"], told["missing"]) == (
        1,
        "8e1c2f2e",
        "running",
        [],
    )
    assert (told["clients"], told["datasets"], told["idle_since"]) == (1, 1, None)
    assert abs(told["time"] - time.time()) < 5 * PATIENCE
    [version] = told["versions"]
    assert (version["scheduler"], version["workers"], version["names"][0]) == (1, 2, "scheduler")


def check_workers(told, plain, gpu):
    assert told[plain]["address"].startswith("tcp://127.0.0.2:")
    assert (told[plain]["status"], told[plain]["threads"], told[plain]["memory_limit"]) == (
        "running",
        1,
        10**9,
    )
    assert told[plain]["actors"] == 1
    assert told[plain]["processing"] > 0
    assert told[plain]["bytes"] - told[plain]["unique_bytes"] == told[gpu]["bytes"]
    assert told[plain]["unique_bytes"] > 1000
    assert (told[gpu]["status"], told[gpu]["threads"]) == ("closing_gracefully", 2)
    assert told[gpu]["resources"] == {"GPU": 2}
    assert "unique_bytes" not in told[gpu], "what is zero is left out"
    assert "idle_since" not in told[plain], "and so is what is not"


def check_demand(told, plain):
    demand = {json.dumps(kind["resources"]) + "".join(kind["workers"]): counts(kind) for kind in told}
    assert demand.pop("{}" + plain) == {"processing": 1}
    assert demand.pop('{"FPGA": 2}') == {"unrunnable": 2}
    gpu, any_worker = demand.pop('{"GPU": 1}'), demand.pop("{}")
    assert gpu.pop("next", 0) == (0 if "unrunnable" in gpu else 4), "they need all of what may run"
    assert (gpu.pop("waiting"), sum(gpu.values())) == (4, 3)
    assert (any_worker.keys() <= {"processing", "queued"}, sum(any_worker.values())) == (True, 20)
    assert demand == {}


def counts(kind):
    return {state: told["count"] for state, told in kind["tasks"].items()}


def standing(lab, waiting, work):
    """Submit work that holds still; return what is told of it once as many wait as in the end."""
    cluster = Cluster(lab, "--no-dashboard").open()
    cluster.with_pods(1, "--no-nanny", "--nthreads", "2")
    client = cluster.client()
    client.run(HOLD + work)
    told = {}

    def all_wait():
        kinds = cluster.get("facts")[1]["demand"]
        told.update({json.dumps(kind["resources"]): counts(kind) for kind in kinds})
        return sum(kind.get("waiting", 0) for kind in told.values()) == waiting

    wait_until(all_wait, 10, lambda: told)
    return told


def test_next_is_what_follows_at_once_on_what_runs(lab):
    work = """
root = client.submit(hold, 0)
first = [client.submit(hold, 100 + n, root) for n in range(50)]
second = [client.submit(hold, 200 + n, task) for n, task in enumerate(first)]
"""
    assert standing(lab, 100, work) == {"{}": {"processing": 1, "waiting": 100, "next": 50}}


def test_of_a_chain_one_task_is_next(lab):
    work = """
chain = [client.submit(hold, 0)]
for n in range(50):
    chain.append(client.submit(hold, 1 + n, chain[-1]))
"""
    assert standing(lab, 50, work) == {"{}": {"processing": 1, "waiting": 50, "next": 1}}


def test_what_follows_on_two_that_run_is_next_once_and_what_needs_one_that_waits_is_not(lab):
    work = """
one, other = client.submit(hold, 0), client.submit(hold, 1)
both = client.submit(hold, 2, one, other)
behind = client.submit(hold, 3, one)
mixed = client.submit(hold, 4, other, behind)
"""
    assert standing(lab, 3, work) == {"{}": {"processing": 2, "waiting": 3, "next": 2}}


def test_what_is_next_counts_for_the_kind_of_worker_that_it_needs(lab):
    work = """
root = client.submit(hold, 0)
plain = [client.submit(hold, 1 + n, root) for n in range(2)]
needing = [client.submit(hold, 10 + n, root, resources={"GPU": 1}) for n in range(3)]
"""
    assert standing(lab, 5, work) == {
        "{}": {"processing": 1, "waiting": 2, "next": 2},
        '{"GPU": 1}': {"waiting": 3, "next": 3},
    }


def test_what_follows_on_a_queued_task_is_not_next(lab):
    work = """
roots = client.map(hold, range(20), pure=False)
after = client.map(hold, range(20), roots, pure=False)
"""
    told = standing(lab, 20, work)["{}"]
    assert told["queued"] > 0
    assert (told["next"], told["waiting"]) == (told["processing"], 20)


def with_another_version(folder):
    """Return variables of a process whose Python finds another version of dask first."""
    metadata = folder / "versions" / "dask-2000.1.0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: dask\nVersion: 2000.1.0\n")
    return {"PYTHONPATH": folder / "versions"}


def test_whoever_has_another_version_is_told_apart_with_its_name(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    alike = cluster.pod("--no-nanny")
    other = with_another_version(lab.folder)
    lab.start("-m", "dask", "worker", lab.address, "--no-dashboard", "--no-nanny", "--name", "other", **other)
    lab.worker("--name", "nanny", **other)
    cluster.scheduler.sees("Register worker", 3, within=40)
    client = cluster.client()
    client.run("None")
    own, different = cluster.get("facts")[1]["versions"]
    assert (own["scheduler"], own["workers"], own["clients"]) == (1, 1, 1)
    assert own["names"][:2] == ["scheduler", alike]
    assert (different["scheduler"], different["workers"], different["clients"]) == (0, 2, 0)
    assert sorted(different["names"]) == ["nanny", "other"]
    assert (own["python"], own["distributed"]) == (different["python"], different["distributed"])
    assert (own["dask"] != "?", different["dask"]) == (True, "2000.1.0")


def test_a_client_of_another_version_is_told_while_it_is_connected(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    script = lab.folder / "client.py"
    script.write_text(CLIENT)
    other = Remote(lab.start(script, lab.address, **with_another_version(lab.folder)))
    other.run("None")
    own, different = cluster.get("facts")[1]["versions"]
    assert (own["scheduler"], own["clients"]) == (1, 0)
    assert (different["dask"], different["workers"], different["clients"]) == ("2000.1.0", 0, 1)
    assert different["distributed"] == own["distributed"]
    other.process.end()
    wait_until(lambda: len(cluster.get("facts")[1]["versions"]) == 1, 10)


def test_what_has_no_version_is_told_as_unknown_and_no_more_is_told_than_is_promised():
    def one(number):
        packages = {"dask": f"2026.{number}.0" * 99, "distributed": None}
        return SimpleNamespace(name="w" * 999, versions={"packages": packages} if number else {})

    workers = {str(number): one(number) for number in range(99)}
    told = told_versions(SimpleNamespace(workers=workers, client_comms={}))
    assert len(told) == 20
    assert [told[1][what] for what in ("python", "dask", "distributed")] == ["?", "?", "?"]
    assert (len(told[2]["dask"]), len(told[2]["names"][0]), told[2]["distributed"]) == (99, 253, "?")


class Task(SimpleNamespace):
    """A task of which only a few things are known."""

    __hash__ = object.__hash__


def next_of(running):
    """Return how many tasks are next when these are at work."""
    workers = {"w": SimpleNamespace(processing=running)}
    return next_tasks(SimpleNamespace(workers=workers)).total()


def test_what_is_next_is_looked_for_among_a_bounded_number_of_tasks(monkeypatch):
    monkeypatch.setattr("demand.MOST_AHEAD", 10)
    waiters = iter([Task(waiting_on=None, number=number) for number in range(30)])
    assert next_of([Task(waiters=None), Task(waiters=waiters)]) == 0
    assert next(waiters).number == 8, "and two that are at work"
    assert next_of(iter([Task(waiters=None)] * 10 + [None])) == 0


def test_where_all_wait_for_all_they_are_next_as_far_as_can_be_compared(monkeypatch):
    # Of 16 links ten can be followed.
    monkeypatch.setattr("demand.MOST_AHEAD", 14)
    behind = [Task(group="g", loose_restrictions=True) for _ in range(4)]
    running = [Task(waiters=behind) for _ in range(4)]
    for task in behind:
        task.waiting_on = set(running)
        for name in "resource", "host", "worker":
            setattr(task, name + "_restrictions", None)
    assert next_of(running) == 4
    monkeypatch.setattr("demand.MOST_TASKS", 14 + 9)
    assert next_of(running) == 2


def shape(value):
    """Return which keys there are and what kind of value they have; a list is the sum of its items."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key != "resources"}
    if isinstance(value, list):
        return merged([shape(item) for item in value])
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def merged(shapes):
    together = {}
    for item in shapes:
        for key, kind in (item if isinstance(item, dict) else {"item": item}).items():
            together[key] = merged([together.get(key, {}), kind]) if isinstance(kind, dict) else kind
    return together


def is_part(some, published):
    """Whether everything that was told is published, with the same kind of value or none."""
    if isinstance(some, dict) and isinstance(published, dict):
        return all(key in published and is_part(kind, published[key]) for key, kind in some.items())
    return some == published or "NoneType" in (some, published)


def test_an_idle_scheduler_and_an_idle_worker_tell_since_when(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    cluster.with_pods(1, "--no-nanny")
    client = cluster.client()
    done = client.run("client.submit(time.sleep, 0.3).result()", "time.time()")
    cluster.quiet()
    told = cluster.get("facts")[1]
    assert abs(told["idle_since"] - done) < PATIENCE
    assert abs(told["workers"][0]["idle_since"] - done) < PATIENCE


@pytest.mark.promised
def test_a_poll_is_answered_when_somebody_submits_a_task(lab):
    # It hardly looks round, so only the submit itself can end the poll.
    cluster = Cluster(lab, "--no-dashboard", **with_times(LOOK=AN_HOUR)).open()
    client = cluster.client()
    took = [answered_after_a_submit(cluster, client) for _ in range(20)]
    print(f"answered {min(took) * 1000:.1f} to {max(took) * 1000:.1f} ms after the submit")
    # Promised are ten milliseconds; others on the machine can only make it longer.
    assert min(took) < 0.01 * PATIENCE


def answered_after_a_submit(cluster, client):
    revision = ended_without_a_change(cluster, wait=0.2)
    poll = Later(lambda: (cluster.get(f"facts?after={revision}&wait=30"), time.time()))
    cluster.poll_waits()
    submitted = client.run("now = time.time(); future = client.submit(int, pure=False)", "now")
    (status, told), answered = poll.result()
    assert status == 200
    assert told["revision"] > revision
    return answered - submitted


def ended_without_a_change(cluster, wait):
    """Let a poll's time be over; return the revision."""
    revision = cluster.get("facts")[1]["revision"]
    assert cluster.get(f"facts?after={revision}&wait={wait}")[1]["revision"] == revision
    return revision


def test_a_change_after_a_poll_without_one_is_told_at_once_and_the_next_change_later(lab):
    cluster = Cluster(lab, "--no-dashboard", **with_times(LOOK=AN_HOUR, SPACING=AN_HOUR)).open()
    client = cluster.client()
    submit = "futures = globals().get('futures', []) + [client.submit(int, pure=False)]"
    revision = ended_without_a_change(cluster, wait=0.1)
    poll = Later(lambda: cluster.get(f"facts?after={revision}&wait=30")[1])
    cluster.poll_waits()
    client.run(submit)
    told = poll.result()
    assert told["revision"] > revision
    with cluster.begin_poll(told["revision"]):
        cluster.poll_waits()
        client.run(submit)
        wait_until(lambda: cluster.get("facts")[1]["revision"] > told["revision"], 10)
        assert cluster.get("facts")[1]["polls"] == 1, "it waits although there is something to tell"


def test_a_poll_ends_when_its_time_is_over_and_when_another_scheduler_counts_from_one(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    revision = cluster.quiet()
    began = time.monotonic()
    assert cluster.get(f"facts?after={revision}&wait=0.5")[1]["revision"] == revision
    assert 0.5 <= time.monotonic() - began < 5 * PATIENCE
    assert cluster.get("facts?after=1000000&wait=60", within=5)[0] == 200


def test_a_poll_is_answered_when_a_drain_is_over(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    [first, _] = cluster.with_pods(2, "--no-nanny")
    revision = cluster.quiet()
    poll = Later(lambda: cluster.get(f"facts?after={revision}&wait=30")[1])
    cluster.poll_waits()
    assert cluster.retire(first)["state"] == "ready"
    told = poll.result()
    while told["drains"] == [] or told["drains"][0]["state"] == "waiting":
        told = cluster.get(f"facts?after={told['revision']}&wait=30")[1]
    assert told["drains"][0]["state"] == "ready"


@pytest.mark.promised
def test_facts_about_200_workers_and_20000_tasks_take_milliseconds(lab):
    measured = lab.start(HERE / "measure.py", PYTHONPATH=HERE.parent / "src")
    measured.sees("MEASURED", within=60)
    [line] = [line for _, line in measured.lines if line.startswith("MEASURED")]
    print(line)
    told = json.loads(line.removeprefix("MEASURED"))
    # Promised are ten, on a machine that has nothing else to do.
    assert max(case["ms"] for case in told) < 100
    assert told[0]["counts"] == {"processing": 6667, "waiting": 6666}
    assert told[1]["counts"] == {"processing": 1, "waiting": 19999, "next": MOST_AHEAD - 1}


def test_a_dataset_that_is_published_of_what_is_in_memory_is_told(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    cluster.with_pods(1, "--no-nanny")
    client = cluster.client()
    client.run("kept = client.scatter([1, 2], broadcast=False); wait(kept)")
    revision = cluster.quiet()
    poll = Later(lambda: cluster.get(f"facts?after={revision}&wait=60")[1])
    cluster.poll_waits()
    client.run("client.publish_dataset(kept=kept)")
    # Not only when the poll ends by itself.
    assert poll.result(within=10)["datasets"] == 1
