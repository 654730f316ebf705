//! Troubles that any kind of object can have, as conditions and as Events.

use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::plan::{Event, EventKind, Failure, FailureKind, Outcome};

/// The conditions that are told when they appear, when their reason changes, and when they are over. `WorkLost` has an Event
/// of each worker, and nothing mends it.
const TOLD: [ConditionType; 19] = [
    ConditionType::ClusterNotFound,
    ConditionType::ClusterMismatch,
    ConditionType::NameTaken,
    ConditionType::UnknownFields,
    ConditionType::Refused,
    ConditionType::DrainUnprotected,
    ConditionType::WorkersFailing,
    ConditionType::WorkersCannotStart,
    ConditionType::DrainDelayed,
    ConditionType::WorkersOutdated,
    ConditionType::NotInCharge,
    ConditionType::GroupNotFound,
    ConditionType::Idle,
    ConditionType::FactsStale,
    ConditionType::ReplicasContested,
    ConditionType::WorkUnrunnable,
    ConditionType::ScalingLimited,
    ConditionType::SchedulerOutdated,
    ConditionType::VersionSkew,
];

/// The condition that is present for this reason.
pub(crate) fn trouble(reason: Reason, message: impl Into<String>) -> Verdict {
    Verdict { type_: reason.condition(), status: true, reason, message: message.into() }
}

/// What the outcome of the writes tells; `say` puts a refusal into words.
pub(crate) fn of_writes(
    outcome: &Outcome,
    previous: &[Condition],
    generation: Option<i64>,
    say: impl Fn(&Failure) -> String,
) -> Vec<Verdict> {
    let taken = outcome.failures.iter().find(|failure| failure.kind == FailureKind::NameTaken);
    // Unknown fields were told at creation alone, so that verdict stays for as long as the spec it was about.
    let unknown = outcome.unknown_fields.clone().map(|words| trouble(Reason::DroppedByServer, words));
    let about = find(previous, ConditionType::UnknownFields).map(|old| old.observed_generation);
    let unchanged = about == Some(generation);
    // Where there was no answer, what the last one said still stands.
    let unanswered = outcome.failures.iter().any(|failure| failure.kind == FailureKind::Transient);
    let refused = refused(outcome).map(|(reason, failure)| trouble(reason, say(failure)));
    [
        taken.map(|failure| trouble(Reason::OwnedByAnother, failure.to_string())),
        unknown.or_else(|| still(previous, ConditionType::UnknownFields).filter(|_| unchanged)),
        refused.or_else(|| still(previous, ConditionType::Refused).filter(|_| unanswered)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn refused(outcome: &Outcome) -> Option<(Reason, &Failure)> {
    let refused = outcome.failures.iter().filter_map(|failure| match failure.kind {
        FailureKind::Refused(reason) => Some((reason, failure)),
        FailureKind::NameTaken | FailureKind::Transient => None,
    });
    refused.min_by_key(|(reason, _)| *reason)
}

/// The condition as it stands.
pub(crate) fn still(previous: &[Condition], type_: ConditionType) -> Option<Verdict> {
    let old = find(previous, type_)?;
    Some(Verdict { type_, status: true, reason: Reason::named(&old.reason)?, message: old.message.clone() })
}

/// An Event for each that is new or has another reason than before, a word for each that is over.
pub(crate) fn news(previous: &[Condition], next: &[Condition]) -> Vec<Event> {
    let pairs = TOLD.iter().map(|type_| (find(previous, *type_), find(next, *type_)));
    let told = pairs.filter_map(|pair| match pair {
        (Some(before), Some(now)) if before.reason == now.reason => None,
        (_, Some(now)) => Some(announced(&now.reason, &now.message)),
        (Some(before), None) if is_followed(next) => Some(recovered(before)),
        (_, None) => None,
    });
    told.collect()
}

/// Of a spec that cannot be followed, or an object that goes or is suspended, nothing else is known.
pub(crate) fn is_followed(conditions: &[Condition]) -> bool {
    let reason = find(conditions, ConditionType::Ready).and_then(|ready| Reason::named(&ready.reason));
    reason.is_some_and(|reason| !reason.is_of_rest() && !is_of_spec(reason))
}

fn is_of_spec(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::InvalidName | Reason::InvalidReplicas | Reason::InvalidTemplate | Reason::InvalidBounds
    )
}

/// A word that it is over.
pub(crate) fn recovered(before: &Condition) -> Event {
    let note = format!("no longer {} ({})", before.type_, before.reason);
    Event { kind: EventKind::Normal, reason: "Recovered".to_owned(), action: "Reconcile", note }
}

/// A Warning when the spec became one that cannot be followed, or for another reason than before.
pub(crate) fn invalid(previous: &[Condition], next: &[Condition]) -> Option<Event> {
    let now = find(next, ConditionType::Ready)?;
    Reason::named(&now.reason).filter(|reason| is_of_spec(*reason))?;
    let before = find(previous, ConditionType::Ready);
    let news = before.is_none_or(|before| (&before.reason, &before.message) != (&now.reason, &now.message));
    news.then(|| warning(&now.reason, &now.message))
}

/// A Warning, unless it is as it should be.
fn announced(reason: &str, note: &str) -> Event {
    let trouble = Reason::named(reason).is_none_or(Reason::is_trouble);
    let kind = if trouble { EventKind::Warning } else { EventKind::Normal };
    Event { kind, ..warning(reason, note) }
}

/// A Warning.
pub(crate) fn warning(reason: &str, note: &str) -> Event {
    Event { kind: EventKind::Warning, reason: reason.to_owned(), action: "Reconcile", note: note.to_owned() }
}

/// The condition of a type.
pub(crate) fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    let type_ = type_.to_string();
    conditions.iter().find(|condition| condition.type_ == type_)
}
