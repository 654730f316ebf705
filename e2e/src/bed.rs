//! Where a test lies: a namespace of its own on the running cluster, with the few things that every test does.

pub mod namespace;
mod watched;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use dask_operator_api::DaskCluster;
use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Config, Resource};
use serde_json::Value;

use crate::audit::{self, Audit};
use crate::cluster::Cluster;
use crate::manifests::dask_image;
use crate::namespaced::{self, Home};
use crate::progress::Progress;
use crate::route::Route;
use crate::{commands, evidence, operator, python};

pub use watched::Watched;

/// The variable by which `cargo e2e test` tells the tests of a cluster that is not the embedded one.
pub const KUBECONFIG_VARIABLE: &str = "E2E_KUBECONFIG";
/// How many there were before in this process, some of the same name.
static MADE: AtomicU32 = AtomicU32::new(0);
const WORKLOADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads");

/// A namespace, removed when the test ends.
pub struct Bed {
    pub cluster: Cluster,
    pub client: Client,
    pub namespace: String,
    /// So long was the audit log before: nothing in there is about this namespace.
    audited_from: u64,
    /// Kept open until the test ends.
    routes: Mutex<Vec<Route>>,
    /// Of its own operator, if it has one.
    home: Option<Home>,
}

impl Bed {
    /// A fresh namespace whose name begins with `name`.
    pub async fn new(name: &str) -> Result<Self> {
        let cluster = running_cluster()?;
        let audited_from = cluster.audit_log.as_ref().map_or(0, |log| audit::length(log));
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("{name}-{:x}-{number}", std::process::id());
        namespace::create(&cluster, &namespace)?;
        let kubeconfig = Kubeconfig::read_from(&cluster.kubeconfig)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        let client = Client::try_from(config)?;
        let mut bed = Self { cluster, client, namespace, audited_from, routes: Mutex::default(), home: None };
        if namespaced::is_wanted() {
            bed.home = Some(Home::beside(&bed.cluster, &bed.namespace)?);
        }
        // Pods are refused before their account exists.
        bed.until(
            "",
            "the default service account",
            Duration::from_secs(30),
            |accounts: &[Arc<ServiceAccount>]| !accounts.is_empty(),
        )
        .await?;
        Ok(bed)
    }

    /// Waits until the namespaces of other tests are gone: the operator still writes in those that are on their way.
    pub fn until_alone(&self) -> Result<()> {
        namespace::until_none_but(&self.cluster, &self.namespace)
    }

    /// Where the operator is that acts in this namespace.
    pub fn operator_namespace(&self) -> &str {
        self.home.as_ref().map_or(operator::NAMESPACE, |home| &home.namespace)
    }

