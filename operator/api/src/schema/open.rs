//! Kubernetes' own schemas, opened: what they know is named, and what a later server knows is neither pruned nor refused.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

/// All that is kept of a schema. Enumerations and formats are left to the server that makes the pod: it may know
/// more values than we do.
const KEPT: [&str; 6] =
    ["type", "properties", "items", "additionalProperties", "required", "x-kubernetes-int-or-string"];

/// Fields younger than Kubernetes 1.21, whose schema the Python operator has. It pruned them, so whatever they
/// held was accepted: nothing below them is required.
const YOUNGER: [&str; 10] = [
    "appArmorProfile",
    "claims",
    "clusterTrustBundle",
    "dataSourceRef",
    "grpc",
    "os",
    "resizePolicy",
    "resourceClaims",
    "schedulingGates",
    "sleep",
];

/// What later schemas require in older fields: the field, and the key that may be absent nevertheless.
const REQUIRED_LATER: [(&str, &str); 9] = [
    ("configMap", "name"),
    ("configMapKeyRef", "name"),
    ("configMapRef", "name"),
    ("hostAliases", "ip"),
    ("imagePullSecrets", "name"),
    ("nodePublishSecretRef", "name"),
    ("secret", "name"),
    ("secretKeyRef", "name"),
    ("secretRef", "name"),
];

/// The schema of `T` as one piece, opened.
pub(super) fn open<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::openapi3().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    loosen(schema.ensure_object(), "", false);
    schema
}

/// Adds `key` to the part of `schema` that a JSON pointer names.
pub(super) fn set(schema: &mut Schema, pointer: &str, key: &str, value: Value) {
    if let Some(part) = schema.pointer_mut(pointer).and_then(Value::as_object_mut) {
        part.insert(key.to_owned(), value);
    }
}

/// Makes the list that `pointer` names a map by `keys`.
pub(super) fn merge_by(schema: &mut Schema, pointer: &str, keys: Value) {
    set(schema, pointer, "x-kubernetes-list-type", Value::from("map"));
    set(schema, pointer, "x-kubernetes-list-map-keys", keys);
}

/// Opens the schema of the field `name` and all below it.
fn loosen(schema: &mut Map<String, Value>, name: &str, younger: bool) {
    schema.retain(|key, _| KEPT.contains(&key.as_str()));
    loosen_required(schema, name, younger);
    if is_struct(schema) {
        schema.insert("x-kubernetes-preserve-unknown-fields".to_owned(), Value::Bool(true));
    }
    for key in ["items", "additionalProperties"] {
        if let Some(child) = schema.get_mut(key).and_then(Value::as_object_mut) {
            loosen(child, name, younger);
        }
    }
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (name, child) in properties {
        if let Some(child) = child.as_object_mut() {
            loosen(child, name, younger || YOUNGER.contains(&name.as_str()));
        }
    }
}

fn loosen_required(schema: &mut Map<String, Value>, name: &str, younger: bool) {
    let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) else { return };
    let later = |key: &Value| REQUIRED_LATER.iter().any(|(field, new)| name == *field && key == new);
    required.retain(|key| !younger && !later(key));
    if required.is_empty() {
        schema.remove("required");
    }
}

/// A map has free keys already, and a schema that says both is refused.
fn is_struct(schema: &Map<String, Value>) -> bool {
    schema.get("type").is_some_and(|kind| kind == "object") && !schema.contains_key("additionalProperties")
}
