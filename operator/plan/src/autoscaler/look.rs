//! One look, in as few words as its decisions can be made again from.

use std::sync::Arc;

use dask_operator_api::autoscaler::{DaskAutoscaler, DaskAutoscalerSpec};
use dask_operator_api::conditions::Reason;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::assign::whole;
use super::check::CheckedAutoscaler;
use super::decide::Scaling;
use super::observed::{Cluster, Group, Observed};
use super::offer::Offer;
use super::seen::{held, loads};
use super::{Course, trouble};
use crate::facts::{Demand, Facts, Hold, Index, Link, MOST_WORKERS, STALE};
use crate::problem::Problem;
use crate::worker_group::{Stage, WorkerPod};
use crate::{Outcome, Plan, Trouble};

/// Longer than anything that is waited for.
const LONGEST: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// What an autoscaler was to do, what it saw, and what it decided. Pods are counted and not named, but where tasks name
/// them or a trouble's words do; and nothing is told of tasks but what they need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// When.
    pub time: Timestamp,
    /// Since when it had looked without forgetting.
    pub since: Timestamp,
    /// The autoscaler's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which one of that name it is.
    pub uid: String,
    /// What it was to do.
    pub spec: DaskAutoscalerSpec,
    /// Unfinished tasks by what they need, where the scheduler told them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    demand: Option<Vec<Demand>>,
    /// All groups of the cluster.
    pub groups: Vec<GroupSeen>,
    /// What was decided.
    #[serde(default)]
    pub decided: Vec<Decided>,
}

/// One group as it was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSeen {
    /// Its name.
    pub name: String,
    /// How many workers it was to have.
    pub replicas: usize,
    /// What each of them offers.
    offer: Offer,
    /// Those that had registered.
    pub present: usize,
    /// Those of them that had work, or could not go.
    pub busy: usize,
    /// What they held.
    #[serde(default)]
    bytes: u64,
    /// Why it got no more workers, and since when if that may have passed by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<(String, Option<Timestamp>)>,
}

/// How many workers a group was to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The group.
    pub group: String,
    /// How many it had.
    pub from: usize,
    /// How many it was to have.
    pub to: usize,
    /// Why, in one word.
    pub reason: String,
}

impl Look {
    /// What was seen and decided.
    pub fn of(
        autoscaler: &CheckedAutoscaler,
        spec: &DaskAutoscalerSpec,
        observed: &Observed,
        plan: &Plan,
        (now, since): (Timestamp, Timestamp),
    ) -> Option<Self> {
        let scaling = plan.scaling.as_ref()?;
        let nothing = Facts::default();
        let known = observed.link.facts().filter(|_| observed.link_age < STALE).unwrap_or(&nothing);
        let index = Index::of(known);
        Some(Self {
            time: now,
            since,
            namespace: autoscaler.namespace.clone(),
            name: autoscaler.name.clone(),
            uid: autoscaler.uid.clone(),
            spec: spec.clone(),
            demand: known.demand.clone(),
            groups: observed.groups.iter().map(|group| GroupSeen::of(group, &index, now)).collect(),
            decided: decided(scaling),
        })
    }

    /// Decides once more, for an autoscaler that may be set otherwise. None of what nobody can have seen: more workers
    /// than a scheduler tells of, or a time without end.
    pub fn decide(&self, autoscaler: &CheckedAutoscaler, course: &mut Course) -> Option<Vec<Decided>> {
        if !self.may_be() {
            return None;
        }
        let plan = super::plan(autoscaler, &self.observed(), course, self.time);
        if let Some(next) = super::course(&Outcome::done(&plan), self.time) {
            *course = next;
        }
        Some(plan.scaling.as_ref().map(decided).unwrap_or_default())
    }

    fn may_be(&self) -> bool {
        let workers =
            |group: &GroupSeen| group.holders().saturating_mul(whole(group.offer.processes.max(1.0)));
        let workers = self.groups.iter().map(workers).fold(0, usize::saturating_add);
        let since = self.groups.iter().filter_map(|group| group.trouble.as_ref()?.1);
        let ends =
            self.time.checked_add(LONGEST).is_ok() && since.max().is_none_or(|since| since <= self.time);
        workers <= MOST_WORKERS && ends
    }

