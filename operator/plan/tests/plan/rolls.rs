//! How a group's workers are replaced when its template changes: how many at a time, and whom it costs nothing.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::sync::Arc;

use dask_operator_api::RawJson;
use dask_operator_api::conditions::Reason;
use dask_operator_api::labels;
use dask_operator_api::parts::{Drain, TemplateMetadata, UpdateStrategy, UpdateType, WorkerSpec};
use dask_operator_api::worker_group::DaskWorkerGroupStatus;
use dask_operator_plan::worker_group::{
    self, CheckedGroup, Cluster, Ended, Mark, Observed, Stage, WorkerPod,
};
use dask_operator_plan::{Apply, Facts, Link, Order, Outcome, Plan, Settings, Suffixes, Trouble};
use dask_operator_testkit::a_group;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A group whose scheduler does as it is told.
#[derive(Clone, Debug)]
struct World {
    pods: Vec<WorkerPod>,
    /// The pods whose workers are cordoned.
    cordoned: BTreeSet<String>,
    wanted: i32,
    threads: u32,
    /// The cluster's.
    image: Option<String>,
    pod: Option<Value>,
    /// What else is changed of its worker.
    change: fn(&mut WorkerSpec),
    strategy: UpdateStrategy,
    /// Whether workers of so many threads start at all.
    starts: fn(u32) -> bool,
    silent: bool,
    stock: bool,
    at: Timestamp,
    seed: u64,
}

impl World {
    /// So many workers at work, of a template that changes right now.
    fn changed(workers: i32, surge: i32, unavailable: i32) -> Self {
        let strategy = UpdateStrategy {
            type_: None,
            max_surge: Some(IntOrString::Int(surge)),
            max_unavailable: Some(IntOrString::Int(unavailable)),
        };
        let mut world = Self {
            pods: Vec::new(),
            cordoned: BTreeSet::new(),
            wanted: workers,
            threads: 1,
            image: None,
            pod: None,
            change: |_| (),
            strategy,
            starts: |_| true,
            silent: false,
            stock: false,
            at: Timestamp::UNIX_EPOCH,
            seed: 0,
        };
        world.step();
        world.time_goes_on();
        world.threads = 2;
        world
    }

    fn group(&self) -> CheckedGroup {
        let group = a_group().replicas(self.wanted).worker(|worker| {
            worker.threads = Some(self.threads);
            worker.spec = self.pod.clone().map(RawJson::from);
            worker.update_strategy = Some(self.strategy.clone());
            (self.change)(worker);
        });
        worker_group::check(&group.build()).unwrap()
    }

    fn observed(&self) -> Observed {
        let cluster = Cluster {
            name: "demo".to_owned(),
            image: self.image.clone(),
            has_scheduler: true,
            scheduler_ready: true,
            ..Cluster::default()
        };
        let registered = self.pods.iter().filter(|pod| pod.stage == Stage::Ready);
        let workers = registered.map(|pod| {
            let cordoned = self.cordoned.contains(&pod.name);
            json!({"name": pod.name, "status": if cordoned { "closing_gracefully" } else { "running" }})
        });
        let drains = self.cordoned.iter().map(|name| json!({"name": name, "state": "ready"}));
        let facts = json!({"schema": 1, "revision": 1, "pod_uid": "", "workers": workers.collect::<Vec<_>>(),
            "drains": drains.collect::<Vec<_>>()});
        let facts = Facts::read(facts.to_string().as_bytes()).map(Arc::new);
        let facts = facts.map_or_else(Link::Unreachable, Link::Preload);
        let facts = if self.stock { Link::Stock } else { facts };
        let link = if self.silent { Link::Unreachable("silent".to_owned()) } else { facts };
        Observed { cluster: Some(cluster), pods: self.pods.clone(), link, ..Observed::default() }
    }

    fn plan(&self) -> Plan {
        let settings = Settings {
            cluster_domain: "cluster.local".to_owned(),
            default_image: "dask".to_owned(),
            worker_batch: None,
        };
        worker_group::plan(
            &self.group(),
            &self.observed(),
            &settings,
            Suffixes::from_seed(self.seed),
            self.at,
        )
    }

    fn status(&self) -> DaskWorkerGroupStatus {
        worker_group::status(&self.group(), &self.observed(), &Outcome::default(), self.at)
    }

