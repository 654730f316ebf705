//! Whether a cluster is suspended: it has neither scheduler nor workers, and all that describes them.
//!
//! That is noted on the scheduler's Deployment by the very write that stops it, so that no crash of ours stops a cluster
//! that has work again, and all who heed it, groups and autoscalers too, go by what was done and not by what is wished.

use dask_operator_api::cluster::{DaskCluster, IdleAction};
use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use dask_operator_api::labels;
use jiff::{Timestamp, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::check::CheckedCluster;
use super::observed::{Child, Observed, Ownership};
use crate::plan::{Event, EventKind};
use crate::troubles::{self, find, trouble};

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
    /// From now on, for having nothing to do.
    pub(super) fn idle(now: Timestamp) -> Self {
        Self::Idle(now.round(Unit::Second).unwrap_or(now))
    }

    fn noted(text: &str) -> Self {
        text.parse().map_or(Self::Asked, Self::Idle)
    }

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
        let asked = "suspended, as its spec says; `suspend: false` resumes it";
        match self {
            Self::Asked => trouble(Reason::SuspendedOnRequest, asked),
            Self::Idle(since) => trouble(Reason::SuspendedWhenIdle, when_idle(cluster, since)),
        }
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

/// Whether it is suspended. Before there is a Deployment, by what its own object says.
fn state(deployment: Option<&Child>, asked: bool, idle_since: Option<Timestamp>) -> Option<Suspension> {
    match deployment.filter(|child| child.ownership == Ownership::Ours) {
        Some(ours) => ours.suspended.as_deref().map(Suspension::noted),
        None if asked => Some(Suspension::Asked),
        None => idle_since.map(Suspension::Idle),
    }
}

/// Whether it is suspended, and why.
pub(super) fn suspended(cluster: &CheckedCluster, observed: &Observed) -> Option<Suspension> {
    let idle_since = cluster.status.idle_suspended_since.as_ref().map(|since| since.0);
    state(observed.deployment.as_ref(), cluster.suspend, idle_since)
}

/// The same for whoever depends on the cluster; `deployment` is its scheduler's.
pub fn is_suspended(cluster: &DaskCluster, deployment: Option<&Child>) -> bool {
    let idle_since = cluster.status.as_ref().and_then(|status| status.idle_suspended_since.as_ref());
    let asked = cluster.spec.suspend.unwrap_or_default();
    state(deployment, asked, idle_since.map(|since| since.0)).is_some()
}

/// Whether it is to be suspended. What somebody asks for stands before what follows from idleness, and ends it: who
/// suspends a cluster and resumes it wants it to run.
pub(super) fn wanted(cluster: &CheckedCluster, observed: &Observed) -> Option<Suspension> {
    if cluster.suspend {
        return Some(Suspension::Asked);
    }
    let stays = cluster.idle_timeout.is_some() && cluster.idle_action == IdleAction::Suspend;
    suspended(cluster, observed).filter(|one| one.idle_since().is_some() && stays && !resume_is_due(cluster))
}

/// Whether its scheduler was stopped by us, and nobody started it by hand: whatever is changed now restarts nothing.
pub(super) fn is_stopped(cluster: &CheckedCluster, observed: &Observed) -> bool {
    suspended(cluster, observed).is_some() && observed.live_scheduler().is_none()
}

/// Whether a resume was asked for that nothing has come of.
pub(super) fn resume_is_due(cluster: &CheckedCluster) -> bool {
    cluster.resume.is_some() && cluster.resume != cluster.status.resumed
}

/// The value that was acted upon last: not before the note is gone, so that none is lost with a write that fails. One that
/// comes while the cluster runs has nothing to do, and never acts later.
pub(super) fn resumed(cluster: &CheckedCluster, observed: &Observed) -> Option<String> {
    let is_open = suspended(cluster, observed).is_some() && resume_is_due(cluster);
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
        (Some(_), None) if troubles::is_followed(next) => {
            told("Resumed", "Resume", "the scheduler and the workers are started again")
        }
        (_, None) => None,
    }
}
