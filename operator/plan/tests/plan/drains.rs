//! How a group shrinks: who leaves, what its scheduler is asked, and when a pod is deleted.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dask_operator_api::conditions::Reason;
use dask_operator_api::labels;
use dask_operator_api::parts::{Drain, OnTimeout};
use dask_operator_plan::worker_group::{
    self, CheckedGroup, Cluster, Ended, Mark, Observed, Stage, WorkerPod,
};
use dask_operator_plan::{Apply, Facts, Link, Order, Outcome, Plan, Settings, Suffixes, Trouble};
use dask_operator_testkit::a_group;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Ready pods of a cluster, and a scheduler that does as it is told, or is silent, or lacks what answers.
#[derive(Clone, Debug)]
struct World {
    pods: Vec<WorkerPod>,
    /// What the worker of each pod has; none has registered for the others.
    work: BTreeMap<String, Value>,
    drains: BTreeMap<String, &'static str>,
    scheduler: Scheduler,
    /// It has loaded nothing of ours, and is asked by Dask's own protocol.
    by_rpc: bool,
    /// It has just said that it knows no worker of any pod.
    unknown: bool,
    drain: Drain,
    wanted: i32,
    at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Scheduler {
    /// It says that a pod is ready when it is asked.
    Willing,
    /// It never finds a pod ready.
    Unwilling,
    /// It neither lets a pod go nor says why.
    Idle,
    Silent,
    Stock,
}

impl World {
    /// So many workers, of which none has anything.
    fn new(workers: usize, wanted: i32) -> Self {
        let pods: Vec<_> = (0..workers).map(|number| pod(&format!("pod-{number}"))).collect();
        let work = pods.iter().map(|pod| (pod.name.clone(), json!({}))).collect();
        let (drains, scheduler, drain) = (BTreeMap::new(), Scheduler::Willing, Drain::default());
        Self {
            pods,
            work,
            drains,
            scheduler,
            by_rpc: false,
            unknown: false,
            drain,
            wanted,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn with_work(mut self, number: usize, work: Value) -> Self {
        self.work.insert(format!("pod-{number}"), work);
        self
    }

    fn link(&self) -> Link {
        let worker = |(name, work): (&String, &Value)| {
            let mut worker = work.clone();
            worker["name"] = json!(name);
            let cordoned = matches!(self.drains.get(name), Some(&("ready" | "interrupted")));
            worker["status"] = json!(if cordoned { "closing_gracefully" } else { "running" });
            worker
        };
        let drains =
            self.drains.iter().map(|(name, state)| json!({"name": name, "state": state, "tasks": 1}));
        let facts = json!({"schema": 1, "revision": 1, "pod_uid": "", "drains": drains.collect::<Vec<_>>(),
            "workers": self.work.iter().map(worker).collect::<Vec<_>>()});
        match self.scheduler {
            Scheduler::Silent => Link::Unreachable("silent".to_owned()),
            Scheduler::Stock => Link::Stock,
            _ => {
                let facts = Arc::new(Facts::read(facts.to_string().as_bytes()).unwrap());
                if self.by_rpc { Link::Rpc(facts) } else { Link::Preload(facts) }
            }
        }
    }

    fn plan(&self) -> Plan {
        let (group, observed) = self.seen();
        let settings = Settings {
            cluster_domain: "cluster.local".to_owned(),
            default_image: "dask".to_owned(),
            worker_batch: None,
        };
        worker_group::plan(&group, &observed, &settings, Suffixes::from_seed(7), self.at)
    }

    /// Why workers that are to leave do not, if that is told.
    fn delayed(&self) -> Option<String> {
        let (group, observed) = self.seen();
        let status = worker_group::status(&group, &observed, &Outcome::default(), self.at);
        let told = status.conditions.into_iter().find(|one| one.type_ == "DrainDelayed")?;
        Some(told.reason)
    }

    fn seen(&self) -> (CheckedGroup, Observed) {
        let group = a_group().replicas(self.wanted).worker(|worker| worker.drain = Some(self.drain)).build();
        let cluster = Cluster {
            name: "demo".to_owned(),
            has_scheduler: true,
            scheduler_ready: true,
            ..Cluster::default()
        };
        let (pods, link) = (self.pods.clone(), self.link());
        let names = self.pods.iter().map(|pod| pod.name.clone());
        let unknown = names.filter(|_| self.unknown).collect();
        let observed = Observed { cluster: Some(cluster), pods, link, unknown, ..Observed::default() };
        (worker_group::check(&group).unwrap(), observed)
    }

    /// Carries out one plan, and goes on to when it wants to be made again.
    fn step(&mut self) -> Plan {
        let plan = self.plan();
        for apply in &plan.apply {
            let Apply::Patch(patch) = apply else { continue };
            let mark = patch.body["metadata"]["annotations"][labels::DRAINING]
                .as_str()
                .map(|text| Mark::parse(text).unwrap());
            self.pods.iter_mut().find(|pod| pod.name == patch.name).unwrap().mark = mark;
        }
        for ask in &plan.asks {
            let state = match (ask.order, self.scheduler) {
                (_, Scheduler::Idle) => continue,
                (Order::Retire { .. }, Scheduler::Willing) => "ready",
                (Order::Retire { .. }, _) => "refused",
                (Order::Forget, _) => "forgotten",
                (Order::Uncordon, _) => {
                    self.drains.remove(&ask.pod);
                    continue;
                }
            };
            self.drains.insert(ask.pod.clone(), state);
        }
        for delete in &plan.delete {
            self.pods.retain(|pod| pod.name != delete.name);
            self.work.remove(&delete.name);
            self.drains.remove(&delete.name);
        }
        self.at = plan.wake.unwrap_or(self.at).max(self.at);
        plan
    }

    fn names(&self) -> BTreeSet<&str> {
        self.pods.iter().map(|pod| pod.name.as_str()).collect()
    }

    fn marked(&self) -> Vec<&str> {
        self.pods.iter().filter(|pod| pod.mark.is_some()).map(|pod| pod.name.as_str()).collect()
    }
}

fn pod(name: &str) -> WorkerPod {
    WorkerPod::ready(name, Timestamp::UNIX_EPOCH)
}

fn since_the_beginning(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

#[test]
fn a_pod_is_marked_then_its_scheduler_is_asked_and_then_it_is_deleted_at_once() {
    let mut world = World::new(2, 1);
    let marks = world.step();
    assert_eq!((marks.apply.len(), marks.asks.len(), marks.delete.len()), (1, 0, 0));
    let asks = world.step();
    assert_eq!((asks.apply.len(), asks.delete.len()), (0, 0));
    assert_eq!(asks.asks[0].order, Order::Retire { seconds: 120 });
    let deletes = world.step();
    assert_eq!((deletes.delete.len(), deletes.delete[0].grace), (1, Some(2)));
    assert!(world.plan().is_empty());
}

#[test]
fn who_has_least_to_lose_leaves_first() {
    let order = [
        json!({}),
        json!({"unique_bytes": 5}),
        json!({"unique_bytes": 10}),
        json!({"processing": 1}),
        json!({"processing": 1, "unique_bytes": 7}),
        json!({"vetoed": true}),
        json!({"actors": 1, "processing": 1}),
    ];
    let mut world = World::new(order.len() + 1, 0);
    world.work.remove("pod-7");
    world.pods[7].stage = Stage::NotReady;
    for (number, work) in order.iter().enumerate() {
        world = world.with_work(number, work.clone());
    }
    let gone: Vec<_> = (0..=order.len())
        .map(|gone| {
            let wanted = i32::try_from(order.len() - gone).unwrap();
            let world = World { wanted, ..world.clone() };
            let plan = world.plan();
            (plan.delete.len(), plan.apply.len())
        })
        .collect();
    // The one that never registered is deleted, the others are marked.
    assert_eq!(gone, (0..=order.len()).map(|more| (1, more)).collect::<Vec<_>>());
    for leaving in 1..=order.len() {
        let mut world = World { wanted: i32::try_from(order.len() - leaving).unwrap(), ..world.clone() };
        world.step();
        let expected: Vec<_> = (0..leaving).map(|number| format!("pod-{number}")).collect();
        assert_eq!(world.marked(), expected);
    }
}

#[test]
fn a_pod_that_may_have_registered_since_facts_were_told_is_not_deleted_unasked() {
    let mut world = World::new(2, 1);
    world.work.remove("pod-1");
    assert_eq!(world.step().delete.len(), 0);
    assert_eq!(world.marked(), ["pod-1"]);
    assert_eq!(world.step().asks[0].order, Order::Retire { seconds: 120 });
    world.drains.clear();
    world.unknown = true;
    assert_eq!(world.step().delete.len(), 1);
    let mut world = World::new(2, 1);
    world.work.remove("pod-1");
    world.pods[1].stage = Stage::NotReady;
    world.pods[1].ip = Some([10, 0, 0, 1].into());
    assert_eq!(world.step().delete.len(), 0, "its container runs");
    let mut world = World { unknown: true, ..World::new(2, 1) };
    world.work.remove("pod-1");
    assert_eq!(world.step().delete.len(), 1, "its scheduler has just said so");
}

#[test]
fn a_worker_whose_pod_has_no_node_as_far_as_is_known_leaves_by_its_scheduler_all_the_same() {
    let mut world = World::new(2, 1).with_work(1, json!({"processing": 1}));
    world.pods[1].stage = Stage::Unscheduled;
    let plan = world.step();
    assert_eq!((plan.delete.len(), world.marked()), (0, vec!["pod-1"]));
    let mut world = World::new(2, 1);
    world.pods[1].stage = Stage::Unscheduled;
    world.work.remove("pod-1");
    assert_eq!(world.step().delete.len(), 1);
}

#[test]
fn a_pod_that_is_wanted_again_goes_on_before_its_mark_goes() {
    let mut world = World { scheduler: Scheduler::Unwilling, ..World::new(2, 1) };
    world.step();
    world.step();
    assert_eq!(world.drains.values().collect::<Vec<_>>(), [&"refused"]);
    world.wanted = 2;
    let first = world.step();
    assert_eq!(
        (first.asks[0].order, world.pods.iter().filter(|pod| pod.mark == Some(Mark::Returns)).count()),
        (Order::Uncordon, 1)
    );
    let second = world.step();
    assert_eq!((second.asks.len(), second.apply.len(), world.marked().len()), (0, 1, 0));
    assert!(world.plan().is_empty());
}

#[test]
fn a_pod_that_is_to_leave_once_more_has_all_its_time_again() {
    let mut world = World { scheduler: Scheduler::Unwilling, ..World::new(2, 1) };
    for _ in 0..40 {
        world.step();
    }
    assert!(world.at > since_the_beginning(60) && world.pods.len() == 2);
    world.wanted = 2;
    world.step();
    world.wanted = 1;
    world.step();
    assert_eq!(world.plan().asks[0].order, Order::Retire { seconds: 120 });
}

#[test]
fn a_pod_that_somebody_paused_without_a_mark_goes_on() {
    for (by_rpc, state) in [(false, "ready"), (true, "interrupted")] {
        let mut world = World { by_rpc, ..World::new(2, 2) };
        world.drains.insert("pod-0".to_owned(), state);
        assert_eq!(world.step().asks[0].order, Order::Uncordon);
        assert!(world.plan().is_empty());
    }
}

#[test]
fn a_pod_that_cannot_leave_is_forgotten_and_deleted_when_its_time_is_over() {
    let mut world = World { scheduler: Scheduler::Unwilling, ..World::new(2, 1) };
    let mut told = false;
    while world.pods.len() == 2 {
        let plan = world.step();
        assert!(plan.delete.is_empty() || world.at >= since_the_beginning(120), "{:?}", world.at);
        for drain in plan.delete.iter().filter_map(|delete| delete.drained.as_ref()) {
            let event = worker_group::losses(drain).unwrap();
            assert_eq!(event.reason, "WorkInterrupted");
            assert!(event.note.contains("1 tasks interrupted"), "{event:?}");
            told = true;
        }
    }
    assert!(told);
    assert!(world.at < since_the_beginning(140));
}

#[test]
fn a_scheduler_that_does_not_do_as_it_is_told_is_told_when_time_is_over() {
    let mut world = World { scheduler: Scheduler::Idle, ..World::new(2, 1) };
    let mut told = None;
    while world.pods.len() == 2 {
        world.step();
        if world.delayed().as_deref() == Some("NotLetGo") {
            told.get_or_insert(world.at);
        }
    }
    assert!(told.is_some_and(|told| told >= since_the_beginning(130) && told < world.at), "{told:?}");
    assert_eq!(world.delayed(), None);
}

/// Two workers of whom one was killed when it was to leave, and what its scheduler says of that.
fn killed_while_it_leaves(state: &'static str) -> World {
    let mut world = World::new(2, 1);
    world.step();
    let name = world.marked()[0].to_owned();
    let killed = world.pods.iter_mut().find(|pod| pod.name == name).unwrap();
    let trouble = Trouble { reason: Reason::ContainerFailed, words: String::new() };
    killed.stage = Stage::Ended(Ended { at: world.at, failed: true, trouble });
    world.work.remove(&name);
    world.drains.insert(name, state);
    world
}

#[test]
fn what_was_lost_with_a_pod_that_ended_while_it_was_leaving_is_told() {
    for (state, told) in [("lost", Some(true)), ("forgotten", Some(true)), ("ready", None)] {
        let plan = killed_while_it_leaves(state).plan();
        let [delete] = plan.delete.as_slice() else { panic!("{plan:?}") };
        let event = delete.drained.as_ref().and_then(worker_group::losses);
        assert_eq!(event.map(|event| event.note.contains("1 tasks interrupted")), told, "{state}");
    }
}

#[test]
fn a_pod_that_ended_while_it_was_leaving_is_kept_for_a_moment_until_its_scheduler_says_what_went() {
    for state in ["waiting", "refused", "interrupted"] {
        let mut world = killed_while_it_leaves(state);
        let plan = world.plan();
        assert_eq!((plan.delete.len(), plan.wake), (0, Some(world.at + SignedDuration::from_secs(10))));
        world.at += SignedDuration::from_secs(10);
        assert_eq!(world.plan().delete.len(), 1, "{state}");
    }
}

#[test]
fn one_that_is_kept_until_then_holds_no_place() {
    let mut world = killed_while_it_leaves("refused");
    world.wanted = 2;
    let made = |plan: &Plan| plan.apply.iter().filter_map(Apply::create).count();
    let plan = world.plan();
    assert_eq!((made(&plan), plan.delete.len()), (1, 0));
    // The one that took its place crashes, as its predecessor did.
    let mut next = WorkerPod { crashes: 1, ..pod("pod-2") };
    let trouble = Trouble { reason: Reason::ContainerFailed, words: String::new() };
    next.stage = Stage::Ended(Ended { at: world.at, failed: true, trouble });
    world.pods.push(next);
    let plan = world.plan();
    assert_eq!((made(&plan), plan.delete.len()), (0, 0));
}

#[test]
fn nobody_is_waited_for_who_says_no_more_or_whose_node_has_another_clock() {
    let by_rpc = World { by_rpc: true, ..killed_while_it_leaves("refused") };
    let mut ahead = killed_while_it_leaves("refused");
    ahead.at -= SignedDuration::from_secs(1);
    for world in [by_rpc, ahead, killed_while_it_leaves("failed")] {
        assert_eq!(world.plan().delete.len(), 1, "{world:?}");
    }
}

#[test]
fn a_pod_that_is_to_be_kept_goes_on_and_stays_until_the_group_changes() {
    let drain = Drain { timeout_seconds: Some(1), on_timeout: Some(OnTimeout::Keep) };
    let has = json!({"processing": 2, "unique_bytes": 30});
    let world = World { scheduler: Scheduler::Unwilling, drain, ..World::new(2, 1) };
    let mut world = world.with_work(0, has.clone()).with_work(1, has);
    let mut told = Vec::new();
    for _ in 0..10 {
        told.extend(world.step().events.into_iter().filter(|event| event.reason == "WorkerStays"));
    }
    assert_eq!((world.pods.len(), world.drains.len()), (2, 0));
    let [event] = told.as_slice() else { panic!("{told:?}") };
    assert!(event.note.contains("with 2 tasks and 30 bytes that nobody else has"), "{event:?}");
    assert_eq!(world.pods.iter().filter(|pod| pod.mark == Some(Mark::Stays(1))).count(), 1);
}

#[test]
fn whoever_is_asked_by_dasks_own_protocol_loses_no_more_than_any_other() {
    let world = World { by_rpc: true, ..World::new(2, 1) };
    let mut world = world.with_work(0, json!({"processing": 2})).with_work(1, json!({"unique_bytes": 9}));
    assert!(world.step().delete.is_empty());
    assert_eq!(world.marked(), ["pod-1"]);
    assert_eq!(world.step().asks.len(), 1);
    let deleted: Vec<_> = world.step().delete.into_iter().map(|delete| delete.name).collect();
    assert_eq!(deleted, ["pod-1"]);
}

fn worlds() -> impl Strategy<Value = World> {
    let scheduler = prop_oneof![
        Just(Scheduler::Willing),
        Just(Scheduler::Unwilling),
        Just(Scheduler::Silent),
        Just(Scheduler::Stock)
    ];
    let work = prop::option::of((0u64..3, 0u64..3, 0u64..2));
    let works = prop::collection::vec(work, 0..8);
    (scheduler, any::<bool>(), works, 0i32..8).prop_map(|(scheduler, by_rpc, work, wanted)| {
        let mut world = World { scheduler, by_rpc, ..World::new(work.len(), wanted) };
        for (number, work) in work.into_iter().enumerate() {
            match work {
                Some((processing, bytes, actors)) => {
                    let work = json!({"processing": processing, "unique_bytes": bytes, "actors": actors});
                    world = world.with_work(number, work);
                }
                None => drop(world.work.remove(&format!("pod-{number}"))),
            }
        }
        world
    })
}

proptest! {
    #[test]
    fn nothing_is_deleted_that_may_have_something_before_its_time(mut world in worlds()) {
        for _ in 0..30 {
            let (before, now) = (world.clone(), world.at);
            for delete in world.step().delete {
                let registered = before.work.contains_key(&delete.name);
                let done = matches!(before.drains.get(&delete.name), Some(&"ready" | &"forgotten"));
                let over = now >= since_the_beginning(120);
                let nobody = before.scheduler == Scheduler::Stock || before.scheduler == Scheduler::Willing && !registered
                    || before.scheduler == Scheduler::Unwilling && !registered;
                prop_assert!(done || over || nobody, "{delete:?} at {now} in {before:?}");
            }
        }
    }

    #[test]
    fn whatever_the_scheduler_does_a_group_comes_down_to_what_is_wanted(mut world in worlds()) {
        let workers = world.pods.len();
        for _ in 0..100 {
            world.step();
        }
        let wanted = usize::try_from(world.wanted).unwrap();
        prop_assert_eq!(world.names().len(), workers.min(wanted));
        prop_assert!(world.marked().is_empty() && world.drains.is_empty(), "{world:?}");
    }

    #[test]
    fn the_order_in_which_pods_are_seen_does_not_decide_who_leaves(world in worlds()) {
        let mut other = world.clone();
        other.pods.reverse();
        let told = |world: &mut World| { world.step(); world.marked().into_iter().map(str::to_owned).collect::<BTreeSet<_>>() };
        prop_assert_eq!(told(&mut other), told(&mut world.clone()));
    }
}
