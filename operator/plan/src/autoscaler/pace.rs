//! How fast groups become larger and smaller: what policies allow within their periods.

use dask_operator_api::autoscaler::{PolicyType, ScalingPolicy, ScalingReason, SelectPolicy};
use jiff::{SignedDuration, Timestamp};

use super::check::CheckedAutoscaler;
use super::course::{Changed, Course};
use super::decide::{Decision, Limit};
use super::seen::Seen;

/// The policies of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) policies: Vec<ScalingPolicy>,
    pub(crate) select: SelectPolicy,
}

/// What was held back of one decision.
struct Held {
    /// Its place in the list.
    at: usize,
    /// What it would be otherwise.
    asked: usize,
}

/// Holds back what policies do not allow yet, within the bounds, which hold whatever policies say. Returns when they
/// allow more.
pub(super) fn slow(
    autoscaler: &CheckedAutoscaler,
    seen: &[Seen<'_>],
    course: &Course,
    decisions: &mut [Decision],
    now: Timestamp,
) -> Option<Timestamp> {
    let paces = [&autoscaler.up, &autoscaler.down];
    let mut held = Vec::new();
    for (at, (decision, seen)) in decisions.iter_mut().zip(seen).enumerate() {
        let changed = |period| course.changed(&decision.group, now, period);
        let asked = decision.to;
        decision.to = allowed(decision, seen, paces, changed);
        if decision.to != asked {
            held.push(Held { at, asked });
        }
    }
    keep_bounds(autoscaler, seen, decisions, &held);
    held.retain(|held| decisions[held.at].to != held.asked);
    let frees = |held: &Held| {
        let decision = &decisions[held.at];
        let pace = paces[usize::from(held.asked < decision.from)];
        pace.frees_at(|period| course.frees_at(&decision.group, now, period))
    };
    let wake = held.iter().filter_map(frees).min();
    for Held { at, asked } in held {
        tell(&mut decisions[at], asked);
    }
    wake
}

/// As far as a decision may go for now. More than its own maximum goes at once, and up to its minimum all come at once.
fn allowed(
    decision: &Decision,
    seen: &Seen<'_>,
    [up, down]: [&Pace; 2],
    changed: impl Fn(SignedDuration) -> Changed,
) -> usize {
    let Decision { from, to, .. } = *decision;
    if to > from {
        let most = up.most(from, changed).unwrap_or(to);
        to.min(most.max(seen.scaled.bounds.least))
    } else if decision.reason == ScalingReason::Maximum {
        to
    } else {
        to.max(down.least(from, changed).unwrap_or(to))
    }
}

/// All groups together have their minimum at once, and no more than their maximum.
fn keep_bounds(autoscaler: &CheckedAutoscaler, seen: &[Seen<'_>], decisions: &mut [Decision], held: &[Held]) {
    let sum = |decisions: &[Decision], count: fn(&Decision) -> usize| -> usize {
        seen.iter().zip(decisions).map(|(seen, one)| seen.counted(count(one))).sum()
    };
    let mut missing = autoscaler.bounds.least.saturating_sub(sum(decisions, |one| one.to));
    for Held { at, asked } in held {
        let more = missing.min(asked.saturating_sub(decisions[*at].to));
        decisions[*at].to += more;
        missing -= more;
    }
    let mut surplus = sum(decisions, |one| one.to.min(one.from)).saturating_sub(autoscaler.bounds.most);
    for Held { at, asked } in held.iter().rev() {
        let less = surplus.min(decisions[*at].to.saturating_sub(*asked));
        decisions[*at].to -= less;
        surplus -= less;
    }
}

fn tell(decision: &mut Decision, asked: usize) {
    let is_up = asked > decision.from;
    decision.reason = if is_up { ScalingReason::ScaleUpLimit } else { ScalingReason::ScaleDownLimit };
    decision.limit = decision.limit.take().or(Some(if is_up { Limit::ScaleUp } else { Limit::ScaleDown }));
}

impl Pace {
    /// How many workers a group may have by now, if anything limits that.
    fn most(&self, from: usize, changed: impl Fn(SignedDuration) -> Changed) -> Option<usize> {
        let all = self.policies.iter().map(|policy| {
            let began = began(from, changed(period(policy)));
            began.saturating_add(step(policy, began)).max(from)
        });
        match self.select {
            SelectPolicy::Disabled => Some(from),
            SelectPolicy::Max => all.max(),
            SelectPolicy::Min => all.min(),
        }
    }

    /// How few it may have.
    fn least(&self, from: usize, changed: impl Fn(SignedDuration) -> Changed) -> Option<usize> {
        let all = self.policies.iter().map(|policy| {
            let began = began(from, changed(period(policy)));
            began.saturating_sub(step(policy, began)).min(from)
        });
        match self.select {
            SelectPolicy::Disabled => Some(from),
            SelectPolicy::Max => all.min(),
            SelectPolicy::Min => all.max(),
        }
    }

    /// When the first of the changes that count now is one no more.
    fn frees_at(&self, frees: impl Fn(SignedDuration) -> Option<Timestamp>) -> Option<Timestamp> {
        let policies = self.policies.iter().filter(|_| self.select != SelectPolicy::Disabled);
        policies.filter_map(|policy| frees(period(policy))).min()
    }

    /// Changes count for no longer.
    pub(crate) fn longest(&self) -> SignedDuration {
        self.policies.iter().map(period).max().unwrap_or_default()
    }
}

fn period(policy: &ScalingPolicy) -> SignedDuration {
    SignedDuration::from_secs(policy.period_seconds.into())
}

/// How many there were when the period began, so that it does not matter in how many steps they came.
fn began(now: usize, changed: Changed) -> usize {
    now.saturating_add(changed.removed).saturating_sub(changed.added)
}

/// Of so many; one at least, or a group without workers would never get one.
fn step(policy: &ScalingPolicy, of: usize) -> usize {
    let value = usize::try_from(policy.value).unwrap_or(usize::MAX);
    match policy.type_ {
        PolicyType::Workers => value,
        PolicyType::Percent => of.saturating_mul(value).div_ceil(100).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(select: SelectPolicy, policies: &[(PolicyType, u32)]) -> Pace {
        let policy = |(type_, value): &(PolicyType, u32)| ScalingPolicy {
            type_: *type_,
            value: *value,
            period_seconds: 60,
        };
        Pace { policies: policies.iter().map(policy).collect(), select }
    }

    fn bounds(pace: &Pace, from: usize, added: usize, removed: usize) -> [Option<usize>; 2] {
        let changed = |_| Changed { added, removed };
        [pace.least(from, changed), pace.most(from, changed)]
    }

    #[test]
    fn changes_count_from_what_there_was_when_the_period_began() {
        let four = pace(SelectPolicy::Max, &[(PolicyType::Workers, 4)]);
        assert_eq!(bounds(&four, 10, 0, 0), [Some(6), Some(14)]);
        assert_eq!(bounds(&four, 10, 3, 0), [Some(3), Some(11)]);
        assert_eq!(bounds(&four, 10, 9, 0), [Some(0), Some(10)], "what came before is not taken back");
        let tenth = pace(SelectPolicy::Max, &[(PolicyType::Percent, 10)]);
        assert_eq!(bounds(&tenth, 25, 0, 0), [Some(22), Some(28)], "parts of a worker count as one");
        assert_eq!(bounds(&tenth, 0, 0, 0), [Some(0), Some(1)]);
        assert_eq!(bounds(&tenth, 1, 0, 0), [Some(0), Some(2)]);
    }

    #[test]
    fn of_several_the_largest_change_holds_or_the_smallest_or_none() {
        let both = |select| pace(select, &[(PolicyType::Workers, 4), (PolicyType::Percent, 100)]);
        assert_eq!(bounds(&both(SelectPolicy::Max), 10, 0, 0), [Some(0), Some(20)]);
        assert_eq!(bounds(&both(SelectPolicy::Min), 10, 0, 0), [Some(6), Some(14)]);
        assert_eq!(bounds(&both(SelectPolicy::Disabled), 10, 0, 0), [Some(10), Some(10)]);
        assert_eq!(bounds(&Pace::default(), 10, 0, 0), [None, None]);
        assert_eq!(bounds(&pace(SelectPolicy::Disabled, &[]), 10, 0, 0), [Some(10), Some(10)]);
    }
}