    fn told(&self) -> Option<(Reason, String)> {
        let conditions = self.status().conditions;
        let told = conditions.iter().find(|condition| condition.type_ == "WorkersOutdated")?;
        Some((Reason::named(&told.reason)?, told.message.clone()))
    }

    /// Carries out one plan.
    fn step(&mut self) -> Plan {
        let plan = self.plan();
        self.seed += 1;
        for apply in &plan.apply {
            match apply {
                Apply::Create(create) => self.pods.push(self.new_pod(&create.name, &create.object)),
                Apply::Patch(patch) => {
                    let text = patch.body["metadata"]["annotations"][labels::DRAINING].as_str();
                    let mark = text.map(|text| Mark::parse(text).unwrap());
                    self.pods.iter_mut().find(|pod| pod.name == patch.name).unwrap().mark = mark;
                }
            }
        }
        for ask in &plan.asks {
            match ask.order {
                Order::Retire { .. } => drop(self.cordoned.insert(ask.pod.clone())),
                Order::Uncordon | Order::Forget => drop(self.cordoned.remove(&ask.pod)),
            }
        }
        for delete in &plan.delete {
            self.pods.retain(|pod| pod.name != delete.name);
            self.cordoned.remove(&delete.name);
        }
        plan
    }

    fn new_pod(&self, name: &str, object: &Value) -> WorkerPod {
        let hash = object["metadata"]["annotations"][labels::TEMPLATE_HASH].as_str();
        WorkerPod {
            stage: Stage::NotReady,
            template: hash.map(str::to_owned),
            ..WorkerPod::ready(name, self.at)
        }
    }

    /// Whoever can has started.
    fn time_goes_on(&mut self) {
        self.at += SignedDuration::from_secs(1);
        if (self.starts)(self.threads) {
            for pod in &mut self.pods {
                pod.stage = Stage::Ready;
            }
        }
    }

    /// Goes on until nothing is left to do; says what never may be.
    fn until_rest(&mut self, strategy: (usize, usize)) -> Result<(), TestCaseError> {
        for _ in 0..200 {
            let plan = self.step();
            self.holds(strategy)?;
            self.time_goes_on();
            if plan.is_empty() && self.plan().is_empty() {
                return Ok(());
            }
        }
        Err(TestCaseError::fail(format!("no rest: {self:#?}")))
    }

    fn holds(&self, (surge, unavailable): (usize, usize)) -> Result<(), TestCaseError> {
        let wanted = self.wanted.unsigned_abs() as usize;
        let at_work = |pod: &&WorkerPod| pod.stage == Stage::Ready && pod.mark.is_none();
        let working = self.pods.iter().filter(at_work).count();
        prop_assert!(self.pods.len() <= wanted + surge, "{} live ones", self.pods.len());
        prop_assert!(working + unavailable >= wanted, "{working} at work");
        Ok(())
    }

    fn templates(&self) -> BTreeSet<&str> {
        self.pods.iter().filter_map(|pod| pod.template.as_deref()).collect()
    }
}

fn names(world: &World) -> BTreeSet<String> {
    world.pods.iter().map(|pod| pod.name.clone()).collect()
}

proptest! {
    #[test]
    fn never_more_are_there_and_never_fewer_at_work_than_the_strategy_says(
        workers in 1..12, surge in 0..4, unavailable in 0..4
    ) {
        prop_assume!((surge, unavailable) != (0, 0));
        let mut world = World::changed(workers, surge, unavailable);
        let before = names(&world);
        world.until_rest((surge.unsigned_abs() as usize, unavailable.unsigned_abs() as usize))?;
        prop_assert_eq!(world.pods.len(), usize::try_from(workers).unwrap());
        prop_assert!(names(&world).is_disjoint(&before));
        prop_assert_eq!(world.told(), None);
    }

    #[test]
    fn a_further_change_turns_it_round_wherever_it_is(
        workers in 1..8, steps in 0..20usize, threads in 1..4u32
    ) {
        let mut world = World::changed(workers, 1, 0);
        for _ in 0..steps {
            world.step();
            world.holds((1, 0))?;
            world.time_goes_on();
        }
        world.threads = threads;
        world.until_rest((1, 0))?;
        prop_assert_eq!(world.templates().len(), 1);
        prop_assert_eq!(world.pods.len(), usize::try_from(workers).unwrap());
        prop_assert!(world.cordoned.is_empty());
    }

    #[test]
    fn a_template_that_does_not_start_costs_no_worker(workers in 1..8, surge in 1..3) {
        let mut world = World::changed(workers, surge, 0);
        world.starts = |threads| threads == 1;
        let before = names(&world);
        world.until_rest((surge.unsigned_abs() as usize, 0))?;
        prop_assert!(names(&world).is_superset(&before));
        let mut cured = world.clone();
        cured.starts = |_| true;
        cured.until_rest((surge.unsigned_abs() as usize, 0))?;
        prop_assert!(names(&cured).is_disjoint(&before), "what it waited for came, so it goes on");
        world.threads = 1;
        world.until_rest((surge.unsigned_abs() as usize, 0))?;
        prop_assert_eq!(names(&world), before);
    }
}

