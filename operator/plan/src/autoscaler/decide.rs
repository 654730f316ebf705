//! How many workers each group is to have, and why.

use dask_operator_api::autoscaler::ScalingReason;
use dask_operator_api::conditions::Reason;
use jiff::Timestamp;

use super::assign::{Assigned, Room, assign, whole};
use super::check::{CheckedAutoscaler, Scaled};
use super::course::Course;
use super::demand::{self, Need};
use super::observed::{Group, Observed};
use super::offer::Offer;
use super::trouble::{self, Trouble};
use crate::facts::{Facts, Hold, Index, Link};
use crate::worker_group::WorkerPod;

/// Beyond this part of their memory workers begin to write to disk (`distributed.worker.memory.target`).
const MEMORY_IN_USE: f64 = 0.6;

/// What one look decides.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scaling {
    /// One for each group that exists, while facts are known.
    pub decisions: Vec<Decision>,
    /// Groups that are named and do not exist.
    pub missing: Vec<String>,
    /// What no group offers, in words.
    pub unrunnable: Vec<String>,
    /// Why nothing is known of the work, if nothing is.
    pub blind: Option<(Reason, String)>,
    /// When something changes by time alone.
    pub wake: Option<Timestamp>,
}

/// How many workers one group is to have.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The group.
    pub group: String,
    /// How many it has.
    pub from: usize,
    /// How many it is to have.
    pub to: usize,
    /// Why.
    pub reason: ScalingReason,
    /// What keeps it from having as many as the work asks for.
    pub limit: Option<Limit>,
}

/// What keeps a group from growing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The bounds.
    Maximum,
    /// Workers do not start or stay, in these words.
    Trouble(String),
    /// Somebody else scales it.
    AnotherWriter,
}

impl Decision {
    /// Whether it is another number than now.
    pub fn changes(&self) -> bool {
        self.from != self.to
    }
}

/// What is known of one group by one look.
struct Seen<'a> {
    scaled: &'a Scaled,
    group: &'a Group,
    offer: Offer,
    /// Live pods whose workers have registered.
    present: usize,
    /// Those of them that have tasks, or cannot go now.
    busy: usize,
    /// How many workers hold what is in memory, without writing it to disk.
    memory: usize,
    /// Why no more are made on top of those that are there.
    trouble: Option<Trouble>,
    /// Whether that has gone on for so long that others take its work.
    is_stuck: bool,
}

/// What follows from the work. Without facts nothing does, and everything stays.
pub(super) fn decide(
    autoscaler: &CheckedAutoscaler,
    observed: &Observed,
    course: &mut Course,
    now: Timestamp,
) -> Scaling {
    let named = |scaled: &&Scaled| observed.groups.iter().any(|group| group.name == scaled.name);
    // The default group comes with its cluster.
    let missing = autoscaler.groups.iter().filter(|scaled| !autoscaler.is_default && !named(scaled));
    let scaling =
        Scaling { missing: missing.map(|scaled| scaled.name.clone()).collect(), ..Scaling::default() };
    course.keep(&autoscaler.groups.iter().map(|scaled| scaled.name.as_str()).collect::<Vec<_>>());
    let facts = match known(observed) {
        Ok(facts) => facts,
        Err(blind) => return Scaling { blind, ..scaling },
    };
    let Some(needs) = demand::needs(facts, autoscaler.target) else {
        let words = "it cannot count its tasks".to_owned();
        return Scaling { blind: Some((Reason::SchedulerSilent, words)), ..scaling };
    };
    let index = Index::of(facts);
    let seen: Vec<_> = autoscaler
        .groups
        .iter()
        .filter_map(|scaled| Seen::of(scaled, autoscaler, observed, &index, now))
        .collect();
    let beside = beside(autoscaler, observed, &index);
    Look { autoscaler, needs: &needs, seen: &seen, beside: &beside, now }.decide(course, scaling)
}

/// The facts, or why there are none to scale by.
fn known(observed: &Observed) -> Result<&Facts, Option<(Reason, String)>> {
    let starts = observed.cluster.as_ref().is_some_and(|cluster| !cluster.scheduler_ready);
    match &observed.link {
        Link::Preload(facts) => Ok(facts),
        Link::Unasked => Err(None),
        Link::Unreachable(_) if starts => Err(None),
        Link::Stock => {
            let words = "the scheduler has not loaded what could be asked about its work".to_owned();
            Err(Some((Reason::SchedulerTellsNothing, words)))
        }
        Link::Unreachable(why) => {
            Err(Some((Reason::SchedulerSilent, format!("the scheduler cannot be asked: {why}"))))
        }
    }
}

