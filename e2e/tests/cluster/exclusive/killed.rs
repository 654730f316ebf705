//! The operator is killed at any time and started again: no duplicate, no orphan, exact counts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use dask_operator_api::labels;
use dask_operator_api::worker_group::DaskWorkerGroup;
use e2e::autoscalers::until_told;
use e2e::bed::Bed;
use e2e::workload::Start;
use e2e::{manifests, operator};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);
const WORKERS: &str = "dask.org/component=worker";

/// Ends the operator's process at once, with its pod: nothing is finished, no lease given back.
fn kill(bed: &Bed) -> Result<()> {
    let pods = ["delete", "pod", "--all", "--namespace", operator::NAMESPACE, "--grace-period=0", "--force"];
    bed.cluster.kubectl(&pods).map(drop)
}

async fn workers(bed: &Bed, count: usize) -> Result<Vec<Arc<Pod>>> {
    let what = format!("exactly {count} workers, none on its way out");
    let exact = |pods: &[Arc<Pod>]| {
        pods.len() == count && pods.iter().all(|pod| pod.metadata.deletion_timestamp.is_none())
    };
    bed.until(WORKERS, &what, SOON, exact).await
}

fn names(pods: &[Arc<Pod>]) -> BTreeSet<String> {
    pods.iter().filter_map(|pod| pod.metadata.name.clone()).collect()
}

#[tokio::test]
async fn a_scale_up_that_is_cut_off_ends_at_the_exact_count() -> Result<()> {
    let bed = Bed::new("cut-off").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.until_ready("demo", SOON).await?;
    let mut before = names(&workers(&bed, 1).await?);
    for count in [5, 2, 6] {
        // It takes some hundred milliseconds to die, within which it begins with what comes next.
        kill(&bed)?;
        bed.kubectl(&["scale", "dsk/demo", &format!("--replicas={count}")])?;
        operator::wait_until_available(&bed.cluster)?;
        let after = names(&workers(&bed, count).await?);
        let (fewer, more) = if after.len() < before.len() { (&after, &before) } else { (&before, &after) };
        assert!(fewer.is_subset(more), "{before:?} {after:?}");
        before = after;
    }
    bed.until_registered("demo", 6, SOON).await
}

/// The marks on pods, and what the scheduler remembers, are all that the next one knows.
#[tokio::test]
async fn workers_that_are_leaving_when_it_is_killed_leave_without_a_loss() -> Result<()> {
    let bed = Bed::new("half-gone").await?;
    bed.apply(&manifests::cluster("demo", 3))?;
    bed.until_registered("demo", 3, SOON).await?;
    let mut workload = Start::new("leaving", &bed.address("demo")?).with("RUNNING", "10").start()?;
    workload.until("ready")?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=2"])?;
    let marked = |pods: &[Arc<Pod>]| pods.iter().any(|pod| pod.annotations().contains_key(labels::DRAINING));
    bed.until(WORKERS, "one is to leave", SOON, marked).await?;
    kill(&bed)?;
    let stays =
        |pods: &[Arc<Pod>]| marked(pods) && pods.iter().all(|pod| pod.metadata.deletion_timestamp.is_none());
    bed.until(WORKERS, "it has not left", SOON, stays).await?;
    operator::wait_until_available(&bed.cluster)?;
    let (reported, succeeded) = workload.finish()?;
    assert!(succeeded, "{reported}");
    assert_eq!(reported["bodies"], 15, "{reported}");
    workers(&bed, 2).await.map(drop)
}

/// What an autoscaler knows of the past is in memory alone.
#[tokio::test]
async fn workers_come_and_go_with_the_work_although_it_is_killed_meanwhile() -> Result<()> {
    let bed = Bed::new("half-grown").await?;
    bed.apply(&manifests::cluster("demo", 0))?;
    let spec = json!({"minimum": 0, "maximum": 4, "scaleDown": {"stabilizationSeconds": 2}});
    bed.apply(&manifests::autoscaler("demo", "demo", &spec))?;
    until_told(&bed, "demo", "FollowsWork").await?;
    let work = Start::new("growing", &bed.address("demo")?).with("TASKS", "60");
    let mut work = work.start()?;
    for told in ["submitted", "half"] {
        work.until(told)?;
        kill(&bed)?;
        operator::wait_until_available(&bed.cluster)?;
    }
    let (reported, succeeded) = work.finish()?;
    assert!(succeeded, "{reported}");
    assert_eq!((&reported["bodies"], &reported["workers"]), (&json!(60), &json!({"demo-default": 4})));
    workers(&bed, 0).await.map(drop)
}

#[tokio::test]
async fn a_creation_that_is_cut_off_leaves_one_of_everything_and_no_orphan() -> Result<()> {
    let bed = Bed::new("half-made").await?;
    for name in ["one", "two", "three"] {
        kill(&bed)?;
        bed.apply(&manifests::cluster(name, 2))?;
        operator::wait_until_available(&bed.cluster)?;
    }
    for name in ["one", "two", "three"] {
        bed.until_ready(name, SOON).await?;
        bed.until_registered(name, 2, SOON).await?;
    }
    workers(&bed, 6).await?;
    let schedulers = ListParams::default().labels("dask.org/component=scheduler");
    assert_eq!(bed.api::<Pod>().list(&schedulers).await?.items.len(), 3);
    let groups = bed.api::<DaskWorkerGroup>().list(&ListParams::default()).await?.items;
    let uids: BTreeSet<_> = groups.iter().filter_map(|group| group.metadata.uid.clone()).collect();
    assert_eq!(uids.len(), 3);
    for pod in workers(&bed, 6).await? {
        let owners = pod.metadata.owner_references.as_ref().context("a worker without an owner")?;
        assert!(owners.len() == 1 && uids.contains(&owners[0].uid), "{owners:?}");
    }
    bed.kubectl(&["delete", "dsk", "--all"])?;
    bed.until("", "no pod is left", SOON, |pods: &[Arc<Pod>]| pods.is_empty()).await.map(drop)
}
