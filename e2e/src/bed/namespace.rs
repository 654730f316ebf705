//! The namespaces that runs make for themselves: by which labels they are known, how they are made and waited for.

use anyhow::Result;
use serde_json::json;

use crate::cluster::Cluster;

/// On the demo's, so that no other of its name is ever removed.
pub const OF_DEMO: &str = "app.kubernetes.io/created-by=dask-operator-demo";
/// On those of tests.
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
