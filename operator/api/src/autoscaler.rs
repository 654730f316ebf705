//! The kind `DaskAutoscaler`: bounds between which a cluster scales with its work, and how.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

mod pace;

pub use pace::{PolicyType, ScaleDown, ScaleUp, ScalingPolicy, SelectPolicy};

/// Which cluster scales, and between which bounds.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "kubernetes.dask.org",
    version = "v1",
    kind = "DaskAutoscaler",
    plural = "daskautoscalers",
    namespaced,
    status = "DaskAutoscalerStatus",
    derive = "PartialEq",
    derive = "Default",
    attr = "cfg_attr(all(), serde(default))",
    doc = "Scales the workers of a DaskCluster with its work.",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.cluster"),
    printcolumn(name = "Minimum", type_ = "integer", json_path = ".spec.minimum"),
    printcolumn(name = "Maximum", type_ = "integer", json_path = ".spec.maximum"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Workers", type_ = "integer", priority = 1, json_path = ".status.replicas"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    )
)]
pub struct DaskAutoscalerSpec {
    /// The name of the `DaskCluster`, in the same namespace.
    pub cluster: String,
    /// Never fewer workers than this, in all groups together; 0 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<i64>,
    /// It makes no more workers than this, in all groups together; 1000 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<i64>,
    /// The worker groups that it scales; by default the cluster's default group alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub groups: Vec<ScaledGroup>,
    /// Workers are added until what is known of the work would take so many seconds; 5 by default. The smaller, the
    /// sooner it is done, and the more workers there are for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub target_duration_seconds: Option<u32>,
    /// When workers of a group have not started for so many seconds, other groups get their work; 60 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub fallback_after_seconds: Option<u32>,
    /// How workers become more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_up: Option<ScaleUp>,
    /// How workers become fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<ScaleDown>,
    /// Says what it would do, in its status, and does nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub advisory: bool,
}

/// One of the groups that are scaled.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaledGroup {
    /// The name of the `DaskWorkerGroup`, for example `demo-default`.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Never fewer of its workers than this; 0 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub minimum: Option<u32>,
    /// Never more of its workers than this; as many as the autoscaler may have by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub maximum: Option<u32>,
    /// Work goes to the groups of the highest priority first, and to others while those are full or cannot start
    /// workers: spot machines first, and others behind them. 0 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1000, max = 1000))]
    pub priority: Option<i32>,
}

/// What an autoscaler does.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DaskAutoscalerStatus {
    /// How many workers it wants, in all groups together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Its last decisions, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_decisions: Vec<LastDecision>,
    /// What is true of it now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The generation of the spec that this status tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// One decision that changed a group, or in advisory mode would have.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct LastDecision {
    /// When.
    #[schemars(schema_with = "schema::time")]
    pub time: Time,
    /// Which group.
    pub group: String,
    /// How many workers it had.
    pub from: i32,
    /// How many it has by this decision.
    pub to: i32,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
}

/// Why a group has as many workers as it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScalingReason {
    /// So many are needed for the tasks that can run, or soon can.
    Work,
    /// So many are needed to hold results in memory.
    Memory,
    /// Fewer have been enough for long.
    Idle,
    /// Workers of a group of a higher priority are there by now.
    MovedBack,
    /// A group of a higher priority is full, or cannot start workers.
    Fallback,
    /// No fewer are allowed.
    Minimum,
    /// No more are allowed.
    Maximum,
    /// More are needed, and `scaleUp` allows no more yet.
    ScaleUpLimit,
    /// Fewer are enough, and `scaleDown` allows no fewer yet.
    ScaleDownLimit,
    /// It is as it should be.
    Enough,
}

impl fmt::Display for ScalingReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
