//! The manifests that tests apply.

use serde_json::{Value, json};

/// The image of the project with the oldest release of Dask that is supported; it is for tests alone.
pub const OLDEST_DASK_IMAGE: &str = concat!("ghcr.io/dask-operator/dask-oldest:", env!("CARGO_PKG_VERSION"));

/// The image of schedulers and workers, as the operator's own manifest names it: whoever has pushed it elsewhere changed it
/// there.
pub fn dask_image() -> &'static str {
    let manifest = include_str!("../../install/operator.yaml");
    let named = manifest.lines().find_map(|line| line.trim().strip_prefix("- --worker-image="));
    named.unwrap_or_default()
}

/// How a worker is started as one process, so that the kernel's kill ends the pod; with half the work of a nanny's.
pub const WITHOUT_NANNY: [&str; 5] = ["dask", "worker", "--no-nanny", "--name", "$(DASK_WORKER_NAME)"];
/// How Dask starts a worker by default.
pub const WITH_NANNY: [&str; 4] = ["dask", "worker", "--name", "$(DASK_WORKER_NAME)"];

/// A small cluster that fits a small machine many times.
pub fn cluster(name: &str, workers: u32) -> String {
    cluster_of(name, &json!({"worker": small(workers)}))
}

/// The same as Dask starts it by default.
pub fn cluster_with_nannies(name: &str, workers: u32) -> String {
    exact_cluster_of(name, &json!({"worker": small(workers)}))
}

/// One more group of workers for that cluster.
pub fn group(cluster: &str, name: &str, workers: u32) -> String {
    group_of(&format!("{cluster}-{name}"), &json!({"cluster": cluster, "worker": small(workers)}))
}

fn small(workers: u32) -> Value {
    let requests = json!({"cpu": "20m", "memory": "200Mi"});
    json!({"replicas": workers, "threads": 1, "resources": {"requests": requests}})
}

/// A cluster with this spec, whose processes are at ease.
pub fn cluster_of(name: &str, spec: &Value) -> String {
    exact_cluster_of(name, &at_ease(&at_ease(spec, "scheduler"), "worker"))
}

/// A cluster with this spec and nothing else.
pub fn exact_cluster_of(name: &str, spec: &Value) -> String {
    with(kind("DaskCluster"), name, spec)
}

/// A cluster with this spec whose scheduler loads nothing of ours, and whose processes are at ease.
pub fn stock_cluster_of(name: &str, spec: &Value) -> String {
    exact_stock_cluster_of(name, &at_ease(&at_ease(spec, "scheduler"), "worker"))
}

/// The same with this spec and nothing else.
pub fn exact_stock_cluster_of(name: &str, spec: &Value) -> String {
    let mut kind = kind("DaskCluster");
    kind["metadata"]["annotations"] = json!({"dask.org/stock-scheduler": "true"});
    with(kind, name, spec)
}

/// A group with this spec, whose workers are at ease.
pub fn group_of(name: &str, spec: &Value) -> String {
    exact_group_of(name, &at_ease(spec, "worker"))
}

/// A group with this spec and nothing else.
pub fn exact_group_of(name: &str, spec: &Value) -> String {
    with(kind("DaskWorkerGroup"), name, spec)
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

/// An autoscaler of a cluster's default group, or of those that the spec names.
pub fn autoscaler(name: &str, cluster: &str, spec: &Value) -> String {
    let mut spec = spec.clone();
    spec["cluster"] = json!(cluster);
    with(kind("DaskAutoscaler"), name, &spec)
}

/// Two workers of two threads, so small that a few hundred megabytes do not fit into one of them.
pub fn two_small_workers(name: &str) -> String {
    let resources = json!({"requests": {"cpu": "20m", "memory": "400Mi"}, "limits": {"memory": "400Mi"}});
    let worker = json!({"replicas": 2, "threads": 2, "resources": resources, "spill": {"size": "2Gi"}});
    exact_cluster_of(name, &json!({"worker": worker}))
}

/// A cluster whose pods find no node: as many as one likes cost nothing, and go at once.
pub fn without_a_node(name: &str, workers: u32) -> String {
    let nowhere = json!({"nodeSelector": {"node": "nowhere"}});
    exact_cluster_of(
        name,
        &json!({"scheduler": {"spec": nowhere}, "worker": {"replicas": workers, "spec": nowhere}}),
    )
}

/// A client in the cluster that runs scripts of the ConfigMap `workloads`, one after the other.
pub fn client_pod(cluster: &str, namespace: &str, scripts: &[&str]) -> String {
    let address = format!("tcp://{cluster}-scheduler.{namespace}.svc.cluster.local:8786");
    let container = json!({
        "name": "client",
        "image": dask_image(),
        "command": ["sh", "-c", "set -e; for script; do python /workloads/$script.py; done", "scripts"],
        "args": scripts,
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

/// Turns down what Dask does when there is nothing to do: it samples its own threads a hundred times a second, and looks
/// at its clock fifty times. An idle worker takes 1 % of a processor with these instead of 4, its scheduler 0.6 instead
/// of 2. Without a dashboard each starts with half the work, 0.8 seconds of a processor instead of 1.5, and without a nanny
/// a worker takes half of what is left.
const AT_EASE: [(&str, &str); 2] = [
    ("DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED", "False"),
    ("DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL", "1s"),
];

/// The spec with these variables in the first container of one part, whether it names any or not, without a dashboard,
/// and, where it names no command, without a nanny.
fn at_ease(spec: &Value, part: &str) -> Value {
    let mut spec = spec.clone();
    let containers = &mut spec[part]["spec"]["containers"];
    if containers.is_null() {
        *containers = json!([{"name": part}]);
    }
    let variables = &mut containers[0]["env"];
    let ours = AT_EASE.iter().map(|(name, value)| json!({"name": name, "value": value}));
    *variables = variables.as_array().into_iter().flatten().cloned().chain(ours).collect();
    make_plain(&mut containers[0], part);
    spec
}

/// Dask's own command without a dashboard; and without a nanny where it is left to the operator.
fn make_plain(container: &mut Value, part: &str) {
    if container["args"].is_null() && container["command"].is_null() {
        container["args"] = match part {
            "worker" => json!(WITHOUT_NANNY),
            _ => json!(["dask", part]),
        };
    }
    if let Some(words) =
        container["args"].as_array_mut().filter(|words| words.starts_with(&[json!("dask"), json!(part)]))
    {
        words.push(json!("--no-dashboard"));
    }
}

fn kind(kind: &str) -> Value {
    json!({"apiVersion": "kubernetes.dask.org/v1", "kind": kind})
}

fn with(mut object: Value, name: &str, spec: &Value) -> String {
    object["metadata"]["name"] = json!(name);
    object["spec"] = spec.clone();
    object.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_the_one_that_the_manifest_names() {
        assert!(dask_image().contains("/dask:"), "{}", dask_image());
    }
}
