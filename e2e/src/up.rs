//! Starts the embedded cluster.

use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Result, bail};

use crate::cluster::Cluster;
use crate::layout::Layout;
use crate::progress::Progress;
use crate::{binaries, cache, control_plane, down, network, node, packages, pki};

/// From nothing, from what a killed run left, or, when it runs already, at once.
pub fn up(progress: &mut Progress) -> Result<Cluster> {
    // Whoever lacks both is told what to install first.
    packages::install(packages::FOR_THE_CLUSTER, progress)?;
    require_root()?;
    let binaries = binaries::cluster(progress)?;
    let _lock = cache::lock("cluster", progress)?;
    if let Some(cluster) = Cluster::running()?.filter(|cluster| cluster.kubectl.starts_with(&binaries)) {
        progress.note("Kubernetes is running already");
        return Ok(cluster);
    }
    let layout = Layout::new()?;
    down::clear(&layout)?;
    // The logs stay.
    start(&layout, &binaries, progress).inspect_err(|_| drop(down::clear(&layout)))
}

pub(crate) fn require_root() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("the embedded Kubernetes needs root, for namespaces, mounts and cgroups");
    }
    Ok(())
}

fn start(layout: &Layout, binaries: &Path, progress: &mut Progress) -> Result<Cluster> {
    let mut task = progress.task("Starting Kubernetes", 5);
    task.step("network and certificates");
    layout.create()?;
    symlink(binaries, layout.configuration("binaries"))?;
    network::create()?;
    pki::create(layout)?;
    let cluster = Cluster::embedded(layout.clone(), binaries);

    task.step("etcd and the apiserver");
    control_plane::start_store(layout, binaries)?;
    node::start_containerd(layout)?;
    task.step("containerd");
    node::wait_for_containerd(layout, &cluster, binaries)?;
    control_plane::wait_for_store(layout, &cluster)?;

    task.step("controllers and kubelet");
    control_plane::start_controllers(layout, binaries)?;
    node::start(layout, binaries)?;
    task.step("waiting for the node");
    node::wait_until_ready(layout, &cluster)?;
    task.done();
    Ok(cluster)
}
