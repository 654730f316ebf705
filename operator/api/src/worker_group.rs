//! The kind `DaskWorkerGroup`: workers of one shape.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::parts::WorkerSpec;
use crate::schema;

/// What a group of workers should be.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "kubernetes.dask.org",
    version = "v1",
    kind = "DaskWorkerGroup",
    plural = "daskworkergroups",
    shortname = "daskworkers",
    namespaced,
    status = "DaskWorkerGroupStatus",
    derive = "PartialEq",
    derive = "Default",
    attr = "cfg_attr(all(), serde(default))",
    doc = "Workers of one shape, belonging to a DaskCluster.",
    scale(
        spec_replicas_path = ".spec.worker.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Workers", type_ = "integer", json_path = ".spec.worker.replicas"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Cluster", type_ = "string", priority = 1, json_path = ".spec.cluster"),
    printcolumn(
        name = "Ready Workers",
        type_ = "integer",
        priority = 1,
        json_path = ".status.readyReplicas"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    )
)]
pub struct DaskWorkerGroupSpec {
    /// The name of the `DaskCluster`, in the same namespace, that the workers join.
    pub cluster: String,
    /// The workers.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub worker: WorkerSpec,
}

/// What a group of workers is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DaskWorkerGroupStatus {
    /// Worker pods that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Worker pods that are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// What each of its workers offers, so that it is known, too, while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offers: Option<Offers>,
    /// Selects the worker pods, as autoscalers want it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// What is true of the group now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The generation of the spec that this status tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What each worker of a group offers, as far as it is known: as one has told that registered, else by the flags and fields
/// that it is made from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Offers {
    /// Worker processes in its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Threads of each process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
    /// Bytes that each process may use; 0 if nothing limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<i64>,
    /// Dask's abstract resources of each process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<BTreeMap<String, f64>>,
    /// The hash of the template of the worker that told it; absent if none has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}