    /// kubectl in this namespace.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.cluster.kubectl(&[arguments, &["--namespace", &self.namespace]].concat())
    }

    /// Applies a manifest given as text.
    pub fn apply(&self, manifest: &str) -> Result<()> {
        let arguments = ["apply", "--namespace", &self.namespace, "--filename", "-"];
        self.cluster.kubectl_with_input(&arguments, manifest).map(drop)
    }

    /// One kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Watches the objects that `selector` selects until `holds` of all of them; returns them.
    pub async fn until<K: Watched>(
        &self,
        selector: &str,
        what: &str,
        within: Duration,
        holds: impl Fn(&[Arc<K>]) -> bool,
    ) -> Result<Vec<Arc<K>>> {
        let (store, writer) = reflector::store();
        let changes = watcher(self.api::<K>(), watcher::Config::default().labels(selector)).default_backoff();
        let mut changes = reflector(writer, changes).boxed();
        let watch = async {
            while let Some(event) = changes.next().await {
                let complete =
                    !matches!(event, Ok(watcher::Event::Init | watcher::Event::InitApply(_)) | Err(_));
                if complete && holds(&store.state()) {
                    return true;
                }
            }
            false
        };
        if matches!(tokio::time::timeout(within, watch).await, Ok(true)) {
            return Ok(store.state());
        }
        let (objects, events) = Box::pin(evidence::of(&store.state(), &self.api())).await;
        bail!("not within {} s: {what}; last seen:\n{objects}\nEvents:\n{events}", within.as_secs())
    }

    /// Waits until the condition `Ready` of a cluster is true for its present spec.
    pub async fn until_ready(&self, cluster: &str, within: Duration) -> Result<()> {
        let is_ready = |clusters: &[Arc<DaskCluster>]| {
            clusters.iter().any(|found| {
                let status = found.status.clone().unwrap_or_default();
                let ready = status.conditions.iter().any(|one| one.type_ == "Ready" && one.status == "True");
                let current = status.observed_generation == found.metadata.generation;
                found.metadata.name.as_deref() == Some(cluster) && ready && current
            })
        };
        self.until("", &format!("{cluster} is ready"), within, is_ready).await.map(drop)
    }

    /// Where a client on this host finds the scheduler.
    pub fn address(&self, cluster: &str) -> Result<String> {
        let route = Route::to(&self.cluster, &self.namespace, cluster)?;
        let address = route.address();
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).push(route);
        Ok(address)
    }

    /// Runs a workload as a client on this host; returns the result it reports.
    pub fn workload(&self, name: &str, environment: &[(&str, &str)]) -> Result<Value> {
        run_workload(name, &[], environment)
    }

    /// Runs what people do with the Python client of dask-kubernetes, in this namespace; returns what it reports.
    pub fn kube_cluster(&self, name: &str) -> Result<Value> {
        let python = python::kube_cluster(&mut Progress::new())?;
        let kubeconfig = self.cluster.kubeconfig.to_string_lossy();
        let environment =
            [("KUBECONFIG", &*kubeconfig), ("NAMESPACE", &self.namespace), ("IMAGE", dask_image())];
        run_workload_by(&python, name, &[], &environment)
    }

    /// Runs a few lines of Python as a client on this host, with `client` connected; what they print.
    pub fn client(&self, cluster: &str, lines: &str) -> Result<String> {
        commands::output(&mut self.client_command(cluster, lines)?)
    }

    /// The same for a caller who looks at something else while it runs.
    pub fn client_command(&self, cluster: &str, lines: &str) -> Result<Command> {
        let connect = "import os\nfrom dask.distributed import Client\n\
                       client = Client(os.environ['DASK_SCHEDULER_ADDRESS'])\n";
        let mut command = Command::new(python::client(&mut Progress::new())?);
        command.args(["-c", &format!("{connect}{lines}")]);
        command.env("DASK_SCHEDULER_ADDRESS", self.address(cluster)?);
        Ok(command)
    }

    /// The audit log since the bed was made; only the embedded cluster has one to read.
    pub fn audit(&self) -> Result<Audit> {
        let log = self.cluster.audit_log.clone().context("this cluster's audit log cannot be read")?;
        Ok(Audit::new(log, self.audited_from))
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        let _ = self.cluster.kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
    }
}

/// Looked for once in a process: to see whether it runs takes two calls of kubectl.
fn running_cluster() -> Result<Cluster> {
    static FOUND: OnceLock<Cluster> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(found.clone());
    }
    let found = match std::env::var_os(KUBECONFIG_VARIABLE) {
        Some(path) => Cluster::from_kubeconfig(&PathBuf::from(path), &mut Progress::new())?,
        None => Cluster::running()?.context("no cluster is running; run the tests by `cargo e2e test`")?,
    };
    Ok(FOUND.get_or_init(|| found).clone())
}

/// Runs a script of `e2e/workloads` on this host; its last line is its result.
pub fn run_workload(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Value> {
    run_workload_by(&python::client(&mut Progress::new())?, name, arguments, environment)
}

fn run_workload_by(
    python: &Path,
    name: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<Value> {
    let mut command = Command::new(python);
    command.arg(format!("{WORKLOADS}/{name}.py")).args(arguments).envs(environment.iter().copied());
    let output = commands::output(&mut command)?;
    let last = output.lines().next_back().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("{name} reported no result: {output}"))
}
