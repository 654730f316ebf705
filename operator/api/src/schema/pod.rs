//! The schemas of pod specs: of the scheduler and the workers, which the operator completes, and of a job's runner.

use k8s_openapi::api::core::v1::PodSpec;
use schemars::{Schema, SchemaGenerator};
use serde_json::json;

use super::open::{merge_by, open, set};

/// The scheduler's pod.
pub(crate) fn scheduler_pod_spec(_: &mut SchemaGenerator) -> Schema {
    completed("scheduler")
}

/// A worker's pod.
pub(crate) fn worker_pod_spec(_: &mut SchemaGenerator) -> Schema {
    completed("worker")
}

/// A runner's pod, which nobody completes.
pub(crate) fn job_pod_spec(_: &mut SchemaGenerator) -> Schema {
    let mut spec = pod_spec();
    set(&mut spec, "/properties/restartPolicy", "default", json!("OnFailure"));
    spec
}

/// A pod whose containers may be left out. The defaults are the least that the Python client reads of a container
/// when it attaches to a cluster; an empty image is the sign for the operator to do the rest.
fn completed(container: &str) -> Schema {
    let mut spec = pod_spec();
    let containers = json!([{"name": container, "image": "", "args": [], "env": [], "resources": {}}]);
    set(&mut spec, "", "default", json!({}));
    set(&mut spec, "/properties/containers", "default", containers);
    set(&mut spec, "/properties/containers/items/properties/image", "default", json!(""));
    spec.remove("required");
    spec
}

/// A pod spec with the merge keys of the Python operator's schema, on which server-side apply relies.
fn pod_spec() -> Schema {
    let mut spec = open::<PodSpec>();
    for list in ["containers", "initContainers"] {
        let ports = format!("/properties/{list}/items/properties/ports");
        merge_by(&mut spec, &ports, json!(["containerPort", "protocol"]));
        set(&mut spec, &format!("{ports}/items/properties/protocol"), "default", json!("TCP"));
    }
    let spread = "/properties/topologySpreadConstraints";
    merge_by(&mut spec, spread, json!(["topologyKey", "whenUnsatisfiable"]));
    spec
}