#[test]
fn one_that_cannot_start_is_told_in_the_nodes_own_words() {
    let mut world = World::changed(2, 1, 0);
    world.starts = |threads| threads == 1;
    world.step();
    assert_eq!(world.told().unwrap().0, Reason::RollingUpdate);
    let trouble = Trouble { reason: Reason::ImageCannotBePulled, words: "no such image".to_owned() };
    world.pods.last_mut().unwrap().trouble = Some(trouble.clone());
    let (reason, words) = world.told().unwrap();
    assert_eq!(reason, Reason::UpdateStalled);
    assert!(words.starts_with("2 workers") && words.ends_with("no such image"), "{words}");
    world.pods.last_mut().unwrap().stage = Stage::Ended(Ended { at: world.at, failed: true, trouble });
    assert_eq!(world.told().unwrap().0, Reason::UpdateStalled);
}

#[test]
fn nobody_goes_while_the_scheduler_cannot_be_asked() {
    let mut world = World::changed(3, 1, 1);
    world.silent = true;
    world.step();
    world.time_goes_on();
    let plan = world.step();
    assert!(plan.is_empty() && plan.needs_facts && plan.wake.is_some(), "{plan:#?}");
    assert!(world.told().unwrap().1.ends_with("the scheduler cannot be asked: silent"));
}

#[test]
fn workers_of_an_earlier_template_that_never_started_are_made_anew_at_once() {
    let mut world = World::changed(4, 1, 0);
    for pod in &mut world.pods[..3] {
        pod.stage = Stage::NotReady;
    }
    let plan = world.step();
    assert_eq!(plan.delete.len(), 3);
    world.step();
    assert_eq!((world.pods.len(), world.templates().len()), (5, 2), "the one at work waits for the new ones");
}

#[test]
fn who_is_deleted_by_hand_is_made_anew_from_the_changed_template_and_nobody_else() {
    let mut world = World::changed(3, 1, 0);
    world.strategy = UpdateStrategy { type_: Some(UpdateType::OnDelete), ..UpdateStrategy::default() };
    assert_eq!(world.step().apply.len(), 0);
    assert_eq!(world.told().unwrap().0, Reason::ReplacedOnDelete);
    let ready = world.status().conditions.into_iter().find(|one| one.type_ == "Ready").unwrap();
    assert_eq!(ready.status, "True");
    world.pods.pop();
    world.step();
    assert_eq!((world.pods.len(), world.templates().len()), (3, 2));
    assert_eq!(world.step(), Plan::default());
}

#[test]
fn fewer_workers_are_wanted_meanwhile_and_those_of_the_earlier_template_leave_first() {
    let mut world = World::changed(6, 1, 0);
    for _ in 0..4 {
        world.step();
        world.time_goes_on();
    }
    let new: BTreeSet<_> = world
        .pods
        .iter()
        .filter(|pod| pod.created > Timestamp::UNIX_EPOCH)
        .map(|pod| pod.name.clone())
        .collect();
    assert!(!new.is_empty());
    world.wanted = 3;
    for _ in 0..30 {
        world.step();
        world.time_goes_on();
    }
    assert!(names(&world).is_superset(&new));
    assert_eq!((world.pods.len(), world.templates().len()), (3, 1));
}

