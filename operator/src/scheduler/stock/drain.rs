//! How a pod leaves a scheduler that has loaded nothing of ours: by steps that Dask itself knows.
//!
//! Its workers are retired, which pauses them and has others copy what only they hold; what they execute ends; what
//! came of that is copied, too; and what they have not begun goes to others when they are removed. Nothing of this has
//! to be remembered: whoever knows nothing of it begins anew, and loses nothing but time.

mod phase;
mod reports;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dask_operator_plan::Drain as Report;
use dask_operator_plan::sabotage::{self, Bug};
use tokio::time::Instant;

use super::super::rpc::Told;
use phase::Phase;
use reports::Reports;

/// What Dask calls a worker that takes work, and one that was told to take none.
const RUNNING: &str = "running";
pub(super) const PAUSED: &str = "closing_gracefully";
/// While tasks are executed, what came of others is copied so often.
const COPIED_EVERY: Duration = Duration::from_secs(10);
/// What came of a pod is of no use for longer, once none of its workers is there.
const REMEMBERED: Duration = Duration::from_mins(1);
/// A pod with more is not let go by steps: what is said of each of them would be too much.
pub(super) const MOST_WORKERS: usize = 256;

/// One pod that is to leave, or to go on.
#[derive(Clone, Debug)]
pub(super) struct Drain {
    pub(super) ip: Option<IpAddr>,
    began: Instant,
    until: Instant,
    phase: Phase,
    /// Since when all is copied that there was then.
    copied: Instant,
    /// Since when none of its workers is there.
    gone: Option<Instant>,
    tasks: u64,
    /// How long it took, in seconds.
    took: f64,
    /// Reports of each worker since it was paused.
    reports: BTreeMap<String, Reports>,
    /// How often in a row it was not known what came of a step.
    pub(super) tries: u32,
}

/// What is to be done next, and to which workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Retire(Vec<String>),
    Remove(Vec<String>),
    GoOn(Vec<SocketAddr>),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Refused,
    Unknown,
}

impl Drain {
    /// Nothing is asked of it yet; if it is paused, something was.
    pub(super) fn new(now: Instant) -> Self {
        let (phase, reports) = (Phase::Interrupted, BTreeMap::new());
        let (ip, began, until, copied, gone) = (None, now, now, now, None);
        Self { ip, began, until, phase, copied, gone, tasks: 0, took: 0.0, reports, tries: 0 }
    }

    /// It is to leave within so long. One that was refused or interrupted is tried again.
    pub(super) fn leave(&mut self, within: Duration, now: Instant) {
        self.until = now + within;
        if self.phase.waits() || matches!(self.phase, Phase::Ready | Phase::Lost) {
            return;
        }
        if !matches!(self.phase, Phase::Refused(_)) {
            self.began = now;
        }
        self.phase = Phase::Pausing;
    }

    /// Its workers are about to be killed.
    pub(super) fn forget(&mut self) {
        if self.phase != Phase::Forgotten {
            self.phase = Phase::Forgetting;
        }
    }

