//! What is said of those who have other versions than their scheduler, and when the scheduler is asked.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;

use dask_operator_api::cluster::DaskClusterStatus;
use dask_operator_api::conditions;
use dask_operator_plan::cluster::{self, CheckedCluster, Observed, SchedulerPod};
use dask_operator_plan::{Facts, Link, Outcome, Plan, Settings};
use dask_operator_testkit::a_cluster;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};

const NEW: &str = "2026.9.0";
const OLD: &str = "2026.8.0";

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn own() -> Value {
    json!({"python": "3.11.7", "dask": NEW, "distributed": NEW, "scheduler": 1, "workers": 4, "names": ["scheduler"]})
}

fn workers(distributed: &str, python: &str, count: u64, names: &[&str]) -> Value {
    json!({"python": python, "dask": NEW, "distributed": distributed, "workers": count, "names": names})
}

fn a_client(distributed: &str) -> Value {
    json!({"python": "3.11.2", "dask": NEW, "distributed": distributed, "clients": 1, "names": ["Client-1"]})
}

fn told_by(versions: &Value) -> Link {
    let mut facts = json!({"schema": 1, "revision": 1, "pod_uid": "", "workers": [], "drains": []});
    if !versions.is_null() {
        facts["versions"] = versions.clone();
    }
    Link::Preload(Arc::new(Facts::read(facts.to_string().as_bytes()).unwrap()))
}

fn world(link: Link) -> Observed {
    let pod = SchedulerPod { ready: true, ..SchedulerPod::default() };
    Observed { scheduler_pods: vec![pod], link, ..Observed::default() }
}

fn seen(others: &[Value]) -> Observed {
    world(told_by(&json!([&[own()], others].concat())))
}

/// A cluster of which nothing is said yet.
fn silent() -> CheckedCluster {
    cluster::check(&a_cluster().build()).unwrap()
}

fn after(cluster: &CheckedCluster, observed: &Observed, at: Timestamp) -> DaskClusterStatus {
    cluster::status(cluster, observed, &Outcome::default(), at)
}

/// The cluster as it is when this was seen so many seconds ago.
fn told(others: &[Value], seconds: i64) -> CheckedCluster {
    let status = after(&silent(), &seen(others), ago(seconds));
    assert!(skew(&status).is_some(), "there was something to tell");
    cluster::check(&a_cluster().status(status).build()).unwrap()
}

fn skew(status: &DaskClusterStatus) -> Option<&Condition> {
    status.conditions.iter().find(|one| one.type_ == "VersionSkew")
}

fn words(cluster: &CheckedCluster, observed: &Observed) -> Option<(String, String)> {
    let status = after(cluster, observed, now());
    skew(&status).map(|one| (one.reason.clone(), one.message.clone()))
}

fn plan(cluster: &CheckedCluster, observed: &Observed) -> Plan {
    let settings =
        Settings { cluster_domain: String::new(), default_image: String::new(), worker_batch: None };
    cluster::plan(cluster, observed, &settings, now())
}

#[test]
fn a_worker_that_differs_is_named_with_what_it_has() {
    let (reason, message) = words(&silent(), &seen(&[workers(OLD, "3.11.7", 1, &["w-1"])])).unwrap();
    assert_eq!(reason, "WorkersDiffer");
    assert_eq!(
        message,
        "worker w-1 has distributed 2026.8.0; the scheduler has dask 2026.9.0, distributed 2026.9.0 and Python 3.11"
    );
}

#[test]
fn of_many_workers_a_few_are_named_and_the_others_counted_whatever_patch_of_python_they_have() {
    let many = [
        workers(OLD, "3.12.1", 40, &["w-1", "w-2", "w-3"]),
        workers(OLD, "3.12.2", 2, &["w-4"]),
        workers(NEW, "3.12.1", 2, &["w-5", "w-6"]),
    ];
    let message = words(&silent(), &seen(&many)).unwrap().1;
    let told = "workers w-5, w-6 have Python 3.12; workers w-1, w-2, w-3 and 39 more have distributed 2026.8.0 and Python 3.12;";
    assert!(message.starts_with(told), "{message}");
    let every: Vec<_> = (0..10).map(|n| workers(&format!("2025.{n}.0"), "3.11.1", 1, &["w"])).collect();
    let message = words(&silent(), &seen(&every)).unwrap().1;
    assert_eq!(message.matches("worker w has").count(), 3);
    assert!(message.contains("; others differ, too; the scheduler has"), "{message}");
}

#[test]
fn nobody_is_said_to_differ_by_a_patch_of_python_or_by_what_is_not_known() {
    let alike = [workers(NEW, "3.11.1", 2, &["w-1"]), workers("?", "?", 1, &["w-2"]), a_client(NEW)];
    assert_eq!(words(&silent(), &seen(&alike)), None);
    assert_eq!(words(&silent(), &world(told_by(&json!([])))), None);
    assert_eq!(words(&silent(), &world(told_by(&json!([workers(OLD, "3.9.1", 1, &["w"])])))), None);
}

