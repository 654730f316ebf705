//! What a cluster's status says.

use dask_operator_api::cluster::{DaskClusterStatus, Phase};
use dask_operator_api::conditions::{self, ConditionType, Reason, Verdict};
use dask_operator_api::labels;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::check::CheckedCluster;
use super::decide;
use super::idle;
use super::link;
use super::observed::{Observed, Ownership};
use super::outdated;
use super::skew;
use super::suspend::{self, Suspension};
use super::taken;
use super::unprotected;
use crate::plan::{Kind, Outcome};
use crate::problem::{self, Problem};
use crate::refusal::{refusal_in, without_name};
use crate::sabotage::{self, Bug};
use crate::troubles;

/// The status that follows from the world and from what came of the plan's writes.
pub fn status(
    cluster: &CheckedCluster,
    observed: &Observed,
    outcome: &Outcome,
    now: Timestamp,
) -> DaskClusterStatus {
    let troubles = troubles(cluster, observed, outcome, now);
    let scheduler = scheduler_ready(cluster, observed);
    let ready = ready(cluster, observed, &scheduler, &troubles);
    let verdicts: Vec<_> = [ready, scheduler].into_iter().chain(troubles).collect();
    let group = observed.group.as_ref();
    let told = |link: Option<&Verdict>| DaskClusterStatus {
        phase: Some(phase(cluster, observed, outcome)),
        replicas: Some(count(group.map_or(0, |group| group.replicas))),
        ready_replicas: Some(count(group.map_or(0, |group| group.ready_replicas))),
        selector: Some(selector(cluster)),
        restarted_scheduler: restarted(cluster, observed),
        idle_suspended_since: suspend::suspended(cluster, observed)
            .and_then(Suspension::idle_since)
            .map(Time),
        resumed: suspend::resumed(cluster, observed),
        conditions: conditions(cluster, &verdicts, link, now),
        observed_generation: cluster.generation,
    };
    let link = link::link(cluster, observed, now);
    let without = link::can_wait(cluster, link.as_ref()).then(|| told(None));
    without.filter(|without| *without == cluster.status).unwrap_or_else(|| told(link.as_ref()))
}

fn conditions(
    cluster: &CheckedCluster,
    verdicts: &[Verdict],
    link: Option<&Verdict>,
    now: Timestamp,
) -> Vec<Condition> {
    let verdicts: Vec<_> = verdicts.iter().chain(link).cloned().collect();
    conditions::set(&cluster.status.conditions, &verdicts, cluster.generation, now)
}

/// The status of a cluster whose spec cannot be followed. A cluster that ran goes on: only its conditions tell.
pub fn invalid(
    previous: &DaskClusterStatus,
    problems: &[Problem],
    generation: Option<i64>,
    now: Timestamp,
) -> DaskClusterStatus {
    let suspended = troubles::still(&previous.conditions, ConditionType::Suspended);
    let verdicts: Vec<_> = std::iter::once(problem::verdict(problems)).chain(suspended).collect();
    DaskClusterStatus {
        phase: Some(if previous.phase == Some(Phase::Running) { Phase::Running } else { Phase::Error }),
        conditions: conditions::set(&previous.conditions, &verdicts, generation, now),
        observed_generation: generation,
        ..previous.clone()
    }
}

/// `Running` as soon as clients can address the Service, whatever is behind it, and never back: the Python client
/// waits for nothing else.
fn phase(cluster: &CheckedCluster, observed: &Observed, outcome: &Outcome) -> Phase {
    if cluster.status.phase == Some(Phase::Running) && !sabotage::is(Bug::PhaseGoesBack) {
        return Phase::Running;
    }
    let awaits_address = match &observed.service {
        Some(service) if service.child.ownership != Ownership::Ours => return Phase::Created,
        Some(service) => service.awaits_address,
        None if !outcome.created.contains(&Kind::Service) => return Phase::Created,
        None => cluster.scheduler.service.get("type").is_some_and(|type_| type_ == "LoadBalancer"),
    };
    if awaits_address { Phase::Pending } else { Phase::Running }
}

