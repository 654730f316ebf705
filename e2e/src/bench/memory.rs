//! How much memory the operator takes: `cargo e2e bench memory`.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use dask_operator_api::labels;
use e2e::bed::Bed;
use e2e::cluster::Cluster;
use e2e::progress::{Progress, say};
use e2e::{manifests, operator};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::figures::{Figures, Memory};
use super::machine::{self, Machine};
use super::page;

const CLUSTERS: u32 = 50;
const WORKERS: u32 = 3;
/// The group that grows, and by how much each time.
const GROWING: &str = "memory-0-default";
const STEP: u32 = 500;
const STEPS: u32 = 4;
const SOON: Duration = Duration::from_mins(3);
const PROGRAM: &str = "dask-operator";

pub(super) async fn bench(cluster: &Cluster, progress: &mut Progress) -> Result<()> {
    let there = cluster.kubectl(&["get", "daskclusters", "--all-namespaces", "--output", "name"])?;
    ensure!(there.is_empty(), "memory is measured on an empty cluster, and there are\n{there}");
    let memory = measure(cluster, progress).await?;
    let mut figures = page::kept(&Machine::this(cluster)?)?;
    figures.memory = Some(memory.clone());
    page::keep(&figures)?;
    say(&page::figures(&Figures { starts: Vec::new(), memory: Some(memory), ..figures }));
    Ok(())
}

async fn measure(cluster: &Cluster, progress: &mut Progress) -> Result<Memory> {
    let mut task = progress.task("Memory of the operator", 3 + STEPS as usize);
    task.step("a new operator, idle");
    operator::scale(cluster, 0)?;
    operator::scale(cluster, 1)?;
    operator::wait_until_leading(cluster)?;
    let process = process(cluster)?;
    let idle = at_rest(process).await?;
    task.step(&format!("{CLUSTERS} clusters"));
    let bed = Bed::new("memory").await?;
    bed.apply(&clusters())?;
    until_pods(&bed, labels::CLUSTER_NAME, CLUSTERS * (1 + WORKERS)).await?;
    let with_clusters = at_rest(process).await?;
    let mut growth = Vec::new();
    for workers in (1..=STEPS).map(|step| step * STEP) {
        task.step(&format!("{workers} workers in one group"));
        bed.kubectl(&["scale", &format!("daskworkergroup/{GROWING}"), &format!("--replicas={workers}")])?;
        until_pods(&bed, &format!("{}={GROWING}", labels::WORKER_GROUP_NAME), workers).await?;
        growth.push((workers, at_rest(process).await?));
    }
    task.step("removing it all");
    bed.kubectl(&["delete", "namespace", &bed.namespace, "--timeout=300s"])?;
    task.done();
    let date = Timestamp::now().strftime("%Y-%m-%d").to_string();
    Ok(Memory { date, idle, clusters: CLUSTERS, workers_of_each: WORKERS, with_clusters, growth })
}

/// Clusters whose pods nobody gives a node: the operator sees them all the same.
fn clusters() -> String {
    let unscheduled = || json!({"schedulerName": "nobody", "containers": [{"name": "main"}]});
    let spec =
        json!({"scheduler": {"spec": unscheduled()}, "worker": {"replicas": WORKERS, "spec": unscheduled()}});
    let named = |number| manifests::exact_cluster_of(&format!("memory-{number}"), &spec);
    (0..CLUSTERS).map(named).collect::<Vec<_>>().join("\n---\n")
}

async fn until_pods(bed: &Bed, selector: &str, count: u32) -> Result<()> {
    let what = format!("{count} pods");
    bed.until(selector, &what, SOON, |pods: &[Arc<Pod>]| pods.len() == count as usize).await.map(drop)
}

/// The operator's process on this host, by the pod that it runs in.
fn process(cluster: &Cluster) -> Result<u32> {
    let pods = cluster.kubectl(&["get", "pods", "--namespace", operator::NAMESPACE, "--output", "json"])?;
    let pods: Value = serde_json::from_str(&pods)?;
    let name = pods["items"][0]["metadata"]["name"].as_str().context("the operator has no pod")?;
    let host_name = format!("HOSTNAME={name}");
    let mut processes =
        fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_its = |process: &u32| {
        let read = |file| fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
        read("comm").starts_with(PROGRAM.as_bytes())
            && read("environ").split(|byte| *byte == 0).any(|variable| variable == host_name.as_bytes())
    };
    processes.find(is_its).context("the operator's process is not on this host")
}

/// Its resident memory, when that has not changed for a while: what a burst took is given back first.
async fn at_rest(process: u32) -> Result<u32> {
    const SAME: u32 = 6;
    const MOST: u32 = 60;
    let (mut last, mut same) = (resident(process)?, 0);
    for _ in 0..MOST {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = resident(process)?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == SAME {
            break;
        }
    }
    Ok(last)
}

fn resident(process: u32) -> Result<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the operator has ended")?;
    let kib: u32 = machine::field(&status, "VmRSS")?.trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}
