//! Where changes go: the queues of both controllers.

use std::sync::atomic::{AtomicBool, Ordering};

use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::UnboundedSender;

use crate::cache::{Cache, Guarded, Key};

/// A cluster as reconciles are triggered by it.
pub(crate) type ClusterRef = ObjectRef<Guarded<DaskCluster>>;
/// A group as reconciles are triggered by it.
pub(crate) type GroupRef = ObjectRef<Guarded<DaskWorkerGroup>>;

/// Where changes go. Before this replica leads they go nowhere: it begins with a look at everything.
pub(crate) struct Triggers {
    pub(crate) clusters: UnboundedSender<ClusterRef>,
    pub(crate) groups: UnboundedSender<GroupRef>,
    pub(crate) leading: AtomicBool,
}

impl Triggers {
    /// Looks at a cluster.
    pub(crate) fn cluster(&self, key: &Key) {
        if self.leading.load(Ordering::Relaxed) {
            let _ = self.clusters.send(ObjectRef::new(&key.name).within(&key.namespace));
        }
    }

    /// Looks at a group.
    pub(crate) fn group(&self, key: &Key) {
        if self.leading.load(Ordering::Relaxed) {
            let _ = self.groups.send(ObjectRef::new(&key.name).within(&key.namespace));
        }
    }

    /// Looks at everything there is, and from now on at every change.
    pub(crate) fn lead(&self, cache: &Cache) {
        self.leading.store(true, Ordering::Relaxed);
        for cluster in cache.clusters.state() {
            self.cluster(&Key::of(cluster.meta()));
        }
        for group in cache.groups.state() {
            self.group(&Key::of(group.meta()));
        }
    }
}
