//! The one node: containerd, kubelet, kube-proxy, and the DNS of the cluster.

mod configuration;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cluster::Cluster;
use crate::control_plane::flag;
use crate::images::pause;
use crate::layout::Layout;
use crate::{commands, network, packages, pki, processes};

pub const NAME: &str = "node0";
pub const CONTAINERD: &str = "containerd";
pub const KUBELET: &str = "kubelet";
pub const KUBE_PROXY: &str = "kube-proxy";
pub const COREDNS: &str = "coredns";

/// Does not need the apiserver, so it starts while that one does.
pub fn start_containerd(layout: &Layout) -> Result<()> {
    let program = packages::find("containerd").context("no containerd on this host")?;
    let file = layout.configure("containerd.toml", configuration::containerd(layout))?;
    std::fs::write(layout.cni_configuration().join("10-bridge.conflist"), configuration::cni(layout))?;
    processes::start(layout, CONTAINERD, &program, &["--config".to_owned(), file.display().to_string()])
}

/// With the image that every pod needs.
pub fn wait_for_containerd(layout: &Layout, cluster: &Cluster, binaries: &Path) -> Result<()> {
    let version = || commands::run(ctr(layout).arg("version")).is_ok();
    processes::wait_until(layout, "containerd answers", &[CONTAINERD], version)?;
    cluster.import_image(&pause::build(&binaries.join("pause"))?).map(drop)
}

pub fn start(layout: &Layout, binaries: &Path) -> Result<()> {
    start_kubelet(layout, binaries)?;
    let proxy = layout.configure("kube-proxy.yaml", configuration::kube_proxy(layout))?;
    processes::start(layout, KUBE_PROXY, &binaries.join("kube-proxy"), &[flag("config", proxy.display())])?;
    let dns = layout.configure("Corefile", configuration::coredns(layout))?;
    processes::start(
        layout,
        COREDNS,
        &binaries.join("coredns"),
        &["-conf".to_owned(), dns.display().to_string()],
    )
}

/// The namespace's own account is waited for, too: a pod made before it exists is refused.
pub fn wait_until_ready(layout: &Layout, cluster: &Cluster) -> Result<()> {
    use crate::control_plane::{APISERVER, CONTROLLER_MANAGER, SCHEDULER};
    let processes = [CONTAINERD, KUBELET, KUBE_PROXY, COREDNS, APISERVER, CONTROLLER_MANAGER, SCHEDULER];
    processes::wait_until(layout, "the node is ready", &processes, || cluster.takes_pods())
}

/// A client of the cluster's own containerd, in the namespace of Kubernetes.
pub fn ctr(layout: &Layout) -> Command {
    let mut command = Command::new("ctr");
    command.arg("--address").arg(layout.containerd_socket()).args(["--namespace", "k8s.io"]);
    command
}

fn start_kubelet(layout: &Layout, binaries: &Path) -> Result<()> {
    // The host's own would lead pods to name servers that they cannot reach.
    layout.configure("resolv.conf", format!("nameserver {}\n", network::NODE))?;
    let file = layout.configure("kubelet.yaml", configuration::kubelet(layout))?;
    let arguments = [
        flag("config", file.display()),
        flag("kubeconfig", layout.kubeconfig(pki::NODE).display()),
        flag("hostname-override", NAME),
        flag("node-ip", network::NODE),
        flag("root-dir", layout.kubelet().display()),
    ];
    processes::start(layout, KUBELET, &binaries.join("kubelet"), &arguments)
}
