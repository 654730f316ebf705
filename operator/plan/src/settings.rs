//! What the operator's own command line decides for every cluster.

use jiff::SignedDuration;

/// Settings that plans depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The DNS domain of the Kubernetes cluster, `cluster.local` nearly everywhere.
    pub cluster_domain: String,
    /// The image of containers that name none in clusters that name none.
    pub default_image: String,
    /// How a group grows; at once by default.
    pub worker_batch: Option<Batch>,
}

/// How many workers a group grows by in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// So many.
    pub size: usize,
    /// After each such number.
    pub delay: SignedDuration,
}
