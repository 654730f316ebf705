//! What an autoscaler's status says.

use dask_operator_api::autoscaler::{DaskAutoscalerStatus, LastDecision, ScalingReason};
use dask_operator_api::conditions::{self, ConditionType, Reason, Verdict};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::check::CheckedAutoscaler;
use super::decide::{Decision, Limit, Scaling};
use super::observed::Observed;
use crate::facts::Link;
use crate::plan::{Kind, Outcome};
use crate::problem::{self, Problem};
use crate::troubles::{self, trouble};

/// How many decisions are told.
const TOLD: usize = 10;

/// The status that follows from what was decided, and from what came of its writes.
pub fn status(
    autoscaler: &CheckedAutoscaler,
    observed: &Observed,
    outcome: &Outcome,
    now: Timestamp,
) -> DaskAutoscalerStatus {
    let previous = &autoscaler.status;
    // Nobody has asked yet, as after a start of the operator: what was said stays said.
    let told = troubles::find(&previous.conditions, ConditionType::Ready);
    let resumes = told.is_some_and(|told| told.reason == Reason::ClusterSuspended.to_string());
    let is_new = previous.observed_generation != autoscaler.generation || resumes;
    let nothing = Scaling::default();
    let scaling = outcome.scaling.as_ref().unwrap_or(&nothing);
    let is_there = observed.cluster.as_ref().is_some_and(|cluster| cluster.scheduler_ready);
    let is_unknown = observed.link == Link::Unasked && is_there;
    if is_unknown && is_followed(autoscaler, observed) && !is_new {
        return previous.clone();
    }
    let mut troubles = troubles(autoscaler, observed, scaling);
    troubles.extend(troubles::of_writes(
        outcome,
        &previous.conditions,
        autoscaler.generation,
        ToString::to_string,
    ));
    troubles.sort_by_key(|trouble| trouble.type_);
    let ready = ready(autoscaler, observed, scaling, &troubles);
    let verdicts: Vec<_> = std::iter::once(ready).chain(troubles).collect();
    let wanted = scaling.decisions.iter().map(|decision| decision.to).sum::<usize>();
    DaskAutoscalerStatus {
        replicas: if scaling.decisions.is_empty() { previous.replicas } else { Some(count(wanted)) },
        last_decisions: last_decisions(autoscaler, outcome, scaling, now),
        conditions: conditions::set(&previous.conditions, &verdicts, autoscaler.generation, now),
        observed_generation: autoscaler.generation,
    }
}

/// The status of an autoscaler whose spec cannot be followed.
pub fn invalid(
    previous: &DaskAutoscalerStatus,
    problems: &[Problem],
    generation: Option<i64>,
    now: Timestamp,
) -> DaskAutoscalerStatus {
    DaskAutoscalerStatus {
        conditions: conditions::set(&previous.conditions, &[problem::verdict(problems)], generation, now),
        observed_generation: generation,
        ..previous.clone()
    }
}

fn troubles(autoscaler: &CheckedAutoscaler, observed: &Observed, scaling: &Scaling) -> Vec<Verdict> {
    if observed.cluster.is_none() {
        let words = format!("there is no DaskCluster \"{}\" in this namespace", autoscaler.cluster);
        return vec![trouble(Reason::ClusterNotFound, words)];
    }
    if let Some(older) = &observed.older {
        return vec![trouble(Reason::OlderAutoscaler, format!("\"{older}\" scales the cluster"))];
    }
    let missing = scaling
        .missing
        .first()
        .map(|name| trouble(Reason::NoSuchGroup, format!("the cluster has no DaskWorkerGroup \"{name}\"")));
    let unrunnable = scaling.unrunnable.first().map(|needs| {
        trouble(Reason::NobodyOffers, format!("tasks wait that no group's workers may run: {needs}"))
    });
    let blind = scaling.blind.clone().map(|(reason, words)| trouble(reason, words));
    let limits = [limited(&scaling.decisions), contested(&scaling.decisions)];
    [missing, unrunnable, blind].into_iter().chain(limits).flatten().collect()
}

/// A group that cannot grow is told before one that may not.
fn limited(decisions: &[Decision]) -> Option<Verdict> {
    let stuck = decisions.iter().find_map(|decision| match &decision.limit {
        Some(Limit::Trouble(words)) => Some((&decision.group, words)),
        _ => None,
    });
    if let Some((group, words)) = stuck {
        return Some(trouble(Reason::GroupCannotGrow, format!("no more workers for \"{group}\": {words}")));
    }
    let first = |limit| decisions.iter().find(|decision| decision.limit.as_ref() == Some(&limit));
    if let Some(Decision { group, .. }) = first(Limit::ScaleUp) {
        let words = format!("more workers of \"{group}\" are needed than `scaleUp` allows yet");
        return Some(trouble(Reason::ScaleUpLimit, words));
    }
    if first(Limit::Maximum).is_some() {
        return Some(trouble(Reason::AtMaximum, "more workers would be of use than `maximum` allows"));
    }
    first(Limit::ScaleDown).map(|Decision { group, .. }| {
        let words = format!("fewer workers of \"{group}\" are enough, and `scaleDown` lets no more go yet");
        trouble(Reason::ScaleDownLimit, words)
    })
}

