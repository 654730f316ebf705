"""The facts are there, right, soon, and cheap."""

import json
import time
from pathlib import Path

from conftest import PATIENCE, wait_until
from linked import Cluster, Later, with_times

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"

# Work that holds still: whatever runs waits for an event that never comes.
STANDSTILL = """
from distributed import Event
def hold(number, *needs):
    Event("never").wait()
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
    client.run(f"plain, gpu = {plain!r}, {gpu!r}" + STANDSTILL)
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
    assert (gpu.pop("waiting"), sum(gpu.values())) == (4, 3)
    assert (any_worker.keys() <= {"processing", "queued"}, sum(any_worker.values())) == (True, 20)
    assert demand == {}


def counts(kind):
    return {state: told["count"] for state, told in kind["tasks"].items()}


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


# So long that whatever happens once in this time does not happen in a test.
AN_HOUR = 3600


def test_a_poll_is_answered_when_somebody_submits_a_task(lab):
    # It hardly looks round, so only the submit itself can end the poll.
    cluster = Cluster(lab, "--no-dashboard", **with_times(LOOK=AN_HOUR)).open()
    client = cluster.client()
    took = [answered_after_a_submit(cluster, client) for _ in range(3)]
    print(f"answered {min(took) * 1000:.1f} to {max(took) * 1000:.1f} ms after the submit")
    # Promised are ten milliseconds; others on the machine can only make it longer.
    assert min(took) < 0.1 * PATIENCE


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


def test_facts_about_200_workers_and_20000_tasks_take_milliseconds(lab):
    measured = lab.start(HERE / "measure.py", PYTHONPATH=HERE.parent / "src")
    measured.sees("MEASURED", within=60)
    [line] = [line for _, line in measured.lines if line.startswith("MEASURED")]
    print(line)
    told = json.loads(line.removeprefix("MEASURED"))
    # Promised are ten, on a machine that has nothing else to do.
    assert told["ms"] < 100
    assert sum(told["counts"]) == 13333
