//! What the watches show: two stores of raw objects, and small records of everything else.

mod guard;
mod index;
mod pod;
mod record;

use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use dask_operator_plan::Kind;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::{Resource, ResourceExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use guard::Guarded;
pub(crate) use index::Index;
pub(crate) use pod::{Pod, PodRecord, Scheduler};
pub(crate) use record::{
    Budget, ChildRecord, ConfigMap, Deployment, GroupRecord, Key, Meta, Record, Service,
};

/// Everything that reconciles read; they never ask the API server.
pub(crate) struct Cache {
    pub(crate) clusters: Store<Guarded<DaskCluster>>,
    pub(crate) groups: Store<Guarded<DaskWorkerGroup>>,
    pub(crate) groups_of_cluster: Index<GroupRecord>,
    pub(crate) schedulers: Index<PodRecord<Scheduler>>,
    pub(crate) workers: Index<PodRecord>,
    pub(crate) deployments: Arc<Index<ChildRecord>>,
    pub(crate) services: Arc<Index<ChildRecord>>,
    pub(crate) configs: Arc<Index<ChildRecord>>,
    pub(crate) budgets: Arc<Index<ChildRecord>>,
    complete: AtomicBool,
}

/// Where the watches of the two raw kinds write.
pub(crate) struct Stores {
    pub(crate) clusters: Writer<Guarded<DaskCluster>>,
    pub(crate) groups: Writer<Guarded<DaskWorkerGroup>>,
}

/// What the cache knows of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) uid: String,
    pub(crate) version: u64,
    pub(crate) terminating: bool,
}

impl Cache {
    /// Empty caches.
    pub(crate) fn new() -> (Self, Stores) {
        let (clusters, cluster_writer) = reflector::store();
        let (groups, group_writer) = reflector::store();
        let cache = Self {
            clusters,
            groups,
            groups_of_cluster: Index::default(),
            schedulers: Index::default(),
            workers: Index::default(),
            deployments: Arc::default(),
            services: Arc::default(),
            configs: Arc::default(),
            budgets: Arc::default(),
            complete: AtomicBool::new(false),
        };
        (cache, Stores { clusters: cluster_writer, groups: group_writer })
    }

    /// One object of any kind that we write.
    pub(crate) fn seen(&self, kind: Kind, key: &Key) -> Option<Seen> {
        match kind {
            Kind::DaskCluster => stored(&self.clusters, key),
            Kind::DaskWorkerGroup => stored(&self.groups, key),
            Kind::ConfigMap => indexed(&self.configs, key),
            Kind::Deployment => indexed(&self.deployments, key),
            Kind::Pod => indexed(&self.workers, key),
            Kind::PodDisruptionBudget => indexed(&self.budgets, key),
            Kind::Service => indexed(&self.services, key),
        }
    }

    /// Whether [`Cache::synced`] has returned.
    pub(crate) fn is_synced(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// Returns once every watch has shown what there was at the start. For one caller: kube's store wakes only the
    /// last of those who wait for it.
    pub(crate) async fn synced(&self) {
        let _ = self.clusters.wait_until_ready().await;
        let _ = self.groups.wait_until_ready().await;
        self.groups_of_cluster.synced().await;
        self.schedulers.synced().await;
        self.workers.synced().await;
        self.deployments.synced().await;
        self.services.synced().await;
        self.configs.synced().await;
        self.budgets.synced().await;
        self.complete.store(true, Ordering::Relaxed);
    }
}

fn indexed<T: Record>(index: &Index<T>, key: &Key) -> Option<Seen> {
    index.get(key).map(|record| {
        let meta = record.meta();
        Seen { uid: meta.uid.clone(), version: meta.version(), terminating: meta.terminating }
    })
}

fn stored<K>(store: &Store<Guarded<K>>, key: &Key) -> Option<Seen>
where
    Guarded<K>: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    let object = store.get(&ObjectRef::new(&key.name).within(&key.namespace))?;
    Some(Seen {
        uid: object.uid().unwrap_or_default(),
        version: record::version(&object.resource_version().unwrap_or_default()),
        terminating: object.meta().deletion_timestamp.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::runtime::watcher::Event;

    #[tokio::test]
    async fn asking_whether_the_caches_are_complete_does_not_keep_anybody_waiting() {
        let (cache, mut stores) = Cache::new();
        let cache = Arc::new(cache);
        let waiting = tokio::spawn({
            let cache = Arc::clone(&cache);
            async move { cache.synced().await }
        });
        tokio::task::yield_now().await;
        assert!(!cache.is_synced());
        stores.clusters.apply_watcher_event(&Event::InitDone);
        stores.groups.apply_watcher_event(&Event::InitDone);
        cache.groups_of_cluster.apply(Event::InitDone);
        cache.schedulers.apply(Event::InitDone);
        cache.workers.apply(Event::InitDone);
        for index in [&cache.deployments, &cache.services, &cache.configs, &cache.budgets] {
            assert!(!cache.is_synced());
            index.apply(Event::InitDone);
        }
        waiting.await.unwrap();
        assert!(cache.is_synced());
    }
}
