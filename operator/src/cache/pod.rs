//! What is kept of a pod.

use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};

use dask_operator_api::{labels, names};
use dask_operator_plan::cluster::SchedulerPod;
use dask_operator_plan::sabotage::{self, Bug};
use dask_operator_plan::worker_group::{Mark, Stage, WorkerPod};
use dask_operator_plan::{PodStatus, Trouble, token};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod as K8sPod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use super::record::{Meta, Record, text};
use crate::scheduler::Place;

/// Where a scheduler serves HTTP unless its container names another port `http-dashboard`.
const HTTP_PORT: u16 = 8787;
/// Where it listens to workers and clients, unless its container names another port `tcp-comm`.
const COMM_PORT: u16 = 8786;

/// A pod, as far as the operator reads it.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = K8sPod)]
pub(crate) struct Pod {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PodSpec {
    containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Container {
    ports: Vec<Port>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Port {
    name: String,
    container_port: u16,
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
    ready_since: Option<Timestamp>,
    template: Option<String>,
    crashes: u32,
    trouble: Option<Trouble>,
    ip: Option<IpAddr>,
    shares_ip: bool,
    mark: Option<Mark>,
    /// Where it listens, if it is a scheduler: its HTTP server, and to workers and clients.
    port: u16,
    comm_port: u16,
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
    /// Where it answers, once it has been started. One that is busy may not be ready for a while.
    pub(crate) fn place(&self, cluster_uid: &str) -> Option<Place> {
        let address = self.address()?;
        let comm = SocketAddr::new(address.ip(), self.comm_port);
        Some(Place { pod_uid: self.meta.uid.clone(), address, comm, token: token(cluster_uid) })
    }

    /// The same without the right to ask.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let ends = self.meta.terminating || matches!(self.stage, Stage::Ended(_));
        Some(SocketAddr::new(self.ip.filter(|_| !ends)?, self.port))
    }

    /// Whether a `ReplicaSet` of the cluster's Deployment made it: anybody may put our labels on a pod.
    pub(crate) fn is_made_for(&self, cluster: &str) -> bool {
        let begin = format!("{}-", names::scheduler_name(cluster));
        let of = self.meta.owner.as_ref().filter(|owner| owner.kind == "ReplicaSet");
        of.is_some_and(|owner| owner.name.starts_with(&begin))
    }
}

impl PodSpec {
    fn port(&self, name: &str) -> Option<u16> {
        let mut ports = self.containers.iter().flat_map(|container| &container.ports);
        ports.find(|port| port.name == name).map(|port| port.container_port)
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
        let note = |name| metadata.annotations.as_ref()?.get(name);
        let crashes = note(labels::CRASHES).and_then(|text| text.parse().ok());
        let created = metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        Self {
            meta: Meta::of(metadata),
            parent: text(metadata.labels.as_ref(), parent),
            created,
            stage: pod.status.stage(created),
            ready_since: pod.status.ready_since(),
            template: note(labels::TEMPLATE_HASH).cloned(),
            crashes: crashes.unwrap_or(0),
            trouble: pod.status.trouble(),
            ip: pod.status.ip(),
            shares_ip: pod.status.shares_ip(),
            mark: note(labels::DRAINING).and_then(|text| Mark::parse(text)),
            port: pod.spec.port("http-dashboard").unwrap_or(HTTP_PORT),
            comm_port: pod.spec.port("tcp-comm").unwrap_or(COMM_PORT),
            role: PhantomData,
        }
    }

    /// Since when it is ready, if it is.
    pub(crate) fn ready_since(&self) -> Option<Timestamp> {
        self.ready_since
    }

    /// The pod as a cluster's plan sees its scheduler.
    pub(crate) fn scheduler(&self) -> SchedulerPod {
        SchedulerPod {
            name: self.meta.key.name.clone(),
            ready: self.stage == Stage::Ready,
            ready_since: self.ready_since,
            terminating: self.meta.terminating,
            ended: matches!(self.stage, Stage::Ended(_)),
            trouble: self.trouble.clone(),
        }
    }

    /// What is known of it from before: since when it has been leaving, by our own clock.
    pub(crate) fn since(mut self, before: Option<&Self>, now: Timestamp) -> Self {
        let before = before.filter(|before| before.meta.uid == self.meta.uid).and_then(|before| before.mark);
        if let Some(Mark::Leaves(since)) = &mut self.mark
            && !sabotage::is(Bug::MarkOfAnotherClock)
        {
            *since = match before {
                Some(Mark::Leaves(known)) => known,
                _ => now,
            };
        }
        self
    }

    /// The pod as a group's plan sees it.
    pub(crate) fn worker(&self) -> WorkerPod {
        WorkerPod {
            name: self.meta.key.name.clone(),
            uid: self.meta.uid.clone(),
            created: self.created,
            terminating: self.meta.terminating,
            stage: self.stage.clone(),
            ready_since: self.ready_since,
            template: self.template.clone(),
            crashes: self.crashes,
            trouble: self.trouble.clone(),
            ip: self.ip.filter(|_| !self.shares_ip),
            mark: self.mark,
        }
    }
}
