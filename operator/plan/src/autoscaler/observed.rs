//! What may be known of the world when scaling a cluster.

use jiff::SignedDuration;

use crate::facts::Link;
use crate::pod_status::Trouble;
use crate::worker_group::WorkerPod;

use super::offer::Offer;

/// The cluster, what its scheduler tells, and its groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The cluster that is named, if it exists and can be followed.
    pub cluster: Option<Cluster>,
    /// The name of an older autoscaler of the same cluster.
    pub older: Option<String>,
    /// What is known of the cluster's scheduler by asking it.
    pub link: Link,
    /// How long ago it said so.
    pub link_age: SignedDuration,
    /// All groups of the cluster, in any order.
    pub groups: Vec<Group>,
}

/// The cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Whether it is suspended, so that there is nothing to scale.
    pub suspended: bool,
    /// Whether its scheduler's pod is ready: one that starts does not answer yet.
    pub scheduler_ready: bool,
    /// What keeps that pod from running, if something does.
    pub scheduler_trouble: Option<Trouble>,
}

/// One of its groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The version that was looked at.
    pub resource_version: String,
    /// How many workers it is to have.
    pub replicas: usize,
    /// What each of its workers offers, as far as it is known while none has registered.
    pub declared: Offer,
    /// Its pods, in any order.
    pub pods: Vec<WorkerPod>,
    /// Why the API server refuses more of them, if it does.
    pub refused: Option<String>,
}
