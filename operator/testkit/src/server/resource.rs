//! The kinds that the server knows.

/// One kind.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// As in paths.
    pub plural: &'static str,
    /// As in objects.
    pub kind: &'static str,
    /// As in objects; a core kind has no group.
    pub api_version: &'static str,
    /// Whether the status is written through a path of its own.
    pub has_status: bool,
}

const DASK: &str = "kubernetes.dask.org/v1";

/// Every kind.
pub static RESOURCES: [Resource; 11] = [
    Resource { plural: "daskclusters", kind: "DaskCluster", api_version: DASK, has_status: true },
    Resource { plural: "daskworkergroups", kind: "DaskWorkerGroup", api_version: DASK, has_status: true },
    Resource { plural: "daskautoscalers", kind: "DaskAutoscaler", api_version: DASK, has_status: true },
    Resource { plural: "configmaps", kind: "ConfigMap", api_version: "v1", has_status: false },
    Resource { plural: "deployments", kind: "Deployment", api_version: "apps/v1", has_status: true },
    Resource { plural: "events", kind: "Event", api_version: "events.k8s.io/v1", has_status: false },
    Resource { plural: "leases", kind: "Lease", api_version: "coordination.k8s.io/v1", has_status: false },
    Resource { plural: "pods", kind: "Pod", api_version: "v1", has_status: true },
    Resource {
        plural: "poddisruptionbudgets",
        kind: "PodDisruptionBudget",
        api_version: "policy/v1",
        has_status: true,
    },
    Resource { plural: "replicasets", kind: "ReplicaSet", api_version: "apps/v1", has_status: true },
    Resource { plural: "services", kind: "Service", api_version: "v1", has_status: true },
];

/// The kind of a path.
pub(super) fn resource(plural: &str) -> Option<&'static Resource> {
    RESOURCES.iter().find(|resource| resource.plural == plural)
}
