//! A worker that leaves loses nothing: its tasks end, its results and data go to the others.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use dask_operator_api::DaskWorkerGroup;
use e2e::bed::Bed;
use e2e::manifests;
use e2e::workload::Workload;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, EvictParams};
use serde_json::{Value, json};

const WORKERS: &str = "dask.org/component=worker";
const SOON: Duration = Duration::from_mins(1);

/// Three workers of one thread that run this command, and what it says beside it.
async fn at_work(name: &str, container: Value) -> Result<(Bed, Workload)> {
    let mut container = container;
    container["name"] = json!("worker");
    at(name, "leaving", &json!({"containers": [container]})).await
}

/// Three such workers, and a workload that is ready for them to leave.
async fn at(name: &str, workload: &str, pod: &Value) -> Result<(Bed, Workload)> {
    let bed = Bed::new(name).await?;
    let worker = json!({"replicas": 3, "threads": 1, "spec": pod});
    bed.apply(&manifests::cluster_of("demo", &json!({"worker": worker})))?;
    bed.until_registered("demo", 3, SOON).await?;
    let mut workload = Workload::start(workload, &bed.address("demo")?)?;
    workload.until("ready")?;
    Ok((bed, workload))
}

async fn a_worker(bed: &Bed) -> Result<String> {
    let pods = bed.until(WORKERS, "workers", SOON, |pods: &[Arc<Pod>]| !pods.is_empty()).await?;
    Ok(pods.first().context("no worker")?.name_any())
}

fn assert_nothing_was_lost(workload: Workload) -> Result<()> {
    let (reported, succeeded) = workload.finish()?;
    assert!(succeeded, "{reported}");
    assert_eq!(reported["gone"].as_array().map(Vec::len), Some(1), "{reported}");
    // Three results and two running tasks of each of three workers.
    assert_eq!(reported["bodies"], 15, "{reported}");
    Ok(())
}

#[tokio::test]
async fn a_worker_that_is_evicted_loses_nothing() -> Result<()> {
    let (bed, workload) = at_work("evicted", json!({})).await?;
    let worker = a_worker(&bed).await?;
    bed.api::<Pod>().evict(&worker, &EvictParams::default()).await?;
    assert_nothing_was_lost(workload)
}

#[tokio::test]
async fn a_worker_without_a_nanny_that_is_deleted_loses_nothing() -> Result<()> {
    let plain = json!({"args": ["dask", "worker", "--no-nanny", "--name", "$(DASK_WORKER_NAME)"]});
    let (bed, workload) = at_work("deleted", plain).await?;
    let worker = a_worker(&bed).await?;
    bed.api::<Pod>().delete(&worker, &DeleteParams::default()).await?;
    assert_nothing_was_lost(workload)
}

/// The tasks take longer than a pod is given to end, so that only a deletion that waits for them loses nothing.
#[tokio::test]
async fn a_group_that_is_scaled_down_loses_nothing() -> Result<()> {
    let brief = json!({"terminationGracePeriodSeconds": 2});
    let (bed, workload) = at("shrunk", "leaving", &brief).await?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=2"])?;
    assert_nothing_was_lost(workload)
}

/// Its scheduler has loaded nothing of ours, so the operator speaks to it as Dask's own parts do.
#[tokio::test]
async fn a_group_that_is_scaled_down_loses_nothing_where_the_scheduler_is_as_dask_made_it() -> Result<()> {
    let bed = Bed::new("stock").await?;
    let worker = json!({"replicas": 3, "threads": 1, "spec": {"terminationGracePeriodSeconds": 2}});
    bed.apply(&manifests::stock_cluster_of("demo", &json!({"worker": worker})))?;
    bed.until_registered("demo", 3, SOON).await?;
    let mut workload = Workload::start("leaving", &bed.address("demo")?)?;
    workload.until("ready")?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=2"])?;
    assert_nothing_was_lost(workload)
}

#[tokio::test]
async fn who_has_nothing_leaves_first_and_half_a_gigabyte_is_moved_before_its_worker_leaves() -> Result<()> {
    let (bed, workload) = at("moved", "shrinking", &json!({})).await?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=1"])?;
    let (reported, succeeded) = workload.finish()?;
    assert!(succeeded, "{reported}");
    assert_eq!(reported["order"], json!(["idle", "holder"]), "{reported}");
    assert_eq!((&reported["moved"], &reported["sum"]), (&json!(true), &json!(62_500_000.0)), "{reported}");
    Ok(())
}

/// Which shows that a loss would be seen.
#[tokio::test]
async fn a_worker_whose_user_has_a_hook_of_their_own_is_left_to_it() -> Result<()> {
    let hook = json!({"lifecycle": {"preStop": {"exec": {"command": ["true"]}}}});
    let (bed, workload) = at_work("hooked", hook).await?;
    let told = |groups: &[Arc<DaskWorkerGroup>]| {
        let conditions =
            groups.iter().filter_map(|group| group.status.as_ref()).flat_map(|one| &one.conditions);
        conditions.into_iter().any(|one| one.type_ == "DrainUnprotected" && one.reason == "OwnPreStop")
    };
    bed.until("", "it is told that they ask nobody", SOON, told).await?;
    let worker = a_worker(&bed).await?;
    bed.api::<Pod>().delete(&worker, &DeleteParams::default()).await?;
    let (reported, succeeded) = workload.finish()?;
    assert!(!succeeded, "{reported}");
    let problem = reported["why"].as_str().unwrap_or_default();
    assert!(problem.starts_with("begun twice"), "{reported}");
    Ok(())
}
