//! What people are told of an autoscaler: decisions that change a group, and transitions of its conditions.

use dask_operator_api::autoscaler::{DaskAutoscalerStatus, LastDecision};
use dask_operator_api::conditions::{ConditionType, Reason};

use crate::plan::{Event, EventKind};
use crate::troubles;

/// The Events that a change of status is worth.
pub fn events(previous: &DaskAutoscalerStatus, next: &DaskAutoscalerStatus) -> Vec<Event> {
    let (before, now) = (&previous.conditions, &next.conditions);
    let advises = troubles::find(now, ConditionType::Ready)
        .is_some_and(|ready| ready.reason == Reason::Advises.to_string());
    let decided: Vec<_> = news(previous, next).map(|one| decided(one, advises)).collect();
    decided.into_iter().chain(troubles::invalid(before, now)).chain(troubles::news(before, now)).collect()
}

/// The decisions that are told for the first time.
pub fn news<'a>(
    previous: &'a DaskAutoscalerStatus,
    next: &'a DaskAutoscalerStatus,
) -> impl Iterator<Item = &'a LastDecision> {
    let known = previous.last_decisions.first();
    next.last_decisions.iter().take_while(move |one| Some(*one) != known)
}

fn decided(decision: &LastDecision, advises: bool) -> Event {
    let LastDecision { group, from, to, reason, message, .. } = decision;
    let note = format!("{group}: from {from} to {to} workers ({reason}: {message})");
    let reason = if advises { "Advised" } else { "Scaled" };
    Event { kind: EventKind::Normal, reason: reason.to_owned(), action: "Scale", note }
}
