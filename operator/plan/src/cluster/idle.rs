//! What becomes of a cluster that has nothing to do.

use dask_operator_api::conditions::{Reason, Verdict};
use jiff::{SignedDuration, Timestamp};

use super::check::CheckedCluster;
use super::observed::Observed;
use crate::facts::{Facts, Link, STALE};
use crate::plan::{Delete, Event, EventKind, Kind};
use crate::troubles::trouble;

/// The part of the time after which it is said that the cluster will go, so that somebody may still come.
const TOLD_AFTER: i32 = 2;

/// What follows from `idleTimeout`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Idle {
    /// The cluster goes now.
    pub(super) goes: bool,
    /// What is said of it.
    pub(super) told: Option<Verdict>,
    /// When something changes by time alone.
    pub(super) wake: Option<Timestamp>,
}

/// None for a cluster that stays whatever it does.
pub(super) fn idle(cluster: &CheckedCluster, observed: &Observed, now: Timestamp) -> Option<Idle> {
    let timeout = cluster.idle_timeout?;
    let told = |reason, words: String| Idle { told: Some(trouble(reason, words)), ..Idle::default() };
    Some(match &observed.link {
        Link::Preload(facts) if observed.link_age < STALE => by_facts(facts, timeout, observed.link_age, now),
        Link::Stock => {
            told(Reason::SchedulerTellsNothing, "nobody can know whether the cluster is idle".to_owned())
        }
        Link::Unreachable(why) if observed.live_scheduler().is_some_and(|pod| pod.ready) => {
            told(Reason::SchedulerSilent, format!("nobody can know whether the cluster is idle: {why}"))
        }
        Link::Preload(_) | Link::Unreachable(_) | Link::Unasked => Idle::default(),
    })
}

fn by_facts(facts: &Facts, timeout: SignedDuration, age: SignedDuration, now: Timestamp) -> Idle {
    let Some((since, ago)) = facts.idle() else { return Idle::default() };
    let idle = ago.saturating_add(age);
    let told_at = if facts.datasets > 0 { timeout } else { timeout / TOLD_AFTER };
    if idle < told_at {
        return Idle { wake: Some(now + (told_at - idle)), ..Idle::default() };
    }
    if facts.datasets > 0 {
        let words = format!("{} datasets are published, so the cluster stays", facts.datasets);
        return Idle { told: Some(trouble(Reason::DatasetsPublished, words)), ..Idle::default() };
    }
    let words = format!(
        "nothing to do since {since}; deleted after {} s of that; {} clients are connected, and results of {} bytes \
         are in memory",
        timeout.as_secs(),
        facts.clients,
        facts.bytes,
    );
    Idle {
        goes: idle >= timeout,
        told: Some(trouble(Reason::SoonDeleted, words)),
        wake: Some(now + (timeout - idle).max(SignedDuration::ZERO)),
    }
}

/// The cluster's end, which garbage collection carries on.
pub(super) fn delete(cluster: &CheckedCluster) -> Delete {
    Delete {
        kind: Kind::DaskCluster,
        name: cluster.name.as_str().to_owned(),
        uid: cluster.uid.clone(),
        grace: None,
        replaced: false,
        drained: None,
    }
}

/// That it goes, and why.
pub(super) fn gone(idle: &Idle) -> Event {
    let note = idle.told.as_ref().map(|told| told.message.clone()).unwrap_or_default();
    Event { kind: EventKind::Normal, reason: "IdleDeleted".to_owned(), action: "Delete", note }
}
