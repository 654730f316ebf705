//! What a scheduler knows of a recorded load while it is run.

use std::collections::{BTreeMap, BTreeSet};

use super::recording::{Recording, Task};

/// Dask's `distributed.scheduler.unknown-task-duration`.
const UNKNOWN: f64 = 0.5;

/// Ready tasks wait in one queue, and none is assigned before a thread is free.
pub(super) struct Scheduler<'a> {
    tasks: &'a [Task],
    /// Those of each task that are not done, and the tasks that wait for each.
    missing: Vec<usize>,
    dependents: Vec<Vec<usize>>,
    submitted: usize,
    waiting: BTreeSet<usize>,
    queue: BTreeSet<usize>,
    /// Since when they run.
    running: BTreeMap<usize, f64>,
    estimates: BTreeMap<&'a str, Estimate>,
    left: usize,
}

/// How long calls of a function take, as `TaskPrefix` of distributed 2026.8 has it (scheduler.py:1025 and 1030).
#[derive(Clone, Copy, Default)]
struct Estimate {
    average: Option<f64>,
    longest_running: f64,
}

impl<'a> Scheduler<'a> {
    pub(super) fn new(recording: &'a Recording) -> Self {
        let tasks = recording.tasks.as_slice();
        let mut dependents = vec![Vec::new(); tasks.len()];
        for (at, task) in tasks.iter().enumerate() {
            for &before in &task.after {
                dependents[before].push(at);
            }
        }
        Self {
            tasks,
            missing: tasks.iter().map(|task| task.after.len()).collect(),
            dependents,
            submitted: 0,
            waiting: BTreeSet::new(),
            queue: BTreeSet::new(),
            running: BTreeMap::new(),
            estimates: BTreeMap::new(),
            left: tasks.len(),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Whether something has been submitted that is not done.
    pub(super) fn has_work(&self) -> bool {
        !(self.queue.is_empty() && self.running.is_empty() && self.waiting.is_empty())
    }

    /// When the next task is submitted.
    pub(super) fn next_submitted(&self) -> Option<f64> {
        self.tasks.get(self.submitted).map(|task| task.submitted)
    }

    pub(super) fn submit(&mut self) {
        let at = self.submitted;
        self.submitted += 1;
        if self.missing[at] == 0 {
            self.queue.insert(at)
        } else {
            self.waiting.insert(at)
        };
    }

    /// Begins the task that is first in the queue. Returns it, and when it ends.
    pub(super) fn start(&mut self, now: f64) -> Option<(usize, f64)> {
        let at = self.queue.pop_first()?;
        self.running.insert(at, now);
        Some((at, now + self.tasks[at].seconds))
    }

    pub(super) fn finish(&mut self, at: usize) {
        self.running.remove(&at);
        self.left -= 1;
        let task = &self.tasks[at];
        let estimate = self.estimates.entry(&task.function).or_default();
        let average = estimate.average.map_or(task.seconds, |old| f64::midpoint(task.seconds, old));
        estimate.average = Some(average);
        for dependent in std::mem::take(&mut self.dependents[at]) {
            self.missing[dependent] -= 1;
            if self.missing[dependent] == 0 && self.waiting.remove(&dependent) {
                self.queue.insert(dependent);
            }
        }
    }

    /// Workers tell for how long their tasks have run: what ran twice as long as thought is not known any more.
    pub(super) fn heartbeat(&mut self, now: f64) {
        for (&at, since) in &self.running {
            let estimate = self.estimates.entry(&self.tasks[at].function).or_default();
            let so_far = now - since;
            estimate.longest_running = estimate.longest_running.max(so_far);
            estimate.average = estimate.average.filter(|average| so_far <= 2.0 * average);
        }
    }

    /// How many tasks wait for a free thread.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many seconds the first ones in the queue will take.
    pub(super) fn queued_seconds(&self, first: usize) -> f64 {
        self.seconds(self.queue.iter().take(first))
    }

    /// The tasks that run, and how many seconds they are thought to take from beginning to end.
    pub(super) fn processing(&self) -> (usize, f64) {
        (self.running.len(), self.seconds(self.running.keys()))
    }

    /// The tasks that wait for nothing but what runs, and how many seconds they will take.
    pub(super) fn next(&self) -> (usize, f64) {
        let runs = |at: &usize| self.running.contains_key(at);
        let waiters: BTreeSet<_> = self.running.keys().flat_map(|&at| &self.dependents[at]).collect();
        let soon =
            |at: &&usize| self.missing[**at] == self.tasks[**at].after.iter().filter(|one| runs(one)).count();
        let next: Vec<_> = waiters.into_iter().filter(|at| self.waiting.contains(at)).filter(soon).collect();
        (next.len(), self.seconds(next.iter().copied()))
    }

    fn seconds<'t>(&self, tasks: impl Iterator<Item = &'t usize>) -> f64 {
        tasks
            .map(|&at| {
                self.estimates.get(self.tasks[at].function.as_str()).map_or(UNKNOWN, Estimate::seconds)
            })
            .sum()
    }
}

impl Estimate {
    /// As `_get_prefix_duration` (scheduler.py:1911).
    fn seconds(&self) -> f64 {
        let guess = if self.longest_running > 0.0 { 2.0 * self.longest_running } else { UNKNOWN };
        self.average.unwrap_or(guess)
    }
}

#[cfg(test)]
mod tests {
    use super::super::recording::Recording;
    use super::*;

    const TWO_AND_THEIR_SUM: &str = r#"{"distributed":"1","tasks":[
        {"submitted":0,"function":"load","seconds":2},
        {"submitted":0,"function":"load","seconds":4},
        {"submitted":0,"function":"sum","seconds":1,"after":[0,1]}]}"#;

    #[test]
    fn a_task_is_ready_when_all_that_it_needs_is_done() {
        let recording = Recording::read(TWO_AND_THEIR_SUM).unwrap();
        let mut scheduler = Scheduler::new(&recording);
        (0..3).for_each(|_| scheduler.submit());
        assert_eq!(scheduler.start(0.0), Some((0, 2.0)));
        assert_eq!((scheduler.queued(), scheduler.next().0), (1, 0), "it needs one that has not begun");
        assert_eq!(scheduler.start(0.0), Some((1, 4.0)));
        assert_eq!((scheduler.queued(), scheduler.next().0), (0, 1));
        scheduler.finish(0);
        assert_eq!((scheduler.start(2.0), scheduler.next().0), (None, 1));
        scheduler.finish(1);
        assert_eq!(scheduler.start(4.0), Some((2, 5.0)));
        scheduler.finish(2);
        assert!(scheduler.is_done());
    }

    #[test]
    fn estimates_follow_the_last_calls_and_what_runs_for_longer() {
        let recording = Recording::read(TWO_AND_THEIR_SUM).unwrap();
        let mut scheduler = Scheduler::new(&recording);
        (0..3).for_each(|_| scheduler.submit());
        let of_queued = |scheduler: &Scheduler<'_>| format!("{:.1}", scheduler.queued_seconds(1));
        assert_eq!(of_queued(&scheduler), "0.5", "nothing is known");
        scheduler.start(0.0);
        scheduler.heartbeat(1.5);
        assert_eq!(of_queued(&scheduler), "3.0", "twice what runs has taken so far");
        scheduler.finish(0);
        assert_eq!(of_queued(&scheduler), "2.0");
        scheduler.start(2.0);
        scheduler.heartbeat(6.5);
        assert_eq!(scheduler.processing(), (1, 9.0), "more than twice the average");
    }
}