fn scheduler_ready(cluster: &CheckedCluster, observed: &Observed) -> Verdict {
    let suspended = suspend::suspended(cluster, observed).map(|one| one.verdict(cluster));
    let (status, reason, message) = match observed.live_scheduler() {
        None => match (suspended, &observed.replica_failure) {
            (Some(suspended), _) => (false, suspended.reason, suspended.message),
            (None, None) => {
                (false, Reason::SchedulerMissing, "the scheduler's pod does not exist yet".to_owned())
            }
            (None, Some(words)) => {
                let message = format!("the scheduler's pod cannot be created: {}", without_name(words));
                (false, refusal_in(words), message)
            }
        },
        Some(pod) if pod.ready => (true, Reason::SchedulerReady, format!("pod {} is ready", pod.name)),
        Some(pod) => match &pod.trouble {
            None => (false, Reason::SchedulerNotReady, format!("pod {} is not ready", pod.name)),
            Some(trouble) => (false, trouble.reason, format!("pod {}: {}", pod.name, trouble.words)),
        },
    };
    Verdict { type_: ConditionType::SchedulerReady, status, reason, message }
}

fn ready(
    cluster: &CheckedCluster,
    observed: &Observed,
    scheduler: &Verdict,
    troubles: &[Verdict],
) -> Verdict {
    let not = |reason, message| Verdict { type_: ConditionType::Ready, status: false, reason, message };
    let blocking = [ConditionType::NameTaken, ConditionType::Refused, ConditionType::Suspended];
    if cluster.deleting {
        return not(Reason::Deleting, "the cluster is being deleted".to_owned());
    }
    if let Some(trouble) = troubles.iter().find(|trouble| blocking.contains(&trouble.type_)) {
        return not(trouble.reason, trouble.message.clone());
    }
    if !scheduler.status {
        return not(scheduler.reason, scheduler.message.clone());
    }
    let wanted = observed.group.as_ref().and_then(|group| group.worker["replicas"].as_i64()).unwrap_or(1);
    let current = observed.group.as_ref().is_some_and(|group| group.status_is_current);
    let ready = observed.group.as_ref().map_or(0, |group| group.ready_replicas);
    let pushing = decide::default_group(cluster, observed).is_some();
    if pushing || !current || ready != wanted {
        let group = cluster.name.default_group();
        let message = format!("{ready} of {wanted} workers are ready; the group {group} says more");
        return not(Reason::WorkersNotReady, message);
    }
    if let Some(reason) = observed.group.as_ref().and_then(|group| group.roll) {
        let group = cluster.name.default_group();
        return not(reason, format!("workers are being replaced; the group {group} says more"));
    }
    let message = "the scheduler and all workers are ready".to_owned();
    Verdict { type_: ConditionType::Ready, status: true, reason: Reason::AllReady, message }
}

fn troubles(
    cluster: &CheckedCluster,
    observed: &Observed,
    outcome: &Outcome,
    now: Timestamp,
) -> Vec<Verdict> {
    let (previous, generation) = (&cluster.status.conditions, cluster.generation);
    let mut troubles = troubles::of_writes(outcome, previous, generation, ToString::to_string);
    if let Some(verdict) = taken::taken(cluster, observed) {
        troubles.retain(|trouble| trouble.type_ != ConditionType::NameTaken);
        troubles.push(verdict);
    }
    if cluster.config.is_some() && cluster.own_config {
        let message =
            "a container sets DASK_CONFIG; the cluster's configuration is at /etc/dask/operator.yaml there";
        troubles.push(troubles::trouble(Reason::SetByUser, message));
    }
    match suspend::suspended(cluster, observed) {
        Some(suspension) => troubles.push(suspension.verdict(cluster)),
        None => troubles.extend(idle::idle(cluster, observed, now).and_then(|idle| idle.told)),
    }
    troubles.extend(outdated::outdated(cluster, observed));
    troubles.extend(skew::skew(cluster, observed, now));
    troubles.extend(unprotected::unprotected(cluster, observed));
    troubles.sort_by_key(|trouble| trouble.type_);
    troubles
}

/// The restart that the Deployment bears the note of, or is about to be made with.
fn restarted(cluster: &CheckedCluster, observed: &Observed) -> Option<String> {
    match &observed.deployment {
        None => cluster.restart.clone(),
        Some(child) if child.ownership == Ownership::Ours => child.restarted.clone(),
        Some(_) => cluster.status.restarted_scheduler.clone(),
    }
}

/// The selector of the default group's workers, as the scale subresource shows it.
fn selector(cluster: &CheckedCluster) -> String {
    format!("{}={}", labels::WORKER_GROUP_NAME, cluster.name.default_group())
}

fn count(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
