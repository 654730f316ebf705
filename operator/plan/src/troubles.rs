//! Troubles that any kind of object can have, as conditions and as Events.

use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::plan::{Event, EventKind, FailureKind, Outcome};

/// A condition that is present because it is true.
pub(crate) fn trouble(type_: ConditionType, reason: Reason, message: impl Into<String>) -> Verdict {
    Verdict { type_, status: true, reason, message: message.into() }
}

/// What the outcome of the writes tells. Unknown fields were told at creation alone, so that verdict stays for as
/// long as the spec it was about.
pub(crate) fn of_writes(outcome: &Outcome, previous: &[Condition], generation: Option<i64>) -> Vec<Verdict> {
    let failed = |kind, type_, reason| {
        outcome
            .failure(kind)
            .map(|failure| trouble(type_, reason, format!("{}: {}", failure.object, failure.message)))
    };
    let unknown = outcome.unknown_fields.clone().or_else(|| still_unknown(previous, generation));
    [
        failed(FailureKind::NameTaken, ConditionType::NameTaken, Reason::OwnedByAnother),
        unknown.map(|words| trouble(ConditionType::UnknownFields, Reason::DroppedByServer, words)),
        failed(FailureKind::Refused, ConditionType::Refused, Reason::RefusedByServer),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn still_unknown(previous: &[Condition], generation: Option<i64>) -> Option<String> {
    let type_ = ConditionType::UnknownFields.to_string();
    let old = previous.iter().find(|old| old.type_ == type_ && old.observed_generation == generation);
    old.map(|old| old.message.clone())
}

/// A Warning for each of these troubles that was not told before.
pub(crate) fn news(told: &[ConditionType], previous: &[Condition], next: &[Condition]) -> Vec<Event> {
    let new = told.iter().filter(|type_| find(previous, **type_).is_none());
    new.filter_map(|type_| find(next, *type_))
        .map(|trouble| warning(&trouble.type_, &trouble.message))
        .collect()
}

/// A Warning when the spec became one that cannot be followed, or for another reason than before.
pub(crate) fn invalid(previous: &[Condition], next: &[Condition]) -> Option<Event> {
    let now = find(next, ConditionType::Ready).filter(|ready| ready.reason.starts_with("Invalid"))?;
    let before = find(previous, ConditionType::Ready);
    let news = before.is_none_or(|before| (&before.reason, &before.message) != (&now.reason, &now.message));
    news.then(|| warning("InvalidSpec", &now.message))
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
