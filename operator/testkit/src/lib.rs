//! Builders of objects for tests: `a_cluster().workers(3).build()`.

mod cluster;
mod group;

pub use cluster::{ClusterBuilder, a_cluster};
pub use group::{GroupBuilder, a_group};
