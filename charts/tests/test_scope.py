"""Which namespaces the operator watches, and where it has rights for that."""

import pytest
from chart import container, documents, grants, refusal, render, the

NARROW = {"rbac": {"cluster": False}}


def scope(values):
    """The flags of the operator that speak of namespaces."""
    [deployment] = [o for o in documents(values) if o["kind"] == "Deployment"]
    [main] = deployment["spec"]["template"]["spec"]["containers"]
    return [a for a in main["args"] if a.startswith(("--namespace", "--all-namespaces"))]


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({}, ["--all-namespaces"]),
        ({"kopfArgs": []}, ["--all-namespaces"]),
        ({"kopfArgs": ["-A", "--verbose"]}, ["--all-namespaces"]),
        ({"kopfArgs": ["--namespace=*"]}, ["--all-namespaces"]),
        ({"kopfArgs": ["--namespace=a", "--namespace=b"]}, ["--namespace=a", "--namespace=b"]),
        ({"kopfArgs": ["-n", "a", "-nb", "-n=c, a"]}, ["--namespace=a", "--namespace=b", "--namespace=c"]),
        ({"kopfArgs": ["-n", "team-*, !team-x", "-n=a"]}, ["--namespace=team-*,!team-x", "--namespace=a"]),
        ({"watchNamespaces": ["a", "b"]}, ["--namespace=a", "--namespace=b"]),
        ({"watchNamespaces": ["a"], "kopfArgs": ["--namespace=b"]}, ["--namespace=a"]),
        (NARROW, ["--namespace=ops"]),
        (NARROW | {"kopfArgs": ["--namespace=a"]}, ["--namespace=a"]),
        (NARROW | {"watchNamespaces": ["a", "b"]}, ["--namespace=a", "--namespace=b"]),
        # Whoever gives the rights by other means says by flags what they are for.
        ({"rbac": {"create": False, "cluster": False}}, ["--all-namespaces"]),
    ],
)
def test_the_operator_is_told_its_namespaces(values, flags):
    assert scope(values) == flags


def test_other_arguments_arrive_in_their_order():
    values = {"kopfArgs": ["--quiet", "-n", "a", "--log-format", "json"], "workerImage": ""}
    assert container(render(values))["args"] == [
        "run",
        "--liveness=http://0.0.0.0:8080/healthz",
        "--quiet",
        "--log-format",
        "json",
        "--namespace=a",
    ]


def test_decisions_are_recorded_where_a_file_is_named():
    volume = {"volumes": [{"name": "trace", "emptyDir": {}}], "volumeMounts": [{"name": "trace", "mountPath": "/trace"}]}
    operator = container(render(volume | {"recordDecisions": "/trace/decisions.jsonl"}))
    assert "--record-decisions=/trace/decisions.jsonl" in operator["args"]
    assert operator["volumeMounts"] == volume["volumeMounts"]
    assert not [flag for flag in container(render())["args"] if "record" in flag]


@pytest.mark.parametrize("values", [{"watchNamespaces": ["a", "b"]}, {"kopfArgs": ["-n", "a", "-n", "b"]}])
def test_without_cluster_rights_there_is_a_role_in_each_watched_namespace_and_nowhere_else(values):
    objects = documents(NARROW | values | {"crds": {"install": False}})
    name = "dask-dask-kubernetes-operator"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "ops"}

    assert "ClusterRole" not in {o["kind"] for o in objects}
    for kind, suffix in [("Role", "role"), ("RoleBinding", "rolebinding")]:
        found = {(o["metadata"]["namespace"], o["metadata"]["name"]) for o in objects if o["kind"] == kind}
        watched = {(namespace, f"{name}-{suffix}") for namespace in "ab"}
        assert found == watched | {("ops", f"{name}-{suffix}-lease")}
    for o in objects:
        if o["kind"] == "RoleBinding":
            assert o["subjects"] == [subject]
        if o["kind"] == "Role" and o["metadata"]["namespace"] != "ops":
            assert set(grants(o)) == set(grants(the("ClusterRole", render())))


def test_names_of_namespaces_that_yaml_takes_for_numbers_stay_names():
    objects = documents(NARROW | {"watchNamespaces": ["1e3"]})
    [role] = [o for o in objects if o["metadata"]["name"].endswith("-role")]
    assert role["metadata"]["namespace"] == "1e3"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"kopfArgs": ["--namespace=team-[ab]"]}, '"team-[ab]" is neither a namespace nor a pattern'),
        ({"kopfArgs": ["-n", "a* b"]}, '"a* b" is neither'),
        ({"kopfArgs": ["--namespace="]}, '"" is neither'),
        ({"kopfArgs": ["-n"]}, "--namespace names none"),
        ({"kopfArgs": ["-n", "a, b, team-*"]}, "a, b, team-* has a name before a pattern"),
        ({"kopfArgs": ["--all-namespaces", "-n", "a"]}, "contradict each other"),
        # Who may not watch all namespaces cannot find those that a pattern means.
        (NARROW | {"kopfArgs": ["-n", "a*,!ab"]}, "the pattern a*,!ab takes rbac.cluster"),
    ],
)
def test_what_the_operator_would_refuse_is_refused_before_it_is_installed(values, told):
    assert told in refusal(values)
