//! What people are told of a cluster: transitions of its conditions, once.

use dask_operator_api::cluster::DaskClusterStatus;
use dask_operator_api::conditions::{ConditionType, Reason};
use dask_operator_api::labels;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::suspend;
use crate::plan::{Event, EventKind};
use crate::troubles::{self, find};

/// The Events that a change of status is worth.
pub fn events(previous: &DaskClusterStatus, next: &DaskClusterStatus) -> Vec<Event> {
    let restarted = restarted(previous, next);
    let (previous, next) = (&previous.conditions, &next.conditions);
    let invalid = troubles::invalid(previous, next);
    let events = invalid.into_iter().chain(ready(previous, next)).chain(scheduler(previous, next));
    let suspended = suspend::events(previous, next);
    let events = events.chain(link(previous, next));
    restarted.into_iter().chain(suspended).chain(events).chain(troubles::news(previous, next)).collect()
}

/// A scheduler that was made with the annotation was not restarted by it, nor one that is stopped.
fn restarted(previous: &DaskClusterStatus, next: &DaskClusterStatus) -> Option<Event> {
    let value = next.restarted_scheduler.as_ref().filter(|_| previous.phase.is_some())?;
    let note = format!("as {}={value} asks", labels::RESTART_SCHEDULER);
    let reason = "SchedulerRestarted".to_owned();
    let suspended = find(&next.conditions, ConditionType::Suspended).is_some();
    let news = previous.restarted_scheduler.as_ref() != Some(value) && !suspended;
    news.then_some(Event { kind: EventKind::Normal, reason, action: "Restart", note })
}

fn ready(previous: &[Condition], next: &[Condition]) -> Option<Event> {
    let ready = became(previous, next, ConditionType::Ready, "True")?;
    let reason = "Ready".to_owned();
    Some(Event { kind: EventKind::Normal, reason, action: "Start", note: ready.message.clone() })
}

/// What keeps the scheduler from being ready, or that it was and is no more. A cluster that goes or is suspended loses
/// its scheduler, too: no news.
fn scheduler(previous: &[Condition], next: &[Condition]) -> Option<Event> {
    let deleting =
        find(next, ConditionType::Ready).is_some_and(|ready| ready.reason == Reason::Deleting.to_string());
    let before = find(previous, ConditionType::SchedulerReady);
    let now = find(next, ConditionType::SchedulerReady).filter(|now| now.status == "False" && !deleting)?;
    let was_ready = before.is_some_and(|before| before.status == "True");
    if Reason::named(&now.reason).is_some_and(Reason::is_trouble) {
        let same = before.is_some_and(|before| before.reason == now.reason);
        return (!same).then(|| troubles::warning(&now.reason, &now.message));
    }
    let suspended = find(next, ConditionType::Suspended).is_some();
    (was_ready && !suspended).then(|| troubles::warning("SchedulerLost", &now.message))
}

/// That the scheduler cannot be asked, and that it can again.
fn link(previous: &[Condition], next: &[Condition]) -> Option<Event> {
    let unreachable = Reason::Unreachable.to_string();
    let silent =
        |conditions| find(conditions, ConditionType::SchedulerLink).filter(|one| one.reason == unreachable);
    match (silent(previous), silent(next)) {
        (None, Some(now)) => Some(troubles::warning(&now.reason, &now.message)),
        (Some(before), None) if find(next, ConditionType::SchedulerLink).is_some() => {
            Some(troubles::recovered(before))
        }
        _ => None,
    }
}

fn became<'a>(
    previous: &[Condition],
    next: &'a [Condition],
    type_: ConditionType,
    status: &str,
) -> Option<&'a Condition> {
    let before = find(previous, type_).is_some_and(|before| before.status == status);
    find(next, type_).filter(|now| now.status == status && !before)
}
