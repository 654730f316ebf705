//! What people are told of an autoscaler: decisions that change a group, and transitions of its conditions.

use dask_operator_api::autoscaler::{DaskAutoscalerStatus, LastDecision};

use crate::plan::{Event, EventKind};
use crate::troubles;

/// The Events that a change of status is worth.
pub fn events(previous: &DaskAutoscalerStatus, next: &DaskAutoscalerStatus) -> Vec<Event> {
    let known = previous.last_decisions.first();
    let new = next.last_decisions.iter().take_while(|one| Some(*one) != known);
    let (before, now) = (&previous.conditions, &next.conditions);
    let decided: Vec<_> = new.map(decided).collect();
    decided.into_iter().chain(troubles::invalid(before, now)).chain(troubles::news(before, now)).collect()
}

fn decided(decision: &LastDecision) -> Event {
    let LastDecision { group, from, to, reason, message, .. } = decision;
    let note = format!("{group}: from {from} to {to} workers ({reason}: {message})");
    Event { kind: EventKind::Normal, reason: "Scaled".to_owned(), action: "Scale", note }
}
