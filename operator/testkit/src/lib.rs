//! For tests: builders of objects (`a_cluster().workers(3).build()`), and an API server within the process.

mod cluster;
mod group;
#[cfg(feature = "server")]
pub mod server;

pub use cluster::{ClusterBuilder, a_cluster};
pub use group::{GroupBuilder, a_group};
