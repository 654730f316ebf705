//! What people are told of a group: decisions that change its workers, and transitions of its conditions.

use dask_operator_api::worker_group::DaskWorkerGroupStatus;

use super::check::CheckedGroup;
use super::decide::Decision;
use super::leave::Leaving;
use super::observed::{Observed, WorkerPod};
use super::roll::is_outdated;
use crate::facts::Load;
use crate::plan::{Event, EventKind};
use crate::troubles;

/// That the number of workers changes. A group's first workers are no news.
pub(super) fn of_decision(
    group: &CheckedGroup,
    observed: &Observed,
    decision: &Decision<'_>,
    leaving: &Leaving,
) -> Option<Event> {
    let live = observed.pods.iter().filter(|pod| pod.is_live()).count();
    let scaled = group.status.observed_generation.is_some_and(|seen| Some(seen) != group.generation);
    let grows = !decision.create.is_empty() || !decision.delete.is_empty();
    let acts = grows || leaving.needs_facts || !leaving.delete.is_empty();
    let note = format!("from {live} to {} workers", group.wanted);
    let outdated = is_outdated(group, observed);
    // More are there while some are replaced.
    let rolls = observed.pods.iter().any(|pod| pod.is_live() && outdated(pod));
    let is_scaling = scaled && acts && !rolls && !observed.is_suspended();
    (is_scaling && live != group.wanted).then(|| Event {
        kind: EventKind::Normal,
        reason: "Scaled".to_owned(),
        action: "Scale",
        note,
    })
}

/// The Events that a change of status is worth.
pub fn events(previous: &DaskWorkerGroupStatus, next: &DaskWorkerGroupStatus) -> Vec<Event> {
    let (previous, next) = (&previous.conditions, &next.conditions);
    troubles::invalid(previous, next).into_iter().chain(troubles::news(previous, next)).collect()
}

/// Told when a pod stays that was to leave, with what it has.
pub(super) fn stays(pod: &WorkerPod, load: Load) -> Event {
    let Load { tasks, unique_bytes, .. } = load;
    Event {
        kind: EventKind::Warning,
        reason: "WorkerStays".to_owned(),
        action: "Drain",
        note: format!(
            "pod {} stays: it could not leave in time, with {tasks} tasks and {unique_bytes} bytes that nobody else has",
            pod.name
        ),
    }
}
