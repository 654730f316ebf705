//! What tests of this edge are made with.

use std::time::Duration;

use dask_operator_testkit::server::ApiServer;
use tokio::time::Instant;

use super::{Caller, Gate, Tenure, Writer};
use crate::metrics::Metrics;

/// One that may write for a minute.
pub(super) fn writer(server: &ApiServer) -> Writer {
    let tenure = Tenure::default();
    tenure.extend(Instant::now() + Duration::from_mins(1));
    let client = server.client("operator");
    Writer { caller: Caller { client, gate: Gate::new(), metrics: Metrics::new(), tenure } }
}
