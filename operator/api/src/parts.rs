//! The parts that clusters and groups share: what pods are made from.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::raw::RawJson;
use crate::schema;

/// Labels and annotations for the pods of one component.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct TemplateMetadata {
    /// Annotations added to the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Labels added to the pods; the operator's own labels win.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// The scheduler of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchedulerSpec {
    /// Labels and annotations of the scheduler's pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// The scheduler's pod. A container without an image is completed by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::scheduler_pod_spec")]
    pub spec: Option<RawJson>,
    /// The Service in front of the scheduler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::service_spec")]
    pub service: Option<RawJson>,
    /// Requests and limits of the scheduler container, when the operator completes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::resources")]
    pub resources: Option<RawJson>,
}

/// The workers of a group.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerSpec {
    /// How many workers there should be.
    #[serde(default = "one", deserialize_with = "count")]
    pub replicas: i32,
    /// Labels and annotations of the worker pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// The worker's pod. A container without an image is completed by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::worker_pod_spec")]
    pub spec: Option<RawJson>,
    /// Requests and limits of the worker container, when the operator completes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::resources")]
    pub resources: Option<RawJson>,
    /// Threads in each worker process (`dask worker --nthreads`). Several threads suit numpy, pandas and other
    /// code that releases Python's global lock; pure Python wants processes. A `--nthreads` among the
    /// container's own arguments wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub threads: Option<u32>,
    /// Worker processes in each pod (`dask worker --nworkers`), which share the pod's memory limit equally.
    /// Pure Python code runs in parallel only in several processes. A `--nworkers` among the container's own
    /// arguments wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub processes: Option<u32>,
    /// Dask's abstract resources that each worker process offers (`dask worker --resources`), for example `GPU: 1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dask_resources")]
    pub dask_resources: Option<BTreeMap<String, f64>>,
    /// A volume for data that does not fit into memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spill: Option<Spill>,
    /// How workers leave when fewer are wanted, or when others take their places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
    /// How workers that were made from an earlier version of this template are replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = schema::not_both_none()))]
    pub update_strategy: Option<UpdateStrategy>,
}

impl Default for WorkerSpec {
    fn default() -> Self {
        Self {
            replicas: one(),
            metadata: None,
            spec: None,
            resources: None,
            threads: None,
            processes: None,
            dask_resources: None,
            spill: None,
            drain: None,
            update_strategy: None,
        }
    }
}

/// Where workers put data that does not fit into memory.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Spill {
    /// Size of the volume, for example `20Gi`. A worker that writes more is evicted.
    #[schemars(schema_with = "schema::quantity")]
    pub size: String,
}

/// A worker that is to leave ends its tasks and hands over its data before its pod is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// How long it may take, in seconds; 120 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_seconds: Option<u32>,
    /// What becomes of a worker that is not done by then: it is deleted all the same, by default, or it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_timeout: Option<OnTimeout>,
}

/// Workers are replaced a few at a time; each leaves as a worker does when fewer are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateStrategy {
    /// Whether the operator replaces them, by default, or whoever deletes them.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<UpdateType>,
    /// How many workers may be there beyond those that are wanted, as a number or a percentage of them, rounded up; 1
    /// by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count_or_percentage")]
    pub max_surge: Option<IntOrString>,
    /// How many of those that are wanted may be missing, as a number or a percentage of them, rounded down; none by
    /// default, or 1 where `maxSurge` is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::count_or_percentage")]
    pub max_unavailable: Option<IntOrString>,
}

/// Who replaces workers that were made from an earlier template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum UpdateType {
    /// The operator, as soon as the new ones work.
    #[default]
    RollingUpdate,
    /// Whoever deletes their pods.
    OnDelete,
}

/// What becomes of a worker that cannot leave in time without a loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum OnTimeout {
    /// It is deleted.
    #[default]
    Delete,
    /// It stays until the group changes.
    Keep,
}

fn one() -> i32 {
    1
}

/// The schema has always taken any integer. One that no count of pods can reach still reads, so that the object
/// can be told about it.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    let count = i64::deserialize(deserializer)?;
    Ok(i32::try_from(count).unwrap_or(if count < 0 { i32::MIN } else { i32::MAX }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_beyond_any_count_of_pods_still_read() {
        let replicas = |text: &str| serde_json::from_str::<WorkerSpec>(text).unwrap().replicas;
        assert_eq!(replicas(r#"{"replicas": 9000000000}"#), i32::MAX);
        assert_eq!(replicas(r#"{"replicas": -9000000000}"#), i32::MIN);
        assert_eq!(replicas(r#"{"replicas": 3}"#), 3);
        assert_eq!(replicas("{}"), 1);
    }
}
