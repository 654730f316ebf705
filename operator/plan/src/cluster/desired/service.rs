//! The Service in front of the scheduler.

use dask_operator_api::labels::{self, component};
use serde_json::{Value, json};

use super::metadata;
use crate::cluster::check::CheckedCluster;
use crate::container::set_absent;
use crate::metadata::{layered, passed_on, string_map};

/// The user's own spec; ports and selector are filled in only when absent.
pub(in crate::cluster) fn service(cluster: &CheckedCluster) -> Value {
    let own = string_map([
        (labels::CLUSTER_NAME, cluster.name.as_str()),
        (labels::COMPONENT, component::SCHEDULER),
    ]);
    let mut spec = cluster.scheduler.service.clone();
    set_absent(&mut spec, "selector", json!(own));
    set_absent(
        &mut spec,
        "ports",
        json!([
            {"name": "tcp-comm", "port": 8786, "protocol": "TCP", "targetPort": "tcp-comm"},
            {"name": "http-dashboard", "port": 8787, "protocol": "TCP", "targetPort": "http-dashboard"},
        ]),
    );
    let labels = layered([&cluster.labels, &own]);
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(cluster, &cluster.name.scheduler(), &labels, &passed_on(&cluster.annotations)),
        "spec": spec,
    })
}
