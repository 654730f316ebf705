//! The smallest JSON merge patch (RFC 7386) that turns one value into another.

use serde_json::{Map, Value};

/// The patch, or `None` when nothing differs. Lists are replaced whole; a key that is not wanted becomes null.
pub(crate) fn merge_patch(current: &Value, wanted: &Value) -> Option<Value> {
    if current == wanted {
        return None;
    }
    let (Value::Object(current), Value::Object(wanted)) = (current, wanted) else {
        return Some(wanted.clone());
    };
    let gone = current.keys().filter(|key| !wanted.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let changed = wanted.iter().filter_map(|(key, value)| {
        let patch = match current.get(key) {
            Some(old) => merge_patch(old, value),
            None => Some(value.clone()),
        };
        patch.map(|patch| (key.clone(), patch))
    });
    Some(Value::Object(gone.chain(changed).collect::<Map<_, _>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_only_what_differs() {
        let current = json!({"same": 1, "gone": 2, "deep": {"same": [1], "list": [1]}});
        let wanted = json!({"same": 1, "deep": {"same": [1], "list": [2]}, "new": {}});
        let patch = merge_patch(&current, &wanted);
        assert_eq!(patch, Some(json!({"gone": null, "deep": {"list": [2]}, "new": {}})));
        assert_eq!(merge_patch(&wanted, &wanted), None);
    }
}
