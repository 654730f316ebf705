//! For each child of a cluster: nothing, create it, or change it.

use dask_operator_api::cluster::DisruptionProtection;
use dask_operator_api::labels;
use serde_json::{Value, json};

use super::check::CheckedCluster;
use super::desired;
use super::observed::{Child, DefaultGroup, Observed, Ownership, Service};
use super::suspend::{self, Suspension};
use crate::Settings;
use crate::hash::hash_text;
use crate::merge::merge_patch;
use crate::plan::{Apply, Create, Delete, Kind, Patch, Premise};
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
            Some(Apply::Patch(Patch::of(Kind::ConfigMap, &name, body)))
        }
    }
}

/// The Service is made once, from the user's own spec; a changed one is applied with a restart of the scheduler, or while
/// that is stopped.
pub(super) fn service(cluster: &CheckedCluster, observed: &Observed) -> Option<Apply> {
    let name = cluster.name.scheduler();
    let Some(Service { child, .. }) = &observed.service else {
        return create(Kind::Service, &name, desired::service(cluster));
    };
    let is_ours = child.ownership == Ownership::Ours && suspend::is_stopped(cluster, observed);
    let outdated = is_ours && child.hash.as_deref() != Some(&desired::service_hash(cluster));
    if !restart_is_due(cluster, child) && !outdated {
        return None;
    }
    let notes = desired::service_notes(cluster);
    let mut body = json!({"metadata": precondition(child, &json!(notes))});
    if child.hash.as_ref() != notes.get(labels::TEMPLATE_HASH) {
        body["spec"] = whole(&desired::service(cluster)["spec"]);
    }
    Some(Apply::Patch(Patch::of(Kind::Service, &name, body)))
}

/// The scheduler is made once: a running scheduler holds every result and is restarted only when somebody asks.
///
/// One patch changes the template and notes the restart, so that it is made exactly once, and `Recreate` waits for
/// the old pod's end. Deleting the Deployment and making another would need two writes, and a template that the API
/// server refuses would then leave no scheduler at all.
///
/// A suspended cluster's has no pod, and what changed meanwhile is applied. Whoever scales the Deployment otherwise is
/// left alone: only what we stopped is started by us.
pub(super) fn deployment(
    cluster: &CheckedCluster,
    observed: &Observed,
    suspension: Option<Suspension>,
    settings: &Settings,
) -> Option<Apply> {
    let name = cluster.name.scheduler();
    let Some(child) = &observed.deployment else {
        return create(Kind::Deployment, &name, desired::deployment(cluster, suspension, settings));
    };
    if child.ownership != Ownership::Ours {
        return None;
    }
    let turns = suspension.map(Suspension::note) != child.suspended && !is_awaited(suspension, observed);
    let outdated = suspend::is_stopped(cluster, observed)
        && child.hash.as_deref() != Some(&desired::scheduler_hash(cluster));
    // A template that the API server refuses keeps no scheduler from being stopped.
    let stops = turns && suspension.is_some();
    let renewed = !stops && (restart_is_due(cluster, child) || outdated);
    if !(turns || renewed) {
        return None;
    }
    let deployment = desired::deployment(cluster, suspension, settings);
    let mut notes = json!({});
    let mut spec = json!({});
    if renewed {
        notes = json!(desired::deployment_notes(cluster));
        spec = json!({
            "strategy": whole(&deployment["spec"]["strategy"]),
            "template": whole(&deployment["spec"]["template"]),
        });
    }
    if turns {
        notes[labels::SUSPENDED] = json!(suspension.map(Suspension::note));
        spec["replicas"] = deployment["spec"]["replicas"].clone();
    }
    let body = json!({"metadata": precondition(child, &notes), "spec": spec});
    Some(Apply::Patch(Patch::of(Kind::Deployment, &name, body)))
}

/// Who ends a scheduler ends its results: by what its cluster says now, and not by what it said.
pub(super) fn premise(cluster: &CheckedCluster, apply: &[Apply]) -> Option<Premise> {
    let is_scheduler = |patch: &Patch| matches!(patch.kind, Kind::Deployment | Kind::Service);
    let is_there = Premise::is_there(Kind::DaskCluster, cluster.name.as_str(), &cluster.uid);
    let is_unchanged = Premise { version: Some(cluster.resource_version.clone()), ..is_there };
    apply.iter().filter_map(Apply::patch).any(is_scheduler).then_some(is_unchanged)
}

/// Whether a scheduler that is to go on still ends: `Recreate` waits for a pod of another template alone.
fn is_awaited(suspension: Option<Suspension>, observed: &Observed) -> bool {
    suspension.is_none() && observed.scheduler_pods.iter().any(|pod| pod.terminating && !pod.ended)
}

/// Whether a restart was asked for that a child does not bear the note of.
fn restart_is_due(cluster: &CheckedCluster, child: &Child) -> bool {
    child.ownership == Ownership::Ours && cluster.restart.is_some() && cluster.restart != child.restarted
}

/// A map for a patch that replaces the one there, so that what is no longer wanted goes.
fn whole(wanted: &Value) -> Value {
    let mut map = wanted.clone();
    map["$patch"] = json!("replace");
    map
}

/// The disruption budget is there while the cluster is to be protected.
pub(super) fn budget(cluster: &CheckedCluster, observed: &Observed) -> Option<Apply> {
    if observed.budget.is_some() || !is_protected(cluster, observed) {
        return None;
    }
    create(Kind::PodDisruptionBudget, &cluster.name.scheduler(), desired::budget(cluster))
}

/// And goes when it is not.
pub(super) fn budget_no_more(cluster: &CheckedCluster, observed: &Observed) -> Option<Delete> {
    let budget = observed.budget.as_ref()?;
    if budget.ownership != Ownership::Ours || is_protected(cluster, observed) {
        return None;
    }
    Some(Delete::of(Kind::PodDisruptionBudget, &cluster.name.scheduler(), &budget.uid))
}

/// Until the scheduler itself says whether it has work, it counts as busy for as long as there are workers or are to
/// be: a worker that crashed and waits for its replacement does not end that.
fn is_protected(cluster: &CheckedCluster, observed: &Observed) -> bool {
    match cluster.protection {
        _ if suspend::suspended(cluster, observed).is_some() => false,
        DisruptionProtection::None => false,
        DisruptionProtection::WhileBusy => observed.has_workers,
        DisruptionProtection::Always => true,
    }
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
    Some(Apply::Patch(Patch::of(Kind::DaskWorkerGroup, &name, body)))
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