    /// The autoscaler, with its own spec.
    pub fn checked(&self) -> Result<CheckedAutoscaler, Vec<Problem>> {
        super::check(&DaskAutoscaler::new(&self.name, self.spec.clone()))
    }

    /// A world in which as much is seen as was then.
    fn observed(&self) -> Observed {
        let cluster =
            Cluster { name: self.spec.cluster.clone(), scheduler_ready: true, ..Cluster::default() };
        Observed {
            cluster: Some(cluster),
            older: None,
            link: self.link(),
            link_age: SignedDuration::ZERO,
            groups: self.groups.iter().map(GroupSeen::group).collect(),
        }
    }

    fn link(&self) -> Link {
        let workers: Vec<_> = self.groups.iter().flat_map(GroupSeen::workers).collect();
        let facts = json!({
            "schema": 1, "revision": 1, "pod_uid": "", "drains": [], "workers": workers, "demand": self.demand,
        });
        match Facts::read(facts.to_string().as_bytes()) {
            Ok(facts) if self.demand.is_some() => Link::Preload(Arc::new(facts)),
            _ => Link::Unasked,
        }
    }
}

impl GroupSeen {
    fn of(group: &Group, index: &Index<'_>, now: Timestamp) -> Self {
        let loads = loads(group, index);
        Self {
            name: group.name.clone(),
            replicas: group.replicas,
            offer: Offer::of(group, index),
            present: loads.len(),
            busy: loads.iter().filter(|load| load.hold != Hold::Idle).count(),
            bytes: held(group, index),
            trouble: trouble::of(group, index, now).map(|trouble| (trouble.words, trouble.since)),
        }
    }

    fn group(&self) -> Group {
        let pod = |number| WorkerPod::ready(&self.pod(number), Timestamp::UNIX_EPOCH);
        let waits = |(words, since): &(String, Option<Timestamp>)| {
            let trouble = Trouble { reason: Reason::Unschedulable, words: words.clone() };
            let waiting =
                WorkerPod { stage: Stage::Unscheduled, trouble: Some(trouble), ..pod(self.holders()) };
            Some(WorkerPod { created: (*since)?, ..waiting })
        };
        Group {
            name: self.name.clone(),
            replicas: self.replicas,
            declared: self.offer.clone(),
            pods: (0..self.holders())
                .map(|number| WorkerPod { terminating: number >= self.present, ..pod(number) })
                .chain(self.trouble.as_ref().and_then(waits))
                .collect(),
            refused: self
                .trouble
                .as_ref()
                .filter(|(_, since)| since.is_none())
                .map(|(words, _)| words.clone()),
            ..Group::default()
        }
    }

    /// Those that registered. When all of them leave, there was one at least that held something.
    fn holders(&self) -> usize {
        self.present.max(usize::from(self.bytes > 0))
    }

    /// The first one holds all that is held.
    fn workers(&self) -> Vec<serde_json::Value> {
        let processes = whole(self.offer.processes.max(1.0));
        let all = (0..self.holders()).flat_map(|pod| (0..processes).map(move |process| (pod, process)));
        all.map(|(pod, process)| {
            let bytes = if (pod, process) == (0, 0) { self.bytes } else { 0 };
            json!({
                "name": format!("{}-{process}", self.pod(pod)),
                "status": "running",
                "threads": whole(self.offer.threads),
                "resources": self.offer.resources,
                "memory_limit": whole(self.offer.memory / 1e3) * 1000,
                "bytes": bytes,
                "unique_bytes": bytes,
                "processing": u64::from(process == 0 && pod < self.busy),
            })
        })
        .collect()
    }

    fn pod(&self, number: usize) -> String {
        format!("{}-worker-{number:010x}", self.name)
    }
}

fn decided(scaling: &Scaling) -> Vec<Decided> {
    let decided = scaling.decisions.iter().map(|one| Decided {
        group: one.group.clone(),
        from: one.from,
        to: one.to,
        reason: one.reason.to_string(),
    });
    decided.collect()
}
