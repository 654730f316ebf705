//! The one gate in front of every call: it bounds how many are under way, and how many of them are one namespace's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Calls under way at once: writes, and the few questions around them. Watches pass no gate.
const CALLS: usize = 128;
/// Of these, one namespace's: a slow admission webhook of one tenant leaves the others their places.
const CALLS_OF_NAMESPACE: usize = 16;

/// The gate.
#[derive(Clone)]
pub(crate) struct Gate {
    all: Arc<Semaphore>,
    namespaces: Arc<Mutex<HashMap<String, Weak<Semaphore>>>>,
}

/// A place inside, given back when it is dropped.
pub(crate) struct Place {
    _of_namespace: Option<OwnedSemaphorePermit>,
    _of_all: Option<OwnedSemaphorePermit>,
}

impl Gate {
    /// A gate that is open.
    pub(crate) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(CALLS)), namespaces: Arc::default() }
    }

    /// Waits for a place, which the call keeps until it is answered. Who waits for a place of their namespace takes
    /// none from others.
    pub(crate) async fn enter(&self, namespace: &str) -> Place {
        let of_namespace = self.of(namespace).acquire_owned().await.ok();
        Place { _of_namespace: of_namespace, _of_all: Arc::clone(&self.all).acquire_owned().await.ok() }
    }

    /// Those of namespaces without a call go, so that nothing grows with the number of namespaces that ever were.
    fn of(&self, namespace: &str) -> Arc<Semaphore> {
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = namespaces.get(namespace).and_then(Weak::upgrade) {
            return known;
        }
        namespaces.retain(|_, semaphore| semaphore.strong_count() > 0);
        let semaphore = Arc::new(Semaphore::new(CALLS_OF_NAMESPACE));
        namespaces.insert(namespace.to_owned(), Arc::downgrade(&semaphore));
        semaphore
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_namespace_whose_calls_hang_takes_no_place_of_another() {
        let gate = Gate::new();
        let mut hanging = Vec::new();
        for _ in 0..CALLS_OF_NAMESPACE {
            hanging.push(gate.enter("slow").await);
        }
        assert!(gate.enter("slow").now_or_never().is_none());
        assert!(gate.enter("quick").now_or_never().is_some());
        hanging.pop();
        assert!(gate.enter("slow").now_or_never().is_some());
    }

    #[tokio::test]
    async fn namespaces_without_a_call_are_forgotten() {
        let gate = Gate::new();
        for number in 0..100 {
            drop(gate.enter(&number.to_string()).await);
        }
        assert_eq!(gate.namespaces.lock().unwrap().len(), 1);
    }
}
