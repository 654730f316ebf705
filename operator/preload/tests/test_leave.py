"""What a pod runs before it is signalled retires the pod, and ends in time and well whatever happens."""

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from conftest import AN_HOUR, PATIENCE, Lab, wait_until
from linked import POD, Cluster, timed, with_times
from test_retire import held, is_lossless, loaded


@pytest.fixture
def alone(tmp_path):
    """Without Dask: a pod whose scheduler is not what it should be."""
    lab = Lab(sys.executable, tmp_path)
    yield Cluster.without_dask(lab)
    lab.end()


@pytest.mark.parametrize("way", [["--nworkers", "2"], ["--no-nanny"]], ids=["two nannies", "no nanny"])
def test_a_pod_leaves_under_load_without_a_loss(lab, way):
    cluster = Cluster(lab, "--no-dashboard").open()
    processes = 2 if "--nworkers" in way else 1
    names = cluster.with_pods(2, "--nthreads", "6", *way, processes=processes)
    victim = names[0] + "-0" if processes > 1 else names[0]
    client = loaded(cluster, [victim])
    took, code = timed(lambda: cluster.leave(names[0]).exit_code(within=30))
    print(f"left after {took:.2f} s")
    assert code == 0
    cluster.pods[names[0]][1].terminate()
    is_lossless(client)
    assert cluster.scheduler.times("Remove worker addr: tcp://" + cluster.pods[names[0]][0]["ip"])


