//! What a group's status says.

use dask_operator_api::conditions::{self, ConditionType, Reason, Verdict};
use dask_operator_api::labels;
use dask_operator_api::worker_group::DaskWorkerGroupStatus;
use jiff::Timestamp;

use super::check::CheckedGroup;
use super::observed::{Observed, Stage, WorkerPod};
use crate::plan::{Kind, Outcome};
use crate::problem::Problem;
use crate::troubles;

/// The status that follows from the world and from what came of the plan's writes.
pub fn status(
    group: &CheckedGroup,
    observed: &Observed,
    outcome: &Outcome,
    now: Timestamp,
) -> DaskWorkerGroupStatus {
    let previous = &group.status;
    let live = observed.pods.iter().filter(|pod| pod.is_live()).count();
    let made = outcome.created.iter().filter(|kind| **kind == Kind::Pod).count();
    let ready = observed.pods.iter().filter(|pod| pod.is_live() && pod.stage == Stage::Ready).count();
    let troubles = troubles(group, observed, outcome);
    let verdict = verdict(group, observed, (ready, live + made), &troubles);
    let verdicts: Vec<_> = std::iter::once(verdict).chain(troubles).collect();
    DaskWorkerGroupStatus {
        replicas: Some(count(live + made)),
        ready_replicas: Some(count(ready)),
        selector: Some(format!("{}={}", labels::WORKER_GROUP_NAME, group.name.as_str())),
        conditions: conditions::set(&previous.conditions, &verdicts, group.generation, now),
        observed_generation: group.generation,
    }
}

/// The status of a group whose spec cannot be followed.
pub fn invalid(
    previous: &DaskWorkerGroupStatus,
    problems: &[Problem],
    generation: Option<i64>,
    now: Timestamp,
) -> DaskWorkerGroupStatus {
    let message = problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; ");
    let reason = problems.first().map_or(Reason::InvalidTemplate, |problem| problem.reason);
    let verdict = Verdict { type_: ConditionType::Ready, status: false, reason, message };
    DaskWorkerGroupStatus {
        conditions: conditions::set(&previous.conditions, &[verdict], generation, now),
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
    if let Some(trouble) = troubles.iter().find(|trouble| trouble.type_ != ConditionType::UnknownFields) {
        return not(trouble.reason, trouble.message.clone());
    }
    if ready != group.wanted || existing != group.wanted {
        let message = format!("{ready} of {} workers are ready{}", group.wanted, waiting(observed));
        return not(Reason::WorkersNotReady, message);
    }
    let message = "all workers are ready".to_owned();
    Verdict { type_: ConditionType::Ready, status: true, reason: Reason::AllReady, message }
}

/// What the first of the pods that are not ready waits for, where Kubernetes says it.
fn waiting(observed: &Observed) -> String {
    let mut waiting: Vec<_> =
        observed.pods.iter().filter(|pod| pod.is_live() && pod.waiting.is_some()).collect();
    waiting.sort_by(|one, other| one.name.cmp(&other.name));
    let first = waiting.first().and_then(|pod| Some((&pod.name, pod.waiting.as_ref()?)));
    first.map(|(name, words)| format!("; {name}: {words}")).unwrap_or_default()
}

fn troubles(group: &CheckedGroup, observed: &Observed, outcome: &Outcome) -> Vec<Verdict> {
    let mut troubles = troubles::of_writes(outcome, &group.status.conditions, group.generation);
    if let Some(owner) = &observed.of_another {
        let message = format!(
            "the group belongs to the cluster \"{owner}\" and names \"{}\": name its own, or delete the group",
            group.cluster
        );
        troubles.push(troubles::trouble(ConditionType::ClusterMismatch, Reason::OwnedByAnother, message));
    } else if observed.cluster.is_none() {
        let message =
            format!("there is no DaskCluster \"{}\" in this namespace that can be followed", group.cluster);
        troubles.push(troubles::trouble(ConditionType::ClusterNotFound, Reason::ClusterNotFound, message));
    }
    if let Some((pod, message)) = crashing(observed) {
        let message = format!("pod {}: {message}", pod.name);
        troubles.push(troubles::trouble(ConditionType::WorkersFailing, Reason::ContainerFailed, message));
    }
    troubles.sort_by_key(|trouble| trouble.type_);
    troubles
}

/// A pod that crashed and waits for its replacement: the last one, so that its words are the newest.
fn crashing(observed: &Observed) -> Option<(&WorkerPod, &str)> {
    let ended = observed.pods.iter().filter_map(|pod| match &pod.stage {
        Stage::Ended(end) if end.failed && !pod.terminating => Some((pod, end)),
        _ => None,
    });
    ended.max_by_key(|(pod, end)| (end.at, &pod.name)).map(|(pod, end)| (pod, end.message.as_str()))
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
