//! The kind `DaskCluster`: a scheduler and its workers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::parts::{SchedulerSpec, WorkerSpec};
use crate::raw::RawJson;
use crate::schema;

/// What a Dask cluster should be.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "kubernetes.dask.org",
    version = "v1",
    kind = "DaskCluster",
    plural = "daskclusters",
    shortname = "daskcluster",
    shortname = "dsk",
    namespaced,
    status = "DaskClusterStatus",
    derive = "PartialEq",
    doc = "A Dask cluster: one scheduler and its workers.",
    scale(
        spec_replicas_path = ".spec.worker.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Workers", type_ = "integer", json_path = ".spec.worker.replicas"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Scheduler",
        type_ = "string",
        priority = 1,
        json_path = ".status.conditions[?(@.type==\"SchedulerReady\")].status"
    ),
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
#[serde(rename_all = "camelCase")]
pub struct DaskClusterSpec {
    /// Seconds without work after which the cluster is deleted, or suspended, unless datasets are published in it; 0
    /// means never.
    #[serde(default)]
    pub idle_timeout: i64,
    /// What becomes of it then; `Delete`, if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_action: Option<IdleAction>,
    /// Whether it is to have neither scheduler nor workers for now, whatever they do and hold. What describes them stays,
    /// and they come back under the same names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// The image of every container that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Dask configuration for the scheduler and the workers, as one would write it in a file of `~/.config/dask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::free_object")]
    pub config: Option<RawJson>,
    /// When its pods are kept from eviction; never, if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disruption_protection: Option<DisruptionProtection>,
    /// The scheduler.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub scheduler: SchedulerSpec,
    /// The workers of the default group.
    #[serde(default)]
    #[schemars(extend("default" = {}))]
    pub worker: WorkerSpec,
}

/// What a Dask cluster is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DaskClusterStatus {
    /// `Created`, `Pending`, `Running` or `Error`. `Running` means that clients can address the scheduler's
    /// Service; the conditions tell what is ready behind it.
    #[serde(default, deserialize_with = "known", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub phase: Option<Phase>,
    /// Worker pods of the default group that exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Worker pods of the default group that are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_replicas: Option<i32>,
    /// Selects the worker pods of the default group, as autoscalers want it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// The value of the annotation `dask.org/restart-scheduler` that the scheduler was made or restarted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_scheduler: Option<String>,
    /// Since when it is suspended for having had nothing to do; `suspend` leaves no trace here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_suspended_since: Option<Time>,
    /// The value of the annotation `dask.org/resume` that was acted upon last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<String>,
    /// What is true of the cluster now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The generation of the spec that this status tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// What becomes of a cluster that had nothing to do for `idleTimeout`: `Delete`, which is meant if nothing is said, takes it
/// away with all that it owns, `Suspend` stops its scheduler and its workers until somebody resumes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum IdleAction {
    /// It is deleted.
    #[default]
    Delete,
    /// It is suspended.
    Suspend,
}

/// When the pods of the cluster are kept from eviction, as by `kubectl drain` and by autoscalers of nodes: `None`
/// means never, `WhileBusy` while a group wants workers or has some, `Always` always. Losses that nobody asks
/// Kubernetes about, as of a node, are not prevented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum DisruptionProtection {
    /// Never.
    #[default]
    None,
    /// While it has workers.
    WhileBusy,
    /// For as long as it exists.
    Always,
}

/// How far a cluster has come, in the words of the Python operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Phase {
    /// Seen, but the scheduler's Service does not exist yet.
    Created,
    /// The scheduler's load balancer has no address yet.
    Pending,
    /// Clients can address the scheduler's Service.
    Running,
    /// The spec cannot be followed; the condition `Ready` says why.
    Error,
}

/// The schema has always taken any text. A word that we do not know is no phase at all, so that it is replaced.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Phase>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_phase_reads_as_none() {
        let phase = |text: &str| serde_json::from_str::<DaskClusterStatus>(text).unwrap().phase;
        assert_eq!(phase(r#"{"phase": "Running"}"#), Some(Phase::Running));
        assert_eq!(phase(r#"{"phase": "Sleeping"}"#), None);
        assert_eq!(phase("{}"), None);
    }
}
