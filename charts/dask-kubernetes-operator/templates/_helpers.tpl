{{/*
Names and labels are those of dask-kubernetes' chart, so that an upgrade from it changes no selector.
*/}}

{{- define "dask_kubernetes_operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* <release>-<name>, or the release's name alone when the name is already in it. */}}
{{- define "dask_kubernetes_operator.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $both := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- .Values.fullnameOverride | default $both | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "dask_kubernetes_operator.serviceAccountName" -}}
{{- $generated := .Values.serviceAccount.create | ternary (include "dask_kubernetes_operator.fullname" .) "default" -}}
{{- .Values.serviceAccount.name | default $generated -}}
{{- end -}}

{{- define "dask_kubernetes_operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "dask_kubernetes_operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "dask_kubernetes_operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "dask_kubernetes_operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/*
Values copied whole from dask-kubernetes' chart name its Python image, which cannot run our arguments:
that name, and the tag beside it, count as not set.
*/}}
{{- define "dask_kubernetes_operator.foreignImage" -}}
{{- if eq .Values.image.name "ghcr.io/dask/dask-kubernetes-operator" }}true{{ end -}}
{{- end -}}

{{- define "dask_kubernetes_operator.image" -}}
{{- if include "dask_kubernetes_operator.foreignImage" . -}}
ghcr.io/dask-operator/dask-operator:{{ .Chart.AppVersion }}
{{- else -}}
{{ .Values.image.name }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/*
What kopfArgs and watchNamespaces mean together, as JSON: `watched`, the namespaces by name or by kopf's patterns, none for
all; and `others`, the arguments that do not speak of namespaces. An operator that has Roles only cannot watch all
namespaces, which patterns take, too: it watches its own unless told which by name.
*/}}
{{- define "dask_kubernetes_operator.scope" -}}
{{- $named := list -}}{{- $others := list -}}{{- $all := false -}}{{- $flag := false -}}
{{- range .Values.kopfArgs -}}
{{- if $flag -}}
{{- $named = append $named . -}}{{- $flag = false -}}
{{- else if has . (list "--namespace" "-n") -}}
{{- $flag = true -}}
{{- else if has . (list "--all-namespaces" "-A") -}}
{{- $all = true -}}
{{- else if regexMatch "^(--namespace=|-n)" . -}}
{{- $named = append $named (regexReplaceAll "^(--namespace=|-n=?)" . "") -}}
{{- else -}}
{{- $others = append $others . -}}
{{- end -}}
{{- end -}}
{{- if $flag -}}
{{- fail "kopfArgs: --namespace names none" -}}
{{- end -}}
{{- if and $named $all -}}
{{- fail "kopfArgs: --all-namespaces and --namespace contradict each other: leave one of them out" -}}
{{- end -}}
{{- $watched := list -}}
{{- range $named -}}
{{- range splitList "," . -}}
{{- if not (regexMatch "^!?[a-z0-9*?]([-a-z0-9*?]*[a-z0-9*?])?$" (trim .)) -}}
{{- fail (printf "kopfArgs: \"%s\" is neither a namespace nor a pattern of its name with *, ? and, at the beginning, !" .) -}}
{{- end -}}
{{- end -}}
{{- if regexMatch "^[^*?!,]+,.*[*?!]" . -}}
{{- fail (printf "kopfArgs: %s has a name before a pattern: give each a flag of its own" .) -}}
{{- end -}}
{{- if regexMatch "[*?!]" . -}}
{{- $watched = append $watched (regexReplaceAll " *, *" (trim .) ",") -}}
{{- else -}}
{{- range splitList "," . }}{{- $watched = append $watched (trim .) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if has "*" $watched -}}{{- $watched = list -}}{{- end -}}
{{- $watched = .Values.watchNamespaces | default $watched -}}
{{- if and .Values.rbac.create (not .Values.rbac.cluster) -}}
{{- range $watched -}}
{{- if regexMatch "[*?!]" . -}}
{{- fail (printf "kopfArgs: the pattern %s takes rbac.cluster: without it, name each namespace" .) -}}
{{- end -}}
{{- end -}}
{{- $watched = $watched | default (list .Release.Namespace) -}}
{{- end -}}
{{- dict "watched" ($watched | uniq) "others" $others | toJson -}}
{{- end -}}

{{- define "dask_kubernetes_operator.args" -}}
{{- $scope := include "dask_kubernetes_operator.scope" . | fromJson -}}
{{- $args := concat (list "run" "--liveness=http://0.0.0.0:8080/healthz") $scope.others -}}
{{- range $scope.watched -}}
{{- $args = append $args (printf "--namespace=%s" .) -}}
{{- else -}}
{{- $args = append $args "--all-namespaces" -}}
{{- end -}}
{{- with .Values.workerImage -}}
{{- $args = append $args (printf "--worker-image=%s" .) -}}
{{- end -}}
{{- with .Values.clusterDomain -}}
{{- $args = append $args (printf "--cluster-domain=%s" .) -}}
{{- end -}}
{{- with .Values.recordDecisions -}}
{{- $args = append $args (printf "--record-decisions=%s" .) -}}
{{- end -}}
{{- toYaml $args -}}
{{- end -}}

{{/* Where pods of this chart run, and by which right they pull their image. */}}
{{- define "dask_kubernetes_operator.placement" -}}
{{- $placement := dict -}}
{{- range $key := list "affinity" "imagePullSecrets" "nodeSelector" "priorityClassName" "tolerations" -}}
{{- with index $.Values $key }}{{- $_ := set $placement $key . -}}{{- end -}}
{{- end -}}
{{- with $placement }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* What the operator may do where it watches: the rules of the ClusterRole, and of the Role. */}}
{{- define "dask_kubernetes_operator.rules" -}}
- apiGroups: [kubernetes.dask.org]
  resources: [daskclusters]
  verbs: [get, list, watch, delete]
- apiGroups: [kubernetes.dask.org]
  resources: [daskworkergroups]
  verbs: [get, list, watch, create, patch]
- apiGroups: [kubernetes.dask.org]
  resources: [daskautoscalers]
  verbs: [get, list, watch, patch]
- apiGroups: [kubernetes.dask.org]
  resources: [daskclusters/status, daskworkergroups/status, daskautoscalers/status]
  verbs: [patch]
# Where OwnerReferencesPermissionEnforcement is on, as in OpenShift, owning an object takes this right.
- apiGroups: [kubernetes.dask.org]
  resources: [daskclusters/finalizers, daskworkergroups/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, delete]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{/* The objects of the hook that applies the CRDs. A Job's name ends up in a label, so 63 characters are the limit. */}}
{{- define "dask_kubernetes_operator.crdsName" -}}
{{- include "dask_kubernetes_operator.fullname" . | trunc 58 | trimSuffix "-" }}-crds
{{- end -}}

{{- define "dask_kubernetes_operator.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{- define "dask_kubernetes_operator.monitorNamespaceSelector" -}}
{{- if .selector -}}
{{ toYaml .selector }}
{{- else -}}
matchNames:
  - {{ .namespace | quote }}
{{- end -}}
{{- end -}}
