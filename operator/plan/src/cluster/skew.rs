//! Whether the scheduler, its workers and its clients have the same versions of what they exchange objects by.

use std::collections::BTreeMap;

use dask_operator_api::conditions::{ConditionType, Reason, Verdict};
use jiff::{SignedDuration, Timestamp};

use super::check::CheckedCluster;
use super::desired;
use super::observed::Observed;
use crate::facts::{Link, STALE, Versions};
use crate::troubles::{find, still, trouble};

/// Clients come and go: what was said of one stands for at least so long, so that it does not come and go with each.
const STANDS: SignedDuration = SignedDuration::from_mins(10);
/// So many combinations are told, and so many names of each.
const MOST_TOLD: usize = 3;

/// That some differ from the scheduler. Workers are told at once, and first: theirs is everybody's trouble.
pub(super) fn skew(cluster: &CheckedCluster, observed: &Observed, now: Timestamp) -> Option<Verdict> {
    observed.live_scheduler().filter(|_| desired::stock_because(cluster).is_none())?;
    let told = || still(&cluster.status.conditions, ConditionType::VersionSkew);
    let versions = match &observed.link {
        Link::Stock | Link::Rpc(_) => return None,
        Link::Preload(facts) if observed.link_age < STALE => facts.versions.as_deref(),
        // Nobody knows, as after a start of the operator: what was said stays said.
        Link::Preload(_) | Link::Unasked | Link::Unreachable(_) => None,
    };
    let own = versions.and_then(|all| all.iter().find(|one| one.scheduler > 0));
    let (Some(versions), Some(own)) = (versions, own) else { return told() };
    workers(versions, own)
        .or_else(|| told().filter(|_| stands_until(cluster).is_some_and(|until| until > now)))
        // What is said of clients stands from its own beginning: first, what was said of workers ends.
        .or_else(|| clients(versions, own).filter(|_| !is_told(cluster, Reason::WorkersDiffer)))
}

fn is_told(cluster: &CheckedCluster, reason: Reason) -> bool {
    let told = find(&cluster.status.conditions, ConditionType::VersionSkew);
    told.is_some_and(|told| told.reason == reason.to_string())
}

/// Until when what is said of clients stands.
pub(super) fn stands_until(cluster: &CheckedCluster) -> Option<Timestamp> {
    let told = find(&cluster.status.conditions, ConditionType::VersionSkew)?;
    let until = told.last_transition_time.0.checked_add(STANDS).ok();
    until.filter(|_| is_told(cluster, Reason::ClientsDiffer))
}

fn workers(versions: &[Versions], own: &Versions) -> Option<Verdict> {
    let mut different: BTreeMap<String, (Vec<&str>, u64)> = BTreeMap::new();
    for one in versions.iter().filter(|one| one.workers > 0) {
        let differences = one.differences(own);
        if !differences.is_empty() {
            let (names, count) = different.entry(list(&differences)).or_default();
            names.extend(one.workers_named().iter().map(String::as_str));
            *count = count.saturating_add(one.workers);
        }
    }
    let told = different.iter().map(|(what, (names, count))| told_workers(names, *count, what));
    verdict(Reason::WorkersDiffer, &told.collect::<Vec<_>>(), own)
}

/// Their names say nothing to people, and their number changes with each that comes or goes.
fn clients(versions: &[Versions], own: &Versions) -> Option<Verdict> {
    let clients = versions.iter().filter(|one| one.clients > 0).map(|one| list(&one.differences(own)));
    let mut told: Vec<_> = clients.filter(|what| !what.is_empty()).collect();
    told.sort();
    told.dedup();
    let told: Vec<_> = told.into_iter().map(|what| format!("a client has {what}")).collect();
    verdict(Reason::ClientsDiffer, &told, own)
}

fn told_workers(names: &[&str], count: u64, what: &str) -> String {
    let first: Vec<_> = names.iter().take(MOST_TOLD).copied().collect();
    match (count, count.saturating_sub(first.len() as u64)) {
        (1, 0) => format!("worker {} has {what}", first.join("")),
        (_, 0) => format!("workers {} have {what}", first.join(", ")),
        (_, more) => format!("workers {} and {more} more have {what}", first.join(", ")),
    }
}

fn verdict(reason: Reason, told: &[String], own: &Versions) -> Option<Verdict> {
    let more = match told.len().saturating_sub(MOST_TOLD) {
        0 => "",
        _ => "; others differ, too",
    };
    let first = told.iter().take(MOST_TOLD).map(String::as_str).collect::<Vec<_>>().join("; ");
    let own: Vec<_> = own.all().iter().map(|(what, version)| format!("{what} {version}")).collect();
    (!told.is_empty()).then(|| trouble(reason, format!("{first}{more}; the scheduler has {}", list(&own))))
}

/// As in `a, b and c`.
fn list(words: &[String]) -> String {
    match words {
        [some @ .., last] if !some.is_empty() => format!("{} and {last}", some.join(", ")),
        few => few.concat(),
    }
}
