//! How a history ends: what must be true then, and what must not depend on the faults on the way.

use std::collections::BTreeMap;

use dask_operator_api::{labels, names};
use dask_operator_testkit::server::{ApiServer, Id, World};
use serde_json::{Value, json};

use crate::dask::{Dask, Kind};
use crate::history::History;
use crate::invariants::{is_live, is_outdated, uid};

/// Everything that is left, without what is different each time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End(BTreeMap<String, Vec<Value>>);

impl End {
    pub(crate) fn of(server: &ApiServer, _: &History) -> Self {
        let world = server.world();
        let mut end = BTreeMap::<String, Vec<Value>>::new();
        for (id, object) in world.objects().filter(|(id, _)| !matches!(id.plural, "events" | "leases")) {
            let name = match object["metadata"]["labels"]["dask.org/component"].as_str() {
                // A pod of somebody else's Deployment.
                None if id.plural == "pods" => continue,
                Some(part) if id.plural == "pods" => {
                    format!("{part} of {}", object["metadata"]["labels"]["dask.org/cluster-name"])
                }
                _ => id.name.clone(),
            };
            end.entry(format!("{} {}/{name}", id.plural, id.namespace))
                .or_default()
                .push(lasting(&world, object));
        }
        for alike in end.values_mut() {
            alike.sort_by_key(Value::to_string);
        }
        Self(end)
    }
}

/// It is made from a UID.
fn without_token(container: &mut Value) {
    if let Some(variables) = container["env"].as_array_mut() {
        variables.retain(|variable| variable["name"] != "OPERATOR_TOKEN");
    }
}

/// What of an object lasts: no times, versions, UIDs or random names.
fn lasting(world: &World, object: &Value) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    // A new image is for what is made anew: what that is depends on when it was lost. Which schedulers have not loaded
    // what answers is chance.
    let depends = ["SchedulerOutdated", "SchedulerLink"];
    let conditions = conditions.iter().filter(|one| !depends.iter().any(|depends| one["type"] == *depends));
    let conditions: Vec<_> =
        conditions.map(|one| json!([one["type"], one["status"], one["reason"]])).collect();
    let mut annotations = object["metadata"]["annotations"].clone();
    if let Some(notes) = annotations.as_object_mut() {
        let depends = |key: &str| matches!(key, "dask.org/crashes" | "dask.org/template-hash");
        notes.retain(|key, _| key.starts_with("dask.org/") && !depends(key));
    }
    let mut spec = object["spec"].clone();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let is_pod = object["kind"] == "Pod";
    if is_pod {
        spec = serde_json::from_str(&spec.to_string().replace(name, "…")).unwrap();
    }
    for place in ["/containers/0", "/template/spec/containers/0"] {
        if let Some(container) = spec.pointer_mut(place) {
            container["image"] = Value::Null;
            without_token(container);
        }
    }
    let owner = object["metadata"]["ownerReferences"][0]["uid"].as_str();
    let owner = owner.map(|owner| world.objects().any(|(_, object)| uid(object) == owner));
    json!({"labels": object["metadata"]["labels"], "annotations": annotations, "spec": spec, "data": object["data"],
        "owned": owner, "phase": object["status"]["phase"], "conditions": conditions,
        "replicas": object["status"]["replicas"]})
}

/// Whether two runs of one history end alike; what differs otherwise.
pub(crate) fn same(calm: &End, disturbed: &End) -> Result<(), String> {
    let keys = calm.0.keys().chain(disturbed.0.keys()).collect::<std::collections::BTreeSet<_>>();
    let told: Vec<_> = keys
        .into_iter()
        .filter(|key| calm.0.get(*key) != disturbed.0.get(*key))
        .map(|key| format!("{key}: {}", difference(&json!(calm.0.get(key)), &json!(disturbed.0.get(key)))))
        .collect();
    if told.is_empty() { Ok(()) } else { Err(told.join("\n")) }
}

/// The first place where two values differ.
fn difference(calm: &Value, disturbed: &Value) -> String {
    let pairs: Vec<(String, Value, Value)> = match (calm, disturbed) {
        (Value::Object(one), Value::Object(other)) => {
            let keys = one.keys().chain(other.keys());
            keys.map(|key| (format!(".{key}"), calm[key].clone(), disturbed[key].clone())).collect()
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let pairs = one.iter().zip(other).enumerate();
            pairs.map(|(at, (one, other))| (format!("[{at}]"), one.clone(), other.clone())).collect()
        }
        _ => return format!(" is {calm} undisturbed, and {disturbed} here"),
    };
    let first = pairs.into_iter().find(|(_, one, other)| one != other);
    first.map(|(place, one, other)| format!("{place}{}", difference(&one, &other))).unwrap_or_default()
}