def test_an_idle_pod_leaves_at_once(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    names = cluster.with_pods(2, "--no-nanny")
    took, code = timed(lambda: cluster.leave(names[0]).exit_code(within=30))
    print(f"left after {took:.3f} s")
    assert code == 0
    assert took < 5 * PATIENCE


def test_the_last_pod_waits_for_one_that_takes_its_place(lab):
    cluster, [name], client = held(lab, pods=1)
    client.run(f"kept = keep({name!r}, 3); task = client.submit(abs, -1); wait(task)")
    leaving = cluster.leave(name)
    client.run(f"cordoned({name!r})")
    cluster.pod("--no-nanny")
    assert leaving.exit_code(within=30) == 0
    drain = cluster.draining()
    assert (drain["state"], drain["moved_keys"], drain["lost_keys"]) == ("ready", 4, 0)
    cluster.pods[name][1].end()
    assert client.run("", "len(client.gather(kept)) + task.result()") == 4


def test_results_wait_only_for_a_while_once_no_task_runs_beside_them(lab):
    cluster, [name], client = held(lab, pods=1, **with_times(ALONE=1))
    client.run(f"kept = keep({name!r}, 3); task = on({name!r}, 'a'); begun('a')")
    leaving = cluster.leave(name)
    wait_until(lambda: cluster.draining()["seconds"] > 2, 20)
    assert cluster.draining()["state"] == "waiting"
    client.run("Event('a').set()")
    took, code = timed(lambda: leaving.exit_code(within=30))
    print(f"left after {took:.2f} s")
    assert code == 0
    assert took < 1 + 4 * PATIENCE
    assert (cluster.draining()["state"], cluster.draining()["lost_keys"]) == ("interrupted", 4)


def test_all_pods_leave_in_time_when_none_takes_their_place(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    names = cluster.with_pods(2, "--no-nanny")
    client = cluster.client()
    client.run("tasks = [client.submit(time.sleep, 60 + n) for n in range(2)]")
    client.run("while not all(client.processing().values()): time.sleep(0.01)")
    began = time.monotonic()
    leaving = [cluster.leave(name, OPERATOR_DRAIN_SECONDS=2) for name in names]
    assert [pod.exit_code(within=30) for pod in leaving] == [0, 0]
    print(f"left after {time.monotonic() - began:.2f} s")
    assert time.monotonic() - began < 2 + 5 * PATIENCE
    assert client.run("", "client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.workers))") == 0


def test_it_ends_at_once_when_the_scheduler_is_told_to_stop(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    names = cluster.with_pods(2, "--no-nanny")
    client = cluster.client()
    client.run(f"task = client.submit(time.sleep, 60, workers={names[:1]!r})")
    client.run("while not any(client.processing().values()): time.sleep(0.01)")
    leaving = cluster.leave(names[0], OPERATOR_DRAIN_SECONDS=AN_HOUR)
    client.run(
        "def cordoned(dask_scheduler): return len(dask_scheduler.running) < 2\n"
        "while not client.run_on_scheduler(cordoned): time.sleep(0.01)"
    )
    cluster.scheduler.terminate()
    took, code = timed(lambda: leaving.exit_code(within=20))
    print(f"left {took:.2f} s after the scheduler was told to stop")
    assert code == 0
    assert took < 8 * PATIENCE


@pytest.mark.parametrize("way", [["--nanny"], ["--no-nanny"]], ids=["nanny", "no nanny"])
def test_no_worker_registers_in_a_pod_that_was_told_to_leave_before(lab, way):
    cluster = Cluster(lab, "--no-dashboard").open()
    name = f"early-{lab.port}"
    cluster.pods[name] = {"name": name, "ip": "127.0.0.9"}, None
    assert cluster.leave(name).exit_code(within=20) == 0
    early = lab.worker("--name", name, *way, DASK_WORKER_NAME=name)
    assert early.exit_code(within=20 * PATIENCE) == 0
    assert not cluster.scheduler.times("Register worker")
    # One that a container of the same pod left behind long ago ends nothing.
    os.utime(Path("/dev/shm", name), (0, 0))
    lab.worker("--name", name, *way, DASK_WORKER_NAME=name)
    cluster.scheduler.sees("Register worker", within=40)


def test_a_pod_in_which_nothing_can_be_written_is_drained_all_the_same(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    cluster.with_pods(1, "--no-nanny")
    name = cluster.pod("--no-nanny", "--name", "plain")
    cluster.scheduler.sees("Register worker", 2, within=40)
    assert cluster.leave(name, DASK_WORKER_NAME="no/such/folder").exit_code(within=20) == 0
    assert [drain["state"] for drain in cluster.get("facts")[1]["drains"]] == ["ready"]


def test_a_process_of_a_pod_that_is_known_may_start_while_it_leaves(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    [first, _] = cluster.with_pods(2, "--no-nanny")
    client = cluster.client()
    client.run(f"task = client.submit(time.sleep, 2, workers=[{first!r}])")
    client.run("while not any(client.processing().values()): time.sleep(0.01)")
    leaving = cluster.leave(first)
    lab.worker("--name", f"{first}-1", "--no-nanny", DASK_WORKER_NAME=first)
    cluster.scheduler.sees("Register worker", 3, within=40)
    assert leaving.exit_code(within=20) == 0


@pytest.mark.parametrize("way", [["--nanny"], ["--no-nanny"]], ids=["nanny", "no nanny"])
def test_a_worker_that_waits_for_a_scheduler_ends_when_its_pod_is_told_to_leave(lab, alone, way):
    name = f"vain-{lab.port}"
    alone.pods[name] = {"name": name, "ip": "127.0.0.9"}, None
    waiting = lab.worker("--name", name, *way, DASK_WORKER_NAME=name)
    waiting.sees("Run preload setup")
    assert alone.leave(name).exit_code(within=10) == 0
    assert waiting.exit_code(within=20 * PATIENCE) == 0


def test_it_ends_when_nothing_listens(alone):
    took, code = timed(lambda: alone.leave("pod").exit_code(within=10))
    print(f"left after {took:.3f} s")
    assert code == 0
    assert took < 5 * PATIENCE


def test_it_ends_without_any_environment(alone):
    nothing = {"DASK_SCHEDULER_ADDRESS": "", "OPERATOR_DRAIN_SECONDS": "", "OPERATOR_HTTP_PORT": ""}
    assert alone.leave("pod", **nothing).exit_code(within=10) == 0


@pytest.mark.parametrize("answer", [b"", b"\0rubbish\r\n\r\n" * 1000, b"HTTP/1.1 500 Oh\r\n\r\n"])
def test_it_ends_whatever_is_answered(alone, answer):
    with socket.create_server(("127.0.0.1", alone.http_port)) as server:
        leaving = alone.leave("pod")
        link, _ = server.accept()
        assert b"Bearer" in link.recv(65536)
        link.sendall(answer)
        link.close()
        assert leaving.exit_code(within=10) == 0


def test_it_ends_in_time_when_the_answer_never_comes(alone):
    with socket.create_server(("127.0.0.1", alone.http_port)):
        took, code = timed(lambda: alone.leave("pod", OPERATOR_DRAIN_SECONDS="1.5").exit_code(10))
    assert code == 0
    assert 1.4 < took < 5 * PATIENCE


def test_it_ends_in_time_when_the_answer_never_ends(alone):
    over = threading.Event()

    def drip(server):
        link, _ = server.accept()
        while not over.wait(0.1):
            link.send(b".")

    with socket.create_server(("127.0.0.1", alone.http_port)) as server:
        threading.Thread(target=drip, args=[server], daemon=True).start()
        took, code = timed(lambda: alone.leave("pod", OPERATOR_DRAIN_SECONDS="1.5").exit_code(10))
    over.set()
    assert code == 0
    assert 1.4 < took < 5 * PATIENCE


def test_it_ends_in_time_when_no_connection_is_made(alone):
    # A listener that never accepts and whose queue is full: the kernel drops further connection requests.
    with socket.create_server(("127.0.0.1", alone.http_port), backlog=0):
        fillers = [socket.socket() for _ in range(2)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", alone.http_port))
        took, code = timed(lambda: alone.leave("pod", OPERATOR_DRAIN_SECONDS=AN_HOUR).exit_code(within=10))
        for filler in fillers:
            filler.close()
    assert code == 0
    assert took < 8 * PATIENCE


def test_it_ends_in_time_when_the_scheduler_stands_still(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    cluster.pods["pod"] = POD
    cluster.scheduler.popen.send_signal(signal.SIGSTOP)
    took, code = timed(lambda: cluster.leave("pod", OPERATOR_DRAIN_SECONDS="1.5").exit_code(10))
    assert code == 0
    assert took < 5 * PATIENCE
