//! What people are told of a group: decisions that change its workers, and transitions of its conditions.

use dask_operator_api::conditions::ConditionType;
use dask_operator_api::worker_group::DaskWorkerGroupStatus;

use super::check::CheckedGroup;
use super::decide::Decision;
use super::observed::Observed;
use crate::plan::{Event, EventKind};
use crate::troubles;

const TOLD: [ConditionType; 5] = [
    ConditionType::ClusterNotFound,
    ConditionType::ClusterMismatch,
    ConditionType::NameTaken,
    ConditionType::UnknownFields,
    ConditionType::Refused,
];

/// The Events of one decision. A group's first workers are no news.
pub(super) fn of_decision(group: &CheckedGroup, observed: &Observed, decision: &Decision<'_>) -> Vec<Event> {
    let live = observed.pods.iter().filter(|pod| pod.is_live()).count();
    let scaled = group.status.observed_generation.is_some_and(|seen| Some(seen) != group.generation);
    let mut events = Vec::new();
    let acts = !decision.create.is_empty() || !decision.delete.is_empty();
    if scaled && acts && live != group.wanted {
        let note = format!("from {live} to {} workers", group.wanted);
        events.push(Event { kind: EventKind::Normal, reason: "Scaled".to_owned(), action: "Scale", note });
    }
    let failed: Vec<_> = decision.ended.iter().filter(|(_, end)| end.failed).collect();
    if let Some((pod, end)) = failed.last() {
        let others = match failed.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        events.push(troubles::warning("WorkerFailed", &format!("{}{others}: {}", pod.name, end.message)));
    }
    events
}

/// The Events that a change of status is worth.
pub fn events(previous: &DaskWorkerGroupStatus, next: &DaskWorkerGroupStatus) -> Vec<Event> {
    let (previous, next) = (&previous.conditions, &next.conditions);
    troubles::invalid(previous, next).into_iter().chain(troubles::news(&TOLD, previous, next)).collect()
}
