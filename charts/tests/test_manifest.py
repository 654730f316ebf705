"""The manifest for people without Helm."""

import subprocess

import yaml
from chart import HELM, ROOT, by_name, render


def test_the_committed_manifest_is_what_its_script_writes(tmp_path):
    fresh = tmp_path / "operator.yaml"
    subprocess.run([ROOT / "install" / "generate.sh", HELM, fresh], check=True)
    assert (ROOT / "install" / "operator.yaml").read_text() == fresh.read_text(), "run install/generate.sh"


def test_the_manifest_is_the_chart_with_a_namespace():
    manifest = by_name(yaml.safe_load_all((ROOT / "install" / "operator.yaml").read_text()))
    chart = render({"fullnameOverride": "dask-operator"}, release="dask-operator", namespace="dask-operator")
    for o in chart.values():
        del o["metadata"]["labels"]["helm.sh/chart"], o["metadata"]["labels"]["app.kubernetes.io/managed-by"]

    assert manifest.pop(("Namespace", "dask-operator"))
    assert manifest == chart
