//! How long to wait after a failure, per object.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::cache::Key;
use dask_operator_plan::Kind;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

/// Failures in a row of each object that has some.
#[derive(Default)]
pub(crate) struct Backoff(Mutex<HashMap<(Kind, Key), u32>>);

impl Backoff {
    /// Counts a failure; returns the wait: half a second, doubled each time, a minute at most.
    pub(crate) fn failed(&self, kind: Kind, key: &Key) -> Duration {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = failures.entry((kind, key.clone())).or_insert(0);
        let wait = FIRST.saturating_mul(1 << (*count).min(10)).min(LONGEST);
        *count += 1;
        wait
    }

    /// Forgets an object's failures.
    pub(crate) fn succeeded(&self, kind: Kind, key: &Key) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&(kind, key.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_start_again_after_success() {
        let backoff = Backoff::default();
        let key = Key::new("team", "demo");
        let waits: Vec<_> = (0..9).map(|_| backoff.failed(Kind::DaskCluster, &key).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
        backoff.succeeded(Kind::DaskCluster, &key);
        assert_eq!(backoff.failed(Kind::DaskCluster, &key), FIRST);
    }
}
