//! What the caches know of one cluster's world.

use dask_operator_api::conditions::Reason;
use dask_operator_api::worker_group::DaskWorkerGroupStatus;
use dask_operator_api::{DaskCluster, labels, names};
use dask_operator_plan::cluster::{DefaultGroup, Observed, Ownership, SchedulerPod, Service};
use jiff::{SignedDuration, Timestamp};
use kube::{Resource, ResourceExt};

use crate::cache::{Cache, Guarded, Key, Meta, OfCluster, Record};
use crate::context::Context;
use crate::scheduler::{Known, Place};

/// Reads caches only.
pub(super) fn observe(context: &Context, cluster: &DaskCluster, key: &Key) -> Observed {
    let cache = &context.cache;
    let uid = cluster.uid().unwrap_or_default();
    let child = |name: &str| Key::new(&key.namespace, name);
    let scheduler = child(&names::scheduler_name(&key.name));
    let service = cache.services.get(&scheduler).map(|record| Service {
        child: record.child(&key.name, &uid),
        awaits_address: record.awaits_address,
    });
    let known = told_by_scheduler(context, key, &uid);
    let config = child(&names::config_name(&key.name));
    let deployment = cache.deployments.get(&scheduler);
    Observed {
        replica_failure: deployment.as_ref().and_then(|record| record.replica_failure.clone()),
        deployment: deployment.map(|record| record.child(&key.name, &uid)),
        service,
        config: cache.configs.get(&config).map(|record| record.child(&key.name, &uid)),
        group: default_group(cache, key, &uid),
        budget: cache.budgets.get(&scheduler).map(|record| record.child(&key.name, &uid)),
        has_workers: cache.groups_of_cluster.of_parent(key).iter().any(|group| has_workers(cache, group)),
        scheduler_pods: scheduler_pods(cache, key),
        youngest: youngest(cache, key),
        silence: SignedDuration::try_from(known.silence).unwrap_or(SignedDuration::MAX),
        link_age: SignedDuration::try_from(known.age).unwrap_or(SignedDuration::MAX),
        link: known.link,
    }
}

/// The pods of a cluster's scheduler, terminating ones too.
pub(crate) fn scheduler_pods(cache: &Cache, cluster: &Key) -> Vec<SchedulerPod> {
    let pods = cache.schedulers.of_parent(cluster);
    pods.iter().filter(|pod| pod.is_made_for(&cluster.name)).map(|pod| pod.scheduler()).collect()
}

/// The UID of the pod of the cluster's scheduler, once it was started and while it stays.
pub(crate) fn scheduler_uid(cache: &Cache, cluster: &Key) -> Option<String> {
    let pods = cache.schedulers.of_parent(cluster);
    let stays = pods.iter().find(|pod| pod.is_made_for(&cluster.name) && pod.address().is_some())?;
    Some(stays.meta().uid.clone())
}

/// Where the cluster's scheduler answers.
pub(crate) fn scheduler_place(cache: &Cache, cluster: &Key, uid: &str) -> Option<Place> {
    let pods = cache.schedulers.of_parent(cluster);
    pods.iter().filter(|pod| pod.is_made_for(&cluster.name)).find_map(|pod| pod.place(uid))
}

/// Whether the cluster has no workers for now.
pub(crate) fn is_suspended(cache: &Cache, key: &Key, cluster: &DaskCluster) -> bool {
    let uid = cluster.uid().unwrap_or_default();
    let deployment = cache.deployments.get(&Key::new(&key.namespace, &names::scheduler_name(&key.name)));
    let child = deployment.map(|record| record.child(&key.name, &uid));
    dask_operator_plan::cluster::is_suspended(cluster, child.as_ref())
}

/// What is known of the cluster's scheduler by asking it.
pub(crate) fn told_by_scheduler(context: &Context, cluster: &Key, uid: &str) -> Known {
    let place = scheduler_place(&context.cache, cluster, uid);
    place.map(|place| context.links.look(cluster, &place)).unwrap_or_default()
}

/// When a pod of the cluster became ready last.
fn youngest(cache: &Cache, cluster: &Key) -> Option<Timestamp> {
    let groups = cache.groups_of_cluster.of_parent(cluster);
    let workers = groups.iter().flat_map(|group| cache.workers.of_parent(&group.meta.key));
    let workers = workers.filter_map(|pod| pod.ready_since());
    let schedulers = cache.schedulers.of_parent(cluster);
    workers.chain(schedulers.iter().filter_map(|pod| pod.ready_since())).max()
}

/// Whether a group wants workers or, by its status, still has some.
fn has_workers(cache: &Cache, group: &OfCluster) -> bool {
    let object = cache.groups.get(&group.meta.key);
    let Some(Guarded::Good(group)) = object.as_deref() else { return false };
    let existing = group.status.as_ref().and_then(|status| status.replicas);
    group.spec.worker.replicas > 0 || existing.is_some_and(|workers| workers > 0)
}

fn default_group(cache: &Cache, key: &Key, uid: &str) -> Option<DefaultGroup> {
    let name = names::default_group_name(&key.name);
    let object = cache.groups.get(&Key::new(&key.namespace, &name))?;
    let meta = Meta::of(object.meta());
    let notes = object.meta().annotations.clone().unwrap_or_default();
    let child = dask_operator_plan::cluster::Child {
        uid: meta.uid.clone(),
        resource_version: meta.resource_version.clone(),
        ownership: meta.ownership(&key.name, uid),
        hash: notes.get(labels::PUSHED_WORKER).cloned(),
        restarted: None,
        suspended: None,
    };
    let group = match &*object {
        Guarded::Good(group) if child.ownership == Ownership::Ours => group,
        // Its workers are not this cluster's, or nobody knows.
        _ => return Some(DefaultGroup { child, ..DefaultGroup::default() }),
    };
    let status = group.status.clone().unwrap_or_default();
    Some(DefaultGroup {
        child,
        pushed_replicas: notes.get(labels::PUSHED_REPLICAS).and_then(|text| text.parse().ok()),
        worker: serde_json::to_value(&group.spec.worker).unwrap_or_default(),
        replicas: i64::from(status.replicas.unwrap_or(0)),
        ready_replicas: i64::from(status.ready_replicas.unwrap_or(0)),
        status_is_current: status.observed_generation == group.metadata.generation,
        roll: roll(&status),
    })
}

fn roll(status: &DaskWorkerGroupStatus) -> Option<Reason> {
    let mut reasons = status.conditions.iter().filter_map(|condition| Reason::named(&condition.reason));
    reasons.find(|reason| reason.is_of_a_roll())
}
