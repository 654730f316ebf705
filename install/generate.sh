#!/bin/sh
# Writes install/operator.yaml, for people without Helm, from the chart: install/generate.sh [HELM [FILE]]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
file=${2:-$root/install/operator.yaml}

rendered=$("${1:-helm}" template dask-operator "$root/charts/dask-kubernetes-operator" \
    --namespace dask-operator --no-hooks --set fullnameOverride=dask-operator)

{
    cat <<'HEADER'
# dask-operator without Helm: kubectl apply -f crds/ -f install/
# Made from charts/dask-kubernetes-operator by install/generate.sh. A change goes there.
apiVersion: v1
kind: Namespace
metadata:
  name: dask-operator
HEADER
    # Labels that say "managed by Helm" would not be true here.
    printf '%s\n' "$rendered" |
        sed -e '/^$/d' -e '/^# Source: /d' -e '/^ *helm.sh\/chart: /d' -e '/^ *app.kubernetes.io\/managed-by: /d'
} >"$file"