#[test]
fn one_that_took_the_place_of_a_crashed_one_is_counted_when_it_has_run_for_long() {
    let mut world = World::changed(2, 1, 0);
    world.step();
    world.pods.last_mut().unwrap().crashes = 1;
    world.time_goes_on();
    assert!(world.step().is_empty());
    world.at += SignedDuration::from_mins(10);
    assert_eq!(world.step().apply.len(), 1);
}

#[test]
fn one_that_is_not_ready_for_a_while_and_has_worked_does_not_go_at_once() {
    let mut world = World::changed(3, 1, 0);
    world.stock = true;
    world.pods[0].stage = Stage::NotReady;
    assert_eq!(world.step().delete, []);
}

fn container(worker: &mut WorkerSpec, field: &str, value: Value) {
    let mut container = json!({"name": "worker", "image": "dask", "args": ["dask", "worker"]});
    container[field] = value;
    worker.spec = Some(RawJson::from(json!({"containers": [container]})));
}

#[test]
fn whatever_workers_are_made_from_replaces_them_and_nothing_else_does() {
    let said = |change: fn(&mut WorkerSpec)| {
        let same = |worker: &mut WorkerSpec| container(worker, "args", json!(["dask", "worker"]));
        let mut world = World { threads: 1, change: same, ..World::changed(2, 1, 0) };
        world.pods.clear();
        world.step();
        world.time_goes_on();
        assert_eq!(world.told(), None);
        world.change = change;
        let (told, before) = (world.told(), names(&world));
        world.until_rest((1, 0)).unwrap();
        assert_eq!(names(&world).is_disjoint(&before), told.is_some(), "{told:?}");
        assert_eq!((world.told(), world.pods.len()), (None, 2));
        told.map(|(reason, _)| reason)
    };
    let made_from: [fn(&mut WorkerSpec); 7] = [
        |worker| container(worker, "image", json!("dask:2")),
        |worker| container(worker, "env", json!([{"name": "A", "value": "1"}])),
        |worker| container(worker, "args", json!(["dask", "worker", "--nworkers", "2"])),
        |worker| container(worker, "command", json!(["tini", "--"])),
        |worker| container(worker, "resources", json!({"limits": {"memory": "1Gi"}})),
        |worker| {
            container(worker, "image", json!("dask"));
            worker.resources = Some(RawJson::from(json!({"requests": {"cpu": "1"}})));
        },
        |worker| {
            container(worker, "image", json!("dask"));
            let labels = Some([("team".to_owned(), "blue".to_owned())].into());
            worker.metadata = Some(TemplateMetadata { labels, ..TemplateMetadata::default() });
        },
    ];
    assert_eq!(made_from.map(said), [Some(Reason::RollingUpdate); 7]);
    let drain: fn(&mut WorkerSpec) = |worker| {
        container(worker, "image", json!("dask"));
        worker.drain = Some(Drain { timeout_seconds: Some(7), on_timeout: None });
    };
    let strategy: fn(&mut WorkerSpec) = |worker| {
        container(worker, "image", json!("dask"));
        worker.update_strategy = None;
    };
    assert_eq!([drain, strategy].map(said), [None, None]);
}

#[test]
fn the_image_of_the_cluster_matters_to_those_alone_who_name_none() {
    let mut world = World::changed(2, 1, 0);
    world.threads = 1;
    world.image = Some("dask:2".to_owned());
    assert_eq!(world.told().unwrap().0, Reason::RollingUpdate);
    let own = json!({"containers": [{"name": "worker", "image": "own", "args": ["dask", "worker"]}]});
    let mut world = World { pod: Some(own), ..world };
    world.pods.clear();
    world.step();
    world.image = Some("dask:3".to_owned());
    assert_eq!((world.pods.len(), world.told()), (2, None));
}

#[test]
fn ready_is_false_until_the_last_worker_is_replaced() {
    let mut world = World::changed(2, 1, 0);
    let ready = |world: &World| {
        let conditions = world.status().conditions;
        let ready = conditions.into_iter().find(|one| one.type_ == "Ready").unwrap();
        (ready.status, ready.reason)
    };
    assert_eq!(ready(&world), ("False".to_owned(), "RollingUpdate".to_owned()));
    world.until_rest((1, 0)).unwrap();
    assert_eq!(ready(&world).0, "True");
}