/// Workers that somebody else scales take work, too.
fn beside(autoscaler: &CheckedAutoscaler, observed: &Observed, index: &Index<'_>) -> Vec<Room> {
    let scaled = |group: &&Group| autoscaler.groups.iter().any(|scaled| scaled.name == group.name);
    let others = observed.groups.iter().filter(|group| !scaled(group));
    others
        .map(|group| {
            Room::new(Offer::of(group, Some(index)), autoscaler.bounds, registered(group, index).count(), 0)
        })
        .collect()
}

fn registered<'a>(group: &'a Group, index: &Index<'_>) -> impl Iterator<Item = &'a WorkerPod> {
    group.pods.iter().filter(|pod| pod.is_live() && index.load(&pod.name, pod.ip).is_some())
}

impl<'a> Seen<'a> {
    fn of(
        scaled: &'a Scaled,
        autoscaler: &CheckedAutoscaler,
        observed: &'a Observed,
        index: &Index<'_>,
        now: Timestamp,
    ) -> Option<Self> {
        let group = observed.groups.iter().find(|group| group.name == scaled.name)?;
        let loads: Vec<_> =
            registered(group, index).filter_map(|pod| index.load(&pod.name, pod.ip)).collect();
        let offer = Offer::of(group, Some(index));
        #[expect(clippy::cast_precision_loss, reason = "no decision depends on the last bits")]
        let bytes = loads.iter().fold(0_u64, |sum, load| sum.saturating_add(load.bytes)) as f64;
        let each = offer.memory * offer.processes * MEMORY_IN_USE;
        let memory = if each > 0.0 { (bytes / each).ceil() } else { bytes.min(1.0) };
        let busy = loads.iter().filter(|load| load.hold != Hold::Idle).count();
        let trouble = trouble::of(group, index, now);
        let passes = |trouble: &Trouble| trouble.since.is_some_and(|since| since + autoscaler.fallback > now);
        let is_stuck = trouble.as_ref().is_some_and(|trouble| !passes(trouble));
        Some(Self {
            scaled,
            group,
            offer,
            present: loads.len(),
            busy,
            memory: whole(memory),
            trouble,
            is_stuck,
        })
    }

    /// As far as it may be filled.
    fn room(&self, how: How) -> Room {
        let mut bounds = self.scaled.bounds;
        if how == How::Present || (how == How::Able && self.is_stuck) {
            bounds.most = self.present.min(bounds.most);
            bounds.least = bounds.least.min(bounds.most);
        }
        Room::new(self.offer.clone(), bounds, self.present, self.scaled.priority)
    }
}

/// How far groups may be filled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// With as many workers as they may have.
    Whole,
    /// The same, but for those whose workers do not start.
    Able,
    /// With the workers that are there.
    Present,
}

/// One look at all groups together.
struct Look<'a> {
    autoscaler: &'a CheckedAutoscaler,
    needs: &'a [Need<'a>],
    seen: &'a [Seen<'a>],
    beside: &'a [Room],
    now: Timestamp,
}

