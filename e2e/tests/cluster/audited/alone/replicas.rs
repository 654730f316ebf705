//! Two operators beside each other: one acts, and the other takes over when it ends, however it ends.
//!
//! Workers find no node, so that they are many and cost nothing. What is written, and by which of the two, is read
//! from the audit log.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use e2e::audit::Request;
use e2e::bed::Bed;
use e2e::operator::{self, Replicas};
use e2e::processes::{Process, Signal, recorded};
use e2e::progress::tell;
use e2e::{latency, manifests};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);
const WORKERS: &str = "dask.org/component=worker";
/// More than are written at once, so that a leader can be caught half-way.
const MANY: usize = 192;
/// The duration of the lease, the wait between two attempts, and as long again for a slow machine.
const TAKE_OVER: Duration = Duration::from_secs(40);
const LONGER_THAN_THE_LEASE: Duration = Duration::from_secs(20);
/// Ten times of it would be longer than the lease: sooner than that, or it merely ran out.
const HAND_OVER: Duration = Duration::from_secs(10);

/// A leader with another operator beside it, and a cluster that wants no worker yet.
async fn prepared(bed: &Bed) -> Result<(String, Process)> {
    let leader = operator::wait_until_leading(&bed.cluster)?;
    let process = operator::process(&bed.cluster, &leader)?;
    bed.apply(&manifests::without_a_node("demo", 0))?;
    let made = |groups: &[Arc<DaskWorkerGroup>]| !groups.is_empty();
    bed.until("", "the group", SOON, made).await?;
    Ok((leader, process))
}

/// Wants many workers, and does something to the leader when the first of them is seen.
async fn half_way(bed: &Bed, act: impl FnOnce() -> Result<()>) -> Result<()> {
    let (clusters, replicas) = (bed.api::<DaskCluster>(), json!({"spec": {"worker": {"replicas": MANY}}}));
    let (parameters, change) = (PatchParams::default(), Patch::Merge(&replicas));
    let scaled = clusters.patch("demo", &parameters, &change);
    let (scaled, seen) = tokio::join!(scaled, until_workers(bed, "the first", |count| count > 0));
    act()?;
    scaled?;
    seen
}

async fn until_workers(bed: &Bed, what: &str, enough: impl Fn(usize) -> bool) -> Result<()> {
    let what = format!("{what} workers");
    bed.until(WORKERS, &what, SOON, |pods: &[Arc<Pod>]| enough(pods.len())).await.map(drop)
}

/// As many pods as are wanted, and none was one too many; how many the old leader made. A create that its end cut off
/// may have come to something or not.
fn assert_none_too_many(bed: &Bed, old: &str, workers: usize) -> Result<usize> {
    let writes = bed.audit()?.writes_of_operator(&bed.namespace)?;
    let done: Vec<_> = writes.iter().filter(|one| one.response_status.code < 300).collect();
    let count = |summary: &str| done.iter().filter(|one| one.summary() == summary).count();
    assert!(count("create pods") <= workers && count("delete pods") == 0, "{} {workers}", done.len());
    let once = ["create deployments", "create services", "create daskworkergroups"];
    assert_eq!(once.map(count), [1, 1, 1]);
    let first = done.iter().filter(|one| one.summary() == "create pods" && one.pod() == Some(old)).count();
    tell(&format!("{first} of {workers} workers were made by the old leader"));
    Ok(first)
}

/// It changed nothing from then on; to ask for the lease again is its right. What it had half sent when it was paused
/// arrives when it wakes and is called off by it at once, which is logged as a failure.
fn assert_silent(bed: &Bed, old: &str, from: Timestamp) -> Result<()> {
    let late = |request: &Request| {
        let by_it = request.pod() == Some(old) && request.is_operators_write();
        let done = request.response_status.code < 300 && request.object_ref.resource != "leases";
        by_it && done && request.request_received_timestamp >= from
    };
    let late = bed.audit()?.requests(late)?;
    assert!(late.is_empty(), "{late:#?}");
    Ok(())
}

#[tokio::test]
async fn a_leader_killed_during_a_scale_up_is_followed_by_one_that_completes_it() -> Result<()> {
    let bed = Bed::new("killed-leader").await?;
    let _two = Replicas::new(&bed.cluster, 2)?;
    let (leader, process) = prepared(&bed).await?;
    half_way(&bed, || process.signal(Signal::KILL)).await?;
    let killed = Timestamp::now();
    operator::remove(&bed.cluster, &leader)?;
    until_workers(&bed, "all", |count| count == MANY).await?;
    let (took, _) = latency::of_hand_over(&bed, &leader, killed).await?;
    tell(&format!("killed; the other led {took:.1?} later"));
    assert!(took < TAKE_OVER, "{took:?}");
    operator::wait_until_available(&bed.cluster)?;
    let first = assert_none_too_many(&bed, &leader, MANY)?;
    assert!((1..MANY).contains(&first), "it was not caught half-way");
    Ok(())
}

