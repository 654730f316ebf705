//! A cluster with groups, whose workers register at once unless something ails them, and work for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use dask_operator_api::autoscaler::{DaskAutoscaler, DaskAutoscalerStatus};
use dask_operator_api::conditions::Reason;
use dask_operator_plan::autoscaler::{self, Cluster, Course, Group, Look, Observed, Offer, Scaling};
use dask_operator_plan::worker_group::{Ended, Stage, WorkerPod};
use dask_operator_plan::{
    Event, Facts, Failure, FailureKind, Kind, Link, Outcome, Plan, StockFacts, Trouble, Worker, called,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A group and its workers.
#[derive(Clone, Debug)]
pub(crate) struct Workers {
    pub(crate) replicas: usize,
    pub(crate) threads: u32,
    pub(crate) resources: BTreeMap<String, f64>,
    /// Tasks at each worker, and bytes.
    pub(crate) busy: usize,
    pub(crate) bytes: u64,
    /// So many leave, and what they have is at others, too.
    pub(crate) cordoned: usize,
    /// What only one more holds, whose pod is being deleted.
    pub(crate) going: u64,
    /// So many start; the others cannot, since their group was made.
    pub(crate) able: usize,
    pub(crate) troubled_since: Timestamp,
    pub(crate) crashes: u32,
    pub(crate) refused: Option<String>,
    /// The API server has no more pods than this.
    pub(crate) quota: usize,
    /// They are ready, and never register.
    pub(crate) silent: bool,
    /// Since when they are ready, if they say so.
    pub(crate) ready_since: Option<Timestamp>,
    /// They ended, with an error.
    pub(crate) ended: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) autoscaler: DaskAutoscaler,
    pub(crate) groups: BTreeMap<String, Workers>,
    pub(crate) demand: Vec<Value>,
    pub(crate) link: Option<Link>,
    pub(crate) link_age: SignedDuration,
    pub(crate) older: Option<String>,
    pub(crate) scheduler_ready: bool,
    /// The cluster is.
    pub(crate) suspended: bool,
    pub(crate) scheduler_trouble: Option<Trouble>,
    pub(crate) course: Course,
    pub(crate) now: Timestamp,
    pub(crate) status: DaskAutoscalerStatus,
    /// What becomes of changes, unless they are done.
    pub(crate) fails: Option<FailureKind>,
    /// Every look so far.
    pub(crate) looks: Vec<Look>,
    /// What people were told.
    pub(crate) events: Vec<Event>,
}

/// Tasks that any worker may run.
pub(crate) fn tasks(state: &str, count: u64, seconds: f64) -> Value {
    json!({"tasks": {state: {"count": count, "seconds": seconds}}})
}

/// Tasks that need one of this resource each.
pub(crate) fn needing(resource: &str, state: &str, count: u64, seconds: f64) -> Value {
    let mut demand = tasks(state, count, seconds);
    demand["resources"] = json!({resource: 1.0});
    demand
}

pub(crate) fn workers(replicas: usize, threads: u32) -> Workers {
    Workers {
        replicas,
        threads,
        resources: BTreeMap::new(),
        busy: 0,
        bytes: 0,
        cordoned: 0,
        going: 0,
        able: usize::MAX,
        troubled_since: Timestamp::UNIX_EPOCH,
        crashes: 0,
        refused: None,
        quota: usize::MAX,
        silent: false,
        ready_since: None,
        ended: false,
    }
}

impl Workers {
    /// As the group tells it when a quota is used up.
    fn refused(&self) -> Option<String> {
        let missing = self.replicas.saturating_sub(self.quota);
        let told = || format!("QuotaExceeded: {missing} of {} workers cannot be created", self.replicas);
        self.refused.clone().or_else(|| (missing > 0).then(told))
    }
}

impl World {
    /// With one group of that many workers of two threads, and no work.
    pub(crate) fn new(autoscaler: DaskAutoscaler, replicas: usize) -> Self {
        Self {
            autoscaler,
            groups: BTreeMap::from([("demo-default".to_owned(), workers(replicas, 2))]),
            demand: Vec::new(),
            link: None,
            link_age: SignedDuration::ZERO,
            older: None,
            scheduler_ready: true,
            suspended: false,
            scheduler_trouble: None,
            course: Course::default(),
            now: Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24),
            status: DaskAutoscalerStatus::default(),
            fails: None,
            looks: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) fn group(&mut self, name: &str) -> &mut Workers {
        self.groups.entry(name.to_owned()).or_insert_with(|| workers(0, 1))
    }

    /// One look; what it decides comes true, unless it fails.
    pub(crate) fn look(&mut self) -> Plan {
        let mut object = self.autoscaler.clone();
        object.status = Some(self.status.clone());
        let checked = autoscaler::check(&object).expect("an autoscaler that can be followed");
        let observed = self.observed();
        let plan = autoscaler::plan(&checked, &observed, &self.course, self.now);
        let times = (self.now, Timestamp::UNIX_EPOCH);
        self.looks.extend(Look::of(&checked, &object.spec, &observed, &plan, times));
        let outcome = self.outcome(&plan);
        if let Some(course) = autoscaler::course(&outcome, self.now) {
            self.course = course;
        }
        let status = autoscaler::status(&checked, &observed, &outcome, self.now);
        self.events.extend(autoscaler::events(&self.status, &status));
        self.status = status;
        for patch in plan.apply.iter().filter_map(|apply| apply.patch()) {
            if outcome.has_changed(Kind::DaskWorkerGroup, &patch.name) {
                let replicas = patch.body["spec"]["worker"]["replicas"].as_u64().expect("a number");
                self.group(&patch.name).replicas = usize::try_from(replicas).expect("a small number");
            }
        }
        plan
    }

