//! Hooks of worker pods that could not run. The Events of their nodes are all that tells so.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dask_operator_plan::worker_group::FailedHook;
use k8s_openapi::api::events::v1::Event as K8sEvent;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use super::pod::PodRecord;
use super::record::{Key, Record};

/// The Events that [`Hooks`] takes.
pub(crate) const OF_HOOKS: &str = "reason=FailedPreStopHook,regarding.kind=Pod";

/// An Event about a pod.
#[derive(Resource, Clone, Debug, Deserialize)]
#[resource(inherit = K8sEvent)]
pub(crate) struct HookEvent {
    metadata: ObjectMeta,
    #[serde(default)]
    regarding: Regarding,
    #[serde(default)]
    note: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Regarding {
    name: String,
    uid: String,
    /// `spec.containers{worker}`
    field_path: String,
}

/// The last one of each group, for as long as Kubernetes keeps its Event.
#[derive(Default)]
pub(crate) struct Hooks(Mutex<HashMap<Key, Last>>);

struct Last {
    event: Key,
    hook: FailedHook,
}

impl HookEvent {
    /// The pod's key.
    pub(crate) fn pod(&self) -> Key {
        Key::new(self.metadata.namespace.as_deref().unwrap_or_default(), &self.regarding.name)
    }

    fn container(&self) -> &str {
        let path = self.regarding.field_path.as_str();
        path.split_once('{').and_then(|(_, rest)| rest.strip_suffix('}')).unwrap_or_default()
    }
}

impl Hooks {
    /// Takes in an Event about this pod; returns the group that it concerns.
    pub(crate) fn put(&self, event: &HookEvent, pod: &PodRecord) -> Option<Key> {
        if pod.meta().uid != event.regarding.uid {
            return None;
        }
        let group = Key::new(&pod.meta().key.namespace, pod.parent());
        let hook = FailedHook {
            pod: event.regarding.name.clone(),
            container: event.container().to_owned(),
            template: pod.template().map(str::to_owned),
            words: event.note.clone(),
        };
        self.lock().insert(group.clone(), Last { event: Key::of(&event.metadata), hook });
        Some(group)
    }

    /// The last one of a group.
    pub(crate) fn of(&self, group: &Key) -> Option<FailedHook> {
        self.lock().get(group).map(|last| last.hook.clone())
    }

    /// An Event is gone; returns the group that it concerned.
    pub(crate) fn remove(&self, event: &Key) -> Option<Key> {
        let mut all = self.lock();
        let group = all.iter().find(|(_, last)| last.event == *event).map(|(group, _)| group.clone())?;
        all.remove(&group);
        Some(group)
    }

    /// The Events known, everywhere or in one namespace.
    pub(crate) fn events(&self, namespace: Option<&str>) -> Vec<Key> {
        let all = self.lock();
        let events = all.values().map(|last| &last.event);
        events.filter(|event| namespace.is_none_or(|only| only == event.namespace)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Last>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use dask_operator_api::labels;
    use serde_json::json;

    use super::*;
    use crate::cache::Pod;

    fn a_worker(uid: &str) -> PodRecord {
        let metadata = json!({
            "namespace": "team", "name": "demo-worker-1", "uid": uid,
            "labels": {labels::WORKER_GROUP_NAME: "demo-default"},
            "annotations": {labels::TEMPLATE_HASH: "abc"},
        });
        let pod: Pod = serde_json::from_value(json!({"metadata": metadata})).unwrap();
        pod.into()
    }

    fn an_event(name: &str) -> HookEvent {
        serde_json::from_value(json!({
            "metadata": {"namespace": "team", "name": name},
            "regarding": {"kind": "Pod", "namespace": "team", "name": "demo-worker-1", "uid": "1",
                "fieldPath": "spec.containers{worker}"},
            "reason": "FailedPreStopHook",
            "note": "PreStopHook failed",
        }))
        .unwrap()
    }

    #[test]
    fn the_last_hook_of_a_group_is_known_until_its_event_is_gone() {
        let (hooks, group) = (Hooks::default(), Key::new("team", "demo-default"));
        assert_eq!(hooks.put(&an_event("first"), &a_worker("1")), Some(group.clone()));
        assert_eq!(hooks.put(&an_event("second"), &a_worker("1")), Some(group.clone()));
        let hook = hooks.of(&group).unwrap();
        assert_eq!((hook.container.as_str(), hook.template.as_deref()), ("worker", Some("abc")));
        assert_eq!(hooks.remove(&Key::new("team", "first")), None);
        assert_eq!((hooks.events(Some("other")).len(), hooks.events(None).len()), (0, 1));
        assert_eq!(hooks.remove(&Key::new("team", "second")), Some(group.clone()));
        assert_eq!(hooks.of(&group), None);
    }

    #[test]
    fn what_was_told_of_another_pod_of_the_same_name_is_not_taken() {
        let hooks = Hooks::default();
        assert_eq!(hooks.put(&an_event("first"), &a_worker("2")), None);
    }
}
