//! Where changes go: the queues of both controllers.

use std::sync::atomic::{AtomicBool, Ordering};

use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cache::{Cache, Guarded, Key};

/// A cluster as reconciles are triggered by it.
type ClusterRef = ObjectRef<Guarded<DaskCluster>>;
/// A group as reconciles are triggered by it.
type GroupRef = ObjectRef<Guarded<DaskWorkerGroup>>;

/// Where changes go. Before this replica leads they go nowhere: it begins with a look at everything.
pub(crate) struct Triggers {
    clusters: UnboundedSender<ClusterRef>,
    groups: UnboundedSender<GroupRef>,
    leading: AtomicBool,
}

/// Where they come out.
pub(crate) struct Queues {
    pub(crate) clusters: UnboundedReceiver<ClusterRef>,
    pub(crate) groups: UnboundedReceiver<GroupRef>,
}

impl Triggers {
    /// Both ends.
    pub(crate) fn new() -> (Self, Queues) {
        let (cluster_trigger, clusters) = unbounded_channel();
        let (group_trigger, groups) = unbounded_channel();
        let triggers =
            Self { clusters: cluster_trigger, groups: group_trigger, leading: AtomicBool::new(false) };
        (triggers, Queues { clusters, groups })
    }

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
        for key in cache.clusters.keys(None) {
            self.cluster(&key);
        }
        for key in cache.groups.keys(None) {
            self.group(&key);
        }
    }
}
