"""Make, scale and end a cluster with the Python client of dask-kubernetes, as people do who have it.

NAMESPACE says where, IMAGE with which image; KUBECONFIG is read by the client.
"""

import os
import time

from dask_kubernetes.operator import KubeCluster

from session import report

PATIENCE = 60
# So many that they last until workers have started on a busy machine.
TASKS = 200


def body(number):
    time.sleep(0.5)
    return number


def until_workers(client, count):
    """Wait for so many workers, more or fewer; return how many there are."""
    end = time.monotonic() + PATIENCE
    while (now := len(client.scheduler_info(n_workers=-1)["workers"])) != count and time.monotonic() < end:
        time.sleep(0.1)
    return now


def main():
    resources = {"requests": {"cpu": "20m", "memory": "200Mi"}}
    place = {"namespace": os.environ["NAMESPACE"], "image": os.environ["IMAGE"]}
    # Its progress would share the last line with the result.
    asked = {"name": "theirs", "n_workers": 1, "resources": resources, "idle_timeout": 600, "quiet": True}
    with KubeCluster(**asked, **place) as cluster, cluster.get_client() as client:
        cluster.adapt(minimum=1, maximum=3)
        futures = client.map(body, range(TASKS), pure=False)
        adapted = until_workers(client, 3)
        total = sum(client.gather(futures))
        cluster.scale(2)
        scaled = until_workers(client, 2)
    right = (adapted, total, scaled) == (3, sum(range(TASKS)), 2)
    report("kube_cluster", "" if right else "wrong", adapted=adapted, total=total, scaled=scaled)


if __name__ == "__main__":
    main()
