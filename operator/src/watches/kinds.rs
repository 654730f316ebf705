//! Where the objects of each watch are kept, and whom a change concerns.

use dask_operator_api::{DaskAutoscaler, DaskCluster, DaskWorkerGroup, labels, names};
use dask_operator_plan::Kind;
use kube::Resource;

use super::Follower;
use crate::cache::{Cache, ChildRecord, Guarded, Index, Key, Meta, OfCluster, Pod, PodRecord, Record};
use crate::kubernetes::Reconciled;

/// What becomes of the objects of one watch.
pub(super) trait Follow<K> {
    /// An object is new or changed.
    fn put(&self, follower: &Follower, object: K);
    /// An object is gone.
    fn remove(&self, follower: &Follower, key: &Key);
    /// The objects known, everywhere or in one namespace.
    fn keys(&self, follower: &Follower, namespace: Option<&str>) -> Vec<Key>;
}

/// A change of a cluster concerns its groups, too.
pub(super) struct Clusters;

impl Follow<Guarded<DaskCluster>> for Clusters {
    fn put(&self, follower: &Follower, cluster: Guarded<DaskCluster>) {
        let cluster = trimmed(cluster);
        let (key, uid) = (Key::of(cluster.meta()), cluster.meta().uid.clone());
        let before = follower.context.cache.clusters.put(cluster);
        if let Some(before) = before.filter(|before| before.meta().uid != uid) {
            follower.forget(Kind::DaskCluster, &*before);
        }
        follower.cluster_and_groups(&key);
    }

    fn remove(&self, follower: &Follower, key: &Key) {
        if let Some(gone) = follower.context.cache.clusters.remove(key) {
            follower.forget(Kind::DaskCluster, &*gone);
        }
        follower.cluster_and_groups(key);
    }

    fn keys(&self, follower: &Follower, namespace: Option<&str>) -> Vec<Key> {
        follower.context.cache.clusters.keys(namespace)
    }
}

/// A change of a group concerns the cluster that it names, and the one that it named before.
pub(super) struct Groups;

impl Follow<Guarded<DaskWorkerGroup>> for Groups {
    fn put(&self, follower: &Follower, group: Guarded<DaskWorkerGroup>) {
        let group = trimmed(group);
        let (key, uid, record) = (
            Key::of(group.meta()),
            group.meta().uid.clone(),
            of_cluster(&group, |group| &group.spec.cluster),
        );
        let before = follower.context.cache.groups.put(group);
        if let Some(before) = before.filter(|before| before.meta().uid != uid) {
            follower.forget(Kind::DaskWorkerGroup, &*before);
        }
        let clusters = follower.context.cache.groups_of_cluster.put(record);
        follower.triggers.group(&key);
        follower.cluster_of_name(&key);
        for cluster in &clusters {
            follower.triggers.cluster(cluster);
            follower.autoscalers(cluster);
        }
    }

    fn remove(&self, follower: &Follower, key: &Key) {
        if let Some(gone) = follower.context.cache.groups.remove(key) {
            follower.forget(Kind::DaskWorkerGroup, &*gone);
        }
        follower.cluster_of_name(key);
        let cluster = follower.context.cache.groups_of_cluster.remove(key);
        if let Some(cluster) = &cluster {
            follower.triggers.cluster(cluster);
            follower.autoscalers(cluster);
        }
    }

    fn keys(&self, follower: &Follower, namespace: Option<&str>) -> Vec<Key> {
        follower.context.cache.groups.keys(namespace)
    }
}

/// An autoscaler concerns others of the same cluster: only the oldest acts.
pub(super) struct Autoscalers;

impl Follow<Guarded<DaskAutoscaler>> for Autoscalers {
    fn put(&self, follower: &Follower, autoscaler: Guarded<DaskAutoscaler>) {
        let autoscaler = trimmed(autoscaler);
        let (key, uid) = (Key::of(autoscaler.meta()), autoscaler.meta().uid.clone());
        let record = of_cluster(&autoscaler, |autoscaler| &autoscaler.spec.cluster);
        let before = follower.context.cache.autoscalers.put(autoscaler);
        if let Some(before) = before.filter(|before| before.meta().uid != uid) {
            follower.forget(Kind::DaskAutoscaler, &*before);
        }
        follower.triggers.autoscaler(&key);
        let clusters = follower.context.cache.autoscalers_of_cluster.put(record);
        for cluster in &clusters {
            follower.autoscalers(cluster);
        }
    }

    fn remove(&self, follower: &Follower, key: &Key) {
        if let Some(gone) = follower.context.cache.autoscalers.remove(key) {
            follower.forget(Kind::DaskAutoscaler, &*gone);
        }
        let cluster = follower.context.cache.autoscalers_of_cluster.remove(key);
        if let Some(cluster) = &cluster {
            follower.autoscalers(cluster);
        }
    }

