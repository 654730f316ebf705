//! Overlays on one container: what is the user's stays, what is ours is appended.

use serde_json::{Map, Value, json};

/// One container as JSON.
pub(crate) type Container = Map<String, Value>;

/// Whether the user left the container to us: it names no image.
pub(crate) fn is_ours_to_complete(container: &Container) -> bool {
    text(container, "image").is_empty()
}

/// A text field, empty when absent.
pub(crate) fn text<'a>(container: &'a Container, field: &str) -> &'a str {
    container.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Sets a field that the user left out or left empty.
pub(crate) fn set_absent(container: &mut Container, field: &str, value: Value) {
    let empty = match container.get(field) {
        None | Some(Value::Null) => true,
        Some(Value::Array(list)) => list.is_empty(),
        Some(Value::Object(fields)) => fields.is_empty(),
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    if empty {
        container.insert(field.to_owned(), value);
    }
}

/// Whether the container defines the variable itself.
pub(crate) fn has_env(container: &Container, name: &str) -> bool {
    let env = container.get("env").and_then(Value::as_array);
    env.into_iter().flatten().any(|variable| variable["name"] == name)
}

/// Appends a variable unless the user defined it.
pub(crate) fn append_env(container: &mut Container, name: &str, value: &str) {
    if !has_env(container, name) {
        append(container, "env", json!({"name": name, "value": value}));
    }
}

/// Appends a variable with a field of the pod unless the user defined it.
pub(crate) fn append_field(container: &mut Container, name: &str, path: &str) {
    if !has_env(container, name) {
        let from = json!({"fieldRef": {"fieldPath": path}});
        append(container, "env", json!({"name": name, "valueFrom": from}));
    }
}

/// Appends an item to a list field.
pub(crate) fn append(container: &mut Container, field: &str, item: Value) {
    let list = container.entry(field).or_insert_with(|| json!([]));
    if list.is_null() {
        *list = json!([]);
    }
    if let Value::Array(list) = list {
        list.push(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_of_the_users_own_wins_and_ours_comes_last() {
        let mut container = Container::new();
        append_env(&mut container, "A", "first");
        append_env(&mut container, "A", "second");
        append_env(&mut container, "B", "third");
        let expected = json!([{"name": "A", "value": "first"}, {"name": "B", "value": "third"}]);
        assert_eq!(container["env"], expected);
    }

    #[test]
    fn empty_counts_as_absent() {
        for empty in [json!(null), json!([]), json!({}), json!("")] {
            let mut container = Container::from_iter([("field".to_owned(), empty)]);
            set_absent(&mut container, "field", json!("ours"));
            assert_eq!(container["field"], "ours");
        }
    }
}
