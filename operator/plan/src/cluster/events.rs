//! What people are told of a cluster: transitions of its conditions, once.

use dask_operator_api::cluster::DaskClusterStatus;
use dask_operator_api::conditions::ConditionType;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::plan::{Event, EventKind};

/// The Events that a change of status is worth.
pub fn events(previous: &DaskClusterStatus, next: &DaskClusterStatus) -> Vec<Event> {
    let invalid = next.phase != previous.phase && is_invalid(next);
    let mut events: Vec<Event> = Vec::new();
    if invalid || became(previous, next, ConditionType::Ready, "True") {
        events.extend(find(&next.conditions, ConditionType::Ready).map(|ready| ready_event(ready, invalid)));
    }
    if became(previous, next, ConditionType::SchedulerReady, "False") && !previous.conditions.is_empty() {
        events.extend(
            find(&next.conditions, ConditionType::SchedulerReady).map(|lost| warning("SchedulerLost", lost)),
        );
    }
    let troubles = [
        (ConditionType::NameTaken, "NameTaken"),
        (ConditionType::UnknownFields, "UnknownFields"),
        (ConditionType::Refused, "Refused"),
    ];
    for (type_, reason) in troubles {
        if became(previous, next, type_, "True") {
            events.extend(find(&next.conditions, type_).map(|trouble| warning(reason, trouble)));
        }
    }
    events
}

fn ready_event(ready: &Condition, invalid: bool) -> Event {
    if invalid {
        return warning("InvalidSpec", ready);
    }
    Event { kind: EventKind::Normal, reason: "Ready", action: "Start", note: ready.message.clone() }
}

fn warning(reason: &'static str, condition: &Condition) -> Event {
    Event { kind: EventKind::Warning, reason, action: "Reconcile", note: condition.message.clone() }
}

fn is_invalid(status: &DaskClusterStatus) -> bool {
    status.phase == Some(dask_operator_api::cluster::Phase::Error)
}

fn became(
    previous: &DaskClusterStatus,
    next: &DaskClusterStatus,
    type_: ConditionType,
    status: &str,
) -> bool {
    let is = |conditions: &[Condition]| find(conditions, type_).is_some_and(|found| found.status == status);
    is(&next.conditions) && !is(&previous.conditions)
}

fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    let type_ = type_.to_string();
    conditions.iter().find(|condition| condition.type_ == type_)
}