    fn keys(&self, follower: &Follower, namespace: Option<&str>) -> Vec<Key> {
        follower.context.cache.autoscalers.keys(namespace)
    }
}

/// A scheduler's pod concerns its cluster and the groups whose workers wait for it.
pub(super) struct Schedulers;

impl Follow<Pod> for Schedulers {
    fn put(&self, follower: &Follower, pod: Pod) {
        let clusters = follower.context.cache.schedulers.put(pod.into());
        for cluster in &clusters {
            follower.context.scheduler_changed(cluster);
            follower.cluster_and_groups(cluster);
        }
    }

    fn remove(&self, follower: &Follower, key: &Key) {
        let cluster = follower.context.cache.schedulers.remove(key);
        if let Some(cluster) = &cluster {
            follower.context.scheduler_changed(cluster);
            follower.cluster_and_groups(cluster);
        }
    }

    fn keys(&self, follower: &Follower, namespace: Option<&str>) -> Vec<Key> {
        follower.context.cache.schedulers.keys(namespace)
    }
}

/// A worker's pod concerns its group.
pub(super) struct Workers;

impl Follow<Pod> for Workers {
    fn put(&self, follower: &Follower, pod: Pod) {
        let context = &follower.context;
        let record = PodRecord::from(pod);
        let before = context.cache.workers.get(&record.meta().key);
        let record = record.since(before.as_deref(), context.clock.now());
        let groups = context.cache.workers.put(record);
        for group in &groups {
            follower.triggers.group(group);
        }
    }

    fn remove(&self, follower: &Follower, key: &Key) {
        let group = follower.context.cache.workers.remove(key);
        if let Some(group) = &group {
            follower.triggers.group(group);
        }
    }

    fn keys(&self, follower: &Follower, namespace: Option<&str>) -> Vec<Key> {
        follower.context.cache.workers.keys(namespace)
    }
}

/// Any other child concerns its cluster; a Deployment, which says whether that is suspended, its groups, too.
pub(super) struct Children(pub(super) fn(&Cache) -> &Index<ChildRecord>, pub(super) fn(&Follower, &Key));

impl<K> Follow<K> for Children
where
    ChildRecord: From<K>,
{
    fn put(&self, follower: &Follower, child: K) {
        let child = ChildRecord::from(child);
        let key = child.meta().key.clone();
        for cluster in (self.0)(&follower.context.cache).put(child) {
            (self.1)(follower, &cluster);
        }
        follower.cluster_of_name(&key);
    }

    fn remove(&self, follower: &Follower, key: &Key) {
        if let Some(cluster) = (self.0)(&follower.context.cache).remove(key) {
            (self.1)(follower, &cluster);
        }
        follower.cluster_of_name(key);
    }

    fn keys(&self, follower: &Follower, namespace: Option<&str>) -> Vec<Key> {
        (self.0)(&follower.context.cache).keys(namespace)
    }
}

impl Follower {
    fn forget(&self, kind: Kind, gone: &impl Resource) {
        let (key, uid) = (Key::of(gone.meta()), gone.meta().uid.clone().unwrap_or_default());
        self.context.forget(&Reconciled { kind, key, uid });
    }

    /// An object may have the name of a cluster's child and the label of another cluster.
    fn cluster_of_name(&self, child: &Key) {
        if let Some(cluster) = names::cluster_of_child(&child.name) {
            self.triggers.cluster(&Key::new(&child.namespace, cluster));
        }
    }

    pub(super) fn cluster(&self, cluster: &Key) {
        self.triggers.cluster(cluster);
    }

    pub(super) fn cluster_and_groups(&self, cluster: &Key) {
        self.triggers.cluster(cluster);
        for group in self.context.cache.groups_of_cluster.of_parent(cluster) {
            self.triggers.group(&group.meta.key);
        }
        self.autoscalers(cluster);
    }

    fn autoscalers(&self, cluster: &Key) {
        for autoscaler in self.context.cache.autoscalers_of_cluster.of_parent(cluster) {
            self.triggers.autoscaler(&autoscaler.meta.key);
        }
    }
}

fn of_cluster<K: Resource<DynamicType = ()>>(object: &Guarded<K>, cluster: fn(&K) -> &str) -> OfCluster {
    let cluster = match object {
        Guarded::Good(object) => cluster(object).to_owned(),
        Guarded::Bad { .. } => String::new(),
    };
    OfCluster { meta: Meta::of(object.meta()), cluster }
}

/// Drops what nobody reads before it is stored.
fn trimmed<K: Resource>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    if let Some(notes) = &mut object.meta_mut().annotations {
        notes.retain(|key, _| !labels::NOT_PROPAGATED.iter().any(|prefix| key.starts_with(prefix)));
    }
    object
}
