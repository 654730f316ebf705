//! Walks the Python operator's schemas beside ours.

use serde_json::{Value, json};

use super::facts::{Field, kinds};
use dask_operator_api::crds::crds;

/// Keywords that make a schema accept less.
const NARROWING: [&str; 12] = [
    "enum",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "maxLength",
    "minLength",
    "maxItems",
    "minItems",
    "maxProperties",
    "minProperties",
    "x-kubernetes-validations",
];

/// What was found on the way.
#[derive(Default)]
struct Walk {
    compared: usize,
    problems: Vec<String>,
}

#[test]
fn nothing_that_the_python_operators_crds_accept_is_refused_or_pruned() {
    let mut walk = Walk::default();
    for (plural, theirs) in kinds() {
        walk.compare(&plural, &theirs, &schema(&plural));
    }
    assert_eq!(walk.problems, Vec::<String>::new());
    assert!(walk.compared > 6_000, "only {} fields were compared", walk.compared);
}

#[test]
fn a_narrower_schema_would_be_noticed() {
    let worker = "/properties/spec/properties/worker/properties";
    let claim = "volumes/items/properties/ephemeral/properties/volumeClaimTemplate/properties/metadata";
    let changes = [
        ("/properties/spec".to_owned(), "required", json!(["image"])),
        ("/properties/spec/properties/idleTimeout".to_owned(), "default", json!(1)),
        (format!("{worker}/replicas"), "format", json!("int32")),
        (format!("{worker}/spec/properties/containers"), "maxItems", json!(3)),
        (format!("{worker}/spec/properties/containers"), "type", json!("object")),
        (format!("{worker}/spec/properties/hostUsers"), "enum", json!([true])),
        (
            format!("{worker}/spec/properties/topologySpreadConstraints"),
            "x-kubernetes-list-map-keys",
            json!([]),
        ),
        (format!("{worker}/spec/properties/{claim}"), "x-kubernetes-preserve-unknown-fields", json!(false)),
    ];
    let (theirs, ours) = (kinds().remove("daskclusters").unwrap(), schema("daskclusters"));
    for (pointer, key, value) in changes {
        let mut ours = ours.clone();
        ours.pointer_mut(&pointer).unwrap()[key] = value;
        let mut walk = Walk::default();
        walk.compare("daskclusters", &theirs, &ours);
        assert_eq!(walk.problems.len(), 1, "{pointer} {key}: {:?}", walk.problems);
    }
}

fn schema(plural: &str) -> Value {
    let crd = crds().into_iter().find(|crd| crd.spec.names.plural == plural).unwrap();
    serde_json::to_value(crd.spec.versions[0].schema.as_ref().unwrap()).unwrap()["openAPIV3Schema"].take()
}

impl Walk {
    fn compare(&mut self, path: &str, theirs: &Field, ours: &Value) {
        self.compared += 1;
        self.compare_field(path, theirs, ours);
        for (name, child) in &theirs.children {
            let path = format!("{path}.{name}");
            match below(ours, name) {
                Some(ours) => self.compare(&path, child, ours),
                None => self.expect(keeps_unknown(ours), &path, "is pruned"),
            }
        }
        if keeps_unknown(ours) {
            self.check_younger(path, theirs, ours);
        }
    }

    fn compare_field(&mut self, path: &str, theirs: &Field, ours: &Value) {
        let either =
            ours["x-kubernetes-int-or-string"] == true && ["string", "integer"].contains(&&*theirs.kind);
        self.expect(either || ours["type"] == *theirs.kind, path, "has another type");
        self.expect(
            texts(&ours["required"]).iter().all(|key| theirs.required.contains(key)),
            path,
            "requires more",
        );
        self.expect(texts(&ours["x-kubernetes-list-map-keys"]) == theirs.keys, path, "is merged otherwise");
        self.expect(!theirs.nullable || ours["nullable"] == true, path, "takes no null");
        let same = theirs.default.as_ref().is_none_or(|default| ours["default"] == *default);
        self.expect(same, path, "has another default");
        for key in NARROWING {
            let same = ours.get(key).is_none_or(|value| theirs.narrowing.get(key) == Some(value));
            self.expect(same, path, key);
        }
    }

    /// What the Python operator pruned could be anything.
    fn check_younger(&mut self, path: &str, theirs: &Field, ours: &Value) {
        let properties = ours["properties"].as_object();
        for (name, ours) in
            properties.into_iter().flatten().filter(|(name, _)| !theirs.children.contains_key(*name))
        {
            self.check_unconstrained(&format!("{path}.{name}"), ours);
        }
    }

    fn check_unconstrained(&mut self, path: &str, ours: &Value) {
        for key in NARROWING.iter().chain(&["required"]) {
            self.expect(ours.get(*key).is_none(), path, key);
        }
        for key in ["items", "additionalProperties"] {
            if let Some(child) = ours.get(key) {
                self.check_unconstrained(path, child);
            }
        }
        for (name, child) in ours["properties"].as_object().into_iter().flatten() {
            self.check_unconstrained(&format!("{path}.{name}"), child);
        }
    }

    fn expect(&mut self, holds: bool, path: &str, problem: &str) {
        if !holds {
            self.problems.push(format!("{path}: {problem}"));
        }
    }
}

fn below<'a>(ours: &'a Value, name: &str) -> Option<&'a Value> {
    match name {
        "[]" => ours.get("items"),
        "{}" => ours.get("additionalProperties"),
        _ => ours["properties"].get(name),
    }
}

fn keeps_unknown(ours: &Value) -> bool {
    ours["x-kubernetes-preserve-unknown-fields"] == true
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
