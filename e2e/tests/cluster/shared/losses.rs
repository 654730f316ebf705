//! What is lost comes back, and the count stays exact.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::cluster::{DaskCluster, Phase};
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::Pod;

const SOON: Duration = Duration::from_mins(4);
const WORKERS: &str = "dask.org/component=worker";
const SCHEDULER: &str = "dask.org/component=scheduler";

fn name(pod: &Arc<Pod>) -> String {
    pod.metadata.name.clone().unwrap_or_default()
}

fn is_running(pod: &Arc<Pod>) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && phase == Some("Running")
}

async fn running(bed: &Bed, selector: &str, count: usize) -> Result<Vec<Arc<Pod>>> {
    let what = format!("exactly {count} running pods of {selector}");
    bed.until(selector, &what, SOON, |pods| pods.len() == count && pods.iter().all(is_running)).await
}

#[tokio::test]
async fn a_deleted_worker_is_replaced() -> Result<()> {
    let bed = Bed::new("lost-worker").await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.until_registered("demo", 2, SOON).await?;
    let lost = name(&running(&bed, WORKERS, 2).await?[0]);
    bed.kubectl(&["delete", "pod", &lost])?;
    let after = running(&bed, WORKERS, 2).await?;
    assert!(after.iter().all(|pod| name(pod) != lost), "names never repeat");
    bed.until_all_registered("demo", (2, 1), SOON).await
}

#[tokio::test]
async fn a_lost_scheduler_comes_back_and_workers_register_again() -> Result<()> {
    let bed = Bed::new("lost-scheduler").await?;
    bed.apply(&manifests::cluster_with_nannies("demo", 2))?;
    bed.until_ready("demo", SOON).await?;
    bed.until_registered("demo", 2, SOON).await?;
    let lost = name(&running(&bed, SCHEDULER, 1).await?[0]);
    let was_away = Cell::new(false);
    let back = |clusters: &[Arc<DaskCluster>]| {
        let status = clusters.first().and_then(|one| one.status.clone()).unwrap_or_default();
        assert_eq!(status.phase, Some(Phase::Running), "the phase stays Running");
        let mut conditions = status.conditions.iter();
        let is_ready = conditions.any(|one| one.type_ == "SchedulerReady" && one.status == "True");
        was_away.set(was_away.get() || !is_ready);
        was_away.get() && is_ready
    };
    let deleted = async { bed.kubectl(&["delete", "pod", &lost, "--wait=false"]) };
    tokio::try_join!(bed.until("", "the scheduler was away, and is ready again", SOON, back), deleted)?;
    running(&bed, SCHEDULER, 1).await?;
    bed.until_registered("demo", 2, SOON).await?;
    running(&bed, WORKERS, 2).await.map(drop)
}
