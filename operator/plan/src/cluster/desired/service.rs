//! The Service in front of the scheduler.

use dask_operator_api::labels::{self, component};
use serde_json::{Map, Value, json};

use super::{metadata, notes};
use crate::cluster::check::CheckedCluster;
use crate::container::set_absent;
use crate::hash::hash;
use crate::metadata::{StringMap, layered, passed_on, string_map};

/// The Service.
pub(in crate::cluster) fn service(cluster: &CheckedCluster) -> Value {
    let labels = layered([&cluster.labels, &own_labels(cluster)]);
    let annotations = layered([&passed_on(&cluster.annotations), &service_notes(cluster)]);
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(cluster, &cluster.name.scheduler(), &labels, &annotations),
        "spec": spec(cluster),
    })
}

/// The notes on it.
pub(in crate::cluster) fn service_notes(cluster: &CheckedCluster) -> StringMap {
    notes(cluster, &service_hash(cluster))
}

/// The hash of its spec. What the definitions add to one that the user left out is what we add.
pub(in crate::cluster) fn service_hash(cluster: &CheckedCluster) -> String {
    hash(&Value::Object(spec(cluster)))
}

/// The user's own spec; ports and selector are filled in only when absent.
fn spec(cluster: &CheckedCluster) -> Map<String, Value> {
    let mut spec = cluster.scheduler.service.clone();
    set_absent(&mut spec, "selector", json!(own_labels(cluster)));
    set_absent(
        &mut spec,
        "ports",
        json!([
            {"name": "tcp-comm", "port": 8786, "protocol": "TCP", "targetPort": "tcp-comm"},
            {"name": "http-dashboard", "port": 8787, "protocol": "TCP", "targetPort": "http-dashboard"},
        ]),
    );
    spec
}

fn own_labels(cluster: &CheckedCluster) -> StringMap {
    string_map([(labels::CLUSTER_NAME, cluster.name.as_str()), (labels::COMPONENT, component::SCHEDULER)])
}
