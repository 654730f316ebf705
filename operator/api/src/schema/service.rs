//! The schema of the Service in front of a scheduler.

use k8s_openapi::api::core::v1::ServiceSpec;
use schemars::{Schema, SchemaGenerator};
use serde_json::json;

use super::open::{merge_by, open, set};

/// A Service that may be left out, or leave out its ports.
pub(crate) fn service_spec(_: &mut SchemaGenerator) -> Schema {
    let mut spec = open::<ServiceSpec>();
    let ports = "/properties/ports";
    merge_by(&mut spec, ports, json!(["port", "protocol"]));
    set(&mut spec, "/properties/ports/items/properties/protocol", "default", json!("TCP"));
    let defaults = json!([
        {"name": "tcp-comm", "port": 8786, "protocol": "TCP", "targetPort": "tcp-comm"},
        {"name": "http-dashboard", "port": 8787, "protocol": "TCP", "targetPort": "http-dashboard"},
    ]);
    set(&mut spec, ports, "default", defaults);
    set(&mut spec, "", "default", json!({}));
    spec
}
