//! What ails a group's pods, as conditions.

use std::cmp::Reverse;

use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use jiff::Timestamp;

use super::check::CheckedGroup;
use super::crashes::HEALTHY_AFTER;
use super::observed::{Observed, Stage, WorkerPod};
use super::roll::is_outdated;
use crate::pod_status::Trouble;
use crate::troubles;

/// Workers that ended on their own, or keep doing so. It stays until those that took their places have run for long,
/// so that it does not come and go with each crash.
pub(super) fn failing(group: &CheckedGroup, observed: &Observed, now: Timestamp) -> Option<Verdict> {
    let outdated = is_outdated(group, observed);
    let ended = observed.pods.iter().filter_map(|pod| match &pod.stage {
        Stage::Ended(end) if end.failed && !pod.terminating => Some((end.at, pod, &end.trouble)),
        _ => None,
    });
    let restarting =
        of(observed, ConditionType::WorkersFailing).map(|(pod, trouble)| (pod.created, pod, trouble));
    // The same reason while there are several, and the newest words.
    let current = ended.chain(restarting).filter(|(_, pod, _)| !outdated(pod));
    let told = current.min_by_key(|(at, pod, trouble)| (trouble.reason, Reverse(*at), &pod.name));
    let told = told.map(|(_, pod, trouble)| {
        troubles::trouble(trouble.reason, format!("pod {}: {}", pod.name, trouble.words))
    });
    let unproven = || proven(group, observed, now).is_some();
    let still = || troubles::still(&group.status.conditions, ConditionType::WorkersFailing);
    told.or_else(|| still().filter(|_| unproven()))
}

/// When every worker that took the place of a failed one will have run for long; None when that is past, or when no
/// failure is told.
pub(super) fn proven(group: &CheckedGroup, observed: &Observed, now: Timestamp) -> Option<Timestamp> {
    troubles::find(&group.status.conditions, ConditionType::WorkersFailing)?;
    let outdated = is_outdated(group, observed);
    let after_crash = observed.pods.iter().filter(|pod| pod.is_live() && pod.crashes > 0 && !outdated(pod));
    let youngest = after_crash.map(|pod| pod.created).max()?;
    youngest.checked_add(HEALTHY_AFTER).ok().filter(|proven| *proven > now)
}

/// Pods that exist and wait for something that may not come by itself.
pub(super) fn cannot_start(group: &CheckedGroup, observed: &Observed) -> Option<Verdict> {
    let count = of(observed, ConditionType::WorkersCannotStart).count();
    let first = of(observed, ConditionType::WorkersCannotStart)
        .min_by_key(|(pod, trouble)| (trouble.reason, &pod.name));
    let (pod, trouble) = first?;
    let message =
        format!("{count} of {} workers cannot start; pod {}: {}", group.wanted, pod.name, trouble.words);
    Some(troubles::trouble(trouble.reason, message))
}

/// Whether a reason is one of these.
pub(super) fn is_of_pods(reason: Reason) -> bool {
    matches!(
        reason.condition(),
        ConditionType::WorkersFailing | ConditionType::WorkersCannotStart | ConditionType::DrainDelayed
    )
}

/// The live pods with a trouble that belongs to this condition.
fn of(observed: &Observed, type_: ConditionType) -> impl Iterator<Item = (&WorkerPod, &Trouble)> {
    let live = observed.pods.iter().filter(|pod| pod.is_live());
    live.filter_map(move |pod| Some((pod, pod.trouble.as_ref()?)))
        .filter(move |(_, trouble)| trouble.reason.condition() == type_)
}