fn contested(decisions: &[Decision]) -> Option<Verdict> {
    let (group, until) = decisions.iter().find_map(|decision| match decision.limit {
        Some(Limit::AnotherWriter(until)) => Some((&decision.group, until)),
        _ => None,
    })?;
    let until = until.strftime("%Y-%m-%dT%H:%M:%SZ");
    let words = format!(
        "somebody else sets the number of workers of \"{group}\", too, and it is left to them until {until}"
    );
    Some(trouble(Reason::AnotherWriter, words))
}

/// Whether it is to scale a cluster that is there and stays.
fn is_followed(autoscaler: &CheckedAutoscaler, observed: &Observed) -> bool {
    let stays = observed.cluster.as_ref().is_some_and(|cluster| !cluster.deleting && !cluster.suspended);
    stays && observed.older.is_none() && !autoscaler.deleting
}

fn ready(
    autoscaler: &CheckedAutoscaler,
    observed: &Observed,
    scaling: &Scaling,
    troubles: &[Verdict],
) -> Verdict {
    let told = |status, reason, message| Verdict { type_: ConditionType::Ready, status, reason, message };
    if autoscaler.deleting || observed.cluster.as_ref().is_some_and(|cluster| cluster.deleting) {
        return told(false, Reason::Deleting, "it is being deleted".to_owned());
    }
    if observed.older.is_none() && observed.cluster.as_ref().is_some_and(|cluster| cluster.suspended) {
        return told(false, Reason::ClusterSuspended, "the cluster is suspended".to_owned());
    }
    if autoscaler.advisory && !scaling.decisions.is_empty() {
        return told(true, Reason::Advises, "it says what it would do, and does nothing".to_owned());
    }
    let blocking = |trouble: &&Verdict| trouble.type_ != ConditionType::ScalingLimited;
    if let Some(trouble) = troubles.iter().find(blocking) {
        return told(false, trouble.reason, trouble.message.clone());
    }
    if scaling.decisions.is_empty() {
        return told(false, Reason::AwaitsFacts, "the scheduler has not told its work yet".to_owned());
    }
    let words = match observed.link {
        Link::Rpc(_) => "workers follow what Dask itself would have; what tasks need is not known",
        _ => "workers follow the work",
    };
    told(true, Reason::FollowsWork, words.to_owned())
}

/// What was changed just now, or would have been and was not said before, and what was told already.
fn last_decisions(
    autoscaler: &CheckedAutoscaler,
    outcome: &Outcome,
    scaling: &Scaling,
    now: Timestamp,
) -> Vec<LastDecision> {
    let before = &autoscaler.status.last_decisions;
    let said = |decision: &Decision| {
        let last = before.iter().find(|last| last.group == decision.group);
        last.is_some_and(|last| last.to == count(decision.to))
    };
    let is_done = |decision: &Decision| outcome.has_changed(Kind::DaskWorkerGroup, &decision.group);
    let is_news = |decision: &&Decision| {
        decision.changes() && if autoscaler.advisory { !said(decision) } else { is_done(decision) }
    };
    let news = scaling.decisions.iter().filter(is_news);
    news.map(|decision| last_decision(decision, now)).chain(before.iter().cloned()).take(TOLD).collect()
}

fn last_decision(decision: &Decision, now: Timestamp) -> LastDecision {
    LastDecision {
        time: Time(now),
        group: decision.group.clone(),
        from: count(decision.from),
        to: count(decision.to),
        reason: decision.reason.to_string(),
        message: in_words(decision.reason).to_owned(),
    }
}

fn in_words(reason: ScalingReason) -> &'static str {
    match reason {
        ScalingReason::Work => "tasks that can run, or soon can, need so many",
        ScalingReason::Memory => "results in memory need so many",
        ScalingReason::Idle => "fewer have been enough for the whole stabilization window",
        ScalingReason::MovedBack => "groups of a higher priority have workers for the work",
        ScalingReason::Fallback => "groups of a higher priority are full, or cannot start workers",
        ScalingReason::Minimum => "no fewer are allowed",
        ScalingReason::Maximum => "no more are allowed",
        ScalingReason::ScaleUpLimit => "more are needed, and `scaleUp` allows no more yet",
        ScalingReason::ScaleDownLimit => "fewer are enough, and `scaleDown` allows no fewer yet",
        ScalingReason::Enough => "as many as are needed",
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
