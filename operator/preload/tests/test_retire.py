"""A pod is drained: nothing is lost, nothing is started twice, and the answer is true."""

import pytest

from linked import Cluster, timed

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


def test_two_pods_are_drained_under_load_and_deleted_without_a_loss(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    names = cluster.with_pods(4, "--nthreads", "2", "--no-nanny")
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
