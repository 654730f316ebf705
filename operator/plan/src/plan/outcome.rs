//! What came of a plan's writes.

use std::fmt;

use dask_operator_api::conditions::Reason;

use super::{Event, Kind};
use crate::autoscaler::Scaling;
use crate::facts::Drain;

/// What came of a plan's writes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The writes that failed.
    pub failures: Vec<Failure>,
    /// The server's own words on fields that it dropped.
    pub unknown_fields: Option<String>,
    /// The kinds of which an object now exists for sure.
    pub created: Vec<Kind>,
    /// What was changed for sure.
    pub patched: Vec<(Kind, String)>,
    /// How those left that are deleted now.
    pub drained: Vec<Drain>,
    /// What people are told of what is deleted now.
    pub events: Vec<Event>,
    /// What an autoscaler decided, whether or not it was written.
    pub scaling: Option<Scaling>,
    /// Failures are those of an earlier try; the next is this far off.
    pub held: Option<std::time::Duration>,
}

impl Outcome {
    /// Whether it was changed for sure.
    pub fn has_changed(&self, kind: Kind, name: &str) -> bool {
        self.patched.iter().any(|(of, one)| *of == kind && one == name)
    }

    /// Whether it may have been changed just now: there was no answer that says otherwise.
    pub fn may_have_changed(&self, kind: Kind, name: &str) -> bool {
        let object = called(kind, name);
        let is_open = |failure: &Failure| failure.kind == FailureKind::Transient && failure.object == object;
        self.has_changed(kind, name) || (self.held.is_none() && self.failures.iter().any(is_open))
    }

    /// Whether the server refused something.
    pub fn is_refused(&self) -> bool {
        self.failures.iter().any(|failure| matches!(failure.kind, FailureKind::Refused(_)))
    }
}

/// What a worker's pod is called in words that stand in a status: its name is drawn anew at each try.
pub const WORKER_POD: &str = "a worker pod";

/// An object, as failures name it.
pub fn called(kind: Kind, name: &str) -> String {
    if kind == Kind::Pod { WORKER_POD.to_owned() } else { format!("{kind:?} {name}") }
}

/// One write that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The object, as `Kind name`, or [`WORKER_POD`].
    pub object: String,
    /// What it means.
    pub kind: FailureKind,
    /// The server's own words.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.message)
    }
}

/// What a failed write means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Somebody else's object has the name.
    NameTaken,
    /// The server will not have it as it is, for this reason.
    Refused(Reason),
    /// It may work the next time.
    Transient,
}
