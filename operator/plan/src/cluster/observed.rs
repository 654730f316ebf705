//! What may be known of the world when planning for a cluster.

use dask_operator_api::conditions::Reason;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::facts::Link;
use crate::pod_status::Trouble;

/// The children of one cluster, as the watches show them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The scheduler's Deployment.
    pub deployment: Option<Child>,
    /// Why no pod can be made of it, in the API server's own words.
    pub replica_failure: Option<String>,
    /// The scheduler's Service.
    pub service: Option<Service>,
    /// The ConfigMap of the cluster's configuration.
    pub config: Option<Child>,
    /// The default worker group.
    pub group: Option<DefaultGroup>,
    /// The disruption budget.
    pub budget: Option<Child>,
    /// Whether any group that names this cluster wants workers or still has some.
    pub has_workers: bool,
    /// The scheduler's pods, terminating ones too.
    pub scheduler_pods: Vec<SchedulerPod>,
    /// When one of its pods, the scheduler's or a worker's, became ready last.
    pub youngest: Option<Timestamp>,
    /// What is known of the scheduler by asking it.
    pub link: Link,
    /// How long ago it said so.
    pub link_age: SignedDuration,
    /// How long ago it answered with sense, or was asked for the first time.
    pub silence: SignedDuration,
}

/// What is known of any child.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Child {
    /// Its UID.
    pub uid: String,
    /// Its resource version.
    pub resource_version: String,
    /// Whose it is.
    pub ownership: Ownership,
    /// The hash that we noted on it.
    pub hash: Option<String>,
    /// The restart that we noted on it.
    pub restarted: Option<String>,
    /// What we noted on it when we stopped it.
    pub suspended: Option<String>,
}

impl Child {
    /// Whether it is ours and was made from something else than what has this hash. Of one that bears no note of
    /// ours nothing is known.
    pub(super) fn is_outdated(&self, hash: &str) -> bool {
        self.ownership == Ownership::Ours && self.hash.as_ref().is_some_and(|noted| noted != hash)
    }
}

/// Whose an object is that has the name of a child of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ownership {
    /// This cluster's.
    #[default]
    Ours,
    /// That of an earlier cluster of the same name: garbage collection is about to take it.
    Predecessor,
    /// Somebody else's: it is never touched.
    Foreign,
}

impl Ownership {
    /// Whose an object is whose controlling owner has this kind, name and UID.
    pub fn of(owner: Option<(&str, &str, &str)>, cluster_name: &str, cluster_uid: &str) -> Self {
        match owner {
            Some((_, _, uid)) if uid == cluster_uid => Self::Ours,
            Some(("DaskCluster", name, _)) if name == cluster_name => Self::Predecessor,
            _ => Self::Foreign,
        }
    }
}

/// The scheduler's Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// The object.
    pub child: Child,
    /// Whether it is of type LoadBalancer and still without an address.
    pub awaits_address: bool,
}

/// The default worker group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DefaultGroup {
    /// The object; `hash` is that of the worker spec pushed last.
    pub child: Child,
    /// The replicas pushed last.
    pub pushed_replicas: Option<i64>,
    /// Its `spec.worker` now.
    pub worker: Value,
    /// Worker pods that exist, by its status.
    pub replicas: i64,
    /// Worker pods that are ready, by its status.
    pub ready_replicas: i64,
    /// Whether its status tells of its present spec.
    pub status_is_current: bool,
    /// What it tells of workers that are being replaced.
    pub roll: Option<Reason>,
}

/// One pod of the scheduler's Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SchedulerPod {
    /// Its name.
    pub name: String,
    /// Whether it is ready.
    pub ready: bool,
    /// Since when; None if its status does not say so.
    pub ready_since: Option<Timestamp>,
    /// Whether it is being deleted: it is never asked anything.
    pub terminating: bool,
    /// Whether its containers have ended, as after an eviction.
    pub ended: bool,
    /// What keeps it from being ready.
    pub trouble: Option<Trouble>,
}

impl Observed {
    /// The scheduler's pod that is not on its way out, a ready one first.
    pub fn live_scheduler(&self) -> Option<&SchedulerPod> {
        let live = || self.scheduler_pods.iter().filter(|pod| pod.is_live());
        live().find(|pod| pod.ready).or_else(|| live().next())
    }
}

impl SchedulerPod {
    /// Whether it is not on its way out.
    pub fn is_live(&self) -> bool {
        !self.terminating && !self.ended
    }
}
