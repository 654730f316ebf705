//! The objects of one cluster as the operator sent them, to be sent again by hand.

use anyhow::{Context, Result};
use serde_json::{Map, Value};

/// Of the metadata, what a sender says.
const SENT: [&str; 3] = ["name", "labels", "annotations"];
/// What the apiserver or a controller adds to a spec.
const ADDED_TO_SPEC: [&str; 7] = [
    "nodeName",
    "clusterIP",
    "clusterIPs",
    "ipFamilies",
    "ipFamilyPolicy",
    "serviceAccount",
    "serviceAccountName",
];
const ADDED_ANNOTATION: &str = "deployment.kubernetes.io/revision";
/// The volume by which a pod reaches the apiserver, added at admission under a name of its own.
const ADDED_VOLUME: &str = "kube-api-access-";
/// What makes a worker wait for its scheduler, by the operator.
const WAITING: [&str; 3] =
    ["OPERATOR_WAIT", "DASK_DISTRIBUTED__WORKER__PRELOAD", "DASK_DISTRIBUTED__NANNY__PRELOAD"];
const WAITING_FLAG: &str = "--preload-nanny";

/// An object read from the cluster, less all that others than its sender wrote into it.
pub(super) fn as_sent(mut object: Value) -> Value {
    let added = |volume: &Value| volume["name"].as_str().is_some_and(|name| name.starts_with(ADDED_VOLUME));
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, _| SENT.contains(&key.as_str()));
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(ADDED_ANNOTATION);
    }
    if let Some(spec) = object.get_mut("spec") {
        if let Some(spec) = spec.as_object_mut() {
            spec.retain(|key, _| !ADDED_TO_SPEC.contains(&key.as_str()));
        }
        retain(spec, "volumes", |volume| !added(volume));
    }
    for container in containers(&mut object) {
        retain(container, "volumeMounts", |mount| !added(mount));
    }
    object
}

/// The same object for a cluster of another name.
pub(super) fn renamed(object: &Value, from: &str, to: &str) -> Result<Value> {
    serde_json::from_str(&object.to_string().replace(from, to)).context("a name spoils an object")
}

/// The same object, its workers left to the connect of Dask itself.
pub(super) fn without_waiting(mut object: Value) -> Value {
    for container in containers(&mut object) {
        retain(container, "env", |variable| {
            !variable["name"].as_str().is_some_and(|name| WAITING.contains(&name))
        });
        if let Some(arguments) = container.get_mut("args").and_then(Value::as_array_mut) {
            let flag = arguments.iter().position(|argument| argument == WAITING_FLAG);
            // It and its value.
            flag.map(|at| arguments.drain(at..(at + 2).min(arguments.len())).count());
        }
    }
    object
}

/// Drops what does not pass from a list; drops the list when it was there and nothing is left of it.
fn retain(parent: &mut Value, list: &str, keep: impl Fn(&Value) -> bool) {
    let Some(parent) = parent.as_object_mut() else { return };
    let Some(items) = parent.get_mut(list).and_then(Value::as_array_mut) else { return };
    items.retain(keep);
    if items.is_empty() {
        parent.remove(list);
    }
}

/// Those of a pod; other objects have none.
fn containers(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    let spec: Option<&mut Map<String, Value>> = object.get_mut("spec").and_then(Value::as_object_mut);
    spec.and_then(|spec| spec.get_mut("containers")?.as_array_mut()).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_is_sent_as_the_operator_sent_it() {
        let read = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a-default-worker-1", "namespace": "n", "uid": "u", "resourceVersion": "7",
                "labels": {"l": "1"}, "ownerReferences": [{"uid": "g"}], "managedFields": []},
            "spec": {
                "nodeName": "node0", "restartPolicy": "Never", "serviceAccountName": "default",
                "volumes": [{"name": "kube-api-access-x7x7x"}],
                "containers": [{"name": "worker", "volumeMounts": [{"name": "kube-api-access-x7x7x"}, {"name": "own"}]}],
            },
            "status": {"phase": "Running"},
        });
        let sent = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "a-default-worker-1", "labels": {"l": "1"}},
            "spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "worker", "volumeMounts": [{"name": "own"}]}],
            },
        });
        assert_eq!(as_sent(read), sent);
    }

    #[test]
    fn a_service_leaves_its_address_to_the_apiserver() {
        let read = json!({"metadata": {"name": "s", "annotations": {ADDED_ANNOTATION: "1"}},
            "spec": {"clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7"], "ports": [{"port": 8786}]}});
        let sent = json!({"metadata": {"name": "s", "annotations": {}}, "spec": {"ports": [{"port": 8786}]}});
        assert_eq!(as_sent(read), sent);
    }

    #[test]
    fn another_name_reaches_every_place_that_has_it() {
        let object = json!({"metadata": {"name": "start-001-scheduler"}, "spec": {"containers": [
            {"env": [{"name": "DASK_SCHEDULER_ADDRESS", "value": "tcp://start-001-scheduler.n.svc:8786"}]}]}});
        let text = renamed(&object, "start-001", "start-002").unwrap().to_string();
        assert_eq!(text.matches("start-002").count(), 2);
        assert!(!text.contains("start-001"), "{text}");
    }

    #[test]
    fn without_waiting_only_the_waiting_is_gone() {
        let pod = json!({"spec": {"containers": [{
            "args": ["dask", "worker", "--preload-nanny", "exec(…)", "--nthreads", "1"],
            "env": [{"name": "OPERATOR_WAIT", "value": "x"}, {"name": "DASK_WORKER_NAME", "value": "w"},
                {"name": "DASK_DISTRIBUTED__WORKER__PRELOAD"}, {"name": "DASK_DISTRIBUTED__NANNY__PRELOAD"}],
        }]}});
        let bare = json!({"spec": {"containers": [{
            "args": ["dask", "worker", "--nthreads", "1"],
            "env": [{"name": "DASK_WORKER_NAME", "value": "w"}],
        }]}});
        assert_eq!(without_waiting(pod), bare);
        let service = json!({"spec": {"ports": []}});
        assert_eq!(without_waiting(service.clone()), service);
    }
}