    fn outcome(&self, plan: &Plan) -> Outcome {
        let objects = plan.apply.iter().filter_map(|apply| apply.patch());
        let objects = objects.map(|patch| (patch.kind, patch.name.clone()));
        let Some(kind) = self.fails else { return Outcome::done(plan) };
        let outcome = Outcome { scaling: plan.scaling.clone(), ..Outcome::default() };
        let failure = |(of, name): (Kind, String)| Failure {
            object: called(of, &name),
            kind,
            message: "no".to_owned(),
        };
        Outcome { failures: objects.map(failure).collect(), ..outcome }
    }

    /// Looks each second for so long.
    pub(crate) fn pass(&mut self, seconds: i64) -> &mut Self {
        for _ in 0..seconds {
            self.look();
            self.now += SignedDuration::from_secs(1);
        }
        self
    }

    /// What one look decides, without coming true.
    pub(crate) fn scaling(&self) -> Scaling {
        self.clone().look().scaling.unwrap_or_default()
    }

    pub(crate) fn replicas(&self, group: &str) -> usize {
        self.groups.get(group).map_or(0, |group| group.replicas)
    }

    /// The reasons of the conditions.
    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.status.conditions.iter().map(|condition| condition.reason.as_str()).collect()
    }

    fn observed(&self) -> Observed {
        let cluster = Cluster {
            name: "demo".to_owned(),
            uid: "cluster-uid".to_owned(),
            scheduler_ready: self.scheduler_ready,
            suspended: self.suspended,
            scheduler_trouble: self.scheduler_trouble.clone(),
            ..Cluster::default()
        };
        let groups = self.groups.iter().map(|(name, workers)| observed_group(name, workers));
        let link = self.link.clone().unwrap_or_else(|| self.facts());
        let (older, link_age) = (self.older.clone(), self.link_age);
        Observed { cluster: Some(cluster), older, link, link_age, groups: groups.collect() }
    }

    /// What a scheduler tells that has loaded nothing of ours: how many workers Dask would have.
    pub(crate) fn by_target(&mut self, target: u64) -> &mut Self {
        let worker = |name: &str, number: usize, of: &Workers| Worker {
            name: format!("{name}-{number}"),
            status: "running".to_owned(),
            threads: of.threads.into(),
            processing: u64::from(number < of.busy),
            ..Worker::default()
        };
        let all = self
            .groups
            .iter()
            .flat_map(|(name, of)| (0..of.replicas).map(move |number| worker(name, number, of)));
        let facts = StockFacts { workers: all.collect(), target: Some(target), ..StockFacts::default() };
        self.link = Some(Link::Rpc(Arc::new(facts.into())));
        self
    }

    fn facts(&self) -> Link {
        let of = |(name, workers): (&String, &Workers)| {
            let is_absent = workers.crashes > 0 || workers.silent || workers.ended;
            let able = if is_absent { 0 } else { workers.replicas.min(workers.able).min(workers.quota) };
            let worker = |number: usize| {
                json!({
                    "name": format!("{name}-{number}"),
                    "status": if number < workers.cordoned { "closing_gracefully" } else { "running" },
                    "threads": workers.threads,
                    "resources": workers.resources,
                    "memory_limit": 1000,
                    "bytes": workers.bytes,
                    "processing": u64::from(number < workers.busy),
                })
            };
            let going =
                json!({"name": going(name), "status": "closing_gracefully", "unique_bytes": workers.going});
            let going = (workers.going > 0).then_some(going);
            (0..able).map(worker).chain(going).collect::<Vec<_>>()
        };
        let workers: Vec<_> = self.groups.iter().flat_map(of).collect();
        let facts = json!({"schema": 1, "revision": 1, "pod_uid": "", "workers": workers, "drains": [], "demand": self.demand});
        Link::Preload(Arc::new(Facts::read(facts.to_string().as_bytes()).expect("facts")))
    }
}

/// One that is being deleted.
fn going(group: &str) -> String {
    format!("{group}-9999")
}

fn observed_group(name: &str, workers: &Workers) -> Group {
    let trouble = Trouble { reason: Reason::ContainerFailed, words: "it ended with 1".to_owned() };
    let ended = Ended { at: workers.troubled_since, failed: true, trouble };
    let pod = |number: usize| {
        let ails = number >= workers.able;
        let trouble = Trouble { reason: Reason::Unschedulable, words: "no node has room".to_owned() };
        let since = if ails || workers.silent { workers.troubled_since } else { Timestamp::UNIX_EPOCH };
        WorkerPod {
            stage: match () {
                () if workers.ended => Stage::Ended(ended.clone()),
                () if ails => Stage::Unscheduled,
                () => Stage::Ready,
            },
            ready_since: workers.ready_since,
            crashes: workers.crashes,
            trouble: ails.then_some(trouble),
            ..WorkerPod::ready(&format!("{name}-{number}"), since)
        }
    };
    let ready = WorkerPod::ready(&going(name), Timestamp::UNIX_EPOCH);
    let leaving = (workers.going > 0).then_some(WorkerPod { terminating: true, ..ready });
    Group {
        name: name.to_owned(),
        replicas: workers.replicas,
        declared: Offer {
            threads: workers.threads.into(),
            resources: workers.resources.clone(),
            ..Offer::default()
        },
        pods: (0..workers.replicas.min(workers.quota)).map(pod).chain(leaving).collect(),
        refused: workers.refused(),
        ..Group::default()
    }
}
