//! What the caches know of one autoscaler's world.

use dask_operator_api::conditions::ConditionType;
use dask_operator_api::worker_group::DaskWorkerGroupStatus;
use dask_operator_api::{DaskAutoscaler, DaskWorkerGroup};
use dask_operator_plan::autoscaler::{Cluster, Group, Observed, Offer};
use dask_operator_plan::cluster::SchedulerPod;
use dask_operator_plan::offers;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, ResourceExt};

use crate::cache::{Cache, Guarded, Key, Meta, Record};
use crate::cluster::{is_suspended, scheduler_pods, told_by_scheduler};
use crate::context::Context;

/// Reads caches only. None when its own cluster is gone: garbage collection is about to take it.
pub(super) fn observe(context: &Context, autoscaler: &DaskAutoscaler, key: &Key) -> Option<Observed> {
    let cache = &context.cache;
    let owner = Meta::of(autoscaler.meta()).owner.filter(|owner| owner.kind == "DaskCluster");
    if let Some(owner) = owner {
        let own = cache.clusters.get(&Key::new(&key.namespace, &owner.name))?;
        own.meta().uid.as_ref().filter(|uid| **uid == owner.uid)?;
    }
    let of = Key::new(&key.namespace, &autoscaler.spec.cluster);
    let cluster = find_cluster(cache, &of);
    let known =
        cluster.as_ref().map(|cluster| told_by_scheduler(context, &of, &cluster.uid)).unwrap_or_default();
    let uid = cluster.as_ref().map(|cluster| cluster.uid.clone()).unwrap_or_default();
    let groups = cache.groups_of_cluster.of_parent(&of);
    Some(Observed {
        older: older(cache, autoscaler, &of),
        groups: groups.iter().filter_map(|group| find_group(cache, &group.meta, &uid)).collect(),
        cluster,
        link_age: SignedDuration::try_from(known.age).unwrap_or(SignedDuration::MAX),
        link: known.link,
    })
}

fn find_cluster(cache: &Cache, key: &Key) -> Option<Cluster> {
    let object = cache.clusters.get(key)?;
    let Guarded::Good(cluster) = &*object else { return None };
    let metadata = &cluster.metadata;
    let (uid, deleting) = (metadata.uid.clone().unwrap_or_default(), metadata.deletion_timestamp.is_some());
    let suspended = is_suspended(cache, key, cluster);
    let mut schedulers = scheduler_pods(cache, key);
    schedulers.retain(SchedulerPod::is_live);
    Some(Cluster {
        name: key.name.clone(),
        uid,
        deleting,
        suspended,
        scheduler_ready: schedulers.iter().any(|pod| pod.ready),
        scheduler_trouble: schedulers.into_iter().find_map(|pod| pod.trouble),
    })
}

/// The oldest one acts; of two of the same second the first by name.
fn older(cache: &Cache, autoscaler: &DaskAutoscaler, cluster: &Key) -> Option<String> {
    let all = cache.autoscalers_of_cluster.of_parent(cluster);
    let others = all.iter().filter_map(|one| cache.autoscalers.get(&one.meta.key));
    let alive = others.filter(|one| one.meta().deletion_timestamp.is_none()).map(|one| age(one.meta()));
    alive.filter(|other| *other < age(&autoscaler.metadata)).min().map(|(_, name)| name)
}

fn age(metadata: &ObjectMeta) -> (Option<Timestamp>, String) {
    let created = metadata.creation_timestamp.as_ref().map(|time| time.0);
    (created, metadata.name.clone().unwrap_or_default())
}

/// One that is not about to go, nor another cluster's.
fn find_group(cache: &Cache, meta: &Meta, cluster: &str) -> Option<Group> {
    let object = cache.groups.get(&meta.key)?;
    let Guarded::Good(group) = &*object else { return None };
    let DaskWorkerGroup { metadata, spec, status } = group;
    let is_anothers = meta.owner.as_ref().is_some_and(|owner| owner.uid != cluster);
    if metadata.deletion_timestamp.is_some() || is_anothers {
        return None;
    }
    let pods = cache.workers.of_parent(&meta.key);
    let ours = pods.iter().filter(|pod| pod.meta().is_owned_by(&meta.uid));
    Some(Group {
        name: object.name_any(),
        uid: meta.uid.clone(),
        resource_version: metadata.resource_version.clone().unwrap_or_default(),
        replicas: usize::try_from(spec.worker.replicas).unwrap_or_default(),
        declared: Offer::from(&offers::known(group)),
        pods: ours.map(|pod| pod.worker()).collect(),
        refused: status.as_ref().and_then(refused),
    })
}

/// The API server's words when it will not have more of a group's pods.
fn refused(status: &DaskWorkerGroupStatus) -> Option<String> {
    let refused = ConditionType::Refused.to_string();
    let told = status.conditions.iter().find(|condition| condition.type_ == refused)?;
    Some(format!("{}: {}", told.reason, told.message))
}
