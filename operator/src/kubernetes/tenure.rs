//! Until when this replica may write: a promise that the lease renews, and that every write looks at.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Shared by the lease, which extends it, and by every call, which must not outlive it.
#[derive(Clone, Default)]
pub(crate) struct Tenure(Arc<Mutex<Option<Instant>>>);

impl Tenure {
    /// This replica may write until then.
    pub(super) fn extend(&self, until: Instant) {
        self.set(Some(until));
    }

    /// It may no longer.
    pub(super) fn end(&self) {
        self.set(None);
    }

    /// Returns once it may no longer.
    pub(crate) async fn over(&self) {
        while let Some(left) = self.left() {
            tokio::time::sleep(left).await;
        }
    }

    /// How long it still may; None when it may not.
    fn left(&self) -> Option<Duration> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until?.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}
