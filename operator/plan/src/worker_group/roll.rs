//! How workers of a changed template take the places of those that were made from an earlier one.

use std::cell::LazyCell;
use std::collections::BTreeSet;

use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use dask_operator_api::parts::UpdateType;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::check::CheckedGroup;
use super::decide::is_ours_to_decide;
use super::desired;
use super::observed::{Mark, Observed, WorkerPod};
use crate::facts::Link;
use crate::sabotage::{self, Bug};
use crate::troubles;

/// Which workers are to be replaced, and how many at a time.
pub(super) struct Roll<'a> {
    /// The names of the live ones.
    outdated: BTreeSet<&'a str>,
    surge: usize,
    unavailable: usize,
    wanted: usize,
}

impl<'a> Roll<'a> {
    pub(super) fn of(group: &CheckedGroup, observed: &'a Observed) -> Self {
        let strategy = group.worker.update_strategy.clone().unwrap_or_default();
        let outdated = match strategy.type_.unwrap_or_default() {
            UpdateType::RollingUpdate => outdated(group, observed).map(|pod| pod.name.as_str()).collect(),
            UpdateType::OnDelete => BTreeSet::new(),
        };
        let wanted = group.wanted;
        let surge = strategy.max_surge.map_or(1, |surge| count(&surge, wanted, usize::div_ceil));
        let missing = strategy.max_unavailable.map_or(0, |missing| count(&missing, wanted, |a, b| a / b));
        // Percentages of few workers may be none, and something has to give.
        let unavailable = missing.max(usize::from(surge == 0));
        Self { outdated, surge, unavailable, wanted }
    }

    /// Whether somebody is to take this worker's place.
    pub(super) fn is_outdated(&self, pod: &WorkerPod) -> bool {
        self.outdated.contains(pod.name.as_str())
    }

    /// How many workers there may be beyond those wanted while so many are to be replaced.
    pub(super) fn surge(&self, outdated: usize) -> usize {
        self.surge.min(outdated)
    }

    /// How many are to be at work at any time.
    fn least(&self) -> usize {
        self.wanted.saturating_sub(self.unavailable) * usize::from(!sabotage::is(Bug::RollsAtOnce))
    }

    /// How many may go now, and how many of those may be at work: so many of `all` that stay are at work, and so many
    /// new ones are on their way.
    pub(super) fn may_go(&self, all: usize, at_work: usize, on_their_way: usize) -> (usize, usize) {
        (all.saturating_sub(self.least() + on_their_way), at_work.saturating_sub(self.least()))
    }
}

/// A number of workers, or so many per cent of those that are wanted.
fn count(share: &IntOrString, wanted: usize, divide: fn(usize, usize) -> usize) -> usize {
    match share {
        IntOrString::Int(number) => usize::try_from(*number).unwrap_or(0),
        IntOrString::String(text) => {
            let percentage: usize = text.trim_end_matches('%').parse().unwrap_or(0);
            divide(wanted.saturating_mul(percentage), 100)
        }
    }
}

/// Tells whether a pod was made from something else than what the group says now.
pub(super) fn is_outdated(group: &CheckedGroup, observed: &Observed) -> impl Fn(&WorkerPod) -> bool {
    let now = LazyCell::new(|| observed.cluster.as_ref().map(|cluster| desired::template(group, cluster)));
    move |pod| pod.template.is_some() && pod.template != *now
}

fn outdated<'a>(group: &CheckedGroup, observed: &'a Observed) -> impl Iterator<Item = &'a WorkerPod> {
    let is_outdated = is_outdated(group, observed);
    observed.pods.iter().filter(move |pod| pod.is_live() && is_outdated(pod))
}

/// What people are told while workers of an earlier template are there; `troubles` may keep new ones from taking over.
pub(super) fn told(group: &CheckedGroup, observed: &Observed, troubles: &[Verdict]) -> Option<Verdict> {
    let kept = Some(Mark::Stays(group.generation.unwrap_or(0)));
    let count = outdated(group, observed).filter(|pod| pod.mark != kept).count();
    if count == 0 || !is_ours_to_decide(group, observed) {
        return None;
    }
    let strategy = group.worker.update_strategy.clone().unwrap_or_default();
    let old = format!("{count} workers are of an earlier template");
    let (reason, message) = match (strategy.type_.unwrap_or_default(), stalled(observed, troubles)) {
        (UpdateType::OnDelete, _) => (Reason::ReplacedOnDelete, format!("{old}; delete their pods")),
        (UpdateType::RollingUpdate, Some(why)) => (Reason::UpdateStalled, format!("{old} and stay: {why}")),
        (UpdateType::RollingUpdate, None) => (Reason::RollingUpdate, format!("{old} and are being replaced")),
    };
    Some(troubles::trouble(reason, message))
}

/// What keeps the new workers from taking over.
fn stalled(observed: &Observed, troubles: &[Verdict]) -> Option<String> {
    let keeps = [ConditionType::Refused, ConditionType::WorkersCannotStart, ConditionType::WorkersFailing];
    let first = troubles.iter().find(|trouble| keeps.contains(&trouble.type_));
    let silent = match &observed.link {
        Link::Unreachable(why) => Some(format!("the scheduler cannot be asked: {why}")),
        Link::Unasked | Link::Stock | Link::Rpc(_) | Link::Preload(_) => None,
    };
    first.map(|trouble| trouble.message.clone()).or(silent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roll(surge: usize, unavailable: usize, wanted: usize) -> Roll<'static> {
        Roll { outdated: BTreeSet::new(), surge, unavailable, wanted }
    }

    #[test]
    fn shares_are_numbers_or_percentages_of_what_is_wanted() {
        let up = |share: &str| count(&IntOrString::String(share.to_owned()), 6, usize::div_ceil);
        let down = |share: &str| count(&IntOrString::String(share.to_owned()), 6, |a, b| a / b);
        assert_eq!((up("25%"), down("25%"), up("0%"), down("100%")), (2, 1, 0, 6));
        assert_eq!(count(&IntOrString::Int(3), 6, usize::div_ceil), 3);
        assert_eq!(count(&IntOrString::Int(-3), 6, usize::div_ceil), 0);
    }

    #[test]
    fn nobody_at_work_goes_before_the_one_who_takes_over_is_at_work() {
        assert_eq!(roll(1, 0, 6).may_go(6, 6, 0), (0, 0));
        assert_eq!(roll(1, 0, 6).may_go(7, 6, 1), (0, 0));
        assert_eq!(roll(1, 0, 6).may_go(7, 7, 0), (1, 1));
        assert_eq!(roll(0, 2, 6).may_go(6, 6, 0), (2, 2));
        assert_eq!(roll(0, 2, 6).may_go(4, 4, 0), (0, 0));
    }

    #[test]
    fn one_that_does_not_work_goes_first_and_costs_nothing() {
        assert_eq!(roll(1, 0, 6).may_go(7, 6, 0), (1, 0));
    }
}
