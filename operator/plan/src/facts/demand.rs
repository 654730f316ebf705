//! The unfinished tasks of a scheduler, by what they need.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// A scheduler that tells anything beyond is not believed: neither counts nor sums of seconds reach so far.
const MOST: f64 = 1e12;

/// Unfinished tasks that need the same kind of worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Demand {
    /// How much of Dask's abstract resources each of them needs.
    pub resources: BTreeMap<String, f64>,
    /// The only hosts that may run them, if any are named.
    pub hosts: Vec<String>,
    /// The only workers that may run them, if any are named.
    pub workers: Vec<String>,
    /// How many there are.
    pub tasks: Tasks,
}

/// Tasks by how far they have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tasks {
    /// They run, or wait at a worker.
    pub processing: Count,
    /// They could run if a worker were free.
    pub queued: Count,
    /// No worker may run them.
    pub unrunnable: Count,
    /// They can run when what runs now has ended.
    pub next: Count,
}

/// How many tasks, and what they will take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Count {
    /// So many.
    pub count: u64,
    /// So many seconds in sum, by what others like them took.
    pub seconds: f64,
}

impl Demand {
    /// Whether only named workers or hosts may run them: to make others is no use.
    pub(crate) fn is_pinned(&self) -> bool {
        !self.hosts.is_empty() || !self.workers.is_empty()
    }

    /// How many resources each of them needs: the more, the harder it is to place.
    pub(crate) fn needs(&self) -> usize {
        self.resources.len()
    }
}

impl Tasks {
    /// What can run now or soon. What is next waits for what is processing and runs in its place, so that never both
    /// of them ask for threads; but all of it takes its time.
    pub(crate) fn all(&self) -> Count {
        let here = if self.next.count > self.processing.count { self.next } else { self.processing };
        let seconds = self.processing.seconds + self.next.seconds;
        [self.queued, self.unrunnable].into_iter().fold(Count { seconds, ..here }, Count::and)
    }
}

impl Count {
    fn and(self, other: Self) -> Self {
        Self { count: self.count.saturating_add(other.count), seconds: self.seconds + other.seconds }
    }

    /// How many threads have all of it done within so many seconds, by what is known of it; never more than tasks.
    pub(crate) fn threads(self, within: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "no number of workers depends on the last bits")]
        let tasks = (self.count as f64).min(MOST);
        let wanted = (self.seconds / within).ceil();
        if wanted.is_finite() { wanted.clamp(tasks.min(1.0), tasks) } else { tasks }
    }
}

/// What a scheduler could not find out is absent, or null.
pub(super) fn told<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Demand>>, D::Error> {
    super::bounded(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(count: u64, seconds: f64) -> Count {
        Count { count, seconds }
    }

    #[test]
    fn few_long_tasks_need_no_more_threads_than_tasks() {
        let threads = |tasks, seconds| format!("{:?}", count(tasks, seconds).threads(5.0));
        assert_eq!(threads(3, 3000.0), "3.0");
        assert_eq!(threads(1000, 500.0), "100.0");
        assert_eq!(threads(1, 0.0), "1.0");
        assert_eq!(threads(0, 0.0), "0.0");
    }

    #[test]
    fn what_is_next_runs_in_the_place_of_what_it_waits_for() {
        let of = |processing, next, queued| {
            let tasks = Tasks { processing, queued, next, ..Tasks::default() };
            format!("{:?}", tasks.all().threads(5.0))
        };
        let (none, long) = (Count::default(), count(4, 400.0));
        assert_eq!(of(long, count(4, 400.0), none), "4.0", "each of four is followed by one");
        assert_eq!(of(count(1, 100.0), count(500, 5000.0), none), "500.0", "all wait for one");
        assert_eq!(
            of(long, count(1, 100.0), count(2, 200.0)),
            "6.0",
            "what is queued waits for a thread alone"
        );
        assert_eq!(of(count(4, 4.0), count(4, 4.0), none), "2.0", "all of it takes eight seconds");
    }

    #[test]
    fn absurd_numbers_stay_numbers() {
        for seconds in [f64::NAN, f64::INFINITY, -1e300, 1e300] {
            let threads = count(u64::MAX, seconds).threads(5.0);
            assert!((1.0..=MOST).contains(&threads), "{seconds}: {threads}");
        }
    }
}