    pub(super) fn go_on(&mut self) {
        self.phase = Phase::Returning;
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    pub(super) fn waits(&self) -> bool {
        self.phase.waits()
    }

    /// The next step, given the pod's workers and how many tasks each of them has, where that is known.
    pub(super) fn next(
        &mut self,
        workers: &[&Told],
        tasks: &BTreeMap<String, u64>,
        now: Instant,
    ) -> Option<Action> {
        self.see(workers, tasks, now);
        let addresses = || workers.iter().map(|told| told.worker.address.clone()).collect::<Vec<_>>();
        match self.phase {
            Phase::Pausing => Some(Action::Retire(addresses())),
            Phase::Emptying { .. } => {
                let is_last = self.is_quiet(workers, tasks);
                self.phase = Phase::Emptying { is_last };
                (is_last || now >= self.copied + COPIED_EVERY).then(|| Action::Retire(addresses()))
            }
            Phase::Releasing | Phase::Forgetting => Some(Action::Remove(addresses())),
            Phase::Returning | Phase::Refused(_) => {
                let paused = workers.iter().filter(|told| told.worker.status == PAUSED);
                let paused: Vec<_> = paused.filter_map(|told| self.at(&told.worker.address)).collect();
                (!paused.is_empty() && !sabotage::is(Bug::StockStaysPaused)).then_some(Action::GoOn(paused))
            }
            Phase::Ready | Phase::Interrupted | Phase::Lost | Phase::Forgotten | Phase::Over => None,
        }
    }

    /// What came of the step; returns whether there is another one at once.
    pub(super) fn done(&mut self, outcome: Outcome, now: Instant) -> bool {
        self.tries = if outcome == Outcome::Unknown { self.tries.saturating_add(1) } else { 0 };
        let refused = Phase::Refused("no other worker takes its results, or it has actors");
        let next = match (self.phase, outcome) {
            (_, Outcome::Unknown) => return false,
            (Phase::Pausing | Phase::Emptying { .. }, Outcome::Refused) => refused,
            (Phase::Pausing, _) => Phase::Emptying { is_last: false },
            (Phase::Emptying { is_last: true }, _) if self.tasks > 0 => Phase::Releasing,
            (Phase::Emptying { is_last: true } | Phase::Releasing, _) => Phase::Ready,
            (Phase::Forgetting, _) => Phase::Forgotten,
            (phase, _) => phase,
        };
        self.copied = now;
        self.enter(next, now);
        self.phase == Phase::Releasing
    }

    /// As plans read it.
    pub(super) fn report(&self, pod: &str) -> Report {
        let (state, reason) = self.phase.state();
        let (name, reason) = (pod.to_owned(), reason.to_owned());
        Report { name, state, reason, tasks: self.tasks, seconds: self.took, ..Report::default() }
    }

    /// What has changed without us.
    fn see(&mut self, workers: &[&Told], tasks: &BTreeMap<String, u64>, now: Instant) {
        let is_there = !workers.is_empty();
        self.gone = if is_there { None } else { self.gone.or(Some(now)) };
        let is_of_use = self.gone.is_none_or(|gone| now < gone + REMEMBERED);
        let runs = workers.iter().any(|told| told.worker.status == RUNNING);
        if is_there {
            let known =
                |told: &&Told| tasks.get(&told.worker.address).copied().unwrap_or(told.worker.processing);
            self.tasks = workers.iter().map(known).fold(0, u64::saturating_add);
        }
        let returned = || !workers.iter().any(|told| told.worker.status == PAUSED);
        let next = match self.phase {
            // Nobody of whom something could be lost, and whoever asked may have known less; or they were removed on our
            // order, whose answer came too late: all was copied, and nothing executed.
            Phase::Pausing | Phase::Releasing if !is_there => Phase::Ready,
            Phase::Emptying { .. } if !is_there => Phase::Lost,
            Phase::Forgetting if !is_there => Phase::Forgotten,
            Phase::Returning if returned() => Phase::Over,
            phase if phase.is_final() && !is_of_use => Phase::Over,
            phase if phase.waits() && now >= self.until => Phase::Interrupted,
            phase if phase.waits() && workers.len() > MOST_WORKERS => {
                Phase::Refused("it has too many workers")
            }
            Phase::Pausing if workers.iter().any(|told| told.worker.vetoed) => Phase::Refused("vetoed"),
            // Somebody else had it go on, or another process took its place.
            Phase::Emptying { .. } | Phase::Releasing | Phase::Ready | Phase::Lost if runs => Phase::Pausing,
            phase => phase,
        };
        self.enter(next, now);
        self.count(workers);
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        if self.phase == phase {
            return;
        }
        self.phase = phase;
        if !self.waits() {
            self.took = now.duration_since(self.began).as_secs_f64();
        }
    }

    fn count(&mut self, workers: &[&Told]) {
        let is_paused = matches!(self.phase, Phase::Emptying { .. } | Phase::Releasing);
        for told in workers {
            self.reports.entry(told.worker.address.clone()).or_default().hear(told, is_paused);
        }
        self.reports.retain(|address, _| workers.iter().any(|told| told.worker.address == *address));
    }

    /// Nothing is executed, and nothing will be: by the scheduler's own books, which are exact, or by their reports.
    fn is_quiet(&self, workers: &[&Told], tasks: &BTreeMap<String, u64>) -> bool {
        workers.iter().all(|told| {
            let address = &told.worker.address;
            let has_said_so = self.reports.get(address).is_some_and(Reports::say_nothing_is_executed);
            match tasks.get(address) {
                Some(0) => true,
                Some(_) => has_said_so || sabotage::is(Bug::StockNotWaitedFor),
                None => false,
            }
        })
    }

    /// Where a worker listens: on its own pod, whatever its scheduler says.
    fn at(&self, address: &str) -> Option<SocketAddr> {
        let (_, port) = address.strip_prefix("tcp://")?.rsplit_once(':')?;
        Some(SocketAddr::new(self.ip?, port.parse().ok()?))
    }
}

#[cfg(test)]
mod tests;
