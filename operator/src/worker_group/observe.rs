//! What the caches know of one group's world.

use dask_operator_api::names::ClusterName;
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use dask_operator_plan::worker_group::{Cluster, Observed};
use kube::{Resource, ResourceExt};

use crate::cache::{Cache, Guarded, Key, Meta, Record};
use crate::cluster::{is_suspended, scheduler_pods, scheduler_uid, told_by_scheduler};
use crate::context::Context;
use crate::scheduler::Known;

/// Reads caches only. None when the group's own cluster is gone: garbage collection is about to take the group.
pub(super) fn observe(context: &Context, group: &DaskWorkerGroup, key: &Key) -> Option<Observed> {
    let cache = &context.cache;
    let uid = group.uid().unwrap_or_default();
    let cluster = find_cluster(cache, group, &key.namespace);
    let owner = Meta::of(group.meta()).owner.filter(|owner| owner.kind == "DaskCluster");
    let stranger = owner.filter(|owner| cluster.as_ref().is_none_or(|cluster| cluster.uid != owner.uid));
    if let Some(owner) = &stranger {
        let own = cache.clusters.get(&Key::new(&key.namespace, &owner.name))?;
        own.meta().uid.as_ref().filter(|uid| **uid == owner.uid)?;
    }
    let pods = cache.workers.of_parent(key);
    let ours = pods.iter().filter(|pod| pod.meta().is_owned_by(&uid));
    let of_another = stranger.map(|owner| owner.name);
    let of = |cluster: &Cluster| Key::new(&key.namespace, &cluster.name);
    let known = cluster
        .as_ref()
        .map(|cluster| told_by_scheduler(context, &of(cluster), &cluster.uid))
        .unwrap_or_default();
    let Known { link, unsettled, unknown, .. } = known;
    let pods = ours.map(|pod| pod.worker()).collect();
    Some(Observed { cluster, of_another, pods, link, unsettled, unknown })
}

fn find_cluster(cache: &Cache, group: &DaskWorkerGroup, namespace: &str) -> Option<Cluster> {
    let object = cache.clusters.get(&Key::new(namespace, &group.spec.cluster))?;
    // A cluster of another trouble may run; one whose name breaks the rule never does.
    ClusterName::parse(&group.spec.cluster).ok()?;
    let Guarded::Good(object) = &*object else { return None };
    let DaskCluster { metadata, spec, .. } = object;
    let key = Key::new(namespace, &group.spec.cluster);
    Some(Cluster {
        name: group.spec.cluster.clone(),
        uid: metadata.uid.clone().unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        suspended: is_suspended(cache, &key, object),
        stops: spec.suspend.unwrap_or_default(),
        labels: metadata.labels.clone().unwrap_or_default(),
        image: spec.image.clone().filter(|image| !image.is_empty()),
        has_config: spec.config.as_ref().is_some_and(|config| config.text() != "{}"),
        protection: spec.disruption_protection.unwrap_or_default(),
        has_scheduler: scheduler_uid(cache, &key).is_some(),
        scheduler_ready: scheduler_pods(cache, &key).iter().any(|pod| pod.ready && !pod.terminating),
    })
}
