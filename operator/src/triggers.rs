//! Where changes go: the queues of both controllers.

use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cache::{Guarded, Key};

/// A cluster as reconciles are triggered by it.
type ClusterRef = ObjectRef<Guarded<DaskCluster>>;
/// A group as reconciles are triggered by it.
type GroupRef = ObjectRef<Guarded<DaskWorkerGroup>>;

/// Where changes go.
pub(crate) struct Triggers {
    clusters: UnboundedSender<ClusterRef>,
    groups: UnboundedSender<GroupRef>,
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
        (Self { clusters: cluster_trigger, groups: group_trigger }, Queues { clusters, groups })
    }

    /// Looks at a cluster.
    pub(crate) fn cluster(&self, key: &Key) {
        let _ = self.clusters.send(ObjectRef::new(&key.name).within(&key.namespace));
    }

    /// Looks at a group.
    pub(crate) fn group(&self, key: &Key) {
        let _ = self.groups.send(ObjectRef::new(&key.name).within(&key.namespace));
    }
}
