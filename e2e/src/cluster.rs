//! A cluster to work with: the embedded one, or any other that a kubeconfig leads to.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::images::archive;
use crate::layout::Layout;
use crate::node::{self, ctr};
use crate::progress::Progress;
use crate::{binaries, commands, control_plane, packages, pki, processes};

#[derive(Debug, Clone)]
pub struct Cluster {
    pub kubeconfig: PathBuf,
    pub kubectl: PathBuf,
    /// Every request the apiserver answered, as JSON lines; of the embedded cluster only.
    pub audit_log: Option<PathBuf>,
    embedded: Option<Layout>,
}

/// All that must run for the embedded cluster to be one.
pub(crate) const PROCESSES: [&str; 8] = [
    control_plane::ETCD,
    control_plane::APISERVER,
    control_plane::CONTROLLER_MANAGER,
    control_plane::SCHEDULER,
    node::CONTAINERD,
    node::KUBELET,
    node::KUBE_PROXY,
    node::COREDNS,
];

/// A busy machine may answer late, and a cluster that is taken for dead is cleared away.
const PATIENCE: Duration = Duration::from_secs(20);

impl Cluster {
    /// The embedded cluster, if it runs and takes pods.
    pub fn running() -> Result<Option<Self>> {
        let layout = Layout::new()?;
        if PROCESSES.iter().any(|name| processes::recorded(&layout, name).is_none()) {
            return Ok(None);
        }
        let binaries = fs::read_link(layout.configuration("binaries"))?;
        let cluster = Self::embedded(layout, &binaries);
        let deadline = Instant::now() + PATIENCE;
        while !(cluster.is_ready() && cluster.takes_pods()) {
            if Instant::now() > deadline {
                return Ok(None);
            }
            sleep(Duration::from_millis(200));
        }
        Ok(Some(cluster))
    }

    /// A cluster that is there already. Its images are its own affair.
    pub fn from_kubeconfig(kubeconfig: &Path, progress: &mut Progress) -> Result<Self> {
        let kubeconfig = fs::canonicalize(kubeconfig)
            .with_context(|| format!("no kubeconfig {}", kubeconfig.display()))?;
        let kubectl = packages::find("kubectl").map_or_else(|| binaries::kubectl(progress), Ok)?;
        Ok(Self { kubeconfig, kubectl, audit_log: None, embedded: None })
    }

    pub(crate) fn embedded(layout: Layout, binaries: &Path) -> Self {
        Self {
            kubeconfig: layout.kubeconfig(pki::ADMIN),
            kubectl: binaries.join("kubectl"),
            audit_log: Some(layout.audit_log()),
            embedded: Some(layout),
        }
    }

    pub fn is_embedded(&self) -> bool {
        self.embedded.is_some()
    }

    /// The files of the embedded cluster, its logs among them.
    pub fn layout(&self) -> Option<&Layout> {
        self.embedded.as_ref()
    }

    /// What kubectl wrote to its standard output.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        commands::output(self.kubectl_command().args(arguments))
    }

    /// Like [`Cluster::kubectl`], with `input` for `--filename -`.
    pub fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        commands::output_of_input(self.kubectl_command().args(arguments), input)
    }

    /// For a caller who wants the process itself, to follow a log or forward a port.
    pub fn kubectl_command(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.env("KUBECONFIG", &self.kubeconfig).envs([processes::COLLECT_SELDOM]);
        if let Some(layout) = &self.embedded {
            // What it remembers of one run's kinds is not true of the next, which has the same address.
            command.env("KUBECACHEDIR", layout.configuration("kubectl-cache"));
        }
        command
    }

    /// Gives the node the image of a docker-archive, unless it has this very image under this name already: then
    /// false.
    pub fn import_image(&self, image: &Path) -> Result<bool> {
        let Some(layout) = &self.embedded else {
            bail!("{}: push it to a registry of the cluster instead", image.display());
        };
        let contents = archive::read(image)?;
        let listing = commands::output(ctr(layout).args(["images", "list"]))?;
        let new = !archive::is_listed(&contents, &listing);
        if new {
            commands::run(ctr(layout).args(["images", "import"]).arg(image))?;
        }
        Ok(new)
    }

    pub fn how_to_use(&self) -> String {
        let kubeconfig = self.kubeconfig.display();
        format!(
            "Kubernetes is up.\n\n    cargo e2e kubectl get nodes\n    export KUBECONFIG={kubeconfig}\n\n\
             It runs until `cargo e2e down`."
        )
    }

    /// The apiserver answers 200; the body of another answer contains the word "ok" as well.
    pub(crate) fn is_ready(&self) -> bool {
        self.kubectl(&["get", "--raw", "/readyz"]).is_ok()
    }

    /// The node is ready and the account that pods run under exists.
    pub(crate) fn takes_pods(&self) -> bool {
        let node = format!("nodes/{}", node::NAME);
        let objects = ["get", &node, "serviceaccounts/default", "--namespace=default", "--output=json"];
        let Ok(text) = self.kubectl(&objects) else { return false };
        serde_json::from_str(&text).is_ok_and(|list: Value| node_is_ready(&list["items"][0]))
    }
}

/// Hands this process over to kubectl: its output, its signals, its exit code.
pub fn become_kubectl(arguments: &[OsString]) -> Result<()> {
    let layout = Layout::new()?;
    let Ok(binaries) = fs::read_link(layout.configuration("binaries")) else {
        bail!("no cluster is running; start one by `cargo e2e up`");
    };
    let mut kubectl = Cluster::embedded(layout, &binaries).kubectl_command();
    Err(kubectl.args(arguments).exec()).context("cannot run kubectl")
}

fn node_is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
}
