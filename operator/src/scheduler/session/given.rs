//! The orders that a scheduler was given, and whether it is known what came of them.

use std::mem;
use std::time::Duration;

use dask_operator_plan::{Ask, Order};
use tokio::time::Instant;

/// For so long it counts that a pod was not known: whoever asked may look a little later.
const A_MOMENT: Duration = Duration::from_secs(3);

/// A pod, and what was wanted of it.
pub(super) type Subject = (String, mem::Discriminant<Order>);

/// An order that was given.
pub(super) struct Given {
    pub(super) at: Instant,
    /// It was answered, or there is no answer to wait for any more.
    pub(super) over: bool,
    /// Facts came after that, so that what it led to is among them. Nothing else tells: one without an answer may lie
    /// with a scheduler that stands still.
    pub(super) told: bool,
    /// When the answer was that no worker of the pod has registered.
    pub(super) unknown: Option<Instant>,
}

impl Given {
    /// Whether the scheduler did not know the pod a moment ago.
    pub(super) fn is_unknown(&self, now: Instant) -> bool {
        self.unknown.is_some_and(|at| now < at + A_MOMENT)
    }
}

/// What an order is about; how much time it gives is no part of that.
pub(super) fn key(ask: &Ask) -> Subject {
    (ask.pod.clone(), mem::discriminant(&ask.order))
}
