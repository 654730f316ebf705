//! The main job, shown: a cluster, two graphs whose results are checked, a scale-up, the dashboard.

use std::fs;

use anyhow::{Context, Result};
use e2e::bed::namespace::OF_DEMO;
use e2e::bed::run_workload;
use e2e::cluster::Cluster;
use e2e::operator;
use e2e::progress::{Progress, say};
use e2e::python;
use e2e::route::Route;
use serde_json::Value;

const NAMESPACE: &str = "dask-demo";
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/cluster.yaml");

/// Leaves the cluster running, for people to look at.
pub(crate) fn demo(cluster: &Cluster, progress: &mut Progress) -> Result<()> {
    operator::install(cluster, progress)?;
    python::client(progress)?;
    // An earlier demo leaves its namespace.
    cluster.kubectl(&["delete", "namespace", "--selector", OF_DEMO, "--ignore-not-found"])?;
    cluster.kubectl(&["create", "namespace", NAMESPACE])?;
    cluster.kubectl(&["label", "namespace", NAMESPACE, OF_DEMO])?;

    say(&format!("\n# This is all that one applies:\n\n{}", indented(&fs::read_to_string(MANIFEST)?)));
    kubectl(cluster, &["apply", "--filename", MANIFEST])?;
    kubectl(cluster, &["wait", "dsk/demo", "--for=condition=Ready", "--timeout=300s"])?;
    show(cluster)?;

    let route = Route::to(cluster, NAMESPACE, "demo")?;
    say("# A graph of `delayed` calls whose shared parts must run once:\n");
    say(&indented(&describe_delayed(&run(&route, "delayed_graph")?)));
    say("# x @ x.T of an array several times larger than a worker's memory:\n");
    say(&indented(&describe_array(&run(&route, "array_larger_than_memory")?)));

    say("# Two more workers:\n");
    kubectl(cluster, &["scale", "dsk/demo", "--replicas=4"])?;
    kubectl(cluster, &["wait", "dsk/demo", "--for=jsonpath={.status.readyReplicas}=4", "--timeout=300s"])?;
    show(cluster)?;
    say(&farewell(cluster, &route));
    Ok(())
}

fn run(route: &Route, workload: &str) -> Result<Value> {
    run_workload(workload, &[], &[("DASK_SCHEDULER_ADDRESS", &route.address())])
        .with_context(|| format!("the workload {workload} failed"))
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

fn farewell(cluster: &Cluster, route: &Route) -> String {
    if cluster.is_embedded() {
        return format!(
            "# The dashboard, on this machine, for as long as the cluster runs:\n    {}\n\
             # Look around:\n    cargo e2e kubectl get dsk,pods --namespace {NAMESPACE}\n\
             # Remove the cluster:\n    cargo e2e kubectl delete dsk demo --namespace {NAMESPACE}\n\
             # Stop everything:\n    cargo e2e down",
            route.dashboard()
        );
    }
    format!(
        "# The dashboard:\n    kubectl port-forward --namespace {NAMESPACE} service/demo-scheduler 8787\n    \
         http://localhost:8787/status\n\
         # Remove it all:\n    kubectl delete namespace {NAMESPACE}"
    )
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |all, line| all + "    " + line + "\n")
}
