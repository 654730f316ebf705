//! Where changes go: the queues of all controllers.

use dask_operator_api::{DaskAutoscaler, DaskCluster, DaskWorkerGroup};
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cache::{Guarded, Key};

/// A cluster as reconciles are triggered by it.
type ClusterRef = ObjectRef<Guarded<DaskCluster>>;
/// A group as reconciles are triggered by it.
type GroupRef = ObjectRef<Guarded<DaskWorkerGroup>>;
/// An autoscaler as reconciles are triggered by it.
type AutoscalerRef = ObjectRef<Guarded<DaskAutoscaler>>;

/// Who follows a scheduler.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Follower {
    Cluster(Key),
    Group(Key),
    Autoscaler(Key),
}

/// Where changes go.
pub(crate) struct Triggers {
    clusters: UnboundedSender<ClusterRef>,
    groups: UnboundedSender<GroupRef>,
    autoscalers: UnboundedSender<AutoscalerRef>,
}

/// Where they come out.
pub(crate) struct Queues {
    pub(crate) clusters: UnboundedReceiver<ClusterRef>,
    pub(crate) groups: UnboundedReceiver<GroupRef>,
    pub(crate) autoscalers: UnboundedReceiver<AutoscalerRef>,
}

impl Triggers {
    /// All ends.
    pub(crate) fn new() -> (Self, Queues) {
        let (cluster_trigger, clusters) = unbounded_channel();
        let (group_trigger, groups) = unbounded_channel();
        let (autoscaler_trigger, autoscalers) = unbounded_channel();
        let triggers =
            Self { clusters: cluster_trigger, groups: group_trigger, autoscalers: autoscaler_trigger };
        (triggers, Queues { clusters, groups, autoscalers })
    }

    /// Looks at a cluster.
    pub(crate) fn cluster(&self, key: &Key) {
        let _ = self.clusters.send(ObjectRef::new(&key.name).within(&key.namespace));
    }

    /// Looks at a group.
    pub(crate) fn group(&self, key: &Key) {
        let _ = self.groups.send(ObjectRef::new(&key.name).within(&key.namespace));
    }

    /// Looks at an autoscaler.
    pub(crate) fn autoscaler(&self, key: &Key) {
        let _ = self.autoscalers.send(ObjectRef::new(&key.name).within(&key.namespace));
    }

    /// Looks at whoever follows a scheduler.
    pub(crate) fn follower(&self, follower: &Follower) {
        match follower {
            Follower::Cluster(key) => self.cluster(key),
            Follower::Group(key) => self.group(key),
            Follower::Autoscaler(key) => self.autoscaler(key),
        }
    }
}
