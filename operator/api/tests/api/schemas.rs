//! What the API server adds to a short manifest, and what it never takes away.

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use dask_operator_api::crds::crds;
    use serde_json::{Value, json};

    static SCHEMAS: LazyLock<[Value; 4]> = LazyLock::new(|| {
        crds().map(|crd| {
            let schema = serde_json::to_value(crd.spec.versions[0].schema.as_ref().unwrap()).unwrap();
            schema["openAPIV3Schema"].clone()
        })
    });

    /// Visits every schema within a schema.
    fn each(schema: &Value, visit: &mut impl FnMut(&Value)) {
        visit(schema);
        for child in schema["properties"].as_object().into_iter().flat_map(serde_json::Map::values) {
            each(child, visit);
        }
        for key in ["items", "additionalProperties"] {
            if let Some(child) = schema.get(key) {
                each(child, visit);
            }
        }
    }

    /// What the API server makes of `value` by the defaults of `schema`.
    fn completed(schema: &Value, mut value: Value) -> Value {
        if let Some(object) = value.as_object_mut() {
            for (name, child) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(default) = child.get("default") {
                    object.entry(name).or_insert_with(|| default.clone());
                }
                object.entry(name).and_modify(|value| *value = completed(child, value.take()));
            }
            object.retain(|_, value| !value.is_null());
        }
        if let (Some(list), Some(items)) = (value.as_array_mut(), schema.get("items")) {
            for item in list {
                *item = completed(items, item.take());
            }
        }
        value
    }

    fn container(name: &str) -> Value {
        json!({"name": name, "image": "", "args": [], "env": [], "resources": {}})
    }

    #[test]
    fn an_empty_cluster_is_completed_so_that_the_python_client_can_attach() {
        let [cluster, ..] = &*SCHEMAS;
        let ports = json!([
            {"name": "tcp-comm", "port": 8786, "protocol": "TCP", "targetPort": "tcp-comm"},
            {"name": "http-dashboard", "port": 8787, "protocol": "TCP", "targetPort": "http-dashboard"},
        ]);
        let expected = json!({
            "idleTimeout": 0,
            "scheduler": {"spec": {"containers": [container("scheduler")]}, "service": {"ports": ports}},
            "worker": {"replicas": 1, "spec": {"containers": [container("worker")]}},
        });
        assert_eq!(completed(cluster, json!({"spec": {}}))["spec"], expected);
    }

    #[test]
    fn a_group_and_a_jobs_cluster_are_completed_as_a_cluster_is() {
        let [cluster, group, job, _] = &*SCHEMAS;
        let cluster = completed(cluster, json!({"spec": {}}))["spec"].take();
        let group = completed(group, json!({"spec": {"cluster": "demo"}}));
        assert_eq!(group["spec"]["worker"], cluster["worker"]);
        let job = completed(job, json!({"spec": {"job": {"spec": {}}, "cluster": {"spec": {}}}}));
        assert_eq!(job["spec"]["cluster"]["spec"], cluster);
        assert_eq!(job["spec"]["job"], json!({"spec": {"restartPolicy": "OnFailure"}}));
    }

    #[test]
    fn a_container_of_the_users_gets_no_more_than_an_empty_image() {
        let [cluster, ..] = &*SCHEMAS;
        let worker = json!({"spec": {"containers": [{"name": "worker", "ports": [{"containerPort": 1}]}]}});
        let worker = completed(cluster, json!({"spec": {"worker": worker}}))["spec"]["worker"].take();
        let ports = json!([{"containerPort": 1, "protocol": "TCP"}]);
        assert_eq!(worker["spec"]["containers"], json!([{"name": "worker", "image": "", "ports": ports}]));
    }

    #[test]
    fn no_field_with_a_default_takes_a_null() {
        let mut defaults = 0;
        for schema in &*SCHEMAS {
            each(schema, &mut |schema| {
                defaults += usize::from(schema.get("default").is_some());
                assert!(schema.get("default").is_none() || schema.get("nullable").is_none(), "{schema}");
            });
        }
        assert!(defaults > 20);
    }

    #[test]
    fn no_object_in_a_pod_or_a_service_loses_a_field_that_it_does_not_know() {
        let [cluster, ..] = &*SCHEMAS;
        let mut objects = 0;
        for pointer in ["scheduler/properties/spec", "scheduler/properties/service", "worker/properties/spec"]
        {
            each(
                cluster.pointer(&format!("/properties/spec/properties/{pointer}")).unwrap(),
                &mut |schema| {
                    if schema["type"] == "object" && schema.get("additionalProperties").is_none() {
                        objects += 1;
                        assert_eq!(schema["x-kubernetes-preserve-unknown-fields"], true, "{schema}");
                    }
                    assert!(schema.get("description").is_none() || schema.get("default") == Some(&json!({})));
                },
            );
        }
        assert!(objects > 300, "{objects}");
    }
}
