//! The main job, shown: a cluster, two graphs whose results are checked, a scale-up, the dashboard.

use std::fs;

use anyhow::{Context, Result};
use e2e::bed::run_workload;
use e2e::cluster::Cluster;
use e2e::operator;
use e2e::progress::{Progress, say};
use e2e::python;
use serde_json::Value;

const NAMESPACE: &str = "demo";
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/cluster.yaml");

/// Leaves the cluster running, for people to look at.
pub(crate) fn demo(cluster: &Cluster, progress: &mut Progress) -> Result<()> {
    operator::install(cluster, progress)?;
    python::client(progress)?;
    // A demo that was interrupted leaves its namespace.
    cluster.kubectl(&["delete", "namespace", NAMESPACE, "--ignore-not-found"])?;
    cluster.kubectl(&["create", "namespace", NAMESPACE])?;

    say(&format!("\n# This is all that one applies:\n\n{}", indented(&fs::read_to_string(MANIFEST)?)));
    kubectl(cluster, &["apply", "--filename", MANIFEST])?;
    kubectl(cluster, &["wait", "dsk/demo", "--for=condition=Ready", "--timeout=120s"])?;
    show(cluster)?;

    let scheduler = Scheduler::reach(cluster)?;
    say("# A graph of `delayed` calls whose shared parts must run once:\n");
    say(&indented(&describe_delayed(&scheduler.run("delayed_graph")?)));
    say("# x @ x.T of an array three times larger than a worker's memory:\n");
    say(&indented(&describe_array(&scheduler.run("array_larger_than_memory")?)));

    say("# Two more workers:\n");
    kubectl(cluster, &["scale", "dsk/demo", "--replicas=4"])?;
    kubectl(cluster, &["wait", "dsk/demo", "--for=jsonpath={.status.readyReplicas}=4", "--timeout=120s"])?;
    show(cluster)?;
    say(&format!(
        "# The dashboard, for as long as the cluster runs: {}\n\
         # Look around with   cargo e2e kubectl get dsk,pods --namespace {NAMESPACE}\n\
         # Remove the cluster cargo e2e kubectl delete dsk demo --namespace {NAMESPACE}\n\
         # Stop everything    cargo e2e down",
        scheduler.dashboard()
    ));
    Ok(())
}

/// The way from this host to the demo's scheduler.
struct Scheduler {
    host: String,
}

impl Scheduler {
    fn reach(cluster: &Cluster) -> Result<Self> {
        let service = ["get", "service", "demo-scheduler", "--output", "jsonpath={.spec.clusterIP}"];
        let host = cluster.kubectl(&[&service[..], &["--namespace", NAMESPACE]].concat())?;
        Ok(Self { host })
    }

    fn run(&self, workload: &str) -> Result<Value> {
        let address = format!("tcp://{}:8786", self.host);
        run_workload(workload, &[], &[("DASK_SCHEDULER_ADDRESS", &address)])
            .with_context(|| format!("the workload {workload} failed"))
    }

    fn dashboard(&self) -> String {
        format!("http://{}:8787/status", self.host)
    }
}

/// A kubectl call as one would type it, and what it says.
fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<()> {
    let arguments = [arguments, &["--namespace", NAMESPACE]].concat();
    say(&format!("$ kubectl {}", arguments.join(" ")));
    say(&indented(&cluster.kubectl(&arguments)?));
    Ok(())
}

fn show(cluster: &Cluster) -> Result<()> {
    kubectl(cluster, &["get", "dsk,pods"])
}

fn describe_delayed(result: &Value) -> String {
    format!(
        "{} shared parts, {} runs of them for {} consumers each; result {}: correct.\n",
        result["parts"], result["runs"], result["consumers"], result["result"]
    )
}

fn describe_array(result: &Value) -> String {
    let mebibytes = |field: &str| result[field].as_f64().unwrap_or_default() / f64::from(1 << 20);
    format!(
        "{:.0} MiB on {} workers of {:.0} MiB each, {:.0} MiB of it spilled to disk, {} s: correct.\n",
        mebibytes("bytes"),
        result["workers"],
        mebibytes("worker_limit"),
        mebibytes("spilled_bytes"),
        result["seconds"]
    )
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |all, line| all + "    " + line + "\n")
}
