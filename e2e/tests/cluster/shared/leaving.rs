//! A worker that leaves loses nothing: its tasks end, its results and data go to the others.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use dask_operator_api::{DaskCluster, DaskWorkerGroup, labels};
use e2e::bed::Bed;
use e2e::manifests;
use e2e::workload::{Start, Workload};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{DeleteParams, EvictParams};
use serde_json::{Value, json};

const WORKERS: &str = "dask.org/component=worker";
const SOON: Duration = Duration::from_mins(4);

/// How long a task takes, and one that is still executed whatever is done meanwhile.
const SECONDS: u32 = 3;
const LONG: u32 = 15;
/// As by `kubectl delete`, and with less time than its pod has.
const BRIEFLY: u32 = 8;

/// Three workers of one thread that run this command, and what it says beside it.
async fn at_work(name: &str, container: Value) -> Result<(Bed, Workload)> {
    let mut container = container;
    container["name"] = json!("worker");
    let bed = Bed::new(name).await?;
    let workload = at(&bed, "leaving", &json!({"containers": [container]})).await?;
    Ok((bed, workload))
}

/// Three such workers, and a workload that is ready for them to leave.
async fn at(bed: &Bed, workload: &str, pod: &Value) -> Result<Workload> {
    let worker = json!({"replicas": 3, "threads": 1, "spec": pod});
    bed.apply(&manifests::cluster_of("demo", &json!({"worker": worker})))?;
    ready(bed, workload, SECONDS).await
}

/// The workload on three workers, with tasks of so many seconds, ready for them to leave.
async fn ready(bed: &Bed, workload: &str, seconds: u32) -> Result<Workload> {
    bed.until_registered("demo", 3, SOON).await?;
    let workload = Start::new(workload, &bed.address("demo")?).with("RUNNING", &seconds.to_string());
    let mut workload = workload.start()?;
    workload.until("ready")?;
    Ok(workload)
}

/// Returns when the cluster has this condition for this reason.
async fn until_told(bed: &Bed, type_: &str, reason: &str) -> Result<()> {
    let told = |clusters: &[Arc<DaskCluster>]| {
        let statuses = clusters.iter().filter_map(|cluster| cluster.status.as_ref());
        let mut conditions = statuses.flat_map(|status| &status.conditions);
        conditions.any(|one| one.type_ == type_ && one.reason == reason)
    };
    bed.until("", &format!("{type_} is told"), SOON, told).await.map(drop)
}

