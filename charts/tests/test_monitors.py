"""ServiceMonitor and PodMonitor."""

from chart import OLDER_VALUES, render, the


def metrics(scheduler=(), worker=(), **more):
    return {"metrics": {"scheduler": dict(scheduler, **more), "worker": dict(worker, **more)}}


def test_there_are_no_monitors_unless_both_switches_are_on():
    on, off = {"enabled": True}, {"enabled": False}
    for outer, inner in [(off, off), (on, off), (off, on)]:
        objects = render(metrics(scheduler={"serviceMonitor": inner}, worker={"podMonitor": inner}, **outer))
        assert not {"ServiceMonitor", "PodMonitor"} & {kind for kind, _ in objects}


def test_monitors_find_what_the_operator_labels():
    on = {"enabled": True}
    objects = render(metrics(scheduler={"serviceMonitor": on}, worker={"podMonitor": on}, **on))

    services = objects["ServiceMonitor", "dask-dask-kubernetes-operator-scheduler-servicemonitor"]
    assert services["metadata"]["namespace"] == "ops"
    assert services["metadata"]["labels"]["dask.org/component"] == "scheduler"
    assert services["spec"] == {
        "endpoints": [{"port": "http-dashboard", "interval": "15s"}],
        "namespaceSelector": {"matchNames": ["ops"]},
        "selector": {"matchLabels": {"dask.org/component": "scheduler"}},
        "targetLabels": ["dask.org/cluster-name"],
    }
    pods = objects["PodMonitor", "dask-dask-kubernetes-operator-worker-podmonitor"]
    assert pods["metadata"]["labels"]["dask.org/component"] == "worker"
    assert pods["spec"] == {
        "podMetricsEndpoints": [{"port": "http-dashboard", "interval": "15s"}],
        "namespaceSelector": {"matchNames": ["ops"]},
        "selector": {"matchLabels": {"dask.org/component": "worker"}},
        "podTargetLabels": ["dask.org/cluster-name", "dask.org/workergroup-name"],
    }


def test_every_setting_of_the_monitors_arrives():
    objects = render(OLDER_VALUES)
    drop = [{"action": "drop", "regex": "noise"}]

    services, pods = the("ServiceMonitor", objects), the("PodMonitor", objects)
    for monitor in (services, pods):
        assert monitor["metadata"]["namespace"] == "monitoring"
        assert monitor["metadata"]["labels"]["release"] == "prometheus"
        assert monitor["spec"]["jobLabel"] == "job"
    assert services["spec"]["targetLabels"] == ["team"]
    assert services["spec"]["namespaceSelector"] == {"any": True}
    assert services["spec"]["endpoints"] == [
        {"port": "http-dashboard", "interval": "30s", "metricRelabelings": drop}
    ]
    assert pods["spec"]["podTargetLabels"] == ["team"]
    assert pods["spec"]["namespaceSelector"] == {"matchNames": ["a", "b"]}
    assert pods["spec"]["podMetricsEndpoints"] == [
        {"port": "http-dashboard", "interval": "1m", "metricRelabelings": drop}
    ]


def test_names_that_the_older_chart_documented_or_read_by_mistake_still_count():
    documented = render(metrics(worker={"serviceMonitor": {"enabled": True}}, enabled=True))
    assert the("PodMonitor", documented)
    read = render(metrics(worker={"podMonitor": {"enabled": True, "targetLabels": ["team"]}}, enabled=True))
    assert the("PodMonitor", read)["spec"]["podTargetLabels"] == ["team"]
