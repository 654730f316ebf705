//! The manifests that tests apply.

use serde_json::{Value, json};

/// The image of the project, by its full name.
pub const DASK_IMAGE: &str = concat!("ghcr.io/dask-operator/dask:", env!("CARGO_PKG_VERSION"));
/// The same with the oldest release of Dask that is supported; it is for tests alone.
pub const OLDEST_DASK_IMAGE: &str = concat!("ghcr.io/dask-operator/dask-oldest:", env!("CARGO_PKG_VERSION"));

/// A small cluster that fits a small machine many times.
pub fn cluster(name: &str, workers: u32) -> String {
    format!(
        "apiVersion: kubernetes.dask.org/v1
kind: DaskCluster
metadata:
  name: {name}
spec:
  worker:
    replicas: {workers}
    threads: 1
    resources:
      requests: {{cpu: 20m, memory: 200Mi}}
"
    )
}

/// One more group of workers for that cluster.
pub fn group(cluster: &str, name: &str, workers: u32) -> String {
    format!(
        "apiVersion: kubernetes.dask.org/v1
kind: DaskWorkerGroup
metadata:
  name: {cluster}-{name}
spec:
  cluster: {cluster}
  worker:
    replicas: {workers}
    threads: 1
    resources:
      requests: {{cpu: 20m, memory: 200Mi}}
"
    )
}

/// Workers whose process 1 is the worker itself, so that the kernel's kill ends the pod.
pub fn without_nanny(name: &str, workers: u32, memory: &str) -> String {
    format!(
        "apiVersion: kubernetes.dask.org/v1
kind: DaskCluster
metadata:
  name: {name}
spec:
  worker:
    replicas: {workers}
    threads: 1
    resources:
      requests: {{cpu: 20m, memory: 100Mi}}
      limits: {{memory: {memory}}}
    spec:
      containers:
        - name: worker
          args: [dask, worker, --no-nanny, --name, $(DASK_WORKER_NAME)]
"
    )
}

/// A cluster with just this spec.
pub fn cluster_of(name: &str, spec: &Value) -> String {
    let kind = json!({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskCluster"});
    with(kind, name, spec)
}

/// The same, and its scheduler loads nothing of ours.
pub fn stock_cluster_of(name: &str, spec: &Value) -> String {
    let mut kind = json!({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskCluster"});
    kind["metadata"]["annotations"] = json!({"dask.org/stock-scheduler": "true"});
    with(kind, name, spec)
}

/// A cluster's scheduler with nothing left out.
pub fn scheduler_of(cluster: &str, image: &str) -> Value {
    let ports = [("tcp-comm", 8786), ("http-dashboard", 8787)];
    let container_ports = ports.map(|(name, port)| json!({"name": name, "containerPort": port}));
    let service_ports = ports.map(|(name, port)| json!({"name": name, "port": port, "targetPort": name}));
    let selector = json!({"dask.org/cluster-name": cluster, "dask.org/component": "scheduler"});
    let args = json!(["dask", "scheduler"]);
    let container = json!({"name": "scheduler", "image": image, "args": args, "ports": container_ports});
    json!({"spec": {"containers": [container]}, "service": {"selector": selector, "ports": service_ports}})
}

/// A group with just this spec.
pub fn group_of(name: &str, spec: &Value) -> String {
    let kind = json!({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskWorkerGroup"});
    with(kind, name, spec)
}

/// An autoscaler of a cluster's default group, or of those that the spec names.
pub fn autoscaler(name: &str, cluster: &str, spec: &Value) -> String {
    let mut spec = spec.clone();
    spec["cluster"] = json!(cluster);
    with(json!({"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskAutoscaler"}), name, &spec)
}

/// Two workers of two threads, so small that a few hundred megabytes do not fit into one of them.
pub fn two_small_workers(name: &str) -> String {
    let resources = json!({"requests": {"cpu": "20m", "memory": "400Mi"}, "limits": {"memory": "400Mi"}});
    let worker = json!({"replicas": 2, "threads": 2, "resources": resources, "spill": {"size": "2Gi"}});
    cluster_of(name, &json!({"worker": worker}))
}

/// A cluster whose pods find no node: as many as one likes cost nothing, and go at once.
pub fn without_a_node(name: &str, workers: u32) -> String {
    let nowhere = json!({"nodeSelector": {"node": "nowhere"}});
    cluster_of(
        name,
        &json!({"scheduler": {"spec": nowhere}, "worker": {"replicas": workers, "spec": nowhere}}),
    )
}

/// A client in the cluster that runs a script of the ConfigMap `workloads`.
pub fn client_pod(cluster: &str, namespace: &str, script: &str) -> String {
    let address = format!("tcp://{cluster}-scheduler.{namespace}.svc.cluster.local:8786");
    let container = json!({
        "name": "client",
        "image": DASK_IMAGE,
        "command": ["python", format!("/workloads/{script}.py")],
        "env": [{"name": "DASK_SCHEDULER_ADDRESS", "value": address}],
        "volumeMounts": [{"name": "workloads", "mountPath": "/workloads"}],
    });
    let spec = json!({
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "workloads", "configMap": {"name": "workloads"}}],
    });
    with(json!({"apiVersion": "v1", "kind": "Pod"}), "client", &spec)
}

/// An autoscaler of pods that keeps a group at no fewer than `minimum` workers.
pub fn pod_autoscaler(group: &str, minimum: u32) -> String {
    // The metric must be named and is never read: nobody here serves metrics.
    let target = json!({"type": "Utilization", "averageUtilization": 80});
    let spec = json!({
        "scaleTargetRef": {"apiVersion": "kubernetes.dask.org/v1", "kind": "DaskWorkerGroup", "name": group},
        "minReplicas": minimum,
        "maxReplicas": 10,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    });
    with(json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler"}), group, &spec)
}

fn with(mut object: Value, name: &str, spec: &Value) -> String {
    object["metadata"]["name"] = json!(name);
    object["spec"] = spec.clone();
    object.to_string()
}