#[tokio::test]
async fn a_leader_that_is_told_to_stop_hands_over_at_once() -> Result<()> {
    let bed = Bed::new("hand-over").await?;
    let _two = Replicas::new(&bed.cluster, 2)?;
    let (leader, _) = prepared(&bed).await?;
    // With its pod, as at an update or when a node is drained: alone, it would be started again in its place.
    let delete = ["delete", "pod", &leader, "--wait=false"];
    let mut told = Timestamp::now();
    let stop = || {
        told = Timestamp::now();
        operator::kubectl(&bed.cluster, &delete).map(drop)
    };
    half_way(&bed, stop).await?;
    until_workers(&bed, "all", |count| count == MANY).await?;
    operator::wait_until_another_leads(&bed.cluster, &leader)?;
    let (took, taken) = latency::of_hand_over(&bed, &leader, told).await?;
    tell(&format!("told to stop; the other led {took:.2?} later"));
    assert!(took < HAND_OVER, "{took:?}");
    assert_silent(&bed, &leader, taken)?;
    operator::wait_until_available(&bed.cluster)?;
    assert_none_too_many(&bed, &leader, MANY).map(drop)
}

#[tokio::test]
async fn a_leader_that_slept_through_its_lease_writes_nothing_when_it_wakes() -> Result<()> {
    let bed = Bed::new("paused-leader").await?;
    let _two = Replicas::new(&bed.cluster, 2)?;
    let (leader, process) = prepared(&bed).await?;
    half_way(&bed, || process.signal(Signal::STOP)).await?;
    let paused = Timestamp::now();
    operator::wait_until_another_leads(&bed.cluster, &leader)?;
    // What it left undone, and something new, are there for both to do.
    bed.kubectl(&["scale", "dsk/demo", &format!("--replicas={}", MANY + 12)])?;
    process.signal(Signal::CONT)?;
    let woken = Timestamp::now();
    until_workers(&bed, "all", |count| count == MANY + 12).await?;
    until_it_looks_at_the_lease(&bed, &leader, woken).await?;

    let (took, taken) = latency::of_hand_over(&bed, &leader, paused).await?;
    tell(&format!("paused; the other led {took:.1?} later"));
    assert_silent(&bed, &leader, taken)?;
    operator::wait_until_available(&bed.cluster)?;
    let first = assert_none_too_many(&bed, &leader, MANY + 12)?;
    assert!((1..MANY).contains(&first), "it was not caught half-way");
    Ok(())
}

/// Whoever led ends, for it cannot renew its lease. What it had sent before is done when the server goes on, and then
/// only by one of both.
#[tokio::test]
async fn a_server_that_stood_still_for_longer_than_the_lease_is_written_to_by_one_after_the_other()
-> Result<()> {
    let bed = Bed::new("still-server").await?;
    let _two = Replicas::new(&bed.cluster, 2)?;
    let (leader, _) = prepared(&bed).await?;
    let server = Still(
        recorded(bed.cluster.layout().context("no server of ours")?, "kube-apiserver")
            .context("no server")?,
    );
    half_way(&bed, || server.0.signal(Signal::STOP)).await?;
    tokio::time::sleep(LONGER_THAN_THE_LEASE).await;
    drop(server);
    let back = Timestamp::now();
    until_workers(&bed, "all", |count| count == MANY).await?;
    let holder = operator::wait_until_leading(&bed.cluster)?;
    let writes = bed.audit()?.writes_of_operator(&bed.namespace)?.into_iter();
    let mut wrote: Vec<_> = writes
        .filter(|one| one.response_status.code < 300 && one.request_received_timestamp >= back)
        .filter_map(|one| one.pod().map(str::to_owned))
        .collect();
    wrote.dedup();
    tell(&format!("{leader} led before, {holder} leads now; from then on wrote {wrote:?}"));
    assert!(wrote.len() <= 2 && wrote.last() == Some(&holder), "{wrote:?}");
    operator::wait_until_available(&bed.cluster)?;
    let first = assert_none_too_many(&bed, &leader, MANY)?;
    assert!(first > 0, "it was not caught half-way");
    Ok(())
}

/// A process that was stopped, and goes on whatever becomes of the test.
struct Still(Process);

impl Drop for Still {
    fn drop(&mut self) {
        let _ = self.0.signal(Signal::CONT);
    }
}

/// By then it has done what it was about to do; it may have been restarted meanwhile.
async fn until_it_looks_at_the_lease(bed: &Bed, pod: &str, after: Timestamp) -> Result<()> {
    let by_it = |request: &Request| {
        let lease = request.object_ref.resource == "leases" && request.pod() == Some(pod);
        lease && request.request_received_timestamp >= after
    };
    let looks = async {
        while bed.audit()?.requests(by_it)?.len() < 2 {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    };
    tokio::time::timeout(SOON, looks).await.context("it does not come back")?
}
