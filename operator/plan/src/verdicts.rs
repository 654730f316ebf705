//! Conditions that follow from the writes of any kind of object.

use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::plan::{FailureKind, Outcome};

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
