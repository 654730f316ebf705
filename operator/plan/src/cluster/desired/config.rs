//! The ConfigMap that holds a cluster's Dask configuration.

use dask_operator_api::labels::{self, component};
use serde_json::{Value, json};

use super::metadata;
use crate::cluster::check::CheckedCluster;
use crate::hash::hash_text;
use crate::metadata::{layered, string_map};
use crate::pod_spec::CONFIG_FILE;

/// JSON is YAML, so the file is the configuration as the API server has it.
pub(in crate::cluster) fn config(cluster: &CheckedCluster, config: &Value) -> Value {
    let own =
        string_map([(labels::CLUSTER_NAME, cluster.name.as_str()), (labels::COMPONENT, component::CONFIG)]);
    let labels = layered([&cluster.labels, &own]);
    let annotations = string_map([(labels::TEMPLATE_HASH, &hash_text(&config.to_string()))]);
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(cluster, &cluster.name.config(), &labels, &annotations),
        "data": {CONFIG_FILE: config.to_string()},
    })
}
