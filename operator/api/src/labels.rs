//! The keys of labels and annotations, each spelled once.

/// The name of the cluster an object belongs to.
pub const CLUSTER_NAME: &str = "dask.org/cluster-name";
/// Which part of a cluster an object is: one of [`component`].
pub const COMPONENT: &str = "dask.org/component";
/// The full name of the worker group that a worker belongs to.
pub const WORKER_GROUP_NAME: &str = "dask.org/workergroup-name";
/// Keeps Istio's sidecar out of Dask's pods, as the Python operator always did.
pub const ISTIO_INJECT: &str = "sidecar.istio.io/inject";

/// Values of [`COMPONENT`].
pub mod component {
    /// The scheduler's Deployment, Service and pod.
    pub const SCHEDULER: &str = "scheduler";
    /// A worker pod.
    pub const WORKER: &str = "worker";
    /// The default worker group of a cluster.
    pub const WORKER_GROUP: &str = "workergroup";
    /// The configuration of a cluster.
    pub const CONFIG: &str = "config";
}

/// On the default group: the replicas last pushed from its cluster.
pub const PUSHED_REPLICAS: &str = "dask.org/pushed-replicas";
/// On the default group: the hash of `spec.worker` last pushed from its cluster.
pub const PUSHED_WORKER: &str = "dask.org/pushed-worker";
/// On a child: the hash of what it was made from.
pub const TEMPLATE_HASH: &str = "dask.org/template-hash";
/// On a cluster: restart its scheduler, once for each new value. On its Deployment: the value acted upon last.
pub const RESTART_SCHEDULER: &str = "dask.org/restart-scheduler";
/// On a cluster that is suspended for having had nothing to do: it resumes, once for each new value.
pub const RESUME: &str = "dask.org/resume";
/// On a scheduler's Deployment that we stopped: since when, if for having had nothing to do, or that somebody asked for it.
pub const SUSPENDED: &str = "dask.org/suspended";
/// On a cluster or a group: leave `dask-scheduler` and `dask-worker` in commands as they are.
pub const KEEP_COMMAND: &str = "dask.org/keep-command";

/// On a cluster: its scheduler loads nothing of ours, so that nobody can ask it.
pub const STOCK_SCHEDULER: &str = "dask.org/stock-scheduler";

/// On a worker pod: how often in a row its predecessors crashed, which decides how long its own crash is waited for.
pub const CRASHES: &str = "dask.org/crashes";

/// On a worker pod that is to leave: since when, or which generation of its group it stays in all the same.
pub const DRAINING: &str = "dask.org/draining";

/// On a pod: autoscalers of nodes leave its node alone. The Cluster Autoscaler and Karpenter, in this order.
pub const DO_NOT_DISRUPT: [(&str, &str); 2] =
    [("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"), ("karpenter.sh/do-not-disrupt", "true")];

/// Annotations with these prefixes belong to the parent alone and are not passed on.
pub const NOT_PROPAGATED: [&str; 2] = ["kopf.zalando.org", "kubectl.kubernetes.io"];

/// The name under which we write.
pub const MANAGER: &str = "dask-operator";
