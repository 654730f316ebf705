"""Renders the chart with the Helm named by the environment variable HELM, else the one on the PATH."""

import json
import os
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "dask-kubernetes-operator"
HELM = os.environ.get("HELM", "helm")

HOOK = "helm.sh/hook"

# Each value of dask-kubernetes' chart, set to something that is not its default.
OLDER_VALUES = {
    "image": {"name": "registry.example/operator", "tag": "7", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "nameOverride": "name",
    "fullnameOverride": "full",
    "serviceAccount": {"create": True, "annotations": {"team": "data"}, "name": "account"},
    "rbac": {"create": True, "cluster": True},
    "podAnnotations": {"note": "kept"},
    "podSecurityContext": {"fsGroup": 2000},
    "securityContext": {"runAsUser": 1000, "readOnlyRootFilesystem": True},
    "resources": {"limits": {"cpu": "100m", "memory": "128Mi"}},
    "volumes": [{"name": "scratch", "emptyDir": {}}],
    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    "extraEnv": [{"name": "PLACE", "value": "here"}],
    "nodeSelector": {"pool": "system"},
    "tolerations": [{"key": "system", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "system-cluster-critical",
    "livenessProbe": {"timeoutSeconds": 9},
    "kopfArgs": ["--all-namespaces", "--verbose"],
    "metrics": {
        "scheduler": {
            "enabled": True,
            "serviceMonitor": {
                "enabled": True,
                "namespace": "monitoring",
                "namespaceSelector": {"any": True},
                "additionalLabels": {"release": "prometheus"},
                "interval": "30s",
                "jobLabel": "job",
                "targetLabels": ["team"],
                "metricRelabelings": [{"action": "drop", "regex": "noise"}],
            },
        },
        "worker": {
            "enabled": True,
            "podMonitor": {
                "enabled": True,
                "namespace": "monitoring",
                "namespaceSelector": {"matchNames": ["a", "b"]},
                "additionalLabels": {"release": "prometheus"},
                "interval": "1m",
                "jobLabel": "job",
                "podTargetLabels": ["team"],
                "metricRelabelings": [{"action": "drop", "regex": "noise"}],
            },
        },
    },
    "workerAllocation": {"size": 10, "delay": 2.5},
}


def helm(*args, values=None):
    command = [HELM, *args, *(["--values", "-"] if values is not None else [])]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)


def documents(values=None, release="dask", namespace="ops"):
    """Everything in the release, its hooks included, in no namespace twice."""
    done = helm("template", release, str(CHART), "--namespace", namespace, values=values or {})
    assert done.returncode == 0, done.stderr
    objects = [o for o in yaml.safe_load_all(done.stdout) if o]
    names = {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in objects}
    assert 0 < len(names) == len(objects), "no objects, or two of one name"
    return objects


def render(values=None, release="dask", namespace="ops", hooks=False):
    """The release's objects, or its hooks, by (kind, name)."""
    objects = by_name(documents(values, release, namespace))
    return {key: o for key, o in objects.items() if (HOOK in o["metadata"].get("annotations", {})) is hooks}


def by_name(documents):
    documents = [document for document in documents if document]
    objects = {(o["kind"], o["metadata"]["name"]): o for o in documents}
    assert len(objects) == len(documents), "two objects of one name"
    return objects


def refusal(values):
    """What Helm says against these values."""
    done = helm("template", "dask", str(CHART), values=values)
    assert done.returncode != 0
    return done.stderr


def the(kind, objects):
    found = [o for (k, _), o in objects.items() if k == kind]
    assert len(found) == 1, f"{len(found)} objects of kind {kind}"
    return found[0]


def pod(objects):
    return the("Deployment", objects)["spec"]["template"]["spec"]


def container(objects):
    [only] = pod(objects)["containers"]
    return only


def grants(role):
    """Each right as group/resource: verbs, with the names it is limited to."""
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                yield f"{group}/{resource}", tuple(rule["verbs"]), tuple(rule.get("resourceNames", []))
