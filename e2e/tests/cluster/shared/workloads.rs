//! Real work on small clusters: the five ways in which people use Dask, from outside and from inside.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(4);
/// Those whose data fit into any worker.
pub(crate) const SMALL: [&str; 3] = ["delayed_graph", "bag_words", "data_moves"];
const WORKLOADS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workloads");

/// Runs one workload from this host against two workers of 400 MiB.
async fn on_a_small_cluster(name: &str) -> Result<Value> {
    let bed = Bed::new(&name.replace('_', "-")).await?;
    bed.apply(&manifests::two_small_workers("demo"))?;
    bed.until_registered("demo", 2, SOON).await?;
    let figures = bed.workload(name, &[("DASK_SCHEDULER_ADDRESS", &bed.address("demo")?)])?;
    assert_is_right(&figures);
    Ok(figures)
}

/// By its own independent computation.
pub(crate) fn assert_is_right(figures: &Value) {
    assert_eq!(figures["ok"], true, "{figures}");
}

/// Several times what one worker may use, and part of it on a disk.
fn assert_larger_than_memory(figures: &Value) {
    assert!(figures["ratio"].as_f64().is_some_and(|ratio| ratio >= 2.9), "{figures}");
    assert!(figures["spilled_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{figures}");
    assert_eq!((&figures["workers"], &figures["holders"]), (&json!(2), &json!(2)), "{figures}");
    // What the container may use, not what the node has.
    assert_eq!(figures["worker_limit"], 400 << 20, "{figures}");
}

fn assert_each_part_ran_once(figures: &Value) {
    assert_is_right(figures);
    assert!(figures["parts"].as_u64().is_some_and(|parts| parts > 1), "{figures}");
    assert_eq!(figures["runs"], figures["parts"], "{figures}");
}

#[tokio::test]
async fn a_shared_part_of_a_delayed_graph_runs_exactly_once() -> Result<()> {
    assert_each_part_ran_once(&on_a_small_cluster("delayed_graph").await?);
    Ok(())
}

#[tokio::test]
async fn the_same_scripts_run_from_a_pod_in_the_cluster() -> Result<()> {
    let bed = Bed::new("client-pod").await?;
    bed.apply(&manifests::two_small_workers("demo"))?;
    bed.kubectl(&["create", "configmap", "workloads", &format!("--from-file={WORKLOADS}")])?;
    bed.apply(&manifests::client_pod("demo", &bed.namespace, &SMALL))?;
    let ended = |pods: &[Arc<Pod>]| {
        let client = pods.iter().find(|pod| pod.metadata.name.as_deref() == Some("client"));
        let phase = client.and_then(|pod| pod.status.as_ref()?.phase.as_deref());
        matches!(phase, Some("Succeeded" | "Failed"))
    };
    bed.until("", "the client's pod has ended", SOON, ended).await?;
    let log = bed.kubectl(&["logs", "client"])?;
    let reports = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let reports: Vec<_> = reports.filter(|report| report["workload"].is_string()).collect();
    assert_eq!(reports.len(), SMALL.len(), "{log}");
    reports.iter().for_each(assert_is_right);
    assert_each_part_ran_once(&reports[0]);
    Ok(())
}

#[tokio::test]
async fn a_bag_counts_words() -> Result<()> {
    let figures = on_a_small_cluster("bag_words").await?;
    assert!(figures["words"].as_u64().is_some_and(|words| words > 0), "{figures}");
    Ok(())
}

#[tokio::test]
async fn an_array_larger_than_memory_is_multiplied() -> Result<()> {
    assert_larger_than_memory(&on_a_small_cluster("array_larger_than_memory").await?);
    Ok(())
}

#[tokio::test]
async fn a_table_larger_than_memory_is_grouped() -> Result<()> {
    assert_larger_than_memory(&on_a_small_cluster("dataframe_groupby").await?);
    Ok(())
}

#[tokio::test]
async fn workers_move_data_between_themselves() -> Result<()> {
    let figures = on_a_small_cluster("data_moves").await?;
    assert_ne!(figures["source"], figures["target"], "{figures}");
    Ok(())
}
