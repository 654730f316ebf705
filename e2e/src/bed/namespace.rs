//! The namespaces of tests: how they are made, and waited for.

use anyhow::Result;
use serde_json::json;

use crate::cluster::Cluster;

/// The label of each of them.
const LABEL: (&str, &str) = ("app.kubernetes.io/created-by", "dask-operator-e2e");

/// Makes a namespace that is a test's.
pub(crate) fn create(cluster: &Cluster, name: &str) -> Result<()> {
    let (label, value) = LABEL;
    let metadata = json!({"name": name, "labels": {label: value}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}).to_string();
    cluster.kubectl_with_input(&["create", "--filename", "-"], &namespace).map(drop)
}

/// Waits until the namespaces of tests are gone, all but this one.
pub(crate) fn until_none_but(cluster: &Cluster, own: &str) -> Result<()> {
    let selector = format!("{}={}", LABEL.0, LABEL.1);
    let all = ["get", "namespace", "--selector", &selector, "--output", "name"];
    let own = format!("namespace/{own}");
    for other in cluster.kubectl(&all)?.lines().filter(|name| **name != own) {
        cluster.kubectl(&["wait", other, "--for=delete", "--timeout=120s"])?;
    }
    Ok(())
}
