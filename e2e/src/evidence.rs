//! What is told of a wait in vain: the objects as they were last, and what happened in their namespace.

use std::sync::Arc;

use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;

/// As many as a reader looks through.
const EVENTS: usize = 40;

/// The objects and the Events, each a line.
pub async fn of<K: Resource + Clone + Serialize>(
    objects: &[Arc<K>],
    events: &Api<Event>,
) -> (String, String) {
    (of_objects(objects), of_events(events).await)
}

/// Without the fields' managers.
fn of_objects<K: Resource + Clone + Serialize>(objects: &[Arc<K>]) -> String {
    let lines = objects.iter().map(|object| {
        let mut object = K::clone(object);
        object.managed_fields_mut().clear();
        serde_json::to_string(&object).unwrap_or_else(|error| error.to_string())
    });
    lines.collect::<Vec<_>>().join("\n")
}

async fn of_events(events: &Api<Event>) -> String {
    let mut events = match events.list(&ListParams::default()).await {
        Ok(list) => list.items,
        Err(error) => return format!("the Events cannot be read: {error}"),
    };
    events.sort_by_key(|event| event.metadata.creation_timestamp.clone());
    let late = events.iter().skip(events.len().saturating_sub(EVENTS));
    late.map(line).collect::<Vec<_>>().join("\n")
}

fn line(event: &Event) -> String {
    let at = event.metadata.creation_timestamp.as_ref().map(|at| at.0.to_string()).unwrap_or_default();
    let about = event.regarding.as_ref().and_then(|about| about.name.as_deref()).unwrap_or_default();
    let reason = event.reason.as_deref().unwrap_or_default();
    format!("{at} {about}: {reason}: {}", event.note.as_deref().unwrap_or_default())
}
