//! A cluster without scheduler and workers: how it becomes so, and how it resumes.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;

use dask_operator_api::cluster::{DaskClusterStatus, IdleAction};
use dask_operator_api::conditions::{self, ConditionType, Reason, Verdict};
use dask_operator_api::labels;
use dask_operator_plan::cluster::{self, CheckedCluster, Child, Observed, SchedulerPod};
use dask_operator_plan::worker_group::{self, WorkerPod};
use dask_operator_plan::{Facts, Kind, Link, Outcome, Plan, Settings, Suffixes};
use dask_operator_testkit::{ClusterBuilder, a_cluster, a_group};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn settings() -> Settings {
    Settings { cluster_domain: String::new(), default_image: String::new(), worker_batch: None }
}

fn plan_of(cluster: &CheckedCluster, observed: &Observed) -> Plan {
    cluster::plan(cluster, observed, &settings(), now())
}

fn checked(cluster: ClusterBuilder) -> CheckedCluster {
    cluster::check(&cluster.build()).unwrap()
}

/// The write of the Deployment, if there is one.
fn deployment(plan: &Plan) -> Option<Value> {
    let creates = plan.apply.iter().filter_map(|one| one.create()).map(|one| (one.kind, one.object.clone()));
    let patches = plan.apply.iter().filter_map(|one| one.patch()).map(|one| (one.kind, one.body.clone()));
    creates.chain(patches).find(|(kind, _)| *kind == Kind::Deployment).map(|(_, body)| body)
}

/// The children as they are when the cluster, as it is now, was planned for; its scheduler bears this note.
fn made(cluster: &CheckedCluster, suspended: Option<&str>) -> Observed {
    let object = deployment(&plan_of(cluster, &Observed::default())).unwrap();
    let hash = object["metadata"]["annotations"][labels::TEMPLATE_HASH].as_str().map(str::to_owned);
    let suspended = suspended.map(str::to_owned);
    Observed { deployment: Some(Child { hash, suspended, ..Child::default() }), ..Observed::default() }
}

fn sleeper() -> ClusterBuilder {
    a_cluster().idle_timeout(300).idle_action(IdleAction::Suspend)
}

/// It has been said for an hour that it will be suspended.
fn announced() -> CheckedCluster {
    checked(sleeper().status(announced_status()))
}

fn announced_status() -> DaskClusterStatus {
    let verdict = Verdict {
        type_: ConditionType::Idle,
        status: true,
        reason: Reason::SoonSuspended,
        message: String::new(),
    };
    let since = now() - SignedDuration::from_hours(1);
    let conditions = conditions::set(&[], &[verdict], Some(1), since);
    DaskClusterStatus { conditions, ..DaskClusterStatus::default() }
}

fn facts(idle: Option<i64>) -> Link {
    let (since, idle_since) = (1_700_000_000, idle.map(|_| 1_700_000_000));
    let facts = json!({
        "schema": 1, "revision": 1, "pod_uid": "", "workers": [], "drains": [], "clients": 0, "datasets": 0, "bytes": 0,
        "time": since + idle.unwrap_or(0), "idle_since": idle_since,
    });
    Link::Preload(Arc::new(Facts::read(facts.to_string().as_bytes()).unwrap()))
}

fn at_work(observed: Observed, link: Link) -> Observed {
    Observed {
        scheduler_pods: vec![SchedulerPod { ready: true, ..SchedulerPod::default() }],
        link,
        ..observed
    }
}

fn reasons(cluster: &CheckedCluster, observed: &Observed) -> Vec<(String, String)> {
    let status = cluster::status(cluster, observed, &Outcome::default(), now());
    status.conditions.into_iter().map(|one| (one.type_, one.reason)).collect()
}

fn has(all: &[(String, String)], type_: &str, reason: &str) -> bool {
    all.contains(&(type_.to_owned(), reason.to_owned()))
}

#[test]
fn a_cluster_that_begins_suspended_has_all_that_describes_it_and_no_pod() {
    let plan = plan_of(&checked(a_cluster().suspended(true)), &Observed::default());
    let kinds: Vec<_> = plan.apply.iter().filter_map(|one| one.create()).map(|one| one.kind).collect();
    assert_eq!(kinds, [Kind::Service, Kind::Deployment, Kind::DaskWorkerGroup]);
    let deployment = deployment(&plan).unwrap();
    assert_eq!(deployment["spec"]["replicas"], 0);
    assert_eq!(deployment["metadata"]["annotations"][labels::SUSPENDED], "asked");
}

#[test]
fn whoever_asks_for_it_stops_the_scheduler_once_and_starts_it_again() {
    let (running, suspended) = (checked(a_cluster()), checked(a_cluster().suspended(true)));
    let stop = deployment(&plan_of(&suspended, &made(&running, None))).unwrap();
    assert_eq!(stop["spec"], json!({"replicas": 0}));
    let stopped = made(&running, Some("asked"));
    assert_eq!(deployment(&plan_of(&suspended, &stopped)), None);
    let start = deployment(&plan_of(&running, &stopped)).unwrap();
    assert_eq!(start["spec"], json!({"replicas": 1}));
    assert_eq!(start["metadata"]["annotations"], json!({labels::SUSPENDED: null}));
    assert_eq!(deployment(&plan_of(&running, &made(&running, None))), None);
}

