//! How long to wait after a failure, per object.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dask_operator_api::conditions::Reason;
use dask_operator_plan::{Failure, FailureKind};
use tokio::time::Instant;

use super::ledger::Reconciled;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_mins(1);

/// Failures in a row of each object that has some.
#[derive(Default)]
pub(crate) struct Backoff(Mutex<HashMap<Reconciled, Trouble>>);

struct Trouble {
    count: u32,
    generation: Option<i64>,
    until: Instant,
    failures: Vec<Failure>,
}

impl Backoff {
    /// Counts a failure; returns the wait: half a second, doubled each time, a minute at most, and at once where a
    /// namespace is going: that is never taken back.
    pub(crate) fn failed(&self, by: &Reconciled, generation: Option<i64>, failures: &[Failure]) -> Duration {
        self.with(|all| {
            let count = all.get(by).map_or(0, |trouble| trouble.count);
            let goes = FailureKind::Refused(Reason::NamespaceTerminating);
            let is_vain = failures.iter().any(|failure| failure.kind == goes);
            let wait = if is_vain { LONGEST } else { FIRST.saturating_mul(1 << count.min(10)).min(LONGEST) };
            let until = Instant::now() + wait;
            all.insert(
                by.clone(),
                Trouble { count: count + 1, generation, until, failures: failures.to_vec() },
            );
            wait
        })
    }

    /// The failures whose wait is not over, and how long it still is. A changed spec need not wait.
    pub(crate) fn held(&self, by: &Reconciled, generation: Option<i64>) -> Option<(Duration, Vec<Failure>)> {
        self.with(|all| {
            // A status that could not be written is no reason to create nothing.
            let trouble = all.get(by).filter(|trouble| !trouble.failures.is_empty())?;
            let trouble = Some(trouble).filter(|trouble| trouble.generation == generation)?;
            let wait = trouble.until.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())?;
            Some((wait, trouble.failures.clone()))
        })
    }

    /// Forgets an object's failures.
    pub(crate) fn succeeded(&self, by: &Reconciled) {
        self.with(|all| all.remove(by));
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<Reconciled, Trouble>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Key;
    use dask_operator_plan::Kind;

    fn the_cluster() -> Reconciled {
        Reconciled { kind: Kind::DaskCluster, key: Key::new("team", "demo"), uid: "1".to_owned() }
    }

    fn refused(reason: Reason) -> [Failure; 1] {
        [Failure { object: String::new(), kind: FailureKind::Refused(reason), message: String::new() }]
    }

    fn a_failure() -> [Failure; 1] {
        refused(Reason::QuotaExceeded)
    }

    #[test]
    fn waits_double_up_to_a_minute_and_start_again_after_success() {
        let backoff = Backoff::default();
        let failed = || backoff.failed(&the_cluster(), Some(1), &[]).as_millis();
        let waits: Vec<_> = (0..9).map(|_| failed()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
        backoff.succeeded(&the_cluster());
        assert_eq!(failed(), 500);
    }

    #[test]
    fn a_namespace_that_goes_is_left_in_peace_at_once() {
        let backoff = Backoff::default();
        let failures = refused(Reason::NamespaceTerminating);
        assert_eq!(backoff.failed(&the_cluster(), Some(1), &failures), LONGEST);
    }

    #[test]
    fn a_changed_spec_need_not_wait() {
        let backoff = Backoff::default();
        backoff.failed(&the_cluster(), Some(1), &a_failure());
        assert!(backoff.held(&the_cluster(), Some(1)).is_some());
        assert!(backoff.held(&the_cluster(), Some(2)).is_none());
    }

    #[test]
    fn a_status_that_failed_holds_nothing_up() {
        let backoff = Backoff::default();
        backoff.failed(&the_cluster(), Some(1), &[]);
        assert!(backoff.held(&the_cluster(), Some(1)).is_none());
    }
}
