//! A worker leaves in the middle of a P2P shuffle, in which all of them have a part: when it is asked for in time, that
//! ends first; when it has to go, Dask begins the shuffle again, says so, and it ends right.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::bed::Bed;
use e2e::manifests;
use e2e::workload::Workload;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, EvictParams};
use serde_json::{Value, json};

use super::leaving::a_worker;

const WORKERS: &str = "dask.org/component=worker";
const SOON: Duration = Duration::from_mins(4);
/// In the scheduler's log.
const TOLD: &str = "restarted due to stimulus";

/// Three workers of one thread, each of which has its part in the shuffle.
async fn in_the_middle(name: &str, pod: Value) -> Result<(Bed, Workload)> {
    let bed = Bed::new(name).await?;
    let worker = json!({"replicas": 3, "threads": 1, "spec": pod});
    bed.apply(&manifests::cluster_of("demo", &json!({"worker": worker})))?;
    bed.until_registered("demo", 3, SOON).await?;
    let mut workload = Workload::start("shuffling", &bed.address("demo")?)?;
    workload.until("ready")?;
    Ok((bed, workload))
}

/// How often it began, which came to the table that it was, and whether that was told.
fn runs(bed: &Bed, workload: Workload) -> Result<(u64, bool)> {
    let (reported, succeeded) = workload.finish()?;
    assert!(succeeded, "{reported}");
    let log = bed.kubectl(&["logs", "deployment/demo-scheduler"])?;
    Ok((reported["runs"].as_u64().context("its runs")?, log.contains(TOLD)))
}

#[tokio::test]
async fn a_worker_that_is_scaled_away_ends_its_shuffle_first() -> Result<()> {
    let (bed, workload) = in_the_middle("scaled-shuffle", json!({})).await?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=2"])?;
    assert_eq!(runs(&bed, workload)?, (1, false));
    let two = |pods: &[Arc<Pod>]| pods.len() == 2;
    bed.until(WORKERS, "two workers", SOON, two).await.map(drop)
}

#[tokio::test]
async fn a_worker_that_is_evicted_with_little_time_restarts_its_shuffle_which_is_told() -> Result<()> {
    let (bed, workload) =
        in_the_middle("evicted-shuffle", json!({"terminationGracePeriodSeconds": 2})).await?;
    bed.api::<Pod>().evict(&a_worker(&bed).await?, &EvictParams::default()).await?;
    let (runs, is_told) = runs(&bed, workload)?;
    assert!(runs > 1 && is_told, "{runs} {is_told}");
    Ok(())
}

/// Which shows that a restart would be seen.
#[tokio::test]
async fn a_worker_that_asks_nobody_before_it_leaves_restarts_its_shuffle() -> Result<()> {
    let nobody = json!({"preStop": {"exec": {"command": ["true"]}}});
    let pod = json!({"containers": [{"name": "worker", "lifecycle": nobody}]});
    let (bed, workload) = in_the_middle("unasked-shuffle", pod).await?;
    bed.api::<Pod>().delete(&a_worker(&bed).await?, &DeleteParams::default()).await?;
    let (runs, is_told) = runs(&bed, workload)?;
    assert!(runs > 1 && is_told, "{runs} {is_told}");
    Ok(())
}
