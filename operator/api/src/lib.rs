//! What users write and read: the four kinds of `kubernetes.dask.org/v1`, their names, labels and conditions.

#![expect(
    clippy::duplicated_attributes,
    reason = "each printcolumn of a kind has a type and a priority of its own"
)]

pub mod autoscaler;
pub mod cluster;
pub mod conditions;
pub mod crds;
pub mod job;
pub mod labels;
pub mod names;
pub mod parts;
pub mod raw;
mod reasons;
mod schema;
pub mod worker_group;

pub use autoscaler::DaskAutoscaler;
pub use cluster::DaskCluster;
pub use job::DaskJob;
pub use raw::RawJson;
pub use worker_group::DaskWorkerGroup;

/// The API group of every kind.
pub const GROUP: &str = "kubernetes.dask.org";
/// The one version served and stored.
pub const VERSION: &str = "v1";
