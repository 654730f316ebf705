//! Workers that start, run a recorded load, and leave; what they cost.

use std::collections::{BTreeMap, BTreeSet};

use super::recording::Recording;
use super::scheduler::Scheduler;

/// Threads of each worker.
pub(super) const THREADS: usize = 2;
/// From the request for a worker to its registration: one with a nanny, its pod made by hand, in docs/start.md.
pub(super) const START: f64 = 3.76;
/// Workers tell how their tasks are so often, with ten to fifty of them (scheduler.py:9203).
const HEARTBEAT: f64 = 1.0;

/// A cluster at some time.
pub(super) struct World<'a> {
    pub(super) now: f64,
    pub(super) scheduler: Scheduler<'a>,
    /// By the order in which they were made.
    pub(super) workers: BTreeMap<usize, Worker>,
    pub(super) paid: f64,
    pub(super) made: usize,
    /// When the last task ended.
    pub(super) finished: f64,
    /// Of these, until workers had registered, and without a task after that.
    pub(super) starting: f64,
    pub(super) idle: f64,
    /// Seconds in which work that had been submitted was not done.
    pub(super) unfinished: f64,
    /// How many workers there were from when on.
    pub(super) course: Vec<(f64, usize)>,
    /// The most that were at work at once.
    pub(super) widest: usize,
    heartbeat: f64,
}

#[derive(Default)]
pub(super) struct Worker {
    pub(super) created: f64,
    pub(super) registered: bool,
    /// It takes no more tasks, and goes when it has none.
    pub(super) leaving: bool,
    /// Its tasks, and when each ends.
    pub(super) running: Vec<(usize, f64)>,
}

impl<'a> World<'a> {
    pub(super) fn new(recording: &'a Recording) -> Self {
        Self {
            now: 0.0,
            scheduler: Scheduler::new(recording),
            workers: BTreeMap::new(),
            paid: 0.0,
            starting: 0.0,
            idle: 0.0,
            made: 0,
            finished: 0.0,
            unfinished: 0.0,
            course: vec![(0.0, 0)],
            widest: 0,
            heartbeat: HEARTBEAT,
        }
    }

    /// Everything that happens until then.
    pub(super) fn advance(&mut self, until: f64) {
        while let Some(time) = self.next_event().filter(|time| *time <= until) {
            self.pass(time);
            self.happen();
        }
        self.pass(until);
    }

    /// Makes so many more.
    pub(super) fn make(&mut self, count: usize) {
        for _ in 0..count {
            self.workers.insert(self.made, Worker { created: self.now, ..Worker::default() });
            self.made += 1;
        }
        self.note();
    }

    /// Has these leave.
    pub(super) fn part_with(&mut self, who: &BTreeSet<usize>) {
        for (_, worker) in self.workers.iter_mut().filter(|(number, _)| who.contains(number)) {
            worker.leaving = true;
        }
        self.let_go();
    }

    /// As many stay as groups of ours have replicas: who leaves is taken back before others are made, and those leave
    /// first that have not registered, then those with the fewest tasks, then the youngest.
    pub(super) fn scale(&mut self, replicas: usize) {
        let staying = self.staying();
        for worker in
            self.workers.values_mut().filter(|one| one.leaving).take(replicas.saturating_sub(staying))
        {
            worker.leaving = false;
        }
        self.make(replicas.saturating_sub(self.staying()));
        let mut first: Vec<_> = self.workers.iter().filter(|(_, worker)| !worker.leaving).collect();
        first
            .sort_by_key(|(number, worker)| (worker.registered, worker.running.len(), usize::MAX - **number));
        let surplus = first.len().saturating_sub(replicas);
        let surplus = first.into_iter().take(surplus).map(|(number, _)| *number).collect();
        self.part_with(&surplus);
        self.assign();
    }

    /// How many are not on their way out.
    pub(super) fn staying(&self) -> usize {
        self.workers.values().filter(|worker| !worker.leaving).count()
    }

    fn next_event(&self) -> Option<f64> {
        let arrivals = self.workers.values().filter(|one| !one.registered).map(|one| one.created + START);
        let ends = self.workers.values().flat_map(|one| one.running.iter().map(|(_, end)| *end));
        let beat = (!self.scheduler.is_done()).then_some(self.heartbeat);
        arrivals.chain(ends).chain(self.scheduler.next_submitted()).chain(beat).min_by(f64::total_cmp)
    }

    #[expect(clippy::cast_precision_loss, reason = "there are few workers")]
    fn pass(&mut self, time: f64) {
        let passed = time - self.now;
        let starting = self.workers.values().filter(|worker| !worker.registered).count();
        let idle =
            self.workers.values().filter(|worker| worker.registered && worker.running.is_empty()).count();
        self.paid += self.workers.len() as f64 * passed;
        self.starting += starting as f64 * passed;
        self.idle += idle as f64 * passed;
        self.unfinished += if self.scheduler.has_work() { passed } else { 0.0 };
        self.now = time;
    }

    fn happen(&mut self) {
        let now = self.now;
        while self.scheduler.next_submitted().is_some_and(|time| time <= now) {
            self.scheduler.submit();
        }
        for worker in self.workers.values_mut() {
            worker.registered |= worker.created + START <= now;
            for (task, _) in worker.running.extract_if(.., |(_, end)| *end <= now) {
                self.scheduler.finish(task);
                self.finished = now;
            }
        }
        if self.heartbeat <= now {
            self.scheduler.heartbeat(now);
            self.heartbeat += HEARTBEAT;
        }
        self.let_go();
        self.assign();
    }

    /// To whoever has least to do, as Dask does with tasks that it queued.
    fn assign(&mut self) {
        loop {
            let able =
                |worker: &&mut Worker| worker.registered && !worker.leaving && worker.running.len() < THREADS;
            let Some(worker) = self.workers.values_mut().filter(able).min_by_key(|one| one.running.len())
            else {
                break;
            };
            let Some(task) = self.scheduler.start(self.now) else { break };
            worker.running.push(task);
        }
        let at_work = self.workers.values().filter(|worker| !worker.running.is_empty()).count();
        self.widest = self.widest.max(at_work);
    }

    fn let_go(&mut self) {
        self.workers.retain(|_, worker| !worker.leaving || !worker.running.is_empty());
        self.note();
    }

    fn note(&mut self) {
        let count = self.workers.len();
        if self.course.last().is_none_or(|(_, last)| *last != count) {
            self.course.push((self.now, count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Recording {
        let task = r#"{"submitted":1,"function":"f","seconds":10}"#;
        Recording::read(&format!(r#"{{"distributed":"1","tasks":[{task},{task},{task}]}}"#)).unwrap()
    }

    #[test]
    fn workers_are_paid_from_the_request_until_they_have_left() {
        let recording = recording();
        let mut world = World::new(&recording);
        world.scale(2);
        world.advance(10.0);
        world.scale(0);
        assert_eq!(world.staying(), 0);
        world.advance(30.0);
        assert!(world.workers.is_empty() && world.scheduler.is_done());
        let end = START + 10.0;
        assert!(
            (world.finished - end).abs() < 1e-9 && (world.paid - 2.0 * end).abs() < 1e-9,
            "{}",
            world.paid
        );
    }

    #[test]
    fn who_leaves_is_taken_back_before_others_are_made() {
        let recording = recording();
        let mut world = World::new(&recording);
        world.scale(2);
        world.advance(10.0);
        world.scale(0);
        world.scale(3);
        assert_eq!((world.made, world.staying()), (3, 3));
    }
}
