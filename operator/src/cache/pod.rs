//! What is kept of a pod.

use std::marker::PhantomData;

use dask_operator_api::{labels, names};
use dask_operator_plan::cluster::SchedulerPod;
use dask_operator_plan::worker_group::{Stage, WorkerPod};
use dask_operator_plan::{PodStatus, Trouble};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod as K8sPod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use super::record::{Meta, Record, text};

/// A pod, as far as the operator reads it.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = K8sPod)]
pub(crate) struct Pod {
    metadata: ObjectMeta,
    #[serde(default)]
    status: PodStatus,
}

/// Pods of schedulers are filed under their cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scheduler;
/// Pods of workers are filed under their group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worker;

/// The few facts of a pod that plans read.
#[derive(Clone, Debug)]
pub(crate) struct PodRecord<Role = Worker> {
    meta: Meta,
    parent: String,
    created: Timestamp,
    stage: Stage,
    crashes: u32,
    trouble: Option<Trouble>,
    role: PhantomData<Role>,
}

impl<Role> Record for PodRecord<Role> {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn parent(&self) -> &str {
        &self.parent
    }
}

impl From<Pod> for PodRecord<Scheduler> {
    fn from(pod: Pod) -> Self {
        Self::of(&pod, labels::CLUSTER_NAME)
    }
}

impl PodRecord<Scheduler> {
    /// Whether a `ReplicaSet` of the cluster's Deployment made it: anybody may put our labels on a pod.
    pub(crate) fn is_made_for(&self, cluster: &str) -> bool {
        let begin = format!("{}-", names::scheduler_name(cluster));
        let of = self.meta.owner.as_ref().filter(|owner| owner.kind == "ReplicaSet");
        of.is_some_and(|owner| owner.name.starts_with(&begin))
    }
}

impl From<Pod> for PodRecord<Worker> {
    fn from(pod: Pod) -> Self {
        Self::of(&pod, labels::WORKER_GROUP_NAME)
    }
}

impl<Role> PodRecord<Role> {
    fn of(pod: &Pod, parent: &str) -> Self {
        let metadata = &pod.metadata;
        let crashes =
            metadata.annotations.as_ref().and_then(|notes| notes.get(labels::CRASHES)?.parse().ok());
        let created = metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        Self {
            meta: Meta::of(metadata),
            parent: text(metadata.labels.as_ref(), parent),
            created,
            stage: pod.status.stage(created),
            crashes: crashes.unwrap_or(0),
            trouble: pod.status.trouble(),
            role: PhantomData,
        }
    }

    /// The pod as a cluster's plan sees its scheduler.
    pub(crate) fn scheduler(&self) -> SchedulerPod {
        SchedulerPod {
            name: self.meta.key.name.clone(),
            ready: self.stage == Stage::Ready,
            terminating: self.meta.terminating,
            ended: matches!(self.stage, Stage::Ended(_)),
            trouble: self.trouble.clone(),
        }
    }

    /// The pod as a group's plan sees it.
    pub(crate) fn worker(&self) -> WorkerPod {
        WorkerPod {
            name: self.meta.key.name.clone(),
            uid: self.meta.uid.clone(),
            created: self.created,
            terminating: self.meta.terminating,
            stage: self.stage.clone(),
            crashes: self.crashes,
            trouble: self.trouble.clone(),
        }
    }
}
