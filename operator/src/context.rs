//! What every reconcile is given.

use std::sync::Arc;

use dask_operator_plan::Settings;

use crate::cache::Cache;
use crate::kubernetes::{Backoff, Ledger, Reporter, Writer};

/// The edges, shared by both controllers.
pub(crate) struct Context {
    pub(crate) cache: Arc<Cache>,
    pub(crate) settings: Settings,
    pub(crate) writer: Writer,
    pub(crate) ledger: Ledger,
    pub(crate) reporter: Reporter,
    pub(crate) backoff: Backoff,
}