/// What is said of the way to a scheduler is so.
fn links_are_as_told(world: &World, dask: &Dask) -> Result<(), String> {
    let is_scheduler =
        |pod: &Value| pod["metadata"]["labels"][labels::COMPONENT] == labels::component::SCHEDULER;
    for (id, pod) in world.all("pods", "").filter(|(_, pod)| is_scheduler(pod) && is_live(pod)) {
        let name = pod["metadata"]["labels"][labels::CLUSTER_NAME].as_str().unwrap_or_default();
        let mut clusters = world.all("daskclusters", &id.namespace);
        let cluster = clusters.find(|(cluster, _)| cluster.name == name).map(|(_, cluster)| cluster);
        let conditions = cluster.and_then(|one| one["status"]["conditions"].as_array());
        let told = conditions.into_iter().flatten().find(|one| one["type"] == "SchedulerLink");
        let expected = if dask.kind(&uid(pod)) == Kind::Ours { "Preload" } else { "Stock" };
        if let Some(told) = told.filter(|told| told["reason"] != expected) {
            return Err(format!("{name}: {told} and not {expected}"));
        }
    }
    Ok(())
}

/// What must be true at rest.
pub(crate) fn check(server: &ApiServer, dask: &Dask, history: &History) -> Result<(), String> {
    let world = server.world();
    for (id, pod) in world.all("pods", "").filter(|(id, _)| history.watches(&id.namespace)) {
        let mark = &pod["metadata"]["annotations"][labels::DRAINING];
        if !mark.is_null() || dask.is_paused(&world, &id.name) {
            return Err(format!("{} is paused or to leave ({mark}), and there", id.name));
        }
    }
    links_are_as_told(&world, dask)?;
    let worker = |pod: &Value| pod["metadata"]["labels"][labels::COMPONENT] == labels::component::WORKER;
    let mut workers = world.all("pods", "").filter(|(id, pod)| worker(pod) && history.watches(&id.namespace));
    if let Some((id, _)) = workers.find(|(id, pod)| is_outdated(&world, id, pod)) {
        return Err(format!("{} has an earlier image", id.name));
    }
    let pods = world.all("pods", "").map(|(_, pod)| pod);
    let left: Vec<_> =
        pods.filter(|pod| !is_live(pod)).map(|pod| pod["metadata"]["name"].to_string()).collect();
    if !left.is_empty() {
        return Err(format!("pods that ended are still there: {left:?}"));
    }
    for (id, group) in world.all("daskworkergroups", "").filter(|(id, _)| history.watches(&id.namespace)) {
        let mine = |pod: &Value| pod["metadata"]["ownerReferences"][0]["uid"] == group["metadata"]["uid"];
        let count = world.all("pods", &id.namespace).filter(|(_, pod)| mine(pod)).count() as u64;
        let cluster = group["spec"]["cluster"].as_str().unwrap_or_default();
        let cluster = world.get(&Id::new("daskclusters", &id.namespace, cluster));
        let asleep = cluster.is_some_and(|cluster| cluster["spec"]["suspend"] == true);
        let wanted = if asleep { 0 } else { group["spec"]["worker"]["replicas"].as_u64().unwrap_or(1) };
        truth(&id.name, group, count, (wanted, asleep))?;
    }
    told_of_others(&world, history)?;
    for (id, cluster) in world.all("daskclusters", "").filter(|(id, _)| history.watches(&id.namespace)) {
        let generation = &cluster["metadata"]["generation"];
        if cluster["status"]["observedGeneration"] != *generation {
            return Err(format!("the status of {} is of generation {}", id.name, cluster["status"]));
        }
    }
    Ok(())
}

/// A cluster whose child's name belongs to somebody else says so.
fn told_of_others(world: &World, history: &History) -> Result<(), String> {
    for (id, _) in world.objects().filter(|(_, object)| object["metadata"]["labels"]["whose"].is_string()) {
        let cluster = names::cluster_of_child(&id.name).filter(|_| history.watches(&id.namespace));
        let cluster = cluster.and_then(|cluster| world.get(&Id::new("daskclusters", &id.namespace, cluster)));
        let told = |cluster: &Value| cluster["status"]["conditions"].to_string().contains("NameTaken");
        if cluster.is_some_and(|cluster| !told(cluster)) {
            return Err(format!("{} belongs to somebody else, and its cluster does not say so", id.name));
        }
    }
    Ok(())
}

fn truth(name: &str, group: &Value, count: u64, (wanted, asleep): (u64, bool)) -> Result<(), String> {
    let status = &group["status"];
    let says = if asleep { ("False", "ClusterSuspended") } else { ("True", "AllReady") };
    let ready = status["conditions"].as_array().map(|all| (&all[0]["status"], &all[0]["reason"]));
    let ready = ready.is_some_and(|(status, reason)| *status == says.0 && *reason == says.1);
    let exact = count == wanted && status["replicas"] == count && status["readyReplicas"] == count && ready;
    let current = status["observedGeneration"] == group["metadata"]["generation"];
    if exact && current {
        Ok(())
    } else {
        Err(format!("{name} has {count} workers of {wanted}, and says {status}"))
    }
}
