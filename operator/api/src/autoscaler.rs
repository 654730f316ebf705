//! The kind `DaskAutoscaler`: bounds between which a cluster scales with its work.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which cluster scales, and between which bounds.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "kubernetes.dask.org",
    version = "v1",
    kind = "DaskAutoscaler",
    plural = "daskautoscalers",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    attr = "cfg_attr(all(), serde(default))",
    doc = "Scales the workers of a DaskCluster with its work.",
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.cluster"),
    printcolumn(name = "Minimum", type_ = "integer", json_path = ".spec.minimum"),
    printcolumn(name = "Maximum", type_ = "integer", json_path = ".spec.maximum"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct DaskAutoscalerSpec {
    /// The name of the `DaskCluster`, in the same namespace.
    pub cluster: String,
    /// Never fewer workers than this.
    pub minimum: i64,
    /// Never more workers than this.
    pub maximum: i64,
}