#[test]
fn a_skew_does_not_make_a_cluster_unready() {
    let ready = |observed: &Observed| {
        let status = after(&silent(), observed, now());
        let ready = status.conditions.iter().find(|one| one.type_ == "Ready").cloned().unwrap();
        (ready.status, ready.reason, ready.message)
    };
    assert_eq!(ready(&seen(&[workers(OLD, "3.9.1", 1, &["w"])])), ready(&seen(&[])));
}

#[test]
fn it_is_told_by_one_event_and_one_more_when_it_is_over() {
    let different = told(&[workers(OLD, "3.11.1", 1, &["w"])], 60);
    let events = |before: &CheckedCluster, observed: &Observed| {
        let previous = after(before, &world(Link::Unasked), now());
        let news = cluster::events(&previous, &after(before, observed, now()));
        news.into_iter().map(|event| event.reason).collect::<Vec<_>>()
    };
    assert_eq!(events(&silent(), &seen(&[workers(OLD, "3.11.1", 1, &["w"])])), ["WorkersDiffer"]);
    assert_eq!(events(&different, &seen(&[workers(OLD, "3.11.1", 1, &["x"])])), [""; 0]);
    assert_eq!(events(&different, &seen(&[])), ["Recovered"]);
}

#[test]
fn workers_are_told_first_and_are_over_at_once() {
    let both = [workers(OLD, "3.11.1", 1, &["w"]), a_client("2026.1.0")];
    assert_eq!(words(&silent(), &seen(&both)).unwrap().0, "WorkersDiffer");
    let different = told(&both, 1);
    assert_eq!(
        words(&different, &seen(&both[1..])),
        None,
        "of clients it is said anew, and stands from then on"
    );
    assert_eq!(words(&different, &seen(&[])), None);
}

#[test]
fn clients_that_come_and_go_do_not_make_it_come_and_go() {
    let (reason, message) = words(&silent(), &seen(&[a_client(OLD)])).unwrap();
    assert_eq!(reason, "ClientsDiffer");
    assert!(message.starts_with("a client has distributed 2026.8.0; the scheduler has"), "{message}");
    for others in [vec![], vec![a_client(OLD), a_client(OLD)], vec![a_client("2025.1.0")]] {
        let before = told(&[a_client(OLD)], 599);
        assert_eq!(words(&before, &seen(&others)).unwrap().1, message, "{others:?}");
    }
    let gone = told(&[a_client(OLD)], 600);
    assert_eq!(words(&gone, &seen(&[])), None);
    assert!(words(&gone, &seen(&[a_client(OLD)])).is_some());
}

#[test]
fn what_nobody_knows_stays_said_and_of_what_cannot_be_known_nothing_is() {
    let different = told(&[workers(OLD, "3.11.1", 1, &["w"])], 3600);
    let before = words(&different, &seen(&[workers(OLD, "3.11.1", 1, &["w"])]));
    let unsaid = told_by(&Value::Null);
    for link in [Link::Unasked, Link::Unreachable("why".to_owned()), unsaid] {
        assert_eq!(words(&different, &world(link.clone())), before, "{link:?}");
        assert_eq!(words(&silent(), &world(link)), None);
    }
    let old = Observed { link_age: SignedDuration::from_mins(5), ..seen(&[]) };
    assert_eq!(words(&different, &old), before);
    for link in [Link::Stock, Link::Rpc(Arc::default())] {
        assert_eq!(words(&different, &world(link)), None);
    }
    assert_eq!(words(&different, &Observed { scheduler_pods: vec![], ..seen(&[]) }), None);
}

#[test]
fn a_scheduler_is_asked_for_a_minute_after_pods_came_and_while_somebody_differs() {
    let young = |seconds| Observed { youngest: Some(ago(seconds)), ..seen(&[]) };
    let fresh = plan(&silent(), &young(40));
    assert_eq!((fresh.needs_facts, fresh.wake), (true, Some(now() + SignedDuration::from_secs(20))));
    let rested = plan(&silent(), &young(60));
    assert_eq!((rested.needs_facts, rested.wake), (false, None));
    let different = told(&[workers(OLD, "3.11.1", 1, &["w"])], 3600);
    let plan = |cluster| plan(cluster, &young(3600));
    assert_eq!(plan(&different).wake, Some(now() + SignedDuration::from_secs(30)));
    assert!(plan(&different).needs_facts);
    assert_eq!(plan(&told(&[a_client(OLD)], 590)).wake, Some(now() + SignedDuration::from_secs(10)));
}

#[test]
fn a_scheduler_that_tells_nothing_is_not_asked() {
    let stock = cluster::check(&a_cluster().annotation("dask.org/stock-scheduler", "true").build()).unwrap();
    let young = Observed { youngest: Some(now()), ..seen(&[]) };
    assert!(plan(&silent(), &young).needs_facts);
    assert!(!plan(&stock, &young).needs_facts);
    assert!(!plan(&silent(), &Observed { scheduler_pods: vec![], ..young }).needs_facts);
}

#[test]
fn the_same_status_is_decided_again() {
    let others = [workers(OLD, "3.11.1", 2, &["w", "x"]), a_client("2025.1.0")];
    let different = told(&others, 60);
    let again = after(&different, &seen(&others), now());
    assert_eq!(again, after(&silent(), &seen(&others), ago(60)));
    assert_eq!(conditions::troubles(&again.conditions).filter(|one| one.type_ == "VersionSkew").count(), 1);
}
