//! Installs the operator the way its users do, from its images and manifests.

use anyhow::{Context, Result};

use crate::cluster::Cluster;
use crate::images;
use crate::progress::Progress;

/// The namespace of the manifest.
pub const NAMESPACE: &str = "dask-operator";
/// The name under which its pods call the apiserver.
pub const USER: &str = "system:serviceaccount:dask-operator:dask-operator";
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const DEPLOYMENT: &str = "deployment/dask-operator";

/// Builds and imports the images where that is possible, applies the manifests, waits until the operator leads.
pub fn install(cluster: &Cluster, progress: &mut Progress) -> Result<()> {
    let renewed = cluster.is_embedded() && images::import(cluster, &[], progress)?;
    let mut task = progress.task("Installing the operator", 2);
    task.step("manifests");
    let existed = cluster.kubectl(&["get", DEPLOYMENT, "--namespace", NAMESPACE]).is_ok();
    let folder = |name: &str| format!("{WORKSPACE}/{name}");
    cluster.kubectl(&[
        "apply",
        "--filename",
        &folder("crds"),
        "--filename",
        &folder("install/operator.yaml"),
    ])?;
    let kinds = ["daskclusters", "daskworkergroups", "daskjobs", "daskautoscalers"];
    let definitions = kinds.map(|kind| format!("crd/{kind}.kubernetes.dask.org"));
    let definitions: Vec<&str> = definitions.iter().map(String::as_str).collect();
    cluster.kubectl(
        &[&["wait"], &definitions[..], &["--for=condition=Established", "--timeout=60s"]].concat(),
    )?;
    if renewed && existed {
        cluster.kubectl(&["rollout", "restart", DEPLOYMENT, "--namespace", NAMESPACE])?;
    }
    task.step("waiting for it");
    wait_until_available(cluster)?;
    task.done();
    Ok(())
}

/// Returns when the operator's pod is ready.
pub fn wait_until_available(cluster: &Cluster) -> Result<()> {
    let rollout = ["rollout", "status", DEPLOYMENT, "--namespace", NAMESPACE, "--timeout=120s"];
    cluster.kubectl(&rollout).map(drop).context("the operator does not come up")
}

/// Returns when the pod that runs holds the lease.
pub fn wait_until_leading(cluster: &Cluster) -> Result<()> {
    let pod = ["get", "pods", "--namespace", NAMESPACE, "--output", "jsonpath={.items[0].metadata.name}"];
    let leader = format!("--for=jsonpath={{.spec.holderIdentity}}={}", cluster.kubectl(&pod)?);
    let wait = ["wait", "lease/dask-operator", "--namespace", NAMESPACE, &leader, "--timeout=60s"];
    cluster.kubectl(&wait).map(drop).context("the operator does not lead")
}

/// Starts or stops the operator.
pub fn scale(cluster: &Cluster, replicas: u32) -> Result<()> {
    let replicas = format!("--replicas={replicas}");
    cluster.kubectl(&["scale", DEPLOYMENT, "--namespace", NAMESPACE, &replicas])?;
    let pods = ["wait", "pod", "--all", "--namespace", NAMESPACE, "--for=delete", "--timeout=60s"];
    if replicas == "--replicas=0" { cluster.kubectl(&pods).map(drop) } else { wait_until_available(cluster) }
}
