//! Whether a cluster is suspended: it has neither scheduler nor workers, and all that describes them.
//!
//! That a cluster is suspended for having had nothing to do is noted on the scheduler's Deployment by the very write
//! that stops it, so that no crash of ours stops one that has work again.

use dask_operator_api::cluster::IdleAction;
use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use dask_operator_api::labels;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::check::CheckedCluster;
use super::observed::{Observed, Ownership};
use crate::plan::{Event, EventKind};
use crate::troubles::{find, trouble};

/// The note on the Deployment of a cluster that its spec suspends.
const ASKED: &str = "asked";

/// Why a cluster is suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspension {
    /// Its spec says so.
    Asked,
    /// It had nothing to do, and was stopped at this time.
    Idle(Timestamp),
}

impl Suspension {
    /// What is noted on the Deployment.
    pub(super) fn note(self) -> String {
        match self {
            Self::Asked => ASKED.to_owned(),
            Self::Idle(since) => since.to_string(),
        }
    }

    /// Since when, if for having had nothing to do.
    pub(super) fn idle_since(self) -> Option<Timestamp> {
        match self {
            Self::Asked => None,
            Self::Idle(since) => Some(since),
        }
    }

    /// As a condition.
    pub(super) fn verdict(self, cluster: &CheckedCluster) -> Verdict {
        let (reason, words) = match self {
            Self::Asked => (
                Reason::SuspendedOnRequest,
                "suspended, as its spec says; `suspend: false` resumes it".to_owned(),
            ),
            Self::Idle(since) => (Reason::SuspendedWhenIdle, when_idle(cluster, since)),
        };
        trouble(reason, words)
    }
}

fn when_idle(cluster: &CheckedCluster, since: Timestamp) -> String {
    format!(
        "suspended at {since}, for it had nothing to do; to resume it: kubectl annotate daskcluster {} --namespace {} \
         {}=$(date +%s) --overwrite",
        cluster.name.as_str(),
        cluster.namespace,
        labels::RESUME,
    )
}

/// Whether it is suspended, and why. What somebody asks for stands before what follows from idleness, and ends it: who
/// suspends a cluster and resumes it wants it to run.
pub(super) fn suspension(cluster: &CheckedCluster, observed: &Observed) -> Option<Suspension> {
    if cluster.suspend {
        return Some(Suspension::Asked);
    }
    let stays = cluster.idle_timeout.is_some() && cluster.idle_action == IdleAction::Suspend;
    let since = noted(observed)?.parse().ok()?;
    (stays && !resume_is_due(cluster)).then_some(Suspension::Idle(since))
}

/// What we noted when we stopped the scheduler.
pub(super) fn noted(observed: &Observed) -> Option<&str> {
    let deployment = observed.deployment.as_ref().filter(|child| child.ownership == Ownership::Ours)?;
    deployment.suspended.as_deref()
}

fn resume_is_due(cluster: &CheckedCluster) -> bool {
    cluster.resume.is_some() && cluster.resume != cluster.status.resumed
}

/// The value that was acted upon last: not before the note is gone, so that none is lost with a write that fails. One that
/// comes while the cluster runs has nothing to do, and never acts later.
pub(super) fn resumed(cluster: &CheckedCluster, observed: &Observed) -> Option<String> {
    let is_open = noted(observed).is_some() && resume_is_due(cluster);
    cluster.resume.clone().filter(|_| !is_open).or_else(|| cluster.status.resumed.clone())
}

/// That it was suspended, or goes on.
pub(super) fn events(previous: &[Condition], next: &[Condition]) -> Option<Event> {
    let told = |reason: &str, action, note: &str| {
        Some(Event { kind: EventKind::Normal, reason: reason.to_owned(), action, note: note.to_owned() })
    };
    match (find(previous, ConditionType::Suspended), find(next, ConditionType::Suspended)) {
        (Some(before), Some(now)) if before.reason == now.reason => None,
        (_, Some(now)) => told("Suspended", "Suspend", &now.message),
        (Some(_), None) => told("Resumed", "Resume", "the scheduler and the workers are started again"),
        (None, None) => None,
    }
}
