//! What is said of workers that could not say anything before they end.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;

use dask_operator_api::cluster::DaskClusterStatus;
use dask_operator_plan::cluster::{self, Observed, SchedulerPod};
use dask_operator_plan::{Event, EventKind, Facts, Link, Outcome, Settings};
use dask_operator_testkit::a_cluster;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Workers of these names, each with whether it is mute.
fn told_by(workers: &[(&str, bool)]) -> Link {
    let workers: Vec<_> = workers.iter().map(|(name, mute)| json!({"name": name, "mute": mute})).collect();
    let facts = json!({"schema": 1, "revision": 1, "pod_uid": "", "workers": workers, "drains": []});
    Link::Preload(Arc::new(Facts::read(facts.to_string().as_bytes()).unwrap()))
}

fn world(link: Link) -> Observed {
    let pod = SchedulerPod { ready: true, ..SchedulerPod::default() };
    Observed { scheduler_pods: vec![pod], link, ..Observed::default() }
}

/// What becomes of a cluster of which this was said.
fn after(before: &DaskClusterStatus, observed: &Observed) -> DaskClusterStatus {
    let cluster = cluster::check(&a_cluster().status(before.clone()).build()).unwrap();
    cluster::status(&cluster, observed, &Outcome::default(), now())
}

fn fresh() -> DaskClusterStatus {
    DaskClusterStatus::default()
}

fn words(status: &DaskClusterStatus) -> Option<(&str, &str)> {
    let told = status.conditions.iter().find(|one| one.type_ == "DrainUnprotected")?;
    Some((told.reason.as_str(), told.message.as_str()))
}

#[test]
fn one_is_named_for_as_long_as_it_is_there_and_one_that_speaks_is_not() {
    let status = after(&fresh(), &world(told_by(&[("c", true), ("a", false), ("b", true)])));
    let (reason, message) = words(&status).unwrap();
    assert_eq!(reason, "PythonMissing");
    assert!(message.starts_with("workers such as c find no python3 in their PATH"), "{message}");
    let others = world(told_by(&[("d", true), ("c", true)]));
    assert_eq!(words(&after(&status, &others)), words(&status));
    let gone = after(&status, &world(told_by(&[("d", true)])));
    assert!(words(&gone).unwrap().1.contains(" such as d find"));
    assert_eq!(words(&after(&fresh(), &world(told_by(&[("a", false)])))), None);
}

#[test]
fn it_stays_said_until_workers_are_known_that_can_speak() {
    let before = after(&fresh(), &world(told_by(&[("a", true)])));
    let stale = Observed { link_age: SignedDuration::from_mins(5), ..world(told_by(&[("a", false)])) };
    let unknown = [Link::Unasked, Link::Unreachable("why".to_owned()), told_by(&[])].map(world);
    for observed in unknown.iter().chain([&stale]) {
        assert_eq!(words(&after(&before, observed)), words(&before), "{observed:?}");
        assert_eq!(words(&after(&fresh(), observed)), None);
    }
    assert_eq!(words(&after(&before, &world(told_by(&[("a", false)])))), None);
}

#[test]
fn the_scheduler_is_asked_for_as_long_as_it_is_said() {
    let settings =
        Settings { cluster_domain: String::new(), default_image: String::new(), worker_batch: None };
    let needs = |status: DaskClusterStatus| {
        let cluster = cluster::check(&a_cluster().status(status).build()).unwrap();
        let observed =
            Observed { youngest: Some(now() - SignedDuration::from_hours(1)), ..world(Link::Unasked) };
        cluster::plan(&cluster, &observed, &settings, now()).needs_facts
    };
    assert!(needs(after(&fresh(), &world(told_by(&[("a", true)])))));
    assert!(!needs(fresh()));
}

#[test]
fn of_a_scheduler_that_tells_nothing_nothing_is_said() {
    let before = after(&fresh(), &world(told_by(&[("a", true)])));
    for link in [Link::Stock, Link::Rpc(Arc::default())] {
        assert_eq!(words(&after(&before, &world(link))), None);
    }
}

#[test]
fn it_is_a_warning_and_a_name_without_an_end_is_cut() {
    let status = after(&fresh(), &world(told_by(&[(&"x".repeat(100_000), true)])));
    assert!(words(&status).unwrap().1.len() < 500);
    let events = cluster::events(&fresh(), &status);
    let told = |event: &Event| event.reason == "PythonMissing" && event.kind == EventKind::Warning;
    assert!(events.iter().any(told), "{events:#?}");
}
