//! The children of a cluster, one file per kind.

mod config;
mod deployment;
mod group;
mod service;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(super) use config::config;
pub(super) use deployment::deployment;
pub(super) use group::{default_group, pushed, worker, worker_hash};
pub(super) use service::service;

use super::check::CheckedCluster;
use crate::metadata::StringMap;

/// The metadata of a child.
fn metadata(
    cluster: &CheckedCluster,
    name: &str,
    labels: &StringMap,
    annotations: &BTreeMap<String, String>,
) -> Value {
    json!({
        "name": name,
        "namespace": cluster.namespace,
        "labels": labels,
        "annotations": annotations,
        "ownerReferences": cluster.owner().references(),
    })
}
