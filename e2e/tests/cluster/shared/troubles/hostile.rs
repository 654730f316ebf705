//! Workers that are to leave while their scheduler lies, hangs or restarts, or while nobody can take what they have:
//! each trouble is told, no worker goes before its time, and a neighbour's drain takes no longer.
//!
//! All at once, since most of the time is spent on starting and on waiting.

mod anew;
mod neighbour;
mod turned;
mod uneasy;

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use dask_operator_api::labels;
use e2e::bed::Bed;
use e2e::progress::tell;
use e2e::statistics::Spread;
use e2e::workload::Workload;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;

use super::SOON;
use neighbour::{Drained, Neighbour};

/// Seconds: ten times what is promised of a worker that has nothing to do, until its pod is let go and until it is gone.
/// Half of a neighbour's take less than the first, and all less than the second.
const HALF: f64 = 5.0;
const ALL: f64 = 15.0;
/// So many of its drains are measured before there is trouble.
const ALONE: usize = 2;
/// Kubernetes writes down whole seconds only.
const A_SECOND: SignedDuration = SignedDuration::from_secs(1);

/// What is known of a worker that is gone.
#[derive(Clone, Copy, Debug)]
struct Gone {
    /// When it was told to leave.
    marked: Timestamp,
    /// When its deletion was asked for.
    deleted: Timestamp,
}

impl Gone {
    fn of(pod: &Pod) -> Option<Self> {
        let metadata = &pod.metadata;
        let grace = SignedDuration::from_secs(metadata.deletion_grace_period_seconds?);
        let marked = metadata.annotations.as_ref()?.get(labels::DRAINING)?.parse().ok()?;
        Some(Self { marked, deleted: metadata.deletion_timestamp.as_ref()?.0 - grace })
    }

    /// Returns when a group's one worker is gone.
    async fn wait(bed: &Bed, group: &str) -> Result<Self> {
        let seen = Mutex::new(None);
        let gone = |pods: &[Arc<Pod>]| {
            let found = pods.iter().find_map(|pod| Self::of(pod));
            // When it has ended, its node brings the deletion forward.
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            *seen = seen.or(found);
            pods.is_empty()
        };
        let selector = format!("{}={group}", labels::WORKER_GROUP_NAME);
        bed.until(&selector, &format!("the worker of {group} is gone"), SOON, gone).await?;
        let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        seen.with_context(|| format!("nobody told the worker of {group} to leave"))
    }

    fn took(&self) -> SignedDuration {
        self.deleted.duration_since(self.marked)
    }

    /// Fails if it went before its time was over, or long after.
    fn assert_in_time(&self, group: &str, timeout: u32, late: u32) {
        let (took, timeout) = (self.took(), SignedDuration::from_secs(timeout.into()));
        let late = SignedDuration::from_secs(late.into());
        assert!(took > timeout - A_SECOND && took < timeout + late, "{group}: {took:?} of {timeout:?}");
    }
}

/// Returns when there is such an Event of an object whose name begins like this.
async fn until_event(bed: &Bed, reason: &str, about: &str, words: &[&str]) -> Result<()> {
    let is = |event: &Event| {
        let name = event.regarding.as_ref().and_then(|about| about.name.as_deref()).unwrap_or_default();
        let note = event.note.as_deref().unwrap_or_default();
        event.reason.as_deref() == Some(reason)
            && name.starts_with(about)
            && words.iter().all(|words| note.contains(words))
    };
    let what = format!("an Event {reason} of {about} with {words:?}");
    let told = |events: &[Arc<Event>]| events.iter().any(|event| is(event));
    bed.until("", &what, SOON, told).await.map(drop)
}

/// Each on a thread of its own: while one waits for a command, what is told of another for a moment is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_troubles_a_drain_is_told_and_a_neighbours_drain_takes_no_longer() -> Result<()> {
    let mut neighbour = Neighbour::new().await?;
    let bed = Arc::new(Bed::new("hostile").await?);
    turned::begin(&bed)?;
    anew::begin(&bed)?;
    uneasy::begin(&bed)?;
    neighbour.hold().await?;
    turned::until_ready(&bed).await?;
    anew::until_ready(&bed).await?;
    let workload = uneasy::until_ready(&bed).await?;
    let alone = neighbour.drain(ALONE).await?;
    let (beside, turned) = neighbour.drain_beside(tokio::spawn(leave(bed, workload))).await?;
    let spread = |drained: &[Drained]| Spread::of(drained.iter().map(|one| one.took.as_secs_f64()));
    let (usual, took) = spread(&alone).zip(spread(&beside)).context("none left")?;
    tell(&format!("a neighbour's drain took {usual} s alone, and {took} s beside them"));
    assert!(took.median < HALF && took.most < ALL, "{beside:?}, alone {usual}");
    let first = beside[0].at;
    assert!(turned.iter().all(|gone| first < gone.deleted + A_SECOND), "{first} is not before {turned:?}");
    Ok(())
}

/// Has the workers of all of them leave; returns those that went when their time was over.
async fn leave(bed: Arc<Bed>, workload: Workload) -> Result<Vec<Gone>> {
    let [first, second, third] = std::array::from_fn(|_| bed.clone());
    let turned = tokio::spawn(async move { turned::leave(&first).await });
    let anew = tokio::spawn(async move { anew::leave(&second).await });
    let uneasy = tokio::spawn(async move { uneasy::leave(&third, workload).await });
    let (turned, anew, uneasy) = tokio::try_join!(turned, anew, uneasy)?;
    anew.and(uneasy)?;
    turned
}
