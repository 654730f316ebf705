//! The children of a cluster, one file per kind.

mod budget;
mod config;
mod deployment;
mod group;
mod preload;
mod service;

use std::collections::BTreeMap;

use dask_operator_api::labels;
use serde_json::{Value, json};

pub(super) use budget::budget;
pub(super) use config::config;
pub(super) use deployment::{deployment, deployment_notes, scheduler_hash, stock_because};
pub(super) use group::{default_group, pushed, worker, worker_hash};
pub(super) use service::{service, service_hash, service_notes};

use super::check::CheckedCluster;
use crate::metadata::{StringMap, layered, string_map};

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

/// The notes on a child that only a restart of the scheduler changes: what it was made from, and the restart that it
/// is the outcome of.
fn notes(cluster: &CheckedCluster, hash: &str) -> StringMap {
    layered([&string_map([(labels::TEMPLATE_HASH, hash)]), &restart(cluster)])
}

/// The restart that was asked for, as an annotation.
fn restart(cluster: &CheckedCluster) -> StringMap {
    let asked = cluster.restart.as_ref();
    asked.map(|value| (labels::RESTART_SCHEDULER.to_owned(), value.clone())).into_iter().collect()
}
