//! What may be known of the world when planning for a group.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use dask_operator_api::cluster::DisruptionProtection;
use jiff::Timestamp;

use crate::facts::Link;
use crate::pod_status::Trouble;
pub use crate::pod_status::{Ended, Stage};
use crate::sabotage::{self, Bug};

/// Begins the mark of a pod that stays.
const STAYS: &str = "stays-in-generation-";

/// The mark of one that returns.
const RETURNS: &str = "returns";

/// The group's cluster and its pods, as the watches show them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The cluster that the group names, if it exists and can be followed.
    pub cluster: Option<Cluster>,
    /// The cluster that owns the group, if that is another one than it names.
    pub of_another: Option<String>,
    /// The pods that the group owns, in any order.
    pub pods: Vec<WorkerPod>,
    /// What is known of the cluster's scheduler by asking it.
    pub link: Link,
    /// The pods of which the link is still to show what came of an order.
    pub unsettled: BTreeSet<String>,
    /// The pods of which the scheduler has just said that none of their workers has registered.
    pub unknown: BTreeSet<String>,
}

/// What the workers' pods take from their cluster.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether it is suspended, so that its groups have no workers.
    pub suspended: bool,
    /// Whether its spec says that it is to be, so that they make none.
    pub stops: bool,
    /// Its labels, which its workers get, too.
    pub labels: BTreeMap<String, String>,
    /// The image of containers that name none.
    pub image: Option<String>,
    /// Whether it has a configuration of its own.
    pub has_config: bool,
    /// Whether its scheduler's pod is ready.
    pub scheduler_ready: bool,
    /// Whether there is one that has been started and may be busy, ready or not.
    pub has_scheduler: bool,
    /// When its pods are kept from eviction.
    pub protection: DisruptionProtection,
}

/// One worker pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerPod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// When it was created.
    pub created: Timestamp,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// How far it has come.
    pub stage: Stage,
    /// Since when it is ready, if it is and says so.
    pub ready_since: Option<Timestamp>,
    /// The hash of what it was made from; None of pods that an earlier version made.
    pub template: Option<String>,
    /// How often in a row its predecessors crashed.
    pub crashes: u32,
    /// What keeps it from being ready, if it has not ended.
    pub trouble: Option<Trouble>,
    /// Its address, if nobody else has that.
    pub ip: Option<IpAddr>,
    /// Whether it is to leave.
    pub mark: Option<Mark>,
}

/// What is noted on a pod that is to leave, so that nobody who comes after has to know it otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It is to leave. The time is that since when this replica has known: clocks differ between replicas.
    Leaves(Timestamp),
    /// It was to leave and is wanted again, and nobody could be asked yet whether it takes work.
    Returns,
    /// It could not in time, and stays in this generation of its group.
    Stays(i64),
}

impl Observed {
    /// Whether the group's cluster is suspended.
    pub(crate) fn is_suspended(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.suspended) && !sabotage::is(Bug::SuspendedGoOn)
    }
}

impl Cluster {
    /// Whether its groups make no workers.
    pub(crate) fn makes_none(&self) -> bool {
        self.suspended || self.stops
    }
}

impl Mark {
    /// From the annotation's text; None if we never wrote such.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(STAYS) {
            Some(generation) => generation.parse().ok().map(Self::Stays),
            None if text == RETURNS => Some(Self::Returns),
            None => text.parse().ok().map(Self::Leaves),
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaves(since) => write!(f, "{since}"),
            Self::Returns => f.write_str(RETURNS),
            Self::Stays(generation) => write!(f, "{STAYS}{generation}"),
        }
    }
}

impl WorkerPod {
    /// One that is ready, and of which nothing else is known; its name is its UID, too.
    pub fn ready(name: &str, created: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            uid: name.to_owned(),
            created,
            terminating: false,
            stage: Stage::Ready,
            ready_since: None,
            template: None,
            crashes: 0,
            trouble: None,
            ip: None,
            mark: None,
        }
    }

    /// Neither ended nor on its way out: it counts as a worker.
    pub fn is_live(&self) -> bool {
        !self.terminating && !matches!(self.stage, Stage::Ended(_))
    }

    /// Whether it works, or could.
    pub fn is_ready(&self) -> bool {
        self.is_live() && self.stage == Stage::Ready
    }

    /// Since when it is to leave, if it is.
    pub(crate) fn leaves_since(&self) -> Option<Timestamp> {
        match self.mark {
            Some(Mark::Leaves(since)) => Some(since),
            Some(Mark::Returns | Mark::Stays(_)) | None => None,
        }
    }
}
