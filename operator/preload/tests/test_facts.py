"""The facts are there, right, soon, and cheap."""

import json
import threading
import time
from pathlib import Path

from linked import Cluster

FIXTURE = Path(__file__).parent / "fixtures" / "facts-1.json"


def test_demand_is_told_for_each_kind_of_worker(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    names = cluster.with_pods(2, "--no-nanny")
    client = cluster.client()
    client.run(
        "from distributed import Event, Lock\n"
        "def hold(n, *_): Event('go').wait()\n"
        f"here = [client.submit(hold, 0, workers={names[:1]!r})]\n"
        "gpu = [client.submit(hold, n, resources={'GPU': 1}) for n in range(1, 4)]\n"
        "after = [client.submit(hold, 10 + n, gpu, resources={'GPU': 2}) for n in range(5)]\n"
        "many = client.map(hold, range(100, 120))\n"
        "client.publish_dataset(many=many)\n"
    )
    _, told = cluster.get("facts")
    print(json.dumps(told, indent=1))
    assert told["missing"] == []


def test_a_poll_is_answered_when_somebody_submits_a_task(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    cluster.with_pods(1, "--no-nanny")
    client = cluster.client()
    client.run("client.submit(int).result()")
    revision = cluster.quiet()
    heard = []

    def poll():
        heard.append((cluster.get(f"facts?after={revision}&wait=30"), time.time()))

    poller = threading.Thread(target=poll)
    poller.start()
    client.run("def waiting(dask_scheduler): return True")
    submitted = client.run("now = time.time(); future = client.submit(time.sleep, 5)", "now")
    poller.join(30)
    (status, told), at = heard[0]
    print(f"answered {(at - submitted) * 1000:.1f} ms after the submit")
    assert status == 200
    assert told["revision"] > revision
    assert at - submitted < 0.1
