//! The rules of our own fields refuse what cannot work, and nothing else.

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use dask_operator_api::crds::crds;
    use kube_cel::Validator;
    use serde_json::{Value, json};

    static SCHEMAS: LazyLock<[Value; 4]> = LazyLock::new(|| {
        crds().map(|crd| {
            let schema = serde_json::to_value(crd.spec.versions[0].schema.as_ref().unwrap()).unwrap();
            schema["openAPIV3Schema"].clone()
        })
    });

    /// What the rules say of a worker, in each of the three places where one can stand.
    fn verdicts(worker: &Value) -> Vec<String> {
        let places = [
            json!({"spec": {"worker": worker}}),
            json!({"spec": {"cluster": "demo", "worker": worker}}),
            json!({"spec": {"job": {}, "cluster": {"spec": {"worker": worker}}}}),
        ];
        let messages = SCHEMAS.iter().zip(places).map(|(schema, object)| {
            match Validator::new().validate(schema, &object, None) {
                Ok(()) => String::new(),
                Err(errors) => errors.to_string(),
            }
        });
        messages.collect()
    }

    #[test]
    fn names_of_dask_resources_hold_neither_spaces_nor_equals_signs() {
        assert_eq!(verdicts(&json!({"daskResources": {"GPU": 1, "MEM-2": 2.5, "größe": 0}})), ["", "", ""]);
        for name in ["a b", "a=b", ""] {
            for verdict in verdicts(&json!({"daskResources": {name: 1}})) {
                assert!(verdict.contains("neither spaces nor '='"), "{name:?}: {verdict}");
            }
        }
    }

    #[test]
    fn a_spill_volume_has_a_positive_size() {
        for size in ["20Gi", "1e9", "500M", "1"] {
            assert_eq!(verdicts(&json!({"spill": {"size": size}})), ["", "", ""], "{size}");
        }
        for size in ["lots", "", "0", "-1Gi", "20 Gi"] {
            for verdict in verdicts(&json!({"spill": {"size": size}})) {
                assert!(verdict.contains("must be a positive quantity"), "{size:?}: {verdict}");
            }
        }
    }

    /// What the rules say of an autoscaler's spec.
    fn of_autoscaler(spec: &Value) -> String {
        let schema =
            SCHEMAS.iter().find(|schema| schema["properties"]["spec"]["properties"]["scaleUp"].is_object());
        match Validator::new().validate(schema.unwrap(), &json!({"spec": spec}), None) {
            Ok(()) => String::new(),
            Err(errors) => errors.to_string(),
        }
    }

    #[test]
    fn a_policy_is_chosen_of_some_and_takes_no_more_than_all_away() {
        let percent = |value: i64| json!([{"type": "Percent", "value": value, "periodSeconds": 60}]);
        for spec in [
            json!({"cluster": "demo", "scaleDown": {"stabilizationSeconds": 30}}),
            json!({"cluster": "demo", "scaleDown": {"selectPolicy": "Disabled"}}),
            json!({"cluster": "demo", "scaleDown": {"policies": percent(100), "selectPolicy": "Min"}}),
            json!({"cluster": "demo", "scaleUp": {"policies": percent(900)}}),
        ] {
            assert_eq!(of_autoscaler(&spec), "", "{spec}");
        }
        let spec = json!({"cluster": "demo", "scaleUp": {"policies": [], "selectPolicy": "Max"}});
        assert!(of_autoscaler(&spec).contains("there are none"), "{}", of_autoscaler(&spec));
        let spec = json!({"cluster": "demo", "scaleDown": {"policies": percent(101)}});
        assert!(of_autoscaler(&spec).contains("no more than 100 percent"), "{}", of_autoscaler(&spec));
    }

    #[test]
    fn a_worker_without_our_fields_breaks_no_rule() {
        assert_eq!(verdicts(&json!({})), ["", "", ""]);
    }
}
