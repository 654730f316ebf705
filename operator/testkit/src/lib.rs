//! For tests: builders of objects (`a_cluster().workers(3).build()`), an API server within the process,
//! and what that one has in common with a real one.

mod autoscaler;
mod cluster;
#[cfg(feature = "server")]
pub mod conformance;
mod group;
#[cfg(feature = "server")]
pub mod server;

pub use autoscaler::{AutoscalerBuilder, an_autoscaler};
pub use cluster::{ClusterBuilder, a_cluster};
pub use group::{GroupBuilder, a_group};
