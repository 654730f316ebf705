//! The one gate in front of every call: it bounds how many are under way.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls under way at once: writes, and the few questions that follow from one. Watches pass no gate.
const CALLS: usize = 32;

/// The gate.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    /// A gate that is open.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(CALLS)))
    }

    /// Waits for a place, which the write keeps until it is answered. The namespace is whose turn it is; so far
    /// the queue is first come, first served.
    pub(crate) async fn enter(&self, _namespace: &str) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}
