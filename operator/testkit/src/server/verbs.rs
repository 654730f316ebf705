//! What each verb does, by the rules of Kubernetes.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::call::{Call, Selector, Verb};
use super::refusal::Refusal;
use super::world::{Id, World, identify};

/// Answers a call that is no watch.
pub(super) fn answer(world: &mut World, call: &Call) -> Result<Value, Refusal> {
    match call.verb {
        Verb::List | Verb::Watch => Ok(list(world, call)),
        Verb::Get => Ok((*existing(world, call)?).clone()),
        Verb::Create => create(world, call),
        Verb::Patch => patch(world, call),
        Verb::Update => update(world, call),
        Verb::Delete => delete(world, call),
    }
}

fn id(call: &Call, name: &str) -> Id {
    Id::new(call.resource.plural, &call.namespace, name)
}

fn existing(world: &World, call: &Call) -> Result<Arc<Value>, Refusal> {
    let found = world.get(&id(call, &call.name)).cloned();
    found.ok_or_else(|| Refusal::not_found(call.resource.plural, &call.name))
}

fn list(world: &World, call: &Call) -> Value {
    let selector = Selector::parse(call.query.get("labelSelector").map_or("", String::as_str));
    let all = world.all(call.resource.plural, &call.namespace).map(|(_, object)| object);
    let items: Vec<_> =
        all.filter(|object| selector.matches(object)).map(|object| (**object).clone()).collect();
    json!({"kind": format!("{}List", call.resource.kind), "apiVersion": call.resource.api_version,
        "metadata": {"resourceVersion": world.version().to_string()}, "items": items})
}

fn create(world: &mut World, call: &Call) -> Result<Value, Refusal> {
    let name = call.body["metadata"]["name"].as_str().unwrap_or_default();
    let (id, plural) = (id(call, name), call.resource.plural);
    if world.get(&id).is_some() {
        return Err(Refusal::new(409, "AlreadyExists", format!("{plural} \"{name}\" already exists")));
    }
    admit(world, &id)?;
    let mut object = call.body.clone();
    identify(&mut object, call.resource, &id);
    let metadata = &mut object["metadata"];
    metadata["uid"] = format!("{plural}-{}", world.version() + 1).into();
    metadata["creationTimestamp"] = world.now().to_string().into();
    metadata["generation"] = 1.into();
    if call.resource.has_status {
        object["status"] = if plural == "pods" { json!({"phase": "Pending"}) } else { json!({}) };
    }
    Ok(committed(world, call, id, object))
}

fn admit(world: &World, id: &Id) -> Result<(), Refusal> {
    if world.terminating.contains(&id.namespace) && id.plural != "events" {
        let message = format!(
            "{} \"{}\" is forbidden: unable to create new content in namespace {} because it is being terminated",
            id.plural, id.name, id.namespace
        );
        return Err(Refusal::new(403, "Forbidden", message));
    }
    let quota = world.quotas.get(&id.namespace).filter(|_| id.plural == "pods");
    let used = world.all("pods", &id.namespace).filter(|(_, pod)| !has_ended(pod)).count();
    if quota.is_some_and(|quota| used >= *quota) {
        let message = format!(
            "pods \"{}\" is forbidden: exceeded quota: few, requested: pods=1, used: pods={used}, limited: pods={used}",
            id.name
        );
        return Err(Refusal::new(403, "Forbidden", message));
    }
    Ok(())
}

/// Whether a pod's containers have ended.
pub(super) fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn patch(world: &mut World, call: &Call) -> Result<Value, Refusal> {
    let old = existing(world, call)?;
    precondition(&old, &call.body["metadata"], call)?;
    same(&old, &call.body["metadata"], call)?;
    let mut new = (*old).clone();
    let mut body = call.body.clone();
    if call.resource.has_status {
        restrict(&mut body, call.of_status);
    }
    merge(&mut new, &body);
    keep_identity(&mut new, &old);
    Ok(changed(world, call, &old, new))
}

/// A status path changes the status alone, and any other path everything else.
fn restrict(body: &mut Value, of_status: bool) {
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|key, _| (key == "status") == of_status);
    }
}

