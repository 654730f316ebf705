//! Labels, annotations and owner references of the objects we make.

use std::collections::BTreeMap;

use dask_operator_api::labels;
use dask_operator_api::parts::TemplateMetadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

/// Labels or annotations.
pub(crate) type StringMap = BTreeMap<String, String>;

/// Our own notes on an object, which say nothing about its children.
const OWN_NOTES: [&str; 10] = [
    labels::PUSHED_REPLICAS,
    labels::PUSHED_WORKER,
    labels::TEMPLATE_HASH,
    labels::KEEP_COMMAND,
    labels::STOCK_SCHEDULER,
    labels::CRASHES,
    labels::DRAINING,
    labels::RESTART_SCHEDULER,
    labels::RESUME,
    labels::SUSPENDED,
];

/// The object that owns a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `DaskCluster` or `DaskWorkerGroup`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl Owner {
    /// The one owner reference of a child: garbage collection follows it, with us or without.
    pub(crate) fn references(&self) -> Value {
        json!([{
            "apiVersion": format!("{}/{}", dask_operator_api::GROUP, dask_operator_api::VERSION),
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": true,
            "blockOwnerDeletion": true,
        }])
    }
}

/// These owners and ours: a merge patch replaces the list, so what others put there is said again.
pub(crate) fn beside(others: &[OwnerReference], ours: Value) -> Value {
    let mut all = serde_json::to_value(others).unwrap_or_default();
    match (&mut all, ours) {
        (Value::Array(all), Value::Array(ours)) => all.extend(ours),
        (all, ours) => *all = ours,
    }
    all
}

/// Annotations that a parent passes on to its children.
pub(crate) fn passed_on(annotations: &StringMap) -> StringMap {
    let stays = |key: &str| {
        OWN_NOTES.contains(&key) || labels::NOT_PROPAGATED.iter().any(|prefix| key.starts_with(prefix))
    };
    annotations
        .iter()
        .filter(|(key, _)| !stays(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// `base`, overridden by each of `layers` in turn.
pub(crate) fn layered<'a>(layers: impl IntoIterator<Item = &'a StringMap>) -> StringMap {
    layers.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The labels that a template adds.
pub(crate) fn template_labels(metadata: Option<&TemplateMetadata>) -> StringMap {
    metadata.and_then(|metadata| metadata.labels.clone()).unwrap_or_default()
}

/// The annotations that a template adds.
pub(crate) fn template_annotations(metadata: Option<&TemplateMetadata>) -> StringMap {
    metadata.and_then(|metadata| metadata.annotations.clone()).unwrap_or_default()
}

/// Owned strings from a table of literals and borrowed text.
pub(crate) fn string_map<const N: usize>(pairs: [(&str, &str); N]) -> StringMap {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_of_kubectl_kopf_and_ourselves_are_not_passed_on() {
        let all = string_map([
            ("kopf.zalando.org/last-handled-configuration", "x"),
            ("kubectl.kubernetes.io/last-applied-configuration", "x"),
            (labels::PUSHED_REPLICAS, "3"),
            (labels::CRASHES, "99"),
            (labels::RESTART_SCHEDULER, "1"),
            ("argocd.argoproj.io/tracking-id", "kept"),
        ]);
        assert_eq!(passed_on(&all), string_map([("argocd.argoproj.io/tracking-id", "kept")]));
    }
}
