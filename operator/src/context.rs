//! What every reconcile is given.

use dask_operator_plan::Settings;

use crate::cache::Cache;
use crate::kubernetes::{Backoff, Ledger, Reconciled, Reporter, Writer};

/// The edges, shared by both controllers.
pub(crate) struct Context {
    pub(crate) cache: Cache,
    pub(crate) settings: Settings,
    pub(crate) writer: Writer,
    pub(crate) ledger: Ledger,
    pub(crate) reporter: Reporter,
    pub(crate) backoff: Backoff,
}

impl Context {
    /// Forgets an object that is gone, so that nothing grows with the number of clusters that ever were.
    pub(crate) fn forget(&self, by: &Reconciled) {
        self.ledger.forget(by);
        self.reporter.forget(by);
        self.backoff.succeeded(by);
    }
}
