//! The namespaces of tests: how they are made, and waited for.

use anyhow::{Context, Result};
use serde_json::json;

use crate::cluster::Cluster;

/// On each of them.
const OURS: &str = "app.kubernetes.io/created-by=dask-operator-e2e";

/// Makes a namespace that is a test's.
pub(crate) fn create(cluster: &Cluster, name: &str) -> Result<()> {
    let (label, value) = OURS.split_once('=').context("no label")?;
    let metadata = json!({"name": name, "labels": {label: value}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}).to_string();
    cluster.kubectl_with_input(&["create", "--filename", "-"], &namespace).map(drop)
}

/// Waits until the namespaces of tests are gone, all but this one.
pub fn until_none_but(cluster: &Cluster, own: &str) -> Result<()> {
    let all = ["get", "namespace", "--selector", OURS, "--output", "name"];
    let own = format!("namespace/{own}");
    for other in cluster.kubectl(&all)?.lines().filter(|name| **name != own) {
        cluster.kubectl(&["wait", other, "--for=delete", "--timeout=120s"])?;
    }
    Ok(())
}
