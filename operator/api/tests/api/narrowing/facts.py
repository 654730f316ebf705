"""Writes facts.txt: what the CRDs of dask-kubernetes accept, as one indented line per field.

    pip download dask-kubernetes==2026.3.0 --no-deps && unzip dask_kubernetes-*.whl -d wheel
    pip install pyyaml && python facts.py wheel > facts.txt

A line is a name, a type and what narrows or completes the field. `[]` is the item of a list, `{}` the value of a
map. `@pod` and `@service` stand for the trees of those names; lines below such a line replace lines of the tree.
"""

import json
import pathlib
import sys

import yaml

CRDS = "dask_kubernetes/operator/deployment/helm/dask-kubernetes-operator/crds"
KINDS = ["daskcluster", "daskworkergroup", "daskjob", "daskautoscaler"]
NARROWING = ["enum", "format", "pattern", "minimum", "maximum", "maxLength", "minLength", "maxItems", "minItems"]
SHARED = {}


def facts(schema):
    """What is said about one field, children aside."""
    words = [schema["type"]]
    if "required" in schema:
        words.append("required=" + ",".join(sorted(schema["required"])))
    if schema.get("x-kubernetes-list-type") == "map":
        words.append("keys=" + ",".join(schema["x-kubernetes-list-map-keys"]))
    if schema.get("nullable"):
        words.append("nullable")
    words += [f"{key}={json.dumps(schema[key])}" for key in [*NARROWING, "default"] if key in schema]
    return " ".join(words)


def children(schema):
    yield from sorted(schema.get("properties", {}).items())
    for key, name in [("items", "[]"), ("additionalProperties", "{}")]:
        if isinstance(schema.get(key), dict):
            yield name, schema[key]


def tree(schema):
    """Every field below a schema, as indented lines."""
    for name, child in children(schema):
        yield f" {name} {facts(child)}"
        yield from (" " + line for line in tree(child))


def shape(schema):
    """The name of the shared tree that a schema is, if it is one."""
    properties = schema.get("properties", {})
    return "@pod" if "containers" in properties else "@service" if "clusterIP" in properties else None


def described(name, schema):
    """A schema by its own lines, or by the shared tree and what differs from it."""
    shared = shape(schema)
    yield f"{name} {facts(schema)}" + (f" {shared}" if shared else "")
    if shared:
        lines = SHARED.setdefault(shared, list(tree(schema)))
        yield from (new for old, new in zip(lines, tree(schema), strict=True) if old != new)
        return
    for child_name, child in children(schema):
        yield from (" " + line for line in described(child_name, child))


def main(wheel):
    lines = []
    for kind in KINDS:
        crd = yaml.safe_load((pathlib.Path(wheel) / CRDS / f"{kind}.yaml").read_text())
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        lines += described(crd["spec"]["names"]["plural"], schema)
    for shared, below in SHARED.items():
        lines += [f"{shared} object", *below]
    print("\n".join(lines))


main(sys.argv[1])
