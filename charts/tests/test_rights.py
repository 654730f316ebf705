"""What the operator may do."""

import pytest
from chart import OLDER_VALUES, container, grants, pod, render, the


def test_the_operator_may_do_what_it_does_and_no_more():
    read, dask = ("get", "list", "watch"), "kubernetes.dask.org"
    assert set(grants(the("ClusterRole", render()))) == {
        (f"{dask}/daskclusters", (*read, "delete"), ()),
        (f"{dask}/daskworkergroups", (*read, "create", "patch"), ()),
        (f"{dask}/daskautoscalers", (*read, "patch"), ()),
        (f"{dask}/daskclusters/status", ("patch",), ()),
        (f"{dask}/daskworkergroups/status", ("patch",), ()),
        (f"{dask}/daskautoscalers/status", ("patch",), ()),
        (f"{dask}/daskclusters/finalizers", ("update",), ()),
        (f"{dask}/daskworkergroups/finalizers", ("update",), ()),
        ("/pods", (*read, "create", "patch", "delete"), ()),
        ("/services", (*read, "create", "patch"), ()),
        ("/configmaps", (*read, "create", "patch"), ()),
        ("apps/deployments", (*read, "create", "patch"), ()),
        ("policy/poddisruptionbudgets", (*read, "create", "delete"), ()),
        ("events.k8s.io/events", ("create", "patch"), ()),
    }


@pytest.mark.parametrize("values", [{}, {"rbac": {"cluster": False}}, OLDER_VALUES])
def test_no_right_is_a_wildcard(values):
    roles = [
        o
        for hooks in (False, True)
        for (kind, _), o in render(values, hooks=hooks).items()
        if kind in {"Role", "ClusterRole"}
    ]
    assert len(roles) >= 3
    for role in roles:
        assert all("*" not in f"{resource}{verbs}{names}" for resource, verbs, names in grants(role))


def test_the_lease_is_the_only_one_it_may_change():
    for values in [{}, {"rbac": {"cluster": False}}]:
        objects = render(values)
        role = objects["Role", "dask-dask-kubernetes-operator-role-lease"]
        assert set(grants(role)) == {
            ("coordination.k8s.io/leases", ("create",), ()),
            ("coordination.k8s.io/leases", ("get", "update"), ("dask-operator",)),
        }
        binding = objects["RoleBinding", "dask-dask-kubernetes-operator-rolebinding-lease"]
        assert binding["metadata"]["namespace"] == role["metadata"]["namespace"] == "ops"


def test_without_cluster_rights_it_has_the_same_ones_in_its_namespace():
    wide, narrow = render(), render({"rbac": {"cluster": False}})

    assert {kind for kind, _ in narrow} == {"Deployment", "Role", "RoleBinding", "ServiceAccount"}
    role = narrow["Role", "dask-dask-kubernetes-operator-role"]
    assert role["metadata"]["namespace"] == "ops"
    assert role["rules"] == the("ClusterRole", wide)["rules"]
    assert ("RoleBinding", "dask-dask-kubernetes-operator-rolebinding") in narrow


@pytest.mark.parametrize("cluster", [True, False])
def test_every_binding_names_a_role_and_an_account_that_exist(cluster):
    for hooks in (False, True):
        objects = render({"rbac": {"cluster": cluster}, "serviceAccount": {"name": "sa"}}, hooks=hooks)
        bindings = [o for (kind, _), o in objects.items() if kind.endswith("Binding")]
        assert bindings
        for binding in bindings:
            [subject] = binding["subjects"]
            assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in objects
            assert (subject["kind"], subject["name"]) in objects
            assert subject["namespace"] == "ops"


def test_rights_and_account_can_be_left_to_an_administrator():
    objects = render({"rbac": {"create": False}, "serviceAccount": {"create": False}})
    assert {kind for kind, _ in objects} == {"Deployment"}
    assert pod(objects)["serviceAccountName"] == "default"
    assert "--all-namespaces" in container(objects)["args"]
