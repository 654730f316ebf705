//! What a group's status says.

use dask_operator_api::conditions::{self, ConditionType, Reason, Verdict};
use dask_operator_api::labels;
use dask_operator_api::worker_group::DaskWorkerGroupStatus;
use jiff::Timestamp;

use super::ailing;
use super::check::CheckedGroup;
use super::desired;
use super::leave;
use super::losses;
use super::observed::Observed;
use super::offers;
use super::roll;
use crate::plan::{Failure, Kind, Outcome, WORKER_POD};
use crate::problem::{self, Problem};
use crate::sabotage::{self, Bug};
use crate::troubles;

/// The status that follows from the world and from what came of the plan's writes.
pub fn status(
    group: &CheckedGroup,
    observed: &Observed,
    outcome: &Outcome,
    now: Timestamp,
) -> DaskWorkerGroupStatus {
    let previous = &group.status;
    let existing = existing(observed, outcome);
    let ready = observed.pods.iter().filter(|pod| pod.is_ready()).count();
    let offers = offers::offers(group, observed);
    let mut troubles = troubles(group, observed, outcome, now);
    troubles.extend(offers::unknown(group, observed, offers.as_ref()));
    let verdict = verdict(group, observed, (ready, existing), &troubles);
    let verdicts: Vec<_> = std::iter::once(verdict).chain(troubles).collect();
    let status = DaskWorkerGroupStatus {
        replicas: Some(count(existing)),
        ready_replicas: Some(count(ready)),
        offers: previous.offers.clone(),
        selector: Some(format!("{}={}", labels::WORKER_GROUP_NAME, group.name.as_str())),
        conditions: conditions::set(&previous.conditions, &verdicts, group.generation, now),
        observed_generation: group.generation.map(|seen| seen - i64::from(sabotage::is(Bug::OldGeneration))),
    };
    if status == *previous && group.wanted > 0 {
        // While there are workers, what they offer is worth no write of its own: it goes with the next.
        return status;
    }
    DaskWorkerGroupStatus { offers, ..status }
}

/// The status of a group whose spec cannot be followed.
pub fn invalid(
    previous: &DaskWorkerGroupStatus,
    problems: &[Problem],
    generation: Option<i64>,
    now: Timestamp,
) -> DaskWorkerGroupStatus {
    DaskWorkerGroupStatus {
        conditions: conditions::set(&previous.conditions, &[problem::verdict(problems)], generation, now),
        observed_generation: generation,
        ..previous.clone()
    }
}

fn verdict(
    group: &CheckedGroup,
    observed: &Observed,
    (ready, existing): (usize, usize),
    troubles: &[Verdict],
) -> Verdict {
    let not = |reason, message| Verdict { type_: ConditionType::Ready, status: false, reason, message };
    if group.deleting {
        return not(Reason::Deleting, "the group is being deleted".to_owned());
    }
    let blocking = [
        ConditionType::ClusterMismatch,
        ConditionType::ClusterNotFound,
        ConditionType::NameTaken,
        ConditionType::Refused,
    ];
    if let Some(trouble) = troubles.iter().find(|trouble| blocking.contains(&trouble.type_)) {
        return not(trouble.reason, trouble.message.clone());
    }
    if observed.is_suspended() {
        return not(Reason::ClusterSuspended, "the cluster is suspended".to_owned());
    }
    let roll = troubles.iter().find(|trouble| trouble.reason.is_of_a_roll());
    if ready != group.wanted || existing != group.wanted || roll.is_some() {
        let of_pods = troubles.iter().find(|trouble| ailing::is_of_pods(trouble.reason)).or(roll);
        let (reason, message) = if existing > group.wanted {
            (Reason::WorkersLeaving, format!("{} of {existing} workers are leaving", existing - group.wanted))
        } else {
            (Reason::WorkersNotReady, format!("{ready} of {} workers are ready", group.wanted))
        };
        return of_pods
            .map_or_else(|| not(reason, message), |trouble| not(trouble.reason, trouble.message.clone()));
    }
    let message = "all workers are ready".to_owned();
    Verdict { type_: ConditionType::Ready, status: true, reason: Reason::AllReady, message }
}

fn troubles(group: &CheckedGroup, observed: &Observed, outcome: &Outcome, now: Timestamp) -> Vec<Verdict> {
    let previous = &group.status.conditions;
    let refused = |failure: &Failure| match failure.object.as_str() {
        WORKER_POD => format!("{} cannot be created: {}", missing(group, observed, outcome), failure.message),
        _ => failure.to_string(),
    };
    let mut troubles = troubles::of_writes(outcome, previous, group.generation, refused);
    if let Some(owner) = &observed.of_another {
        let message = format!(
            "the group belongs to the cluster \"{owner}\" and names \"{}\": name its own, or delete the group",
            group.cluster
        );
        troubles.push(troubles::trouble(Reason::NotItsCluster, message));
    } else if observed.cluster.is_none() {
        let message =
            format!("there is no DaskCluster \"{}\" in this namespace that can be followed", group.cluster);
        troubles.push(troubles::trouble(Reason::ClusterNotFound, message));
    }
    if !observed.is_suspended() {
        troubles.extend(ailing::failing(group, observed, now));
        troubles.extend(ailing::cannot_start(group, observed));
        troubles.extend(leave::delayed(group, observed, now));
        let roll = roll::told(group, observed, &troubles);
        troubles.extend(roll);
    }
    troubles.extend(losses::lost(group, outcome, now));
    if desired::has_own_hook(group) {
        let message =
            "the worker's container has a preStop of its own, so a worker that is evicted asks nobody first";
        troubles.push(troubles::trouble(Reason::OwnPreStop, message));
    }
    troubles.sort_by_key(|trouble| trouble.type_);
    troubles
}

fn missing(group: &CheckedGroup, observed: &Observed, outcome: &Outcome) -> String {
    let missing = group.wanted.saturating_sub(existing(observed, outcome));
    format!("{missing} of {} workers", group.wanted)
}

/// Live workers, those made just now included.
fn existing(observed: &Observed, outcome: &Outcome) -> usize {
    let made = outcome.created.iter().filter(|kind| **kind == Kind::Pod).count();
    observed.pods.iter().filter(|pod| pod.is_live()).count() + made
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
