//! What people are told of a group: decisions that change its workers, and transitions of its conditions.

use dask_operator_api::conditions::ConditionType;
use dask_operator_api::worker_group::DaskWorkerGroupStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::check::CheckedGroup;
use super::decide::Decision;
use super::observed::Observed;
use crate::plan::{Event, EventKind};

/// The Events of one decision. A group's first workers are no news.
pub(super) fn of_decision(group: &CheckedGroup, observed: &Observed, decision: &Decision<'_>) -> Vec<Event> {
    let live = observed.pods.iter().filter(|pod| pod.is_live()).count();
    let scaled = group.status.observed_generation.is_some_and(|seen| Some(seen) != group.generation);
    let mut events = Vec::new();
    if scaled && live != group.wanted {
        let note = format!("from {live} to {} workers", group.wanted);
        events.push(Event { kind: EventKind::Normal, reason: "Scaled", action: "Scale", note });
    }
    if let Some((pod, end)) = decision.ended.iter().find(|(_, end)| end.failed) {
        let note = format!(
            "{} worker(s) failed and are replaced; {}: {}",
            decision.ended.len(),
            pod.name,
            end.message
        );
        events.push(Event { kind: EventKind::Warning, reason: "WorkerFailed", action: "Replace", note });
    }
    events
}

/// The Events that a change of status is worth.
pub fn events(previous: &DaskWorkerGroupStatus, next: &DaskWorkerGroupStatus) -> Vec<Event> {
    let told = [
        (ConditionType::ClusterNotFound, "ClusterNotFound"),
        (ConditionType::NameTaken, "NameTaken"),
        (ConditionType::UnknownFields, "UnknownFields"),
        (ConditionType::Refused, "Refused"),
    ];
    let flips = told.into_iter().filter_map(|(type_, reason)| {
        let now = find(&next.conditions, type_)?;
        let news = find(&previous.conditions, type_).is_none();
        news.then(|| Event {
            kind: EventKind::Warning,
            reason,
            action: "Reconcile",
            note: now.message.clone(),
        })
    });
    flips.chain(invalid(previous, next)).collect()
}

fn invalid(previous: &DaskWorkerGroupStatus, next: &DaskWorkerGroupStatus) -> Option<Event> {
    let is_invalid = |condition: &&Condition| condition.reason.starts_with("Invalid");
    let now = find(&next.conditions, ConditionType::Ready).filter(is_invalid)?;
    let before = find(&previous.conditions, ConditionType::Ready);
    let news = before.is_none_or(|before| before.message != now.message);
    news.then(|| Event {
        kind: EventKind::Warning,
        reason: "InvalidSpec",
        action: "Reconcile",
        note: now.message.clone(),
    })
}

fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    let type_ = type_.to_string();
    conditions.iter().find(|condition| condition.type_ == type_)
}
