//! The operator as a library: the binary starts it, tests run it against an API server of their own.

pub mod args;
mod autoscaler;
mod cache;
mod cluster;
mod context;
pub mod crds;
mod kubernetes;
mod metrics;
mod operator;
mod reconcile;
pub mod record;
pub mod replay;
pub mod run;
pub mod scheduler;
mod scope;
mod server;
mod settled;
mod shutdown;
pub mod telemetry;
mod triggers;
mod watches;
mod worker_group;

pub use context::{Chance, Clock};
pub use operator::{LeaseName, Operator, Replica};
pub use scope::{Pattern, PatternError, Scope};
pub use shutdown::{Shutdown, Stop};
