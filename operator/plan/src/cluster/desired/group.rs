//! The default worker group.

use dask_operator_api::labels::{self, component};
use serde_json::{Value, json};

use super::metadata;
use crate::cluster::check::CheckedCluster;
use crate::hash::hash;
use crate::metadata::{layered, passed_on, string_map};

/// The group as it is created; what is pushed later is noted in annotations from the start.
pub(in crate::cluster) fn default_group(cluster: &CheckedCluster) -> Value {
    let own = string_map([
        (labels::CLUSTER_NAME, cluster.name.as_str()),
        (labels::COMPONENT, component::WORKER_GROUP),
    ]);
    let labels = layered([&cluster.labels, &own]);
    let notes = string_map([
        (labels::PUSHED_REPLICAS, &cluster.worker.replicas.to_string()),
        (labels::PUSHED_WORKER, &worker_hash(cluster)),
    ]);
    let kept = cluster.annotations.get_key_value(labels::KEEP_COMMAND);
    let kept = kept.map(|(key, value)| (key.clone(), value.clone())).into_iter().collect();
    let annotations = layered([&passed_on(&cluster.annotations), &kept, &notes]);
    json!({
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskWorkerGroup",
        "metadata": metadata(cluster, &cluster.name.default_group(), &labels, &annotations),
        "spec": {"cluster": cluster.name.as_str(), "worker": worker(cluster)},
    })
}

/// The notes on the group of what was pushed to it last.
pub(in crate::cluster) fn pushed(cluster: &CheckedCluster) -> Value {
    json!({
        labels::PUSHED_REPLICAS: cluster.worker.replicas.to_string(),
        labels::PUSHED_WORKER: worker_hash(cluster),
    })
}

/// The cluster's `spec.worker` as JSON.
pub(in crate::cluster) fn worker(cluster: &CheckedCluster) -> Value {
    serde_json::to_value(&cluster.worker).unwrap_or_default()
}

/// The hash of all of it but the replicas, which are pushed on their own.
pub(in crate::cluster) fn worker_hash(cluster: &CheckedCluster) -> String {
    let mut worker = worker(cluster);
    if let Some(fields) = worker.as_object_mut() {
        fields.remove("replicas");
    }
    hash(&worker)
}
