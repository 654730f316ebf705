//! One hash for JSON that does not depend on the order of keys.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The first 16 hexadecimal digits of the SHA-256 of a template's canonical text: sorted keys, and without what the
/// definitions' defaults add, so that a default and its absence are the same.
pub fn hash(template: &Value) -> String {
    let mut text = String::new();
    canonical(template, &mut text);
    hash_text(&text)
}

/// The same of plain text.
pub(crate) fn hash_text(text: &str) -> String {
    Sha256::digest(text).iter().take(8).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().filter(|(key, field)| !is_default(key, field)).collect();
            sorted.sort_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (key, field) in sorted {
                let _ = write!(text, "{key:?}:");
                canonical(field, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        scalar => {
            let _ = write!(text, "{scalar}");
        }
    }
}

/// What the definitions add to a container that does not say it, and null, which is no value.
fn is_default(key: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => key == "resources" && fields.is_empty(),
        Value::Array(items) => matches!(key, "args" | "env") && items.is_empty(),
        Value::String(text) => key == "image" && text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_and_the_order_of_keys_do_not_matter() {
        let full =
            json!({"name": "worker", "image": "", "args": [], "env": [], "resources": {}, "command": null});
        assert_eq!(hash(&full), hash(&json!({"name": "worker"})));
        let ordered: Value = serde_json::from_str(r#"{"a":1,"b":2}"#).unwrap();
        let reversed: Value = serde_json::from_str(r#"{"b":2,"a":1}"#).unwrap();
        assert_eq!(hash(&ordered), hash(&reversed));
    }

    #[test]
    fn every_other_value_matters() {
        assert_ne!(hash(&json!({"a": 1})), hash(&json!({"a": 2})));
        assert_ne!(hash(&json!({"a": [1, 2]})), hash(&json!({"a": [2, 1]})));
        assert_ne!(hash(&json!({"namespaceSelector": {}})), hash(&json!({})));
    }
}
