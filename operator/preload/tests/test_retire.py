"""A pod is drained: nothing is lost, nothing is started twice, and the answer is true."""

import signal

import pytest

from conftest import PATIENCE, free_port, wait_until
from linked import Cluster, Later, timed

# 400 tasks of 5 to 100 ms, of which half depend on two others; each appends a line when its body starts.
LOAD = """
import random
draw = random.Random(7)
def body(number, seconds, *needs):
    with open(here + "/bodies", "a") as file:
        file.write("%d\\n" % number)
    time.sleep(seconds)
    return number + sum(needs)
there = dict(workers=[victim], allow_other_workers=True)
kept = [client.submit(body, n, 0, pure=False, **there) for n in range(1000, 1020)]
wait(kept)
scattered = client.scatter({"one": b"x" * 100_000, "two": [1, 2, 3]}, workers=[victim])
def start(number, *needs):
    return client.submit(body, number, draw.uniform(0.005, 0.1), *needs, pure=False)
first = [start(n) for n in range(200)]
second = [start(200 + n, *draw.sample(first, 2)) for n in range(200)]
all = kept + first + second
"""

RESULT = """
def suspicious(dask_scheduler):
    return sum(prefix.suspicious for prefix in dask_scheduler.task_prefixes.values())
results = client.gather(all)
data = client.gather(scattered)
seen = {
    "results": len(results),
    "data": [len(data["one"]), data["two"]],
    "suspicious": client.run_on_scheduler(suspicious),
    "bodies": sorted(map(int, open(here + "/bodies"))),
}
"""


def loaded(cluster, names):
    client = cluster.client()
    client.run(f"here = {str(cluster.lab.folder)!r}; victim = {names[0]!r}" + LOAD)
    return client


def is_lossless(client):
    seen = client.run(RESULT, "seen")
    assert seen["bodies"] == [*range(400), *range(1000, 1020)], "a body ran twice or never"
    assert seen["results"] == 420
    assert seen["data"] == [100_000, [1, 2, 3]]
    assert seen["suspicious"] == 0


