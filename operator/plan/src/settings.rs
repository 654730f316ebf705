//! What the operator's own command line decides for every cluster.

/// Settings that plans depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The DNS domain of the Kubernetes cluster, `cluster.local` nearly everywhere.
    pub cluster_domain: String,
    /// The image of containers that name none in clusters that name none.
    pub default_image: String,
}
