//! What is kept of a pod.

use std::marker::PhantomData;

use dask_operator_api::{labels, names};
use dask_operator_plan::cluster::SchedulerPod;
use dask_operator_plan::worker_group::{Ended, Stage, WorkerPod};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod as K8sPod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
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

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStatus {
    #[serde(default)]
    phase: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    conditions: Vec<PodCondition>,
    #[serde(default)]
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodCondition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    last_transition_time: Option<Time>,
}

#[derive(Clone, Debug, Deserialize)]
struct ContainerStatus {
    #[serde(default)]
    name: String,
    #[serde(default)]
    state: ContainerState,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ContainerState {
    #[serde(default)]
    waiting: Option<Waiting>,
    #[serde(default)]
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Deserialize)]
struct Waiting {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terminated {
    exit_code: i32,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    finished_at: Option<Time>,
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
    waiting: Option<String>,
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
            stage: stage(&pod.status, created),
            crashes: crashes.unwrap_or(0),
            waiting: waiting(&pod.status),
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
            message: self.waiting.clone(),
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
            waiting: self.waiting.clone(),
        }
    }
}

fn stage(status: &PodStatus, created: Timestamp) -> Stage {
    match status.phase.as_str() {
        "Succeeded" | "Failed" => Stage::Ended(ended(status, created)),
        _ if is_true(status, "Ready") => Stage::Ready,
        _ if is_true(status, "PodScheduled") => Stage::NotReady,
        _ => Stage::Unscheduled,
    }
}

fn is_true(status: &PodStatus, type_: &str) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == type_ && condition.status == "True")
}

fn ended(status: &PodStatus, created: Timestamp) -> Ended {
    let ends =
        || status.container_statuses.iter().filter_map(|c| Some((&c.name, c.state.terminated.as_ref()?)));
    let of_containers = ends().filter_map(|(_, end)| end.finished_at.as_ref()).map(|time| time.0).max();
    let of_pod =
        status.conditions.iter().filter_map(|one| one.last_transition_time.as_ref()).map(|time| time.0).max();
    let worst = ends().find(|(_, end)| end.exit_code != 0);
    let message = match worst {
        Some((name, end)) => {
            let words = end.message.trim();
            let words = if words.is_empty() { String::new() } else { format!(": {}", last_line(words)) };
            format!("container {name} ended with exit code {} ({}){words}", end.exit_code, end.reason)
        }
        None if !status.reason.is_empty() => format!("{}: {}", status.reason, status.message),
        None => "its containers ended".to_owned(),
    };
    Ended { at: of_containers.or(of_pod).unwrap_or(created), failed: status.phase == "Failed", message }
}

fn last_line(words: &str) -> &str {
    words.lines().next_back().unwrap_or_default()
}

fn waiting(status: &PodStatus) -> Option<String> {
    let container = status.container_statuses.iter().find_map(|container| container.state.waiting.as_ref());
    let of_container = container.filter(|waiting| waiting.reason != "ContainerCreating");
    if let Some(waiting) = of_container {
        return Some(format!("{} {}", waiting.reason, waiting.message).trim().to_owned());
    }
    let unscheduled =
        |condition: &&PodCondition| condition.type_ == "PodScheduled" && condition.status == "False";
    status.conditions.iter().find(unscheduled).map(|condition| condition.message.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(status: &serde_json::Value) -> PodRecord {
        let pod =
            json!({"metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"}, "status": status});
        PodRecord::from(serde_json::from_value::<Pod>(pod).unwrap())
    }

    #[test]
    fn a_pod_is_unscheduled_until_it_has_a_node() {
        assert_eq!(record(&json!({"phase": "Pending"})).worker().stage, Stage::Unscheduled);
        let scheduled =
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]});
        assert_eq!(record(&scheduled).worker().stage, Stage::NotReady);
    }

    #[test]
    fn an_end_carries_exit_code_reason_and_last_words() {
        let record = record(
            &json!({"phase": "Failed", "containerStatuses": [{"name": "worker", "state": {"terminated":
            {"exitCode": 137, "reason": "OOMKilled", "message": "first\nlast", "finishedAt": "2026-01-01T00:01:00Z"}}}]}),
        );
        let Stage::Ended(end) = record.worker().stage else { panic!("it ended") };
        assert!(end.failed);
        assert_eq!(end.message, "container worker ended with exit code 137 (OOMKilled): last");
        assert_eq!(end.at, "2026-01-01T00:01:00Z".parse().unwrap());
    }

    #[test]
    fn an_eviction_is_told_in_the_kubelets_words() {
        let record =
            record(&json!({"phase": "Failed", "reason": "Evicted", "message": "node was low on memory"}));
        let Stage::Ended(end) = record.worker().stage else { panic!("it ended") };
        assert_eq!(end.message, "Evicted: node was low on memory");
    }
}