fn update(world: &mut World, call: &Call) -> Result<Value, Refusal> {
    let old = existing(world, call)?;
    precondition(&old, &call.body["metadata"], call)?;
    same(&old, &call.body["metadata"], call)?;
    let mut new = call.body.clone();
    identify(&mut new, call.resource, &id(call, &call.name));
    if call.resource.has_status {
        new["status"] = old["status"].clone();
    }
    keep_identity(&mut new, &old);
    Ok(changed(world, call, &old, new))
}

/// What a deletion names of an object, and of an object's version any write.
fn precondition(old: &Value, named: &Value, call: &Call) -> Result<(), Refusal> {
    let fields: &[_] =
        if call.verb == Verb::Delete { &["uid", "resourceVersion"] } else { &["resourceVersion"] };
    match fields.iter().find(|field| is_other(old, named, field)) {
        None => Ok(()),
        Some(field) => {
            let why = format!("the object has been modified: its {field} is {}", old["metadata"][field]);
            Err(Refusal::conflict(call.resource.plural, &call.name, &why))
        }
    }
}

/// Nobody changes a UID.
fn same(old: &Value, metadata: &Value, call: &Call) -> Result<(), Refusal> {
    if !is_other(old, metadata, "uid") {
        return Ok(());
    }
    let (kind, name, uid) = (call.resource.kind, &call.name, &metadata["uid"]);
    let message =
        format!("{kind} \"{name}\" is invalid: metadata.uid: Invalid value: {uid}: field is immutable");
    Err(Refusal::new(422, "Invalid", message))
}

fn is_other(old: &Value, named: &Value, field: &str) -> bool {
    let wanted = named[field].as_str().filter(|wanted| !wanted.is_empty());
    wanted.is_some_and(|wanted| old["metadata"][field] != *wanted)
}

fn keep_identity(new: &mut Value, old: &Value) {
    for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "name", "namespace"] {
        new["metadata"][field] = old["metadata"][field].clone();
    }
    if !old["metadata"]["deletionTimestamp"].is_null() {
        new["metadata"]["deletionTimestamp"] = old["metadata"]["deletionTimestamp"].clone();
    }
}

fn changed(world: &mut World, call: &Call, old: &Value, mut new: Value) -> Value {
    if old["spec"] != new["spec"] {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(1) + 1;
        new["metadata"]["generation"] = generation.into();
    }
    committed(world, call, id(call, &call.name), new)
}

fn committed(world: &mut World, call: &Call, id: Id, object: Value) -> Value {
    world.commit(&call.user, id, Some(object)).map(|object| (*object).clone()).unwrap_or_default()
}

fn delete(world: &mut World, call: &Call) -> Result<Value, Refusal> {
    let old = existing(world, call)?;
    precondition(&old, &call.body["preconditions"], call)?;
    end(world, &call.user, &id(call, &call.name), call.body["propagationPolicy"] == "Foreground");
    Ok((*old).clone())
}

/// Deletes an object: a pod on a node is only told to go, and so is what waits for its children.
pub(super) fn end(world: &mut World, by: &str, id: &Id, foreground: bool) {
    let Some(old) = world.get(id).cloned() else { return };
    let on_node = id.plural == "pods" && old["spec"]["nodeName"].is_string() && !has_ended(&old);
    if !on_node && !foreground {
        world.commit(by, id.clone(), None);
        return;
    }
    let mut new = (*old).clone();
    if foreground {
        new["metadata"]["finalizers"] = json!(["foregroundDeletion"]);
    }
    if new["metadata"]["deletionTimestamp"].is_null() {
        new["metadata"]["deletionTimestamp"] = world.now().to_string().into();
    }
    world.commit(by, id.clone(), Some(new));
}

/// A merge patch (RFC 7386); of a strategic one what we use of it, `$patch: replace`.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let mut patch = patch.clone();
    if patch.remove("$patch").is_some() {
        *target = Value::Object(Map::new());
    }
    for (key, value) in &patch {
        if value.is_null() {
            if let Some(fields) = target.as_object_mut() {
                fields.remove(key);
            }
        } else {
            merge(&mut target[key], value);
        }
    }
}
