//! What a pod's status tells: how far it has come, and what keeps it from running.

mod container;

use std::net::IpAddr;

use dask_operator_api::conditions::Reason;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Deserialize;

use container::ContainerStatus;

/// A kubelet says within this time after a crash that the pod is not ready.
const NOTICED: SignedDuration = SignedDuration::from_secs(60);

/// The part of a pod's status that is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    phase: String,
    reason: String,
    message: String,
    #[serde(rename = "podIP")]
    pod_ip: String,
    #[serde(rename = "hostIP")]
    host_ip: String,
    conditions: Vec<PodCondition>,
    init_container_statuses: Vec<ContainerStatus>,
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodCondition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    message: String,
    last_transition_time: Option<Time>,
}

/// How far a pod has come, in the order in which pods are given up when fewer are wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// All its containers have ended.
    Ended(Ended),
    /// No node was found for it yet.
    Unscheduled,
    /// Its containers are not all running and ready.
    NotReady,
    /// Ready.
    Ready,
}

/// How a pod ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// Whether with an error: an exit code other than 0, an eviction, a kill for memory.
    pub failed: bool,
    /// How, if it failed.
    pub trouble: Trouble,
}

/// What keeps a pod from running.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    /// Which kind of thing.
    pub reason: Reason,
    /// In Kubernetes' own words: the scheduler's, the kubelet's or the container's last.
    pub words: String,
}

impl PodStatus {
    /// How far the pod has come that was created then.
    pub fn stage(&self, created: Timestamp) -> Stage {
        match self.phase.as_str() {
            "Succeeded" | "Failed" => Stage::Ended(self.ended(created)),
            _ if self.is("Ready", "True") => Stage::Ready,
            _ if self.is("PodScheduled", "True") => Stage::NotReady,
            _ => Stage::Unscheduled,
        }
    }

    /// What keeps a pod that has not ended from running. A container that keeps crashing has the same trouble while it
    /// waits, while it starts once more, and while it ends: from its crash until the pod is ready.
    pub fn trouble(&self) -> Option<Trouble> {
        if self.is("Ready", "True") {
            return None;
        }
        let unscheduled = self.condition("PodScheduled").filter(|condition| condition.status == "False");
        let unscheduled = unscheduled
            .map(|condition| Trouble { reason: Reason::Unschedulable, words: condition.message.clone() });
        unscheduled
            .or_else(|| self.containers().find_map(ContainerStatus::cannot_start))
            .or_else(|| self.containers().find_map(|container| container.crash(self.crashed_before())))
    }

    /// Since when it is ready, if it is.
    pub fn ready_since(&self) -> Option<Timestamp> {
        let ready = self.condition("Ready").filter(|condition| condition.status == "True")?;
        ready.last_transition_time.as_ref().map(|time| time.0)
    }

    /// The pod's address, once it has one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.pod_ip.parse().ok()
    }

    /// Whether the address is its node's, and so that of others, too.
    pub fn shares_ip(&self) -> bool {
        self.pod_ip == self.host_ip
    }

    fn containers(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.init_container_statuses.iter().chain(&self.container_statuses)
    }

    fn condition(&self, type_: &str) -> Option<&PodCondition> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }

    fn is(&self, type_: &str, status: &str) -> bool {
        self.condition(type_).is_some_and(|condition| condition.status == status)
    }

    /// Crashes before this time were followed by a pod that was ready.
    fn crashed_before(&self) -> Timestamp {
        let unready = self.condition("Ready").and_then(|ready| ready.last_transition_time.as_ref());
        unready.map_or(Timestamp::MIN, |time| time.0.checked_sub(NOTICED).unwrap_or(Timestamp::MIN))
    }

    fn ended(&self, created: Timestamp) -> Ended {
        let of_containers = self.containers().filter_map(ContainerStatus::ended_at).max();
        let of_pod = self
            .conditions
            .iter()
            .filter_map(|one| one.last_transition_time.as_ref())
            .map(|time| time.0)
            .max();
        Ended {
            at: of_containers.or(of_pod).unwrap_or(created),
            failed: self.phase == "Failed",
            trouble: self.end(),
        }
    }

    /// What the pod itself says comes first: containers of an evicted pod end by a mere signal.
    fn end(&self) -> Trouble {
        if !self.reason.is_empty() {
            let words = format!("{}: {}", self.reason, self.message);
            return Trouble { reason: Reason::Evicted, words };
        }
        let failed = self.containers().find_map(ContainerStatus::failure);
        let silent = || Trouble { reason: Reason::ContainerFailed, words: "its containers ended".to_owned() };
        failed.unwrap_or_else(silent)
    }
}
