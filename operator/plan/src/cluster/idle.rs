//! What becomes of a cluster that has nothing to do.

use dask_operator_api::cluster::IdleAction;
use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use jiff::{SignedDuration, Timestamp};

use super::check::CheckedCluster;
use super::observed::Observed;
use crate::facts::{Facts, Link, STALE};
use crate::plan::{Delete, Event, EventKind, Kind};
use crate::troubles::{find, still, trouble};

/// The part of the time after which it is said that the cluster will go, so that somebody may still come.
const TOLD_AFTER: i32 = 2;
/// It is said for half the time before, or for so long.
const LONGEST_NOTICE: SignedDuration = SignedDuration::from_mins(1);

/// What follows from `idleTimeout`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Idle {
    /// The cluster goes now, or is suspended.
    pub(super) goes: bool,
    /// What is said of it.
    pub(super) told: Option<Verdict>,
    /// When something changes by time alone.
    pub(super) wake: Option<Timestamp>,
}

/// None for a cluster that stays whatever it does.
pub(super) fn idle(cluster: &CheckedCluster, observed: &Observed, now: Timestamp) -> Option<Idle> {
    cluster.idle_timeout?;
    let told = |reason, words: String| Idle { told: Some(trouble(reason, words)), ..Idle::default() };
    Some(match &observed.link {
        Link::Preload(facts) if observed.link_age < STALE => {
            by_facts(cluster, facts, observed.link_age, now).unwrap_or_default()
        }
        Link::Stock | Link::Rpc(_) => {
            told(Reason::SchedulerTellsNothing, "nobody can know whether the cluster is idle".to_owned())
        }
        Link::Unreachable(why) if observed.live_scheduler().is_some_and(|pod| pod.ready) => {
            told(Reason::SchedulerSilent, format!("nobody can know whether the cluster is idle: {why}"))
        }
        // Nobody has asked yet, as after a start of the operator: what was said stays said.
        Link::Unasked => {
            Idle { told: still(&cluster.status.conditions, ConditionType::Idle), ..Idle::default() }
        }
        Link::Preload(_) | Link::Unreachable(_) => Idle::default(),
    })
}

fn by_facts(cluster: &CheckedCluster, facts: &Facts, age: SignedDuration, now: Timestamp) -> Option<Idle> {
    let (timeout, datasets) = (cluster.idle_timeout?, facts.datasets?);
    let (since, ago) = facts.idle()?;
    let idle = ago.saturating_add(age);
    let told_at = if datasets > 0 { timeout } else { timeout / TOLD_AFTER };
    if idle < told_at {
        return Some(Idle { wake: Some(now + (told_at - idle)), ..Idle::default() });
    }
    if datasets > 0 {
        let words = format!("{datasets} datasets are published, so the cluster stays");
        return Some(Idle { told: Some(trouble(Reason::DatasetsPublished, words)), ..Idle::default() });
    }
    if is_told_otherwise(cluster) {
        // A condition keeps its time while only its reason changes, so it ends before it begins anew.
        return None;
    }
    let (reason, what) = soon(cluster);
    let words = format!(
        "nothing to do since {since}; {what} after {} s of that; {} clients are connected, and results of {} bytes are \
         in memory",
        timeout.as_secs(),
        facts.clients,
        facts.bytes,
    );
    // By the scheduler's own word, and not before it was said that it will go: a clock may have been set meanwhile.
    let due = told_since(cluster).unwrap_or(now).checked_add(told_at.min(LONGEST_NOTICE)).ok()?;
    let wake = due.max(now + (timeout - idle));
    Some(Idle {
        goes: ago >= timeout && due <= now,
        told: Some(trouble(reason, words)),
        wake: Some(wake).filter(|wake| *wake > now),
    })
}

/// Since when it has been said that the cluster will go.
fn told_since(cluster: &CheckedCluster) -> Option<Timestamp> {
    let told = find(&cluster.status.conditions, ConditionType::Idle)?;
    (told.reason == soon(cluster).0.to_string()).then_some(told.last_transition_time.0)
}

/// What is said that will become of it.
fn soon(cluster: &CheckedCluster) -> (Reason, &'static str) {
    match cluster.idle_action {
        IdleAction::Delete => (Reason::SoonDeleted, "deleted"),
        IdleAction::Suspend => (Reason::SoonSuspended, "suspended"),
    }
}

/// Whether it is idle and was said to stay, as while datasets were published.
fn is_told_otherwise(cluster: &CheckedCluster) -> bool {
    let told = find(&cluster.status.conditions, ConditionType::Idle);
    told.is_some_and(|told| told.reason != soon(cluster).0.to_string())
}

/// The cluster's end, which garbage collection carries on. Whatever changed in it meanwhile is looked at first.
pub(super) fn delete(cluster: &CheckedCluster, idle: &Idle) -> Delete {
    Delete {
        version: Some(cluster.resource_version.clone()),
        event: Some(gone(idle)),
        ..Delete::of(Kind::DaskCluster, cluster.name.as_str(), &cluster.uid)
    }
}

/// That it goes, and why.
fn gone(idle: &Idle) -> Event {
    let note = idle.told.as_ref().map(|told| told.message.clone()).unwrap_or_default();
    Event { kind: EventKind::Normal, reason: "IdleDeleted".to_owned(), action: "Delete", note }
}