# How Dask gives out work: held back, all at once, and all at once without taking any back.
SCHEDULING = {
    "queued": {},
    "unqueued": {"DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "inf"},
    "no stealing": {
        "DASK_DISTRIBUTED__SCHEDULER__WORKER_SATURATION": "inf",
        "DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "false",
    },
}


@pytest.mark.parametrize("way", SCHEDULING)
def test_two_pods_are_drained_under_load_and_deleted_without_a_loss(lab, way):
    cluster = Cluster(lab, "--no-dashboard", **SCHEDULING[way]).open()
    names = cluster.with_pods(4, "--nthreads", "3", "--no-nanny")
    client = loaded(cluster, names)
    took, answers = timed(lambda: cluster.retire(*names[:2]))
    print(f"drained in {took:.2f} s: {answers}")
    assert [answer["state"] for answer in answers] == ["ready", "ready"]
    assert answers[0]["moved_keys"] >= 22
    assert answers[0]["moved_bytes"] > 100_000
    for name in names[:2]:
        cluster.pods[name][1].terminate()
    is_lossless(client)


def test_the_same_load_shows_a_loss_when_the_pod_is_deleted_without_a_drain(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    names = cluster.with_pods(2, "--nthreads", "6", "--no-nanny")
    client = loaded(cluster, names)
    cluster.pods[names[0]][1].end()
    with pytest.raises(AssertionError):
        is_lossless(client)


# Executes until the test says so, or for ever.
HOLD = """
from distributed import Event
def hold(name, seconds=None):
    with open(here + "/bodies", "a") as file:
        file.write(name + "\\n")
    Event(name).wait(seconds)
    return name
def on(pod, name):
    return client.submit(hold, name, workers=[pod], allow_other_workers=True, pure=False)
def begun(*names):
    while sorted(names) != sorted(open(here + "/bodies").read().split()):
        time.sleep(0.01)
def names(dask_scheduler):
    return {str(worker.name): worker.status.name for worker in dask_scheduler.workers.values()}
def cordoned(*pods):
    while any(client.run_on_scheduler(names)[pod] == "running" for pod in pods):
        time.sleep(0.01)
def suspicious(dask_scheduler):
    return sum(prefix.suspicious for prefix in dask_scheduler.task_prefixes.values())
def address(pod):
    return client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.aliases[pod])
def keep(pod, count, size=1000):
    kept = [client.submit(lambda n: bytes(size), n, workers=[pod], pure=False) for n in range(count)]
    wait(kept)
    return kept
"""


def held(lab, *arguments, pods=2, **environ):
    """A cluster with a client that knows how to hold tasks."""
    cluster = Cluster(lab, "--no-dashboard", **environ).open()
    names = cluster.with_pods(pods, "--no-nanny", *arguments)
    client = cluster.client()
    client.run(HOLD + f"here = {str(lab.folder)!r}\nopen(here + '/bodies', 'w').close()")
    return cluster, names, client


def test_an_executing_task_ends_where_it_runs_and_a_waiting_one_goes_elsewhere(lab):
    cluster, [first, _], client = held(lab)
    client.run(f"a = on({first!r}, 'a'); begun('a'); b = on({first!r}, 'b'); c = on({first!r}, 'c')")
    draining = Later(lambda: cluster.retire(first))
    client.run(f"cordoned({first!r}); Event('b').set(); Event('c').set(); begun('a', 'b', 'c')")
    assert client.run("", "client.gather([b, c])") == ["b", "c"]
    assert not draining.done
    client.run("Event('a').set()")
    assert draining.result()["state"] == "ready"
    cluster.pods[first][1].end()
    assert client.run("", "[a.result(), client.run_on_scheduler(suspicious)]") == ["a", 0]
    client.run("begun('a', 'b', 'c')")


def test_a_pod_of_two_processes_is_drained_as_a_whole(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    [other, name] = [cluster.pod("--no-nanny"), cluster.pod("--nworkers", "2")]
    cluster.scheduler.sees("Register worker", 3)
    client = cluster.client()
    client.run(HOLD + f"kept = keep({name + '-0'!r}, 5) + keep({name + '-1'!r}, 5)")
    answer = cluster.retire(name)
    assert (answer["state"], answer["workers"], answer["moved_keys"], answer["keys"]) == ("ready", 2, 10, 0)
    status = {f"{name}-0": "closing_gracefully", f"{name}-1": "closing_gracefully", other: "running"}
    assert client.run("", "client.run_on_scheduler(names)") == status
    cluster.pods[name][1].end()
    assert client.run("", "[len(result) for result in client.gather(kept)]") == [1000] * 10


def test_a_pod_whose_workers_have_any_name_is_found_by_its_address(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    cluster.pod("--no-nanny")
    name = cluster.pod("--no-nanny", "--name", "5")
    cluster.scheduler.sees("Register worker", 2)
    assert cluster.retire(name)["state"] == "ready"


def test_the_address_of_a_pod_that_is_gone_does_not_lead_to_its_successor(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    [first, second] = cluster.with_pods(2, "--no-nanny")
    gone = {"name": "g-worker-00000000ff", "ip": cluster.pods[first][0]["ip"]}
    assert cluster.post("forget", {"pods": [gone]})[1]["pods"][0]["state"] == "unknown"
    assert cluster.post("retire", {"pods": [gone]})[1]["pods"][0]["state"] == "unknown"
    assert cluster.retire(first, second)[0]["state"] == "ready"


def test_a_pod_that_has_the_address_of_one_that_left_is_a_peer(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    port = free_port()
    first = cluster.pod("--no-nanny", "--worker-port", port)
    second = cluster.pod("--no-nanny")
    cluster.scheduler.sees("Register worker", 2)
    assert cluster.retire(first)["state"] == "ready"
    ip = cluster.pods[first][0]["ip"]
    cluster.pods[first][1].terminate()
    cluster.scheduler.sees("Remove worker")
    cluster.pod("--no-nanny", "--host", ip, "--worker-port", port)
    cluster.scheduler.sees("Register worker", 3)
    client = cluster.client()
    client.run(f"kept = [client.submit(len, 'x' * n, workers=[{second!r}]) for n in range(3)]\nwait(kept)")
    answer = cluster.retire(second, leaving=True)
    assert (answer["state"], answer["moved_keys"]) == ("ready", 3), answer


def test_actors_are_not_moved_so_their_pod_is_refused_and_works_on(lab):
    cluster, [first, second], client = held(lab)
    client.run(
        "class Counter:\n    n = 0\n    def add(self):\n        self.n += 1\n        return self.n\n"
        f"counter = client.submit(Counter, actor=True, workers=[{first!r}]).result()"
    )
    answer = cluster.retire(first)
    assert (answer["state"], answer["reason"]) == ("refused", "actors")
    assert client.run("", "[counter.add().result(), client.run_on_scheduler(names)]") == [
        1,
        {first: "running", second: "running"},
    ]
    client.run(f"kept = keep({first!r}, 5)")
    # A pod that goes anyway loses the actor, but nothing else.
    answer = cluster.retire(first, leaving=True)
    assert (answer["state"], answer["reason"], answer["moved_keys"]) == ("refused", "actors", 5)
    assert client.run("", "len(client.gather(kept))") == 5


def test_the_last_pod_is_refused_if_anything_is_on_it(lab):
    cluster, [name], client = held(lab, pods=1)
    client.run(f"kept = keep({name!r}, 3)")
    answer = cluster.retire(name)
    assert (answer["state"], answer["reason"], answer["keys"], answer["bytes"]) == (
        "refused",
        "last worker",
        3,
        3000,
    )
    assert client.run("", "client.run_on_scheduler(names)") == {name: "running"}
    client.run("del kept\nwhile client.has_what() and any(client.has_what().values()): time.sleep(0.01)")
    assert cluster.retire(name)["state"] == "ready"


def test_a_pod_is_refused_while_all_its_peers_lack_memory(lab):
    cluster, [first, second], client = held(lab, "--memory-limit", "0")
    client.run(
        f"kept = keep({first!r}, 3)\n"
        "from distributed.core import Status\n"
        "def pause(dask_worker): dask_worker.status = Status.paused\n"
        "def resume(dask_worker): dask_worker.status = Status.running\n"
        f"client.run(pause, workers=[address({second!r})]); cordoned({second!r})"
    )
    answer = cluster.retire(first)
    assert (answer["state"], answer["reason"], answer["keys"]) == ("refused", "peers paused", 3)
    # A pod that goes anyway waits for them.
    leaving = Later(lambda: cluster.retire(first, leaving=True))
    client.run(f"cordoned({first!r})")
    assert not leaving.done
    client.run(f"client.run(resume, workers=[address({second!r})])")
    answer = leaving.result()
    assert (answer["state"], answer["moved_keys"]) == ("ready", 3)


VETO = """
from distributed import SchedulerPlugin
class Veto(SchedulerPlugin):
    name = "veto"
    def valid_workers_downscaling(self, scheduler, workers):
        return [worker for worker in workers if worker.name != pod]
client.register_plugin(Veto())
"""


def test_a_pod_is_refused_while_a_plugin_forbids_it(lab):
    cluster, [first, second], client = held(lab)
    client.run(f"kept = keep({first!r}, 1); pod = {first!r}" + VETO)
    answer = cluster.retire(first)
    assert (answer["state"], answer["reason"]) == ("refused", "vetoed")
    told = {worker["name"]: worker.get("vetoed", False) for worker in cluster.get("facts")[1]["workers"]}
    assert told == {first: True, second: False}
    # A pod that goes anyway waits for it, and works on meanwhile.
    leaving = Later(lambda: cluster.retire(first, leaving=True))
    wait_until(lambda: cluster.draining()["reason"] == "vetoed", 10)
    assert client.run("", f"client.submit(sum, [1, 2], workers=[{first!r}]).result()") == 3
    client.run("client.unregister_scheduler_plugin('veto')")
    assert leaving.result()["state"] == "ready"


def test_a_retirement_is_joined_and_repeated_without_harm(lab):
    cluster, [first, second], client = held(lab)
    client.run(f"a = on({first!r}, 'a'); begun('a'); kept = keep({second!r}, 1)")
    answers = [Later(lambda: cluster.retire(first)) for _ in range(2)]
    client.run(f"cordoned({first!r})")
    told = cluster.retire(first, wait=0)
    assert (told["state"], told["tasks"]) == ("waiting", 1)
    leaving = cluster.leave(first)
    client.run("Event('a').set()")
    assert [answer.result()["state"] for answer in answers] == ["ready", "ready"]
    assert leaving.exit_code(within=20) == 0
    assert cluster.order("uncordon", first)["state"] == "leaving"
    again = cluster.retire(first)
    assert (again["state"], again["moved_keys"]) == ("ready", 1)
    client.run("begun('a')")
    assert client.run("", "a.result()") == "a"


def test_what_is_uncordoned_takes_its_share_again(lab):
    cluster, [first, _], client = held(lab)
    client.run(f"a = on({first!r}, 'a'); begun('a')")
    draining = Later(lambda: cluster.retire(first))
    client.run(f"cordoned({first!r})")
    assert cluster.order("uncordon", first)["state"] == "running"
    assert draining.result()["state"] == "cancelled"
    client.run("Event('a').set()")
    assert client.run("", f"client.submit(sum, [1, 2], workers=[{first!r}]).result(timeout=20)") == 3
    assert cluster.retire(first)["state"] == "ready"
    assert cluster.order("uncordon", first)["state"] == "running"
    assert client.run("", f"client.submit(sum, [3, 4], workers=[{first!r}]).result(timeout=20)") == 7
    assert cluster.get("facts")[1]["drains"] == []


def test_a_pod_whose_worker_was_started_again_after_it_had_left_can_be_uncordoned(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    fixed = "--worker-port", free_port()
    [first, _] = cluster.with_pods(2, "--no-nanny", *fixed)
    pod, worker = cluster.pods[first]
    assert cluster.leave(first).exit_code(within=20) == 0
    assert cluster.order("uncordon", first)["state"] == "leaving"
    worker.terminate()
    cluster.scheduler.sees("Remove worker")
    cluster.pod("--no-nanny", "--name", first, "--host", pod["ip"], *fixed)
    cluster.scheduler.sees("Register worker", 3)
    revision = cluster.quiet()
    poll = Later(lambda: cluster.get(f"facts?after={revision}&wait=30")[1])
    cluster.poll_waits()
    assert cluster.order("uncordon", first) == {"name": first, "state": "running", "workers": 1}
    assert poll.result()["drains"] == []
    # It may be drained and taken back like any other.
    assert cluster.retire(first)["state"] == "ready"
    assert cluster.order("uncordon", first)["state"] == "running"


def test_a_pod_that_dies_while_it_is_drained_is_told_with_its_losses(lab):
    cluster, [first, _], client = held(lab)
    client.run(f"kept = keep({first!r}, 50); scattered = client.scatter([1, 2], workers=[{first!r}])")
    worker = cluster.pods[first][1]
    # It hangs, so that nothing can be copied away, and then it is killed.
    worker.popen.send_signal(signal.SIGSTOP)
    draining = Later(lambda: cluster.retire(first))
    wait_until(lambda: cluster.draining()["keys"] == 52, 10)
    assert not draining.done
    worker.end()
    answer = draining.result()
    assert (answer["state"], answer["lost_keys"], answer["moved_keys"]) == ("lost", 52, 0)
    assert answer["lost_bytes"] > 50_000


def test_when_the_deadline_comes_the_data_is_away_and_the_task_is_told(lab):
    cluster, [first, _], client = held(lab)
    client.run(f"kept = keep({first!r}, 5); a = on({first!r}, 'a'); begun('a')")
    took, answer = timed(lambda: cluster.retire(first, deadline=1.5, move_reserve=1))
    assert (answer["state"], answer["tasks"], answer["keys"], answer["moved_keys"]) == (
        "interrupted",
        1,
        0,
        5,
    )
    assert 1.4 < took < 8 * PATIENCE
    told = cluster.order("forget", first)
    assert (told["state"], told["tasks"], told["lost_keys"]) == ("forgotten", 1, 0)
    client.run("begun('a', 'a'); Event('a').set()")
    assert client.run("", "[a.result(), client.run_on_scheduler(suspicious)]") == ["a", 0]


def test_a_pod_that_leaves_at_its_deadline_is_not_blamed_on_its_tasks(lab):
    cluster, [first, _], client = held(lab)
    client.run(f"a = on({first!r}, 'a'); begun('a')")
    assert cluster.leave(first, OPERATOR_DRAIN_SECONDS=2).exit_code(within=10) == 0
    cluster.pods[first][1].end()
    client.run("begun('a', 'a'); Event('a').set()")
    assert client.run("", "[a.result(), client.run_on_scheduler(suspicious)]") == ["a", 0]


def test_what_a_leaving_pod_has_is_copied_before_its_task_ends_and_the_result_afterwards(lab):
    cluster, [first, second], client = held(lab)
    client.run(f"kept = keep({first!r}, 5); a = on({first!r}, 'a'); begun('a')")
    # Long before its time is over.
    leaving = cluster.leave(first, OPERATOR_DRAIN_SECONDS=3600)
    client.run(
        f"there = address({second!r})\n"
        "while not all(there in holders for holders in client.who_has(kept).values()): time.sleep(0.01)"
    )
    wait_until(lambda: cluster.draining()["moved_keys"] == 5, 10)
    assert (cluster.draining()["state"], cluster.draining()["tasks"], leaving.ended) == ("waiting", 1, False)
    client.run("Event('a').set()")
    assert leaving.exit_code(within=20) == 0
    cluster.pods[first][1].end()
    assert client.run("", "[a.result(), len(client.gather(kept)), client.run_on_scheduler(suspicious)]") == [
        "a",
        5,
        0,
    ]
    client.run("begun('a')")


def test_what_only_pods_that_leave_hold_is_copied_to_one_that_stays(lab):
    no_policy = {"DASK_DISTRIBUTED__SCHEDULER__ACTIVE_MEMORY_MANAGER__START": "false"}
    cluster, [first, second, _], client = held(lab, pods=3, **no_policy)
    both = f"workers=[address({first!r}), address({second!r})]"
    client.run(f"kept = keep({first!r}, 5); client.replicate(kept, {both})")
    # The second has what the first has, and is the next to go before the first is gone.
    assert [cluster.retire(name)["state"] for name in (first, second)] == ["ready", "ready"]
    for name in (first, second):
        cluster.pods[name][1].end()
    cluster.scheduler.sees("Remove worker", 2)
    holders = client.run("", "[len(holders) for holders in client.who_has(kept).values()]")
    assert holders == [1] * 5, "the scheduler has forgotten results, or computes them again"
    assert client.run("", "[len(result) for result in client.gather(kept)]") == [1000] * 5


def test_what_is_forgotten_with_data_is_told_and_told_again(lab):
    cluster, [first, _], client = held(lab)
    client.run(f"kept = keep({first!r}, 5)")
    for _ in range(2):
        told = cluster.order("forget", first)
        assert (told["state"], told["lost_keys"], told["lost_bytes"]) == ("forgotten", 5, 5000)
    assert cluster.retire(first) == told


def test_what_went_is_told_although_a_worker_has_come_to_the_pod_since(lab):
    fixed = "--worker-port", free_port()
    cluster, [first, _], client = held(lab, *fixed)
    pod, worker = cluster.pods[first]
    client.run(
        f"scattered = client.scatter([bytes(1000)] * 5, workers=[{first!r}], hash=False)\n"
        f"a = on({first!r}, 'a'); begun('a')"
    )
    lost = {"tasks": 1, "lost_keys": 5, "lost_bytes": 5000}
    for came, order in (3, "forget"), (4, "retire"):
        assert lost.items() <= cluster.order("forget", first).items()
        client.run("begun('a', 'a')")
        worker.exit_code(within=10)
        again = cluster.pod("--no-nanny", "--name", first, "--host", pod["ip"], *fixed)
        worker = cluster.pods[again][1]
        cluster.scheduler.sees("Register worker", came)
        told = cluster.order(order, first)
        assert lost.items() <= told.items()
    assert told["state"] == "lost"


def test_a_pod_that_dies_after_it_was_refused_is_told_with_what_went(lab):
    cluster, [first], client = held(lab, "--nthreads", "2", pods=1)
    client.run(f"kept = keep({first!r}, 5); a = on({first!r}, 'a'); begun('a')")
    assert cluster.retire(first)["state"] == "refused"
    cluster.pods[first][1].end()
    cluster.scheduler.sees("Remove worker")
    lost = {"state": "lost", "workers": 0, "tasks": 1, "keys": 0, "lost_keys": 5, "lost_bytes": 5000}
    for told in cluster.retire(first), cluster.order("forget", first), cluster.draining():
        assert lost.items() <= told.items()


def test_a_task_that_a_killed_pod_interrupted_is_told(lab):
    cluster, [first, _], client = held(lab)
    client.run(f"a = on({first!r}, 'a'); begun('a')")
    draining = Later(lambda: cluster.retire(first))
    client.run(f"cordoned({first!r})")
    cluster.pods[first][1].end()
    told = draining.result()
    assert (told["state"], told["tasks"], told["lost_keys"]) == ("lost", 1, 0)


def test_what_dask_calls_retirement_starts_an_executing_task_twice(lab):
    _, [first, _], client = held(lab)
    client.run(f"a = on({first!r}, 'a'); begun('a')")
    client.run(
        f"client.retire_workers(names=[{first!r}], close_workers=False); begun('a', 'a'); Event('a').set()"
    )
    assert client.run("", "[a.result(), client.run_on_scheduler(suspicious)]") == ["a", 0], (
        "nothing else shows it"
    )
