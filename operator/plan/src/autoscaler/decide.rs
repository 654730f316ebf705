//! How many workers each group is to have, and why.

use dask_operator_api::autoscaler::ScalingReason;
use dask_operator_api::conditions::{ConditionType, Reason};
use dask_operator_api::names::default_group_name;
use jiff::Timestamp;

use super::check::CheckedAutoscaler;
use super::course::Course;
use super::demand;
use super::need::{Needed, less, needed};
use super::observed::{Group, Observed};
use super::pace;
use super::seen::{Seen, beside, seen};
use crate::facts::{Facts, Index, Link, STALE};
use crate::troubles::still;

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
    /// What led here, this look included.
    pub course: Course,
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
    /// How many the work asks for, whatever the bounds.
    pub wanted: usize,
    /// Why.
    pub reason: ScalingReason,
    /// What keeps it from having as many as the work asks for.
    pub limit: Option<Limit>,
}

/// What keeps a group from having as many workers as the work asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The bounds.
    Maximum,
    /// What `scaleUp` allows for now.
    ScaleUp,
    /// What `scaleDown` allows for now: it cannot shrink.
    ScaleDown,
    /// Workers do not start or stay, in these words.
    Trouble(String),
    /// Somebody else scales it, and it is left to them until then.
    AnotherWriter(Timestamp),
}

impl Decision {
    /// Whether it is another number than now.
    pub fn changes(&self) -> bool {
        self.from != self.to
    }
}

/// What follows from the work. Without facts nothing does, and everything stays.
pub(super) fn decide(
    autoscaler: &CheckedAutoscaler,
    observed: &Observed,
    course: &Course,
    now: Timestamp,
) -> Scaling {
    let is_scaled = |group: &&Group| autoscaler.groups.iter().any(|scaled| scaled.name == group.name);
    let groups = observed.groups.iter().filter(is_scaled);
    let groups = groups.map(|group| (group.name.as_str(), group.uid.as_str()));
    let course = course.kept(groups, autoscaler.generation, now, autoscaler.longest_period());
    let mut scaling = Scaling { missing: missing(autoscaler, observed), course, ..Scaling::default() };
    let facts = match known(autoscaler, observed) {
        Ok(facts) => facts,
        Err(blind) => return Scaling { blind, ..scaling },
    };
    let Some(needs) = demand::needs(facts, autoscaler.target) else {
        let words = "it cannot count its tasks".to_owned();
        return Scaling { blind: Some((Reason::SchedulerSilent, words)), ..scaling };
    };
    let index = Index::of(facts);
    let seen = seen(autoscaler, observed, &index, now);
    let needed = needed(autoscaler, &needs, &seen, &beside(autoscaler, observed, &index));
    let mut look = Look { autoscaler, needed: &needed, course: &mut scaling.course, now, wake: None };
    let mut decisions: Vec<_> = seen.iter().enumerate().map(|(at, one)| look.decide(one, at)).collect();
    let wakes = look.wake.into_iter().chain(seen.iter().filter_map(|one| turns(autoscaler, one)));
    let wake = wakes.chain(pace::slow(autoscaler, &seen, &scaling.course, &mut decisions, now)).min();
    keep_within(autoscaler, &seen, &mut decisions);
    Scaling { decisions, unrunnable: needed.unrunnable, wake, ..scaling }
}

/// The default group comes with its cluster, and is not missed before.
fn missing(autoscaler: &CheckedAutoscaler, observed: &Observed) -> Vec<String> {
    let exists = |name: &String| observed.groups.iter().any(|group| group.name == *name);
    let named = autoscaler.groups.iter().map(|scaled| &scaled.name);
    let default = default_group_name(&autoscaler.cluster);
    named.filter(|name| **name != default && !exists(name)).cloned().collect()
}

/// The facts, or why there are none to scale by.
fn known<'a>(
    autoscaler: &CheckedAutoscaler,
    observed: &'a Observed,
) -> Result<&'a Facts, Option<(Reason, String)>> {
    let starting = observed.cluster.as_ref().filter(|cluster| !cluster.scheduler_ready);
    let trouble = starting.and_then(|cluster| cluster.scheduler_trouble.as_ref());
    let silent = |why: &str| Some((Reason::SchedulerSilent, format!("the scheduler cannot be asked: {why}")));
    match (&observed.link, trouble) {
        (Link::Preload(facts) | Link::Rpc(facts), _) if observed.link_age < STALE => Ok(facts),
        (_, Some(trouble)) => Err(silent(&format!("{}: {}", trouble.reason, trouble.words))),
        (Link::Preload(_) | Link::Rpc(_), None) => Err(silent("no answer for half a minute")),
        // One that ends again and again has no trouble while it starts once more.
        (Link::Unasked | Link::Unreachable(_), None) if starting.is_some() => {
            let told = still(&autoscaler.status.conditions, ConditionType::FactsStale);
            Err(told.map(|told| (told.reason, told.message)))
        }
        (Link::Unasked, None) => Err(None),
        (Link::Unreachable(why), None) => Err(silent(why)),
        (Link::Stock, None) => {
            let words =
                "the scheduler has not loaded what could be asked about its work, and listens to TLS alone"
                    .to_owned();
            Err(Some((Reason::SchedulerTellsNothing, words)))
        }
    }
}

