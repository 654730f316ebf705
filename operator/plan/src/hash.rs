//! One hash for JSON that does not depend on the order of keys.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The first 16 hexadecimal digits of the SHA-256 of the canonical text: sorted keys, no nulls and no empty values,
/// since an absent field and an empty one mean the same to Kubernetes.
pub fn hash(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    Sha256::digest(text).iter().take(8).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().filter(|(_, field)| !is_empty(field)).collect();
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

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn empty_values_and_the_order_of_keys_do_not_matter() {
        let full = json!({"b": [1, {"x": null}], "a": "t", "c": {}, "d": [], "e": ""});
        let bare: Value = serde_json::from_str(r#"{"a":"t","b":[1,{}]}"#).unwrap();
        assert_eq!(hash(&full), hash(&bare));
    }

    #[test]
    fn every_value_matters() {
        assert_ne!(hash(&json!({"a": 1})), hash(&json!({"a": 2})));
        assert_ne!(hash(&json!({"a": [1, 2]})), hash(&json!({"a": [2, 1]})));
        assert_ne!(hash(&json!({"a": 0})), hash(&json!({})));
    }
}
