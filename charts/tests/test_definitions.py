"""The hook that applies the custom resource definitions."""

import yaml
from chart import CHART, HOOK, OLDER_VALUES, ROOT, grants, render, the

KINDS = ["daskautoscalers", "daskclusters", "daskjobs", "daskworkergroups"]


def test_definitions_are_never_members_of_the_release():
    assert not (CHART / "crds").exists()
    assert all(kind != "CustomResourceDefinition" for kind, _ in render() | render(hooks=True))


def test_a_hook_applies_the_definitions_before_install_and_upgrade():
    hooks = render(hooks=True)

    assert {kind for kind, _ in hooks} == {"ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Job"}
    for o in hooks.values():
        annotations = o["metadata"]["annotations"]
        assert annotations[HOOK] == "pre-install,pre-upgrade"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    weights = {
        kind: int(o["metadata"]["annotations"]["helm.sh/hook-weight"]) for (kind, _), o in hooks.items()
    }
    assert (
        weights["ServiceAccount"] <= weights["ClusterRole"] < weights["ClusterRoleBinding"] < weights["Job"]
    )
    [only] = the("Job", hooks)["spec"]["template"]["spec"]["containers"]
    assert only["args"] == ["crds", "apply"]


def test_the_hook_may_change_these_four_definitions_only():
    definitions = "apiextensions.k8s.io/customresourcedefinitions"
    assert set(grants(the("ClusterRole", render(hooks=True)))) == {
        (definitions, ("create",), ()),
        (definitions, ("get", "patch", "update"), tuple(f"{kind}.kubernetes.dask.org" for kind in KINDS)),
    }


def test_the_hook_runs_where_the_operator_may_and_is_not_taken_for_it():
    template = the("Job", render(OLDER_VALUES, hooks=True))["spec"]["template"]
    for key in ["imagePullSecrets", "nodeSelector", "tolerations", "affinity", "priorityClassName"]:
        assert template["spec"][key] == OLDER_VALUES[key], key
    selector = the("Deployment", render(OLDER_VALUES))["spec"]["selector"]["matchLabels"]
    assert not selector.items() & template["metadata"]["labels"].items()


def test_the_hooks_job_has_a_name_that_fits_into_a_label():
    name = the("Job", render({"fullnameOverride": "f" * 80}, hooks=True))["metadata"]["name"]
    assert len(name) <= 63
    assert name.endswith("-crds")


def test_the_hook_can_be_switched_off():
    assert render({"crds": {"install": False}}, hooks=True) == {}


def test_the_hook_may_change_exactly_the_definitions_that_there_are():
    definitions = [yaml.safe_load(file.read_text()) for file in (ROOT / "crds").glob("*.yaml")]
    assert {d["metadata"]["name"] for d in definitions} == {f"{kind}.kubernetes.dask.org" for kind in KINDS}