/// When others take the work of a group whose workers do not start.
fn turns(autoscaler: &CheckedAutoscaler, seen: &Seen<'_>) -> Option<Timestamp> {
    let since = seen.trouble.as_ref().filter(|_| !seen.is_stuck)?.since?;
    Some(since + autoscaler.fallback)
}

/// One look at all groups, one after the other.
struct Look<'a> {
    autoscaler: &'a CheckedAutoscaler,
    needed: &'a Needed,
    course: &'a mut Course,
    now: Timestamp,
    wake: Option<Timestamp>,
}

impl Look<'_> {
    fn decide(&mut self, seen: &Seen<'_>, at: usize) -> Decision {
        let (name, from) = (seen.group.name.as_str(), seen.group.replicas);
        let needed = self.needed.wanted[at];
        self.course.note(name, needed.max(self.needed.kept[at]), self.now, self.autoscaler.stabilization);
        let (to, reason, limit) = if let Some(until) = self.contested(name, from) {
            self.wake_at(Some(until));
            (from, ScalingReason::Enough, Some(Limit::AnotherWriter(until)))
        } else {
            let (to, reason) = self.follow(seen, at);
            (to, reason, self.limit(seen, needed).filter(|_| to <= from))
        };
        Decision { group: name.to_owned(), from, to, wanted: self.needed.asked[at], reason, limit }
    }

    fn contested(&mut self, name: &str, replicas: usize) -> Option<Timestamp> {
        if self.autoscaler.advisory {
            self.course.see(name, replicas);
            return None;
        }
        self.course.contested(name, replicas, self.now)
    }

    fn follow(&mut self, seen: &Seen<'_>, at: usize) -> (usize, ScalingReason) {
        let (needed, from, most) = (self.needed.wanted[at], seen.group.replicas, seen.scaled.bounds.most);
        if needed > from {
            (needed, seen.why_more(needed, self.needed.worked[at]))
        } else if from > most {
            (most, ScalingReason::Maximum)
        } else {
            self.fewer(seen, needed)
        }
    }

    fn limit(&self, seen: &Seen<'_>, needed: usize) -> Option<Limit> {
        let is_short = self.needed.is_short;
        match &seen.trouble {
            Some(trouble) if is_short || needed == seen.group.replicas => {
                Some(Limit::Trouble(trouble.words.clone()))
            }
            _ => is_short.then_some(Limit::Maximum),
        }
    }

    /// As few as were enough for the whole window.
    fn fewer(&mut self, seen: &Seen<'_>, needed: usize) -> (usize, ScalingReason) {
        let (name, from, window) = (&seen.group.name, seen.group.replicas, self.autoscaler.stabilization);
        let to = self.course.most(name, self.now, window).unwrap_or(from).clamp(needed, from);
        if needed < from {
            self.wake_at(self.course.fewer_at(name, from, window));
        }
        let reason = match to {
            to if to == from => ScalingReason::Enough,
            to if seen.busy > to => ScalingReason::MovedBack,
            _ => ScalingReason::Idle,
        };
        (to, reason)
    }

    fn wake_at(&mut self, time: Option<Timestamp>) {
        let later = time.filter(|time| *time > self.now);
        self.wake = self.wake.into_iter().chain(later).min();
    }
}

/// No group grows beyond what all of them together may have, while workers of others are still on their way out. Those
/// that cannot start do not count.
fn keep_within(autoscaler: &CheckedAutoscaler, seen: &[Seen<'_>], decisions: &mut [Decision]) {
    let all: usize = seen.iter().zip(&*decisions).map(|(seen, decision)| seen.counted(decision.to)).sum();
    let surplus = all.saturating_sub(autoscaler.bounds.most);
    let growth: Vec<_> = decisions.iter().map(|one| one.to.saturating_sub(one.from)).collect();
    for (decision, less) in decisions.iter_mut().zip(less(seen, surplus, &growth)) {
        if less > 0 {
            decision.to -= less;
            decision.limit = Some(Limit::Maximum);
        }
    }
}
