//! Installs the operator the way its users do, from its images and manifests, and starts, stops and finds it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::cluster::Cluster;
use crate::node::ctr;
use crate::processes::Process;
use crate::progress::Progress;
use crate::{commands, images};

/// The namespace of the manifest.
pub const NAMESPACE: &str = "dask-operator";
/// The name under which its pods call the apiserver.
pub const USER: &str = "system:serviceaccount:dask-operator:dask-operator";
/// For people without Helm.
pub const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../install/operator.yaml");
const CRDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crds");
const DEPLOYMENT: &str = "deployment/dask-operator";
const LEASE: &str = "lease/dask-operator";

/// Builds and imports the images where that is possible, applies the manifests, waits until the operator leads.
pub fn install(cluster: &Cluster, progress: &mut Progress) -> Result<()> {
    let renewed = cluster.is_embedded() && images::import(cluster, &images::Kind::PUBLISHED, progress)?;
    let mut task = progress.task("Installing the operator", 2);
    task.step("manifests");
    let existed = kubectl(cluster, &["get", DEPLOYMENT]).is_ok();
    cluster.kubectl(&["apply", "--filename", CRDS, "--filename", MANIFEST])?;
    let kinds = ["daskclusters", "daskworkergroups", "daskjobs", "daskautoscalers"];
    let definitions = kinds.map(|kind| format!("crd/{kind}.kubernetes.dask.org"));
    let definitions: Vec<&str> = definitions.iter().map(String::as_str).collect();
    cluster.kubectl(
        &[&["wait"], &definitions[..], &["--for=condition=Established", "--timeout=60s"]].concat(),
    )?;
    if renewed && existed {
        kubectl(cluster, &["rollout", "restart", DEPLOYMENT])?;
    }
    task.step("waiting for it");
    wait_until_available(cluster)?;
    task.done();
    Ok(())
}

/// Returns when the operator's pods are ready.
pub fn wait_until_available(cluster: &Cluster) -> Result<()> {
    let rollout = ["rollout", "status", DEPLOYMENT, "--timeout=120s"];
    kubectl(cluster, &rollout).map(drop).context("the operator does not come up")
}

/// The pod that leads, once one that is there does.
pub fn wait_until_leading(cluster: &Cluster) -> Result<String> {
    wait_until_another_leads(cluster, "")
}

/// The same, once it is not this one.
pub fn wait_until_another_leads(cluster: &Cluster, old: &str) -> Result<String> {
    const PATIENCE: Duration = Duration::from_mins(1);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let holder = kubectl(cluster, &["get", LEASE, "--output", "jsonpath={.spec.holderIdentity}"]);
        let leader = holder.unwrap_or_default();
        if !leader.is_empty() && leader != old && kubectl(cluster, &["get", "pod", &leader]).is_ok() {
            return Ok(leader);
        }
        ensure!(Instant::now() < deadline, "not within {} s: an operator leads", PATIENCE.as_secs());
        sleep(Duration::from_millis(100));
    }
}

/// Starts or stops the operator.
pub fn scale(cluster: &Cluster, replicas: u32) -> Result<()> {
    kubectl(cluster, &["scale", DEPLOYMENT, &format!("--replicas={replicas}")])?;
    let pods = ["wait", "pod", "--all", "--for=delete", "--timeout=60s"];
    if replicas == 0 { kubectl(cluster, &pods).map(drop) } else { wait_until_available(cluster) }
}

/// Another number of operators than the one that every test expects, until it is dropped.
pub struct Replicas<'a>(&'a Cluster);

impl<'a> Replicas<'a> {
    /// So many, and ready.
    pub fn new(cluster: &'a Cluster, replicas: u32) -> Result<Self> {
        let guard = Self(cluster);
        scale(cluster, replicas)?;
        Ok(guard)
    }
}

impl Drop for Replicas<'_> {
    fn drop(&mut self) {
        let _ = scale(self.0, 1).and_then(|()| wait_until_leading(self.0));
    }
}

/// The operator's process in one of its pods, as the host of the embedded cluster sees it.
pub fn process(cluster: &Cluster, pod: &str) -> Result<Process> {
    let layout = cluster.layout().context("the processes of this cluster are on other hosts")?;
    let id = ["get", "pod", pod, "--output", "jsonpath={.status.containerStatuses[0].containerID}"];
    let id = kubectl(cluster, &id)?;
    let id = id.strip_prefix("containerd://").with_context(|| format!("{pod} has no container: {id}"))?;
    let tasks = commands::output(ctr(layout).args(["tasks", "list"]))?;
    let number = tasks.lines().find_map(|line| line.strip_prefix(id)?.split_whitespace().next());
    let number = number.and_then(|pid| pid.parse().ok()).with_context(|| format!("{pod} does not run"))?;
    Process::with_pid(number).with_context(|| format!("{pod} has ended"))
}

/// One that is to end at once, with nothing finished and no lease given back. It is found beforehand, which takes longer
/// than most of what an operator does.
pub struct Victim<'a> {
    cluster: &'a Cluster,
    pod: String,
    process: Option<Process>,
}

impl<'a> Victim<'a> {
    /// The one that leads, once one does.
    pub fn leading(cluster: &'a Cluster) -> Result<Self> {
        let pod = wait_until_leading(cluster)?;
        if !cluster.is_embedded() {
            return Ok(Self { cluster, pod, process: None });
        }
        // It may lead before the kubelet has told which container it runs in.
        wait_until_available(cluster)?;
        let process = Some(process(cluster, &pod)?);
        Ok(Self { cluster, pod, process })
    }

    /// Ends it, with its pod. On another cluster than the embedded one it is told first, and has some hundred milliseconds.
    pub fn kill(&self) -> Result<()> {
        self.process.map_or(Ok(()), |process| process.signal(Signal::KILL))?;
        remove(self.cluster, &self.pod)
    }

    /// Has another one lead at once: nobody need wait until the lease of a dead one ends.
    pub fn bury(self) -> Result<()> {
        kubectl(self.cluster, &["delete", LEASE]).map(drop)
    }
}

/// Removes a pod whose process has ended, before it is started again in its place, as the same holder of the lease.
pub fn remove(cluster: &Cluster, pod: &str) -> Result<()> {
    let delete = ["delete", "pod", pod, "--grace-period=0", "--force", "--ignore-not-found"];
    kubectl(cluster, &delete).map(drop)
}

/// kubectl in the operator's namespace.
pub fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    cluster.kubectl(&[arguments, &["--namespace", NAMESPACE]].concat())
}
