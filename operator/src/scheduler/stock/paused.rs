//! Workers that are paused and of which nobody knows for whom: an order came late, or what was known of it is lost.

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use tokio::time::Instant;

use super::super::rpc::Told;
use super::drain::PAUSED;

/// Workers pause, too, before they leave by themselves (`--lifetime`): those are left alone for so long.
const LONG: Duration = Duration::from_secs(30);

/// Since when each worker has been paused, by its address.
#[derive(Default)]
pub(super) struct Paused(HashMap<String, Instant>);

impl Paused {
    /// Takes what is known now, and returns the pods that those may be of that have been paused for long.
    pub(super) fn for_long(&mut self, workers: &[Told], now: Instant) -> Vec<String> {
        let before = mem::take(&mut self.0);
        let mut long = Vec::new();
        for Told { worker, .. } in workers.iter().filter(|told| told.worker.status == PAUSED) {
            let since = before.get(&worker.address).copied().unwrap_or(now);
            self.0.insert(worker.address.clone(), since);
            if now >= since + LONG {
                long.extend(worker.pods().map(str::to_owned));
            }
        }
        long
    }
}

#[cfg(test)]
mod tests {
    use dask_operator_plan::Worker;

    use super::*;

    #[test]
    fn whoever_is_paused_for_long_without_a_break_is_told() {
        let told = |status: &str| {
            let (name, address, status) = ("pod-1".to_owned(), "tcp://a:1".to_owned(), status.to_owned());
            [Told { worker: Worker { name, address, status, ..Worker::default() }, ..Told::default() }]
        };
        let (mut paused, begin) = (Paused::default(), Instant::now());
        let mut at = |seconds, status| paused.for_long(&told(status), begin + Duration::from_secs(seconds));
        for (seconds, status) in [(0, PAUSED), (29, PAUSED), (40, "running"), (50, PAUSED), (79, PAUSED)] {
            assert!(at(seconds, status).is_empty(), "{seconds}");
        }
        assert_eq!(at(80, PAUSED), ["pod-1", "pod"]);
    }
}
