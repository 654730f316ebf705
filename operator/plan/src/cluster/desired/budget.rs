//! The disruption budget of a cluster's pods.

use dask_operator_api::labels::{self, component};
use serde_json::{Value, json};

use super::metadata;
use crate::cluster::check::CheckedCluster;
use crate::metadata::{layered, passed_on, string_map};

/// No eviction of a scheduler, which holds all work, nor of a worker, which holds results. Kubernetes counts what
/// should be there by the scales of the scheduler's Deployment and of the groups. A pod that is not ready, and so
/// does no work, may be evicted all the same.
pub(in crate::cluster) fn budget(cluster: &CheckedCluster) -> Value {
    let own = string_map([
        (labels::CLUSTER_NAME, cluster.name.as_str()),
        (labels::COMPONENT, component::SCHEDULER),
    ]);
    let labels = layered([&cluster.labels, &own]);
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(cluster, &cluster.name.scheduler(), &labels, &passed_on(&cluster.annotations)),
        "spec": {
            "maxUnavailable": 0,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {
                "matchLabels": {labels::CLUSTER_NAME: cluster.name.as_str()},
                "matchExpressions": [{
                    "key": labels::COMPONENT,
                    "operator": "In",
                    "values": [component::SCHEDULER, component::WORKER],
                }],
            },
        },
    })
}
