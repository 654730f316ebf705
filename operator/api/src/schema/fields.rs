//! The schemas of our own fields where a Rust type alone would say too little.

use k8s_openapi::api::core::v1::ResourceRequirements;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::open::open;

/// Requests and limits as in a pod.
pub(crate) fn resources(_: &mut SchemaGenerator) -> Schema {
    open::<ResourceRequirements>()
}

/// An object of which every key is the user's.
pub(crate) fn free_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// The status that a cluster's template has for no reason but that it always had one.
pub(crate) fn cluster_status(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "properties": {"phase": {"type": "string"}}})
}

/// Dask writes these as `--resources "GPU=1 MEM=2"`, which cannot hold a space or an equals sign within a name.
pub(crate) fn dask_resources(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {"type": "number", "minimum": 0},
        "maxProperties": 64,
        "x-kubernetes-validations": [{
            "rule": "self.all(name, name.matches('^[^ =]+$'))",
            "message": "names in daskResources hold neither spaces nor '='",
        }],
    })
}

/// As in a Deployment's strategy.
pub(crate) fn count_or_percentage(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": true,
        "maxLength": 5,
        "x-kubernetes-validations": [{
            "rule": "type(self) == int ? self >= 0 : self.matches('^[0-9]+%$')",
            "message": "must be a number of workers, or a percentage of them such as 25%",
        }],
    })
}

/// Nobody could be replaced.
pub(crate) fn not_both_none() -> Value {
    let is_none = |field: &str| format!("(has(self.{field}) && string(self.{field}) in ['0', '0%'])");
    json!([{
        "rule": format!("!({} && {})", is_none("maxSurge"), is_none("maxUnavailable")),
        "message": "maxSurge and maxUnavailable cannot both be 0",
    }])
}

/// Which of none?
pub(crate) fn chosen_of_some() -> Value {
    json!([{
        "rule": "!has(self.selectPolicy) || self.selectPolicy == 'Disabled' || (has(self.policies) && size(self.policies) > 0)",
        "message": "selectPolicy chooses one of several policies, and there are none",
    }])
}

/// Nobody can take more than all away.
pub(crate) fn no_more_than_all() -> Value {
    json!([{
        "rule": "self.all(policy, policy.type != 'Percent' || policy.value <= 100)",
        "message": "no more than 100 percent of the workers can leave",
    }])
}

/// An amount of bytes.
pub(crate) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 32,
        "x-kubernetes-validations": [{
            "rule": "isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
            "message": "must be a positive quantity such as 20Gi",
        }],
    })
}

/// A time of day.
pub(crate) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}

/// Conditions, of which there is one of each type.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": {
                    "description": "When the status changed last.", "type": "string", "format": "date-time"
                },
                "message": {"description": "Why the condition has its status, for people.", "type": "string"},
                "observedGeneration": {
                    "description": "The generation of the spec that this condition tells of.",
                    "type": "integer",
                    "format": "int64",
                },
                "reason": {"description": "Why the condition has its status, in one word.", "type": "string"},
                "status": {"description": "`True` or `False`.", "type": "string"},
                "type": {"description": "What the condition speaks of.", "type": "string"},
            },
        },
    })
}