#[test]
fn what_changed_meanwhile_is_applied_to_a_scheduler_that_is_stopped() {
    let stopped = made(&checked(a_cluster()), Some("asked"));
    let changed = a_cluster().scheduler_pod(json!({"containers": [{"name": "scheduler", "image": "new"}]}));
    let resumed = deployment(&plan_of(&checked(changed), &stopped)).unwrap();
    assert_eq!(resumed["spec"]["replicas"], 1);
    assert_eq!(resumed["spec"]["template"]["spec"]["containers"][0]["image"], "new");
    let still = a_cluster().suspended(true).image("new");
    let still = deployment(&plan_of(&checked(still), &stopped)).unwrap();
    assert_eq!(still["spec"]["template"]["spec"]["containers"][0]["image"], "new");
    assert_eq!(still["spec"].get("replicas"), None);
}

#[test]
fn an_idle_cluster_is_stopped_in_the_write_that_notes_since_when() {
    let observed = at_work(made(&announced(), None), facts(Some(300)));
    let plan = plan_of(&announced(), &observed);
    let stop = deployment(&plan).unwrap();
    assert_eq!(stop["spec"], json!({"replicas": 0}));
    assert_eq!(stop["metadata"]["annotations"][labels::SUSPENDED], now().to_string());
    assert!(plan.delete.is_empty());
    let premises: Vec<_> = plan.premises.iter().map(|one| (one.kind, one.version.is_some())).collect();
    assert_eq!(premises, [(Kind::DaskCluster, true)], "if that is still wanted");
    assert_eq!(deployment(&plan_of(&checked(sleeper()), &observed)), None, "it was not said before");
    assert_eq!(deployment(&plan_of(&announced(), &at_work(made(&announced(), None), facts(None)))), None);
    let told = reasons(&checked(sleeper()), &observed);
    assert!(has(&told, "Idle", "SoonSuspended"), "{told:?}");
}

