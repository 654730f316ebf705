//! What a scheduler tells that has loaded nothing of ours, as the same facts as from any other.

use std::collections::BTreeMap;

use super::{Count, Demand, Drain, Facts, MOST_WORKERS, Tasks, Worker};

/// Nobody has use for more workers at once, whatever a scheduler says.
const MOST_WANTED: u64 = 100_000;
/// More time than any number of threads has: what is told of it has to be a number, wherever it is written down.
const SECONDS: f64 = 1e12;

/// What is known of it by Dask's own protocol.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StockFacts {
    /// The UID of its pod.
    pub pod_uid: String,
    /// What only a worker holds is not told: all that it holds may be so.
    pub workers: Vec<Worker>,
    /// The pods that were asked to leave.
    pub drains: Vec<Drain>,
    /// How many workers Dask itself would have (`adaptive_target`): of the mean size of those that are there, or
    /// threads while there are none; None if it did not say.
    pub target: Option<u64>,
}

impl From<StockFacts> for Facts {
    fn from(told: StockFacts) -> Self {
        let demand = told.target.map(|target| vec![demand(target.min(MOST_WANTED), &told.workers)]);
        let (mut workers, drains) = (told.workers, told.drains);
        workers.truncate(MOST_WORKERS);
        Self { pod_uid: told.pod_uid, workers, drains, demand, ..Self::default() }
    }
}

/// Work for so many threads: what each task needs nobody tells.
fn demand(target: u64, workers: &[Worker]) -> Demand {
    let threads = workers.iter().fold(0_u64, |sum, worker| sum.saturating_add(worker.threads));
    let count = match workers.len() as u64 {
        0 => target,
        all => target.saturating_mul(threads.max(all)).div_ceil(all),
    };
    // However much there is, all of it is wanted at once: Dask has looked at the time that it takes.
    let tasks = Tasks { queued: Count { count, seconds: SECONDS }, ..Tasks::default() };
    Demand { resources: BTreeMap::new(), tasks, ..Demand::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(target: u64, workers: &[u64]) -> Vec<f64> {
        let workers =
            workers.iter().map(|threads| Worker { threads: *threads, ..Worker::default() }).collect();
        let facts = Facts::from(StockFacts { workers, target: Some(target), ..StockFacts::default() });
        facts.demand.unwrap().iter().map(|demand| demand.tasks.all().threads(5.0)).collect()
    }

    #[test]
    fn workers_of_the_mean_size_are_wanted_and_threads_while_there_are_none() {
        assert_eq!(threads(12, &[]), [12.0]);
        assert_eq!(threads(3, &[4, 4]), [12.0]);
        assert_eq!(threads(3, &[1, 4]), [8.0]);
        assert_eq!(threads(0, &[1, 4]), [0.0]);
    }

    #[test]
    fn what_was_not_told_is_not_taken_for_nothing_to_do() {
        assert_eq!(Facts::from(StockFacts::default()).demand, None);
    }

    #[test]
    fn what_is_told_is_the_same_when_it_was_written_down() {
        let demand = demand(MOST_WANTED, &[Worker { threads: 100, ..Worker::default() }]);
        let written = serde_json::to_string(&demand).unwrap();
        assert_eq!(serde_json::from_str::<Demand>(&written).unwrap(), demand);
        assert!(demand.tasks.all().threads(3600.0) >= 10_000_000.0);
    }

    #[test]
    fn absurd_answers_stay_numbers() {
        assert!(threads(u64::MAX, &[u64::MAX, u64::MAX])[0].is_finite());
        assert_eq!(threads(u64::MAX, &[]), [100_000.0]);
        assert_eq!(threads(2, &[0, 0]), [2.0]);
    }
}
