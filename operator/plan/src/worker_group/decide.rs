//! How many workers to make, and which ended pods to give up.

use dask_operator_api::names::default_group_name;
use jiff::Timestamp;
use serde_json::json;

use super::check::CheckedGroup;
use super::crashes::{crashes, due};
use super::desired;
use super::leave::Untold;
use super::observed::{Cluster, Ended, Observed, Stage, WorkerPod};
use super::roll::{Roll, is_outdated};
use crate::plan::{Apply, Kind, Patch};
use crate::sabotage::{self, Bug};

/// No look makes more new pods: however many are wanted, the next look follows when these are seen.
const AT_ONCE: usize = 500;

/// What becomes of a group's pods.
#[derive(Debug, Default)]
pub(super) struct Decision<'a> {
    /// One new pod for each item, which is the number of crashes in a row before it.
    pub(super) create: Vec<u32>,
    /// The ended pods to delete.
    pub(super) delete: Vec<&'a WorkerPod>,
    /// When an ended pod may be replaced.
    pub(super) wake: Option<Timestamp>,
}

impl Decision<'_> {
    fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }
}

/// Fills each place once; a pod that ended keeps its place, readable, until its replacement is due.
pub(super) fn decide<'a>(group: &CheckedGroup, observed: &'a Observed, now: Timestamp) -> Decision<'a> {
    if !is_ours_to_decide(group, observed) {
        return Decision::default();
    }
    if !may_create(group, observed) && !observed.is_suspended() {
        return Decision::default();
    }
    let mut decision = Decision::default();
    let missing = missing(group, observed);
    let held = replace_ended(&mut decision, group, observed, missing, now);
    let fresh = missing - decision.create.len() - held;
    decision.create.extend(std::iter::repeat_n(0, fresh.min(AT_ONCE)));
    decision
}

/// How many workers are to be made: as many as are not there, and those that are to take the places of others.
fn missing(group: &CheckedGroup, observed: &Observed) -> usize {
    if observed.cluster.as_ref().is_some_and(Cluster::makes_none) {
        return 0;
    }
    let roll = Roll::of(group, observed);
    let live = || observed.pods.iter().filter(|pod| pod.is_live());
    let outdated = live().filter(|pod| roll.is_outdated(pod)).count();
    let stay = live().filter(|pod| pod.leaves_since().is_none() && !roll.is_outdated(pod)).count();
    let room = (group.wanted + roll.surge(outdated)).saturating_sub(live().count());
    room.min(group.wanted.saturating_sub(stay))
}

/// Not while the group or its cluster is on its way out, or is another's.
pub(super) fn is_ours_to_decide(group: &CheckedGroup, observed: &Observed) -> bool {
    let is_another = observed.of_another.is_some();
    !group.deleting && !is_another && observed.cluster.as_ref().is_some_and(|cluster| !cluster.deleting)
}

/// Ended pods give their place to a new pod when that is due; those that hold no place any more just go. Returns how
/// many places are kept by pods whose replacement is not due.
fn replace_ended<'a>(
    decision: &mut Decision<'a>,
    group: &CheckedGroup,
    observed: &'a Observed,
    missing: usize,
    now: Timestamp,
) -> usize {
    let mut held = 0;
    let outdated = is_outdated(group, observed);
    let mut ended: Vec<_> = observed.pods.iter().filter_map(|pod| Some((pod, pod_end(pod)?))).collect();
    let left = ended.iter().any(|(pod, _)| pod.leaves_since().is_some());
    let untold = Untold::of(observed, left, now);
    // Who is kept for another reason takes no place from those whose replacement is to wait.
    ended.sort_by_key(|(pod, end)| (untold.until(pod, end).is_some(), end.at, &pod.name));
    for (place, (pod, end)) in ended.into_iter().enumerate() {
        // What another template led to is history.
        let crashes = if outdated(pod) { 0 } else { crashes(pod, end) };
        let due = due(end, crashes);
        if place < missing && due > now {
            decision.wake_at(due);
            held += 1;
            continue;
        }
        if place < missing {
            decision.create.push(crashes);
        }
        match untold.until(pod, end) {
            Some(until) => decision.wake_at(until),
            None => decision.delete.push(pod),
        }
    }
    held
}

fn pod_end(pod: &WorkerPod) -> Option<&Ended> {
    match &pod.stage {
        Stage::Ended(ended) if !pod.terminating => Some(ended),
        _ => None,
    }
}

/// Workers that wait for their scheduler by themselves are made at once; others when it is ready.
fn may_create(group: &CheckedGroup, observed: &Observed) -> bool {
    let scheduler_ready = observed.cluster.as_ref().is_some_and(|cluster| cluster.scheduler_ready);
    scheduler_ready || desired::waits_by_itself(group)
}

/// A group without an owner joins its cluster: it is to go when the cluster goes.
pub(super) fn adopt(group: &CheckedGroup, cluster: &Cluster) -> Option<Apply> {
    // A default group that its cluster did not make is somebody else's.
    let is_default =
        group.name.as_str() == default_group_name(&cluster.name) && !sabotage::is(Bug::ForeignAdopted);
    if group.is_controlled() || group.deleting || cluster.deleting || is_default {
        return None;
    }
    let owner =
        crate::metadata::Owner { kind: "DaskCluster", name: cluster.name.clone(), uid: cluster.uid.clone() };
    let body = json!({"metadata": {
        "uid": group.uid,
        "resourceVersion": group.resource_version,
        "ownerReferences": crate::metadata::beside(&group.owners, owner.references()),
    }});
    Some(Apply::Patch(Patch::of(Kind::DaskWorkerGroup, group.name.as_str(), body)))
}