pub(super) async fn a_worker(bed: &Bed) -> Result<String> {
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
async fn a_worker_with_a_nanny_that_is_evicted_loses_nothing() -> Result<()> {
    let (bed, workload) = at_work("evicted", json!({"args": manifests::WITH_NANNY})).await?;
    let worker = a_worker(&bed).await?;
    bed.api::<Pod>().evict(&worker, &EvictParams::default()).await?;
    assert_nothing_was_lost(workload)
}

#[tokio::test]
async fn a_worker_without_a_nanny_that_is_deleted_loses_nothing() -> Result<()> {
    let (bed, workload) = at_work("deleted", json!({"args": manifests::WITHOUT_NANNY})).await?;
    let worker = a_worker(&bed).await?;
    bed.api::<Pod>().delete(&worker, &DeleteParams::default()).await?;
    assert_nothing_was_lost(workload)
}

/// As when a machine is taken back.
#[tokio::test]
async fn a_worker_that_has_to_go_in_a_few_seconds_loses_nothing() -> Result<()> {
    let (bed, workload) = at_work("reclaimed", json!({"args": manifests::WITH_NANNY})).await?;
    let worker = a_worker(&bed).await?;
    bed.api::<Pod>().delete(&worker, &DeleteParams::default().grace_period(BRIEFLY)).await?;
    assert_nothing_was_lost(workload)
}

/// The tasks of its workers end, and what they have goes to those of the other group.
#[tokio::test]
async fn a_group_that_is_deleted_loses_nothing() -> Result<()> {
    let bed = Bed::new("ungrouped").await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    let worker = json!({"replicas": 1, "threads": 1});
    bed.apply(&manifests::group_of("demo-other", &json!({"cluster": "demo", "worker": worker})))?;
    let workload = ready(&bed, "leaving", SECONDS).await?;
    bed.kubectl(&["delete", "daskworkergroup/demo-other", "--wait=false"])?;
    assert_nothing_was_lost(workload)
}

/// Whoever was to leave and is wanted again before it has goes on.
#[tokio::test]
async fn a_group_that_is_wanted_again_keeps_its_workers_and_loses_nothing() -> Result<()> {
    let bed = Bed::new("wanted").await?;
    bed.apply(&manifests::cluster("demo", 3))?;
    let workload = ready(&bed, "leaving", LONG).await?;
    let marked = |pods: &[Arc<Pod>]| pods.iter().any(|pod| pod.annotations().contains_key(labels::DRAINING));
    let before = bed.until(WORKERS, "three workers", SOON, |pods: &[Arc<Pod>]| pods.len() == 3).await?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=2"])?;
    bed.until(WORKERS, "one is to leave", SOON, marked).await?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=3"])?;
    let after = bed.until(WORKERS, "none is to leave", SOON, |pods: &[Arc<Pod>]| !marked(pods)).await?;
    let names = |pods: &[Arc<Pod>]| pods.iter().map(|pod| pod.name_any()).collect::<BTreeSet<_>>();
    assert_eq!(names(&after), names(&before));
    bed.kubectl(&["scale", "dsk/demo", "--replicas=2"])?;
    assert_nothing_was_lost(workload)
}

/// The tasks take longer than a pod is given to end, so that only a deletion that waits for them loses nothing.
#[tokio::test]
async fn a_group_that_is_scaled_down_loses_nothing() -> Result<()> {
    let brief = json!({"terminationGracePeriodSeconds": 2});
    let bed = Bed::new("shrunk").await?;
    let workload = at(&bed, "leaving", &brief).await?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=2"])?;
    until_told(&bed, "SchedulerLink", "Preload").await?;
    assert_nothing_was_lost(workload)
}

/// Its scheduler has loaded nothing of ours, so the operator speaks to it as Dask's own parts do.
#[tokio::test]
async fn a_group_that_is_scaled_down_loses_nothing_where_the_scheduler_is_as_dask_made_it() -> Result<()> {
    let bed = Bed::new("stock").await?;
    let container = json!({"name": "worker", "args": manifests::WITH_NANNY});
    let brief = json!({"terminationGracePeriodSeconds": 2, "containers": [container]});
    let worker = json!({"replicas": 3, "threads": 1, "spec": brief});
    bed.apply(&manifests::stock_cluster_of("demo", &json!({"worker": worker})))?;
    let workload = ready(&bed, "leaving", SECONDS).await?;
    until_told(&bed, "SchedulerLink", "Stock").await?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=2"])?;
    assert_nothing_was_lost(workload)
}

#[tokio::test]
async fn who_has_nothing_leaves_first_and_half_a_gigabyte_is_moved_before_its_worker_leaves() -> Result<()> {
    let bed = Bed::new("moved").await?;
    let workload = at(&bed, "shrinking", &json!({})).await?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=1"])?;
    let (reported, succeeded) = workload.finish()?;
    assert!(succeeded, "{reported}");
    assert_eq!(reported["order"], json!(["idle", "holder"]), "{reported}");
    assert_eq!((&reported["moved"], &reported["sum"]), (&json!(true), &json!(62_500_000.0)), "{reported}");
    Ok(())
}

/// Their path leads to `dask` alone.
#[tokio::test]
async fn workers_without_python_in_their_path_are_told_and_scaled_down_without_a_loss() -> Result<()> {
    let bed = Bed::new("pathless").await?;
    bed.kubectl(&[
        "create",
        "configmap",
        "dask",
        "--from-literal=dask=#!/bin/sh\nexec /opt/dask/bin/dask \"$@\"\n",
    ])?;
    let worker = json!({
        "name": "worker",
        "env": [{"name": "PATH", "value": "/only"}],
        "volumeMounts": [{"name": "dask", "mountPath": "/only"}],
    });
    let volume = json!({"name": "dask", "configMap": {"name": "dask", "defaultMode": 0o755}});
    let workload = at(&bed, "leaving", &json!({"containers": [worker], "volumes": [volume]})).await?;
    until_told(&bed, "DrainUnprotected", "PythonMissing").await?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=2"])?;
    assert_nothing_was_lost(workload)
}

/// Which shows that a loss would be seen.
#[tokio::test]
async fn a_worker_whose_user_has_a_hook_of_their_own_is_left_to_it() -> Result<()> {
    let hook = json!({"preStop": {"exec": {"command": ["true"]}}});
    let container = json!({"args": manifests::WITH_NANNY, "lifecycle": hook});
    let (bed, workload) = at_work("hooked", container).await?;
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
