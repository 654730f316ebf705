"""The operator's Deployment: its names and selectors, and what of the values reaches it."""

import pytest
from chart import OLDER_VALUES, container, pod, render, the


@pytest.mark.parametrize(
    ("release", "values", "fullname", "account", "name"),
    [
        ("dask", {}, "dask-dask-kubernetes-operator", None, "dask-kubernetes-operator"),
        ("my-dask-kubernetes-operator", {}, "my-dask-kubernetes-operator", None, "dask-kubernetes-operator"),
        ("dask", {"nameOverride": "short"}, "dask-short", None, "short"),
        ("dask", {"nameOverride": "as"}, "dask", None, "as"),
        ("dask", {"fullnameOverride": "full"}, "full", None, "dask-kubernetes-operator"),
        ("dask", {"fullnameOverride": "f" * 62 + "-x"}, "f" * 62, None, "dask-kubernetes-operator"),
        (
            "dask",
            {"serviceAccount": {"name": "sa"}},
            "dask-dask-kubernetes-operator",
            "sa",
            "dask-kubernetes-operator",
        ),
    ],
)
def test_objects_are_named_as_by_the_older_chart(release, values, fullname, account, name):
    account = account or fullname
    objects = render(values, release)

    assert {("Deployment", fullname), ("ServiceAccount", account)} <= objects.keys()
    assert {
        ("ClusterRole", f"{account}-role-cluster"),
        ("ClusterRoleBinding", f"{account}-rolebinding-cluster"),
    } <= objects.keys()
    deployment = the("Deployment", objects)
    selector = {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": release}
    assert deployment["spec"]["selector"] == {"matchLabels": selector}
    assert deployment["spec"]["template"]["metadata"]["labels"] == selector
    assert deployment["metadata"]["labels"] == selector | {
        "helm.sh/chart": "dask-kubernetes-operator-0.1.0",
        "app.kubernetes.io/version": "0.1.0",
        "app.kubernetes.io/managed-by": "Helm",
    }
    assert container(objects)["name"] == "dask-kubernetes-operator"


def test_names_that_yaml_takes_for_something_else_stay_names():
    values = {"fullnameOverride": "123", "nameOverride": "1e3", "serviceAccount": {"name": "no"}}
    for hooks in (False, True):
        for (_, name), o in render(values, release="on", namespace="0x1", hooks=hooks).items():
            strings = [name, o["metadata"].get("namespace", ""), *o["metadata"]["labels"].values()]
            assert all(isinstance(s, str) for s in strings), strings


def test_every_value_of_the_older_chart_is_accepted_and_arrives():
    objects = render(OLDER_VALUES)

    spec, main = pod(objects), container(objects)
    for key in [
        "imagePullSecrets",
        "volumes",
        "nodeSelector",
        "tolerations",
        "affinity",
        "priorityClassName",
    ]:
        assert spec[key] == OLDER_VALUES[key], key
    assert spec["securityContext"] == {"fsGroup": 2000}
    assert spec["serviceAccountName"] == "account"
    assert the("ServiceAccount", objects)["metadata"]["annotations"] == {"team": "data"}
    assert the("Deployment", objects)["spec"]["template"]["metadata"]["annotations"] == {"note": "kept"}
    assert (main["image"], main["imagePullPolicy"]) == ("registry.example/operator:7", "Always")
    assert main["securityContext"]["runAsUser"] == 1000
    assert main["resources"]["limits"] == {"cpu": "100m", "memory": "128Mi"}
    assert main["volumeMounts"] == OLDER_VALUES["volumeMounts"]
    assert main["env"][-1] == {"name": "PLACE", "value": "here"}
    assert main["livenessProbe"]["timeoutSeconds"] == 9
    assert "--verbose" in main["args"]


def test_values_copied_whole_from_the_older_chart_do_not_run_its_image():
    for hooks, kind in [(False, "Deployment"), (True, "Job")]:
        objects = render(
            {"image": {"name": "ghcr.io/dask/dask-kubernetes-operator", "tag": "2025.7.0"}}, hooks=hooks
        )
        [only] = the(kind, objects)["spec"]["template"]["spec"]["containers"]
        assert only["image"] == "ghcr.io/dask-operator/dask-operator:0.1.0"


def test_values_may_be_null_where_the_older_chart_had_null():
    objects = render({"priorityClassName": None, "workerAllocation": {"size": None, "delay": None}})
    assert "priorityClassName" not in pod(objects)


def test_the_operator_is_probed_where_it_listens():
    main = container(render())

    assert main["args"] == [
        "run",
        "--liveness=http://0.0.0.0:8080/healthz",
        "--all-namespaces",
        "--worker-image=ghcr.io/dask-operator/dask:0.1.0",
    ]
    assert main["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert main["livenessProbe"] == {"httpGet": {"path": "/healthz", "port": "http"}, "timeoutSeconds": 5}
    assert main["readinessProbe"] == {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 2}


def test_only_the_pods_of_this_chart_get_a_token():
    for hooks, kind in [(False, "Deployment"), (True, "Job")]:
        objects = render(hooks=hooks)
        assert the("ServiceAccount", objects)["automountServiceAccountToken"] is False
        assert the(kind, objects)["spec"]["template"]["spec"]["automountServiceAccountToken"] is True


def test_pods_pass_the_restricted_pod_security_standard():
    for hooks, kind in [(False, "Deployment"), (True, "Job")]:
        [only] = the(kind, render(hooks=hooks))["spec"]["template"]["spec"]["containers"]
        assert only["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        }


def test_the_pod_knows_its_name_and_namespace():
    fields = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"] for e in container(render())["env"]}
    assert fields == {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}


@pytest.mark.parametrize("size", [10, "10"])
def test_worker_allocation_becomes_the_environment_the_older_operator_read(size):
    objects = render({"workerAllocation": {"size": size, "delay": 2.5}})
    env = {e["name"]: e.get("value") for e in container(objects)["env"]}
    assert env["DASK_KUBERNETES__CONTROLLER__WORKER_ALLOCATION__BATCH_SIZE"] == "10"
    assert env["DASK_KUBERNETES__CONTROLLER__WORKER_ALLOCATION__DELAY"] == "2.5"


def test_new_values_reach_the_operator():
    main = container(render({"workerImage": "w:1", "clusterDomain": "corp.example", "logLevel": "debug"}))
    assert main["args"][-2:] == ["--worker-image=w:1", "--cluster-domain=corp.example"]
    assert {"name": "RUST_LOG", "value": "debug"} in main["env"]


@pytest.mark.parametrize(("replicas", "strategy"), [(0, "Recreate"), (1, "Recreate"), (2, "RollingUpdate")])
def test_one_operator_is_recreated_and_several_roll(replicas, strategy):
    spec = the("Deployment", render({"replicas": replicas}))["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (replicas, strategy)


def test_only_a_rolling_strategy_has_numbers_and_they_are_written_down():
    # Server-side apply removes what it once set. Defaults of the server stay, and Recreate refuses them.
    rolling, recreate = (the("Deployment", render({"replicas": n}))["spec"]["strategy"] for n in (2, 1))
    assert rolling["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert recreate == {"type": "Recreate"}


def test_two_operators_prefer_two_nodes_and_are_not_drained_together():
    objects = render({"replicas": 2})
    selector = the("Deployment", objects)["spec"]["selector"]

    [spread] = pod(objects)["topologySpreadConstraints"]
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "ScheduleAnyway")
    assert spread["labelSelector"] == selector
    budget = the("PodDisruptionBudget", objects)
    assert budget["metadata"]["namespace"] == "ops"
    assert budget["spec"] == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": selector,
    }


def test_one_operator_has_no_budget_that_would_hold_up_a_drain():
    objects = render({"replicas": 1})
    assert "PodDisruptionBudget" not in {kind for kind, _ in objects}
    assert "topologySpreadConstraints" not in pod(objects)
