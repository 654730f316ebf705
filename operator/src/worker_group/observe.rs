//! What the caches know of one group's world.

use dask_operator_api::names::ClusterName;
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use dask_operator_plan::worker_group::{Cluster, Observed};
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};

use crate::cache::{Cache, Guarded, Key, Meta, Record};

/// Reads caches only. None when the group's own cluster is gone: garbage collection is about to take the group.
pub(super) fn observe(cache: &Cache, group: &DaskWorkerGroup, key: &Key) -> Option<Observed> {
    let uid = group.uid().unwrap_or_default();
    let cluster = find_cluster(cache, group, &key.namespace);
    let owner = Meta::of(group.meta()).owner.filter(|owner| owner.kind == "DaskCluster");
    if owner.is_some_and(|owner| cluster.as_ref().is_none_or(|cluster| cluster.uid != owner.uid)) {
        return None;
    }
    let pods = cache.workers.of_parent(key);
    let ours = pods.iter().filter(|pod| pod.meta().is_owned_by(&uid));
    Some(Observed { cluster, pods: ours.map(|pod| pod.worker()).collect() })
}

fn find_cluster(cache: &Cache, group: &DaskWorkerGroup, namespace: &str) -> Option<Cluster> {
    let object = cache.clusters.get(&ObjectRef::new(&group.spec.cluster).within(namespace))?;
    // A cluster of another trouble may run; one whose name breaks the rule never does.
    ClusterName::parse(&group.spec.cluster).ok()?;
    let Guarded::Good(DaskCluster { metadata, spec, .. }) = &*object else { return None };
    let schedulers = cache.schedulers.of_parent(&Key::new(namespace, &group.spec.cluster));
    let scheduler = |pod: &dask_operator_plan::cluster::SchedulerPod| pod.ready && !pod.terminating;
    Some(Cluster {
        name: group.spec.cluster.clone(),
        uid: metadata.uid.clone().unwrap_or_default(),
        deleting: metadata.deletion_timestamp.is_some(),
        labels: metadata.labels.clone().unwrap_or_default(),
        image: spec.image.clone().filter(|image| !image.is_empty()),
        has_config: spec.config.as_ref().is_some_and(|config| config.text() != "{}"),
        protection: spec.disruption_protection.unwrap_or_default(),
        scheduler_ready: schedulers.iter().any(|pod| scheduler(&pod.scheduler())),
    })
}
