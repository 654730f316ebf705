"""The values: mistakes are refused, and everything that can be set is described."""

import json
import re
import tomllib

import pytest
import yaml
from chart import CHART, ROOT, helm, refusal, render


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"imgae": {}}, "'imgae' not allowed"),
        ({"image": {"repository": "x"}}, "'repository' not allowed"),
        ({"metrics": {"worker": {"podMonitor": {"intreval": "5s"}}}}, "'intreval' not allowed"),
        ({"image": {"pullPolicy": "Sometimes"}}, "'Always', 'IfNotPresent', 'Never'"),
        ({"replicas": "two"}, "got string, want integer"),
        ({"kopfArgs": "--all-namespaces"}, "got string, want array"),
        ({"recordDecisions": "decisions.jsonl"}, "does not match pattern"),
        ({"watchNamespaces": "team"}, "got string, want array"),
        ({"watchNamespaces": ["team-*"]}, "'team-*' does not match pattern"),
        ({"watchNamespaces": ["a", "a"]}, "items at 0 and 1 are equal"),
    ],
)
def test_a_mistake_in_the_values_is_refused_with_its_name(values, told):
    assert told in refusal(values)


def test_a_parent_chart_may_switch_this_one_and_pass_globals():
    assert render({"global": {"registry": "x"}, "enabled": True})


def leaves(values, path=""):
    """The dotted names of what can be set, empty maps and lists included."""
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in {"securityContext", "resources"}:
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def schema_leaves(schema, path=""):
    for key, value in schema["properties"].items():
        if value.get("additionalProperties") is False:
            yield from schema_leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def test_schema_and_values_have_the_same_names():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    older = {"global", "enabled", "metrics.worker.serviceMonitor", "metrics.worker.podMonitor.targetLabels"}
    assert set(leaves(values)) == set(schema_leaves(schema)) - older


def test_the_readme_explains_every_value():
    readme = (CHART / "README.md").read_text()
    named = set(re.findall(r"`([^`\n]+)`", readme))
    for leaf in leaves(yaml.safe_load((CHART / "values.yaml").read_text())):
        short = re.sub(r"^metrics\.(scheduler\.service|worker\.pod)Monitor", "…", leaf)
        assert leaf in named or short in named, leaf


def test_the_versions_agree():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    worker_image = yaml.safe_load((CHART / "values.yaml").read_text())["workerImage"]
    assert chart["appVersion"] == chart["version"] == workspace
    assert worker_image == f"ghcr.io/dask-operator/dask:{workspace}"


def test_lint_has_nothing_to_say():
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "watches all namespaces"),
        ({"rbac": {"cluster": False}}, "watches the namespaces ops."),
        ({"kopfArgs": ["-n", "a"], "rbac": {"cluster": False}}, "watches the namespaces a."),
        ({"watchNamespaces": ["a", "b"]}, "watches the namespaces a, b."),
        ({"crds": {"install": False}}, "an administrator has to apply"),
        ({"image": {"name": "ghcr.io/dask/dask-kubernetes-operator"}}, "this chart does not run"),
    ],
)
def test_the_notes_tell_what_was_installed(values, told):
    done = helm("install", "dask", str(CHART), "--dry-run=client", "--namespace", "ops", values=values)
    assert done.returncode == 0, done.stderr
    assert told in done.stdout.partition("NOTES:")[2]
