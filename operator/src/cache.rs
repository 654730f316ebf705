//! What the watches show: stores of raw objects, and small records of everything else.

mod child;
mod guard;
mod index;
mod objects;
mod pod;
mod record;

use dask_operator_api::{DaskAutoscaler, DaskCluster, DaskWorkerGroup};
use dask_operator_plan::Kind;
use kube::{Resource, ResourceExt};
use tokio::sync::watch;

pub(crate) use child::{Budget, ChildRecord, ConfigMap, Deployment, Service};
pub(crate) use guard::Guarded;
pub(crate) use index::Index;
pub(crate) use objects::Objects;
pub(crate) use pod::{Pod, PodRecord, Scheduler};
pub(crate) use record::{Key, Meta, OfCluster, Record};

/// Everything that reconciles read; they never ask the API server.
#[derive(Default)]
pub(crate) struct Cache {
    pub(crate) clusters: Objects<DaskCluster>,
    pub(crate) groups: Objects<DaskWorkerGroup>,
    pub(crate) autoscalers: Objects<DaskAutoscaler>,
    pub(crate) groups_of_cluster: Index<OfCluster>,
    pub(crate) autoscalers_of_cluster: Index<OfCluster>,
    pub(crate) schedulers: Index<PodRecord<Scheduler>>,
    pub(crate) workers: Index<PodRecord>,
    pub(crate) deployments: Index<ChildRecord>,
    pub(crate) services: Index<ChildRecord>,
    pub(crate) configs: Index<ChildRecord>,
    pub(crate) budgets: Index<ChildRecord>,
    complete: watch::Sender<bool>,
}

/// What the cache knows of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) uid: String,
    pub(crate) version: u64,
    pub(crate) terminating: bool,
}

impl Cache {
    /// One object of any kind that we write.
    pub(crate) fn seen(&self, kind: Kind, key: &Key) -> Option<Seen> {
        match kind {
            Kind::DaskCluster => stored(&self.clusters, key),
            Kind::DaskWorkerGroup => stored(&self.groups, key),
            Kind::DaskAutoscaler => stored(&self.autoscalers, key),
            Kind::ConfigMap => indexed(&self.configs, key),
            Kind::Deployment => indexed(&self.deployments, key),
            Kind::Pod => indexed(&self.workers, key),
            Kind::PodDisruptionBudget => indexed(&self.budgets, key),
            Kind::Service => indexed(&self.services, key),
        }
    }

    /// Every watch has shown what there was at the start.
    pub(crate) fn complete(&self) {
        self.clusters.complete();
        self.groups.complete();
        self.autoscalers.complete();
        self.complete.send_replace(true);
    }

    /// Whether it has.
    pub(crate) fn is_synced(&self) -> bool {
        *self.complete.borrow()
    }

    /// Returns once it has.
    pub(crate) async fn synced(&self) {
        let _ = self.complete.subscribe().wait_for(|complete| *complete).await;
    }
}

fn indexed<T: Record>(index: &Index<T>, key: &Key) -> Option<Seen> {
    index.get(key).map(|record| {
        let meta = record.meta();
        Seen { uid: meta.uid.clone(), version: meta.version(), terminating: meta.terminating }
    })
}

fn stored<K>(objects: &Objects<K>, key: &Key) -> Option<Seen>
where
    Guarded<K>: kube::Resource<DynamicType = ()> + Clone + 'static,
{
    let object = objects.get(key)?;
    Some(Seen {
        uid: object.uid().unwrap_or_default(),
        version: record::version(&object.resource_version().unwrap_or_default()),
        terminating: object.meta().deletion_timestamp.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn whoever_waits_for_complete_caches_is_woken() {
        let cache = Cache::default();
        assert!(cache.synced().now_or_never().is_none());
        let store = cache.clusters.store();
        let both = async { futures::join!(cache.synced(), cache.synced()) };
        let waiting = futures::future::join(both, store.wait_until_ready());
        cache.complete();
        assert!(waiting.await.1.is_ok() && cache.is_synced());
    }

    #[test]
    fn what_was_shown_before_the_caches_were_complete_stays() {
        let cache = Cache::default();
        let cluster = dask_operator_testkit::a_cluster().build();
        let key = Key::of(&cluster.metadata);
        cache.clusters.put(Guarded::Good(cluster));
        cache.complete();
        assert!(cache.clusters.get(&key).is_some());
    }
}