#[test]
fn it_is_told_that_a_cluster_is_suspended_and_why() {
    let since = now().to_string();
    let idle = made(&checked(sleeper()), Some(&since));
    let told = reasons(&checked(sleeper()), &idle);
    for type_ in ["Ready", "SchedulerReady", "Suspended"] {
        assert!(has(&told, type_, "SuspendedWhenIdle"), "{told:?}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
    let status = cluster::status(&checked(sleeper()), &idle, &Outcome::default(), now());
    assert_eq!(status.idle_suspended_since.map(|since| since.0), Some(now()));
    let told = reasons(&checked(a_cluster().suspended(true)), &made(&checked(a_cluster()), Some("asked")));
    assert!(has(&told, "Suspended", "SuspendedOnRequest"), "{told:?}");
}

#[test]
fn what_is_told_is_what_was_done() {
    let suspended = checked(a_cluster().suspended(true));
    let running = at_work(made(&checked(a_cluster()), None), Link::Unasked);
    assert!(!has(&reasons(&suspended, &running), "Suspended", "SuspendedOnRequest"));
    let stopped = made(&checked(a_cluster()), Some("asked"));
    assert!(has(&reasons(&checked(a_cluster()), &stopped), "Suspended", "SuspendedOnRequest"));
}

#[test]
fn a_template_that_is_refused_keeps_no_scheduler_from_being_stopped() {
    let asked = a_cluster().suspended(true).image("bad").annotation(labels::RESTART_SCHEDULER, "1");
    let stop = deployment(&plan_of(&checked(asked), &made(&checked(a_cluster()), None))).unwrap();
    assert_eq!(stop["spec"], json!({"replicas": 0}));
}

#[test]
fn a_scheduler_that_was_started_by_hand_is_not_restarted() {
    let by_hand = at_work(made(&checked(a_cluster()), Some("asked")), Link::Unasked);
    let changed = checked(a_cluster().suspended(true).image("new"));
    assert_eq!(deployment(&plan_of(&changed, &by_hand)), None);
    assert!(has(&reasons(&changed, &by_hand), "SchedulerOutdated", "SpecChanged"));
}

#[test]
fn a_scheduler_starts_again_when_the_one_before_has_ended() {
    let mut observed = made(&checked(a_cluster()), Some("asked"));
    observed.scheduler_pods = vec![SchedulerPod { terminating: true, ..SchedulerPod::default() }];
    assert_eq!(deployment(&plan_of(&checked(a_cluster()), &observed)), None);
    observed.scheduler_pods[0].ended = true;
    assert!(deployment(&plan_of(&checked(a_cluster()), &observed)).is_some());
}

#[test]
fn whoever_asks_for_a_resume_in_time_keeps_the_cluster_running() {
    let observed = at_work(made(&announced(), None), facts(Some(300)));
    let status = announced_status();
    let asks = checked(sleeper().status(status.clone()).annotation(labels::RESUME, "1"));
    assert_eq!(deployment(&plan_of(&asks, &observed)), None);
    let heard = DaskClusterStatus { resumed: Some("1".to_owned()), ..status };
    let heard = checked(sleeper().status(heard).annotation(labels::RESUME, "1"));
    assert!(deployment(&plan_of(&heard, &observed)).is_some());
}

#[test]
fn a_deployment_that_somebody_deletes_does_not_end_a_suspension() {
    let status =
        DaskClusterStatus { idle_suspended_since: Some(Time(now())), ..DaskClusterStatus::default() };
    let made = deployment(&plan_of(&checked(sleeper().status(status)), &Observed::default())).unwrap();
    assert_eq!(made["spec"]["replicas"], 0);
}

#[test]
fn only_a_cluster_that_goes_on_is_said_to_resume() {
    let suspended = cluster::status(
        &checked(a_cluster().suspended(true)),
        &made(&checked(a_cluster()), Some("asked")),
        &Outcome::default(),
        now(),
    );
    let events = |next: &DaskClusterStatus| -> Vec<String> {
        cluster::events(&suspended, next).into_iter().map(|event| event.reason).collect()
    };
    let resumed = cluster::status(
        &checked(a_cluster()),
        &made(&checked(a_cluster()), None),
        &Outcome::default(),
        now(),
    );
    assert_eq!(events(&resumed), ["Resumed"]);
    let problem = cluster::check(&a_cluster().named("has.dot").build()).unwrap_err();
    let invalid = cluster::invalid(&suspended, &problem, Some(2), now());
    assert_eq!(events(&invalid), ["InvalidName"]);
    assert!(invalid.conditions.iter().any(|one| one.type_ == "Suspended"));
}

#[test]
fn a_cluster_that_was_idle_resumes_once_for_each_value_of_the_annotation() {
    let stopped = made(&checked(sleeper()), Some(&now().to_string()));
    let acted =
        |value: &str| DaskClusterStatus { resumed: Some(value.to_owned()), ..DaskClusterStatus::default() };
    let asks = |value: &str| sleeper().annotation(labels::RESUME, value);
    assert_eq!(deployment(&plan_of(&checked(sleeper()), &stopped)), None);
    assert_eq!(deployment(&plan_of(&checked(asks("1").status(acted("1"))), &stopped)), None);
    let again = checked(asks("2").status(acted("1")));
    assert_eq!(deployment(&plan_of(&again, &stopped)).unwrap()["spec"], json!({"replicas": 1}));
    let resumed = |observed: &Observed| cluster::status(&again, observed, &Outcome::default(), now()).resumed;
    assert_eq!(resumed(&stopped).as_deref(), Some("1"), "the write that resumes it may fail");
    assert_eq!(resumed(&made(&checked(sleeper()), None)).as_deref(), Some("2"));
}

#[test]
fn whoever_wants_no_suspension_by_idleness_any_more_has_the_cluster_back() {
    let stopped = made(&checked(sleeper()), Some(&now().to_string()));
    for wanted in [a_cluster(), a_cluster().idle_timeout(300), sleeper().suspended(false).idle_timeout(0)] {
        assert_eq!(deployment(&plan_of(&checked(wanted), &stopped)).unwrap()["spec"], json!({"replicas": 1}));
    }
    let asked = deployment(&plan_of(&checked(sleeper().suspended(true)), &stopped)).unwrap();
    assert_eq!(asked["metadata"]["annotations"][labels::SUSPENDED], "asked");
}

#[test]
fn a_suspended_group_loses_its_workers_and_makes_none_until_it_resumes() {
    let pod = |name: &str| WorkerPod::ready(name, now());
    let group = worker_group::check(&a_group().replicas(3).build()).unwrap();
    let observed = |suspended, pods| {
        let name = "demo".to_owned();
        let cluster = worker_group::Cluster { name, suspended, ..worker_group::Cluster::default() };
        worker_group::Observed { cluster: Some(cluster), pods, ..worker_group::Observed::default() }
    };
    let plan = |observed: &worker_group::Observed| {
        worker_group::plan(&group, observed, &settings(), Suffixes::from_seed(1), now())
    };
    let stops = plan(&observed(true, vec![pod("a"), pod("b")]));
    let creates = |plan: &Plan| plan.apply.iter().filter_map(|one| one.create()).count();
    assert_eq!((stops.delete.len(), creates(&stops), stops.asks.len()), (2, 0, 0));
    let rests = plan(&observed(true, vec![]));
    assert_eq!((rests.delete.len(), creates(&rests)), (0, 0));
    assert_eq!(creates(&plan(&observed(false, vec![]))), 3);
    let mut stops = observed(false, vec![pod("a")]);
    stops.cluster.as_mut().unwrap().stops = true;
    let waits = plan(&stops);
    assert_eq!((waits.delete.len(), creates(&waits)), (0, 0), "its scheduler is still to be stopped");
    let status = worker_group::status(&group, &observed(true, vec![]), &Outcome::default(), now());
    assert_eq!(status.conditions[0].reason, "ClusterSuspended");
}
