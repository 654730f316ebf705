//! For each child of a cluster: nothing, create it, or change it.

use dask_operator_api::labels;
use serde_json::{Value, json};

use super::check::CheckedCluster;
use super::desired;
use super::observed::{Child, DefaultGroup, Observed, Ownership};
use crate::Settings;
use crate::hash::hash_text;
use crate::merge::merge_patch;
use crate::plan::{Apply, Create, Kind, Patch};
use crate::sabotage::{self, Bug};

/// The ConfigMap follows the spec; running pods read it when they start.
pub(super) fn config(cluster: &CheckedCluster, observed: &Observed) -> Option<Apply> {
    let config = cluster.config.as_ref()?;
    let name = cluster.name.config();
    let hash = hash_text(&config.to_string());
    match &observed.config {
        None => create(Kind::ConfigMap, &name, desired::config(cluster, config)),
        Some(child) if child.ownership != Ownership::Ours || child.hash.as_ref() == Some(&hash) => None,
        Some(child) => {
            let object = desired::config(cluster, config);
            let annotations = json!({labels::TEMPLATE_HASH: hash});
            let body = json!({"metadata": precondition(child, &annotations), "data": object["data"]});
            Some(Apply::Patch(Patch { kind: Kind::ConfigMap, name, body }))
        }
    }
}

/// The Service is made once, from the user's own spec.
pub(super) fn service(cluster: &CheckedCluster, observed: &Observed) -> Option<Apply> {
    if observed.service.is_some() {
        return None;
    }
    create(Kind::Service, &cluster.name.scheduler(), desired::service(cluster))
}

/// The scheduler is made once: a running scheduler holds every result and is never restarted by us.
pub(super) fn deployment(
    cluster: &CheckedCluster,
    observed: &Observed,
    settings: &Settings,
) -> Option<Apply> {
    if observed.deployment.is_some() {
        return None;
    }
    create(Kind::Deployment, &cluster.name.scheduler(), desired::deployment(cluster, settings))
}

/// The default group is made once; later, what changed in the cluster is pushed to it, once.
pub(super) fn default_group(cluster: &CheckedCluster, observed: &Observed) -> Option<Apply> {
    let name = cluster.name.default_group();
    let Some(group) = &observed.group else {
        return create(Kind::DaskWorkerGroup, &name, desired::default_group(cluster));
    };
    if group.child.ownership != Ownership::Ours && !sabotage::is(Bug::ForeignChanged) {
        return None;
    }
    let body = push(cluster, group)?;
    Some(Apply::Patch(Patch { kind: Kind::DaskWorkerGroup, name, body }))
}

/// The difference to push. Replicas that somebody set on the group itself stay until the cluster's own change.
fn push(cluster: &CheckedCluster, group: &DefaultGroup) -> Option<Value> {
    let metadata = precondition(&group.child, &desired::pushed(cluster));
    if group.pushed_replicas.is_none() && group.child.hash.is_none() {
        // A group of the Python operator's: what it is now stands, and counts as pushed.
        return Some(json!({"metadata": metadata}));
    }
    let wanted = desired::worker(cluster);
    let replicas_changed = !sabotage::is(Bug::NothingPushed)
        && group.pushed_replicas != Some(i64::from(cluster.worker.replicas));
    let worker_changed = group.child.hash.as_deref() != Some(&desired::worker_hash(cluster));
    if !replicas_changed && !worker_changed {
        return None;
    }
    let mut target = if worker_changed { wanted.clone() } else { group.worker.clone() };
    let replicas = if replicas_changed { &wanted["replicas"] } else { &group.worker["replicas"] };
    target["replicas"] = replicas.clone();
    Some(match merge_patch(&group.worker, &target) {
        Some(worker) => json!({"metadata": metadata, "spec": {"worker": worker}}),
        None => json!({"metadata": metadata}),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "each decision is `nothing` or one write")]
fn create(kind: Kind, name: &str, object: Value) -> Option<Apply> {
    Some(Apply::Create(Create { kind, name: name.to_owned(), object }))
}

fn precondition(child: &Child, annotations: &Value) -> Value {
    json!({"uid": child.uid, "resourceVersion": child.resource_version, "annotations": annotations})
}
