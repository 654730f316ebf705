//! Ends the embedded cluster, however much of it there still is.

mod leftovers;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::layout::Layout;
use crate::node::ctr;
use crate::progress::Progress;
use crate::{cache, commands, control_plane, mounts, network, node, processes, up};

pub fn down(progress: &mut Progress) -> Result<()> {
    up::require_root()?;
    let _lock = cache::lock("cluster", progress)?;
    let mut task = progress.task("Stopping Kubernetes", 1);
    task.step("processes, mounts, network");
    clear(&Layout::new()?)?;
    task.done();
    Ok(())
}

/// Every step is harmless when there is nothing to do.
pub(crate) fn clear(layout: &Layout) -> Result<()> {
    // First of all, or it would start again what is ended below.
    kill(layout, &[node::KUBELET, node::KUBE_PROXY, node::COREDNS])?;
    if let Some(containerd) = processes::recorded(layout, node::CONTAINERD) {
        remove_containers(layout);
        // It keeps the images, so it is given the time to close its files.
        containerd.stop(Duration::from_secs(5))?;
    }
    kill(
        layout,
        &[
            control_plane::SCHEDULER,
            control_plane::CONTROLLER_MANAGER,
            control_plane::APISERVER,
            control_plane::ETCD,
        ],
    )?;
    leftovers::kill_processes(layout)?;
    mounts::unmount_below(layout.root())?;
    network::delete()?;
    layout.remove_run()?;
    forget_on_the_host(layout)
}

/// Nothing of these is needed again, so none is given time.
fn kill(layout: &Layout, names: &[&str]) -> Result<()> {
    names.iter().filter_map(|name| processes::recorded(layout, name)).try_for_each(processes::Process::kill)
}

/// A containerd that does not answer is no obstacle: what it ran is found without it, too.
fn remove_containers(layout: &Layout) {
    for what in [["tasks", "delete", "--force"].as_slice(), &["containers", "delete"]] {
        let Ok(listing) = commands::output(ctr(layout).args([what[0], "list", "--quiet"])) else { return };
        let names: Vec<&str> = listing.split_whitespace().collect();
        if !names.is_empty() {
            let _ = commands::run(ctr(layout).args(what).args(names));
        }
    }
}

/// Two places that neither containerd nor the kubelet can be told to leave alone.
fn forget_on_the_host(layout: &Layout) -> Result<()> {
    let results = links_and_files("/var/lib/cni/results");
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let pods = results.iter().filter_map(|(file, _)| cni_pod(&name(file)).map(str::to_owned));
    let pods: Vec<String> = pods.collect();
    for (file, _) in results {
        if pods.iter().any(|pod| name(&file).contains(pod)) {
            fs::remove_file(file)?;
        }
    }
    for (link, target) in links_and_files("/var/log/containers") {
        if target.is_some_and(|target| target.starts_with(layout.pod_logs())) {
            fs::remove_file(link)?;
        }
    }
    Ok(())
}

/// The pod in the name of a result of our network; those of the loopback carry the same and no network.
fn cni_pod(file: &str) -> Option<&str> {
    file.strip_prefix("dask-operator-")?.strip_suffix("-eth0").filter(|pod| !pod.is_empty())
}

/// With where the links lead.
fn links_and_files(folder: &str) -> Vec<(PathBuf, Option<PathBuf>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| (entry.path(), fs::read_link(entry.path()).ok())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_of_our_own_network_name_a_pod_of_ours() {
        assert_eq!(cni_pod("dask-operator-0a1b-eth0"), Some("0a1b"));
        assert_eq!(cni_pod("cni-loopback-0a1b-lo"), None);
        assert_eq!(cni_pod("dask-operator--eth0"), None);
    }
}
