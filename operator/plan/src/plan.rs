//! A plan: what to write, so specific that applying it leaves no choice.

mod outcome;

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

use crate::autoscaler::Scaling;
use crate::facts::Drain;

pub use outcome::{Failure, FailureKind, Outcome, WORKER_POD, called};

/// Everything one look at one object leads to. An empty plan means converged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What it rests on beside the object itself: nothing is written while that is not so.
    pub premises: Vec<Premise>,
    /// Objects to create or change, in any order.
    pub apply: Vec<Apply>,
    /// Objects to delete, in any order.
    pub delete: Vec<Delete>,
    /// What to ask of the scheduler, in any order.
    pub asks: Vec<Ask>,
    /// Whether the scheduler's facts are needed for what comes next.
    pub needs_facts: bool,
    /// What people are told.
    pub events: Vec<Event>,
    /// When to look again although nothing changed.
    pub wake: Option<Timestamp>,
    /// How many workers groups are to have, if an autoscaler decides that.
    pub scaling: Option<Scaling>,
}

impl Plan {
    /// Whether carrying out the plan would change nothing.
    pub fn is_empty(&self) -> bool {
        self.apply.is_empty() && self.delete.is_empty() && self.asks.is_empty()
    }
}

/// The kinds we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `kubernetes.dask.org/v1` DaskCluster.
    DaskCluster,
    /// `kubernetes.dask.org/v1` DaskWorkerGroup.
    DaskWorkerGroup,
    /// `kubernetes.dask.org/v1` DaskAutoscaler.
    DaskAutoscaler,
    /// `v1` ConfigMap.
    ConfigMap,
    /// `apps/v1` Deployment.
    Deployment,
    /// `v1` Pod.
    Pod,
    /// `policy/v1` PodDisruptionBudget.
    PodDisruptionBudget,
    /// `v1` Service.
    Service,
}

/// One object to write.
#[derive(Clone, Debug, PartialEq)]
pub enum Apply {
    /// An object that should exist.
    Create(Create),
    /// An object of ours that should be otherwise.
    Patch(Patch),
}

impl Apply {
    /// The object that should exist, if that is what it is about.
    pub fn create(&self) -> Option<&Create> {
        match self {
            Self::Create(create) => Some(create),
            Self::Patch(_) => None,
        }
    }

    /// The change, if that is what it is about.
    pub fn patch(&self) -> Option<&Patch> {
        match self {
            Self::Patch(patch) => Some(patch),
            Self::Create(_) => None,
        }
    }
}

/// A POST. `AlreadyExists` is success only when the owner is ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Create {
    /// The object's kind.
    pub kind: Kind,
    /// The object's name.
    pub name: String,
    /// The whole object.
    pub object: Value,
}

/// A minimal merge patch of exactly the object that was looked at. Where a map says `$patch: replace`, it is replaced
/// whole; the API server knows that of its own kinds alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    /// The object's kind.
    pub kind: Kind,
    /// The object's name.
    pub name: String,
    /// The difference; `metadata.uid` and `metadata.resourceVersion` name what was looked at.
    pub body: Value,
}

impl Patch {
    /// Of one object.
    pub fn of(kind: Kind, name: &str, body: Value) -> Self {
        Self { kind, name: name.to_owned(), body }
    }
}

/// What a plan that harms if it comes late rests on: caches may be late, so the API server is asked first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Premise {
    /// An object of this kind is there, and not on its way.
    pub kind: Kind,
    /// Of this name.
    pub name: String,
    /// It is this one.
    pub uid: String,
    /// It is as it was looked at, where what it says matters.
    pub version: Option<String>,
}

impl Premise {
    /// Whatever it says.
    pub(crate) fn is_there(kind: Kind, name: &str, uid: &str) -> Self {
        Self { kind, name: name.to_owned(), uid: uid.to_owned(), version: None }
    }
}

/// A DELETE of exactly the object that was looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// The object's kind.
    pub kind: Kind,
    /// The object's name.
    pub name: String,
    /// The precondition.
    pub uid: String,
    /// A second one, where a change that was not looked at yet may be a reason to leave it.
    pub version: Option<String>,
    /// How long the object may take to end, in seconds; by default what it says itself.
    pub grace: Option<u32>,
    /// Whether it stays until all that is to be created was: that takes its place, and until then it can be read.
    pub replaced: bool,
    /// How it left, if it is a worker's pod that its scheduler has let go.
    pub drained: Option<Drain>,
    /// What people are told once it is done.
    pub event: Option<Event>,
}

impl Delete {
    /// Of whatever has this name and this UID by now.
    pub fn of(kind: Kind, name: &str, uid: &str) -> Self {
        let (name, uid) = (name.to_owned(), uid.to_owned());
        Self { kind, name, uid, version: None, grace: None, replaced: false, drained: None, event: None }
    }
}

/// One thing to ask of a scheduler; what comes of it is among its facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What.
    pub order: Order,
    /// The pod whose workers it is about.
    pub pod: String,
    /// The pod's address.
    pub ip: Option<IpAddr>,
}

/// What becomes of a pod's workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Order {
    /// They hand over what they have.
    Retire {
        /// So many seconds at most.
        seconds: u32,
    },
    /// They go on.
    Uncordon,
    /// They are removed, with what they have left, and nobody is blamed.
    Forget,
}

/// What a person is told, once, when something changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Good news or trouble.
    pub kind: EventKind,
    /// One word, stable, for machines.
    pub reason: String,
    /// What we did or will do, in one word.
    pub action: &'static str,
    /// The sentence for people.
    pub note: String,
}

/// Whether an Event is good news or trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// As it should be.
    Normal,
    /// Something that somebody may want to look at.
    Warning,
}
