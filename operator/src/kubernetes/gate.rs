//! The one gate in front of every write: it bounds how many are under way.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Writes under way at once. Reads come from caches and pass no gate.
const WRITES: usize = 32;

/// The gate.
#[derive(Clone)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    /// A gate that is open.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(WRITES)))
    }

    /// Waits for a place, which the write keeps until it is answered. The namespace is whose turn it is; so far
    /// the queue is first come, first served.
    pub(crate) async fn enter(&self, _namespace: &str) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}