impl Look<'_> {
    fn decide(&self, course: &mut Course, scaling: Scaling) -> Scaling {
        let wanted = self.assign(How::Able);
        let whole = self.assign(How::Whole);
        let counts = self.within_bounds(&wanted);
        let of = |at: usize| match self.seen[at].trouble {
            // Its workers stay for as long as they would be of use.
            Some(_) => whole.workers[at].max(self.seen[at].memory).min(self.seen[at].group.replicas),
            None => counts[at],
        };
        let kept = self.kept();
        let decided: Vec<_> = (0..self.seen.len())
            .map(|at| self.decide_one(&self.seen[at], of(at), kept[at], wanted.is_short, course))
            .collect();
        let stuck = self.seen.iter().filter(|seen| !seen.is_stuck);
        let stuck = stuck.filter_map(|seen| Some(seen.trouble.as_ref()?.since? + self.autoscaler.fallback));
        Scaling {
            wake: decided.iter().filter_map(|(_, wake)| *wake).chain(stuck).min(),
            unrunnable: wanted.unrunnable.into_iter().map(demand::in_words).collect(),
            decisions: decided.into_iter().map(|(decision, _)| decision).collect(),
            ..scaling
        }
    }

    fn assign(&self, how: How) -> Assigned<'_> {
        let rooms: Vec<_> = self.seen.iter().map(|seen| seen.room(how)).collect();
        assign(self.needs, &rooms, self.beside)
    }

    /// For each group how many of its workers are needed while no group grows. Those of a low priority stay until
    /// those that are to take their work are there; others stay while they are busy.
    fn kept(&self) -> Vec<usize> {
        let present = self.assign(How::Present).workers;
        let stay = |(seen, count): (&Seen<'_>, usize)| {
            let count = count.max(seen.memory);
            if self.is_behind(seen) { count } else { count.max(seen.busy) }
        };
        self.seen.iter().zip(present).map(stay).collect()
    }

    /// Whether others are to take the work if they can.
    fn is_behind(&self, seen: &Seen<'_>) -> bool {
        self.autoscaler.groups.first().is_some_and(|first| seen.scaled.priority < first.priority)
    }

    /// What the groups need, between the bounds of all of them together.
    fn within_bounds(&self, wanted: &Assigned<'_>) -> Vec<usize> {
        let needed = self.seen.iter().zip(&wanted.workers).map(|(seen, count)| {
            let bounds = seen.scaled.bounds;
            (*count).max(seen.memory).clamp(bounds.least, bounds.most)
        });
        let mut counts: Vec<_> = needed.collect();
        let all = self.autoscaler.bounds;
        let mut surplus = counts.iter().sum::<usize>().saturating_sub(all.most);
        for (count, seen) in counts.iter_mut().zip(self.seen).rev() {
            let less = surplus.min(count.saturating_sub(seen.scaled.bounds.least));
            *count -= less;
            surplus -= less;
        }
        let mut missing = all.least.saturating_sub(counts.iter().sum());
        for (count, seen) in counts.iter_mut().zip(self.seen).filter(|(_, seen)| seen.trouble.is_none()) {
            let more = missing.min(seen.scaled.bounds.most.saturating_sub(*count));
            *count += more;
            missing -= more;
        }
        counts
    }

    fn decide_one(
        &self,
        seen: &Seen<'_>,
        needed: usize,
        kept: usize,
        is_short: bool,
        course: &mut Course,
    ) -> (Decision, Option<Timestamp>) {
        let (name, from) = (seen.group.name.as_str(), seen.group.replicas);
        let window = self.autoscaler.stabilization;
        course.note(name, needed.max(kept), self.now, window);
        let decision = |to, reason, limit| Decision { group: name.to_owned(), from, to, reason, limit };
        if course.is_contested(name, from, self.now) {
            let wake = course.uncontested_at(name);
            return (decision(from, ScalingReason::Enough, Some(Limit::AnotherWriter)), wake);
        }
        if needed > from {
            return (decision(needed, self.why_more(seen, needed), None), None);
        }
        let limit = match &seen.trouble {
            Some(trouble) if is_short || needed == from => Some(Limit::Trouble(trouble.words.clone())),
            _ => is_short.then_some(Limit::Maximum),
        };
        let most = seen.scaled.bounds.most;
        if from > most {
            return (decision(most, ScalingReason::Maximum, limit), None);
        }
        let stay = course.most(name, self.now, window).unwrap_or(from).clamp(needed, from);
        let wake = (needed < from).then(|| course.fewer_at(name, from, window)).flatten();
        let reason = match stay {
            stay if stay == from => ScalingReason::Enough,
            stay if seen.busy > stay => ScalingReason::MovedBack,
            _ => ScalingReason::Idle,
        };
        (decision(stay, reason, limit), wake.filter(|wake| *wake > self.now))
    }

    fn why_more(&self, seen: &Seen<'_>, needed: usize) -> ScalingReason {
        if needed <= seen.scaled.bounds.least {
            ScalingReason::Minimum
        } else if seen.memory >= needed {
            ScalingReason::Memory
        } else if self.is_behind(seen) {
            ScalingReason::Fallback
        } else {
            ScalingReason::Work
        }
    }
}
