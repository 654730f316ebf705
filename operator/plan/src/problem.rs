//! A problem with what a user wrote: it waits for a change of the spec, not for time.

use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use dask_operator_api::names::NameProblem;

/// One thing wrong with an object's spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The kind of thing.
    pub reason: Reason,
    /// The rule that is broken, in a sentence.
    pub message: String,
}

impl Problem {
    /// A template whose shape no pod can have.
    pub fn template(message: impl Into<String>) -> Self {
        Self { reason: Reason::InvalidTemplate, message: message.into() }
    }
}

impl From<NameProblem> for Problem {
    fn from(problem: NameProblem) -> Self {
        Self { reason: Reason::InvalidName, message: problem.to_string() }
    }
}

/// That a spec cannot be followed, in the words of all its problems and with the reason of the first.
pub(crate) fn verdict(problems: &[Problem]) -> Verdict {
    let message = problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; ");
    let reason = problems.first().map_or(Reason::InvalidTemplate, |problem| problem.reason);
    Verdict { type_: ConditionType::Ready, status: false, reason, message }
}
