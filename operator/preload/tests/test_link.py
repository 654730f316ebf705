"""The routes: who may use them, how they are reached, and that the scheduler does not suffer from them."""

import socket

import pytest

from conftest import INTO_SCHEDULER, TEXTS, wait_until
from linked import Cluster
from test_users_own import CLICK_PRELOAD, PRELOAD, configure, write_preload

ROUTES = [("GET", "facts"), ("POST", "retire"), ("POST", "uncordon"), ("POST", "forget")]

WORKS = "client.submit(sum, [1, 2]).result(timeout=20)"

# As if bokeh were not there: importing it fails.
NO_BOKEH = "raise ImportError('bokeh is not here')\n"

WAYS = {
    "dashboard": [],
    "no dashboard": ["--no-dashboard"],
    "prefix": ["--dashboard-prefix", "/some/where"],
    "no bokeh": [],
}


@pytest.mark.parametrize("way", WAYS)
def test_every_route_answers_with_the_token_and_refuses_without(lab, way):
    environ = {}
    if way == "no bokeh":
        (lab.folder / "bokeh").mkdir()
        (lab.folder / "bokeh" / "__init__.py").write_text(NO_BOKEH)
        environ["PYTHONPATH"] = lab.folder
    cluster = Cluster(lab, *WAYS[way], **environ).open()
    for verb, route in ROUTES:
        for token in None, "", "wrong", "é", INTO_SCHEDULER["OPERATOR_TOKEN"] + "x":
            assert cluster.ask(verb, f"/dask-operator/v1/{route}", b'{"pods":[]}', token, 5)[0] == 401
        assert cluster.ask(verb, f"/dask-operator/v1/{route}", b'{"pods":[]}', cluster.token, 5)[0] == 200
    health = "/some/where/health" if way == "prefix" else "/health"
    assert cluster.ask("GET", health, None, None, 5) == (200, b"ok")


def test_nonsense_is_refused_and_the_scheduler_works_on(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    bodies = [
        b"",
        b"{",
        b"[]",
        b"1",
        b'"x"',
        b"{}",
        b'{"pods":1}',
        b'{"pods":[1]}',
        b'{"pods":[{}]}',
        b"\xff",
    ]
    bodies += [b'{"pods":[],"deadline":"x"}', b'{"pods":[],"wait":NaN}', b'{"pods":[],"deadline":[]}']
    for body in bodies:
        for _, route in ROUTES[1:]:
            assert cluster.post(route, body)[0] == 400, body
    assert cluster.post("retire", b"[" * 60000)[0] == 400
    assert cluster.post("facts", b"")[0] == 405
    assert cluster.get("retire")[0] == 405
    assert cluster.get("facts?after=x")[0] == 400
    assert cluster.get("facts?wait=nan")[0] == 400
    assert cluster.get("nothing")[0] == 404
    cluster.with_pods(1, "--no-nanny")
    assert cluster.client().run("", WORKS) == 3


def test_a_body_of_more_than_64_kib_is_refused_before_it_is_sent(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    assert cluster.post("retire", b'{"pods":[]}'.ljust(65536))[0] == 200
    with socket.create_connection(("127.0.0.1", cluster.http_port), 5) as link:
        head = (
            f"POST /dask-operator/v1/retire HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {cluster.token}\r\n"
        )
        link.sendall(head.encode() + b"Content-Length: 65537\r\n\r\n")
        assert link.recv(100).startswith(b"HTTP/1.1 400")


def test_a_ninth_waiting_poll_is_refused_and_those_who_hang_up_make_room(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    revision = cluster.quiet()
    links = [cluster.begin_poll(revision) for _ in range(8)]
    # Polls are counted in the order in which they arrive, and these are still on their way.
    wait_until(lambda: cluster.get("facts")[0] == 429, 10)
    links.pop().close()
    wait_until(lambda: cluster.get("facts")[0] == 200, 10)
    for link in links:
        link.close()


def test_without_a_token_there_are_no_routes(lab):
    cluster = Cluster(lab, "--no-dashboard", OPERATOR_TOKEN=None)
    cluster.scheduler.sees("Scheduler at:")
    cluster.with_pods(1, "--no-nanny")
    assert cluster.get("facts")[0] == 404


def test_the_users_own_preloads_run_and_the_source_is_never_logged(lab):
    first, click = write_preload(lab, "first", PRELOAD), write_preload(lab, "click", CLICK_PRELOAD)
    own = f"preload: ['{first}', '{click}'], preload-argv: [[], [--colour, red]]"
    config = configure(lab, f"distributed: {{scheduler: {{{own}}}}}")
    cluster = Cluster(lab, "--no-dashboard", **config).open()
    cluster.scheduler.terminate()
    assert cluster.scheduler.exit_code(within=10) == 0
    assert len(cluster.scheduler.times("SETUP first in Scheduler")) == 1
    assert len(cluster.scheduler.times("SETUP clicked in Scheduler red")) == 1
    assert len(cluster.scheduler.times("TEARDOWN first in Scheduler")) == 1
    assert TEXTS["scheduler-preload.txt"] in cluster.scheduler.output
    for line in TEXTS["scheduler.py"].splitlines():
        assert len(line) < 12 or line not in cluster.scheduler.output
    assert TEXTS["scheduler-packed.txt"][:40] not in cluster.scheduler.output
    assert cluster.token not in cluster.scheduler.output


def test_a_failure_while_setting_up_does_not_stop_the_scheduler(lab):
    path = write_preload(lab, "thief", "def dask_setup(server):\n    del server.http_application\n")
    config = configure(lab, f"distributed: {{scheduler: {{preload: '{path}'}}}}")
    cluster = Cluster(lab, "--no-dashboard", **config)
    cluster.scheduler.sees("Failed to start preload")
    cluster.with_pods(1, "--no-nanny")
    assert cluster.client().run("", WORKS) == 3


def test_failures_inside_are_answered_and_do_not_stop_the_scheduler(lab):
    cluster = Cluster(lab, "--no-dashboard").open()
    names = cluster.with_pods(2, "--no-nanny")
    client = cluster.client()
    client.run(
        "def broken(dask_scheduler):\n"
        "    class Broken:\n"
        "        def valid_workers_downscaling(self, *_): raise RuntimeError('broken on purpose')\n"
        "        def __getattr__(self, name): return lambda *_, **__: None\n"
        "    dask_scheduler.plugins['broken'] = Broken()\n"
        "    dask_scheduler.get_events = dask_scheduler.handle_worker_status_change = None\n"
        "    del dask_scheduler.extensions['publish']\n"
        "client.run_on_scheduler(broken)"
    )
    status, told = cluster.get("facts")
    assert status == 200
    assert told["missing"] == ["datasets KeyError"]
    answer = cluster.retire(names[0])
    assert (answer["state"], answer["reason"]) == ("failed", "TypeError")
    cluster.pods[names[0]][1].end()
    cluster.scheduler.sees("Remove worker addr")
    assert client.run("", WORKS) == 3


def test_a_taken_port_of_the_dashboard_moves_the_routes_with_it(lab):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cluster = Cluster(lab, "--no-dashboard", http_port=taken.getsockname()[1])
        cluster.scheduler.sees("Hosting the HTTP server on port")
        [line] = [text for _, text in cluster.scheduler.lines if "Hosting the HTTP server on port" in text]
        cluster.http_port = int(line.split("port ")[1].split()[0])
        cluster.open()
        assert cluster.get("facts")[0] == 200
