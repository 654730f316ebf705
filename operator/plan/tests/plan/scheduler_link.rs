//! What is said of the way to the scheduler, and how long it is asked for that.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;

use dask_operator_api::cluster::DaskClusterStatus;
use dask_operator_api::{DaskCluster, labels};
use dask_operator_plan::cluster::{self, Observed, SchedulerPod};
use dask_operator_plan::{EventKind, Link, Outcome, Settings};
use dask_operator_testkit::a_cluster;
use jiff::{SignedDuration, Timestamp};

use super::cluster_decisions::complete;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn preload() -> Link {
    Link::Preload(Arc::default())
}

fn silent() -> Link {
    Link::Unreachable("no answer in time".to_owned())
}

fn a_cluster_of(status: &DaskClusterStatus) -> DaskCluster {
    a_cluster().workers(0).status(status.clone()).build()
}

/// The scheduler's pod of this name has been ready for an hour, and was silent for so long if it does not answer.
fn world(pod: &str, link: Link) -> Observed {
    let since = Some(now() - SignedDuration::from_hours(1));
    let scheduler =
        SchedulerPod { name: pod.to_owned(), ready: true, ready_since: since, ..SchedulerPod::default() };
    let complete = complete(&a_cluster_of(&fresh()));
    let silence = SignedDuration::from_hours(1);
    Observed { scheduler_pods: vec![scheduler], youngest: since, link, silence, ..complete }
}

/// The same when it was ready, and silent, for so many seconds.
fn silent_for(ready: i64, silence: i64) -> Observed {
    let mut observed = world("a", silent());
    observed.scheduler_pods[0].ready_since = Some(now() - SignedDuration::from_secs(ready));
    observed.silence = SignedDuration::from_secs(silence);
    observed
}

fn after(before: &DaskClusterStatus, observed: &Observed) -> DaskClusterStatus {
    let cluster = cluster::check(&a_cluster_of(before)).unwrap();
    cluster::status(&cluster, observed, &Outcome::default(), now())
}

fn fresh() -> DaskClusterStatus {
    DaskClusterStatus::default()
}

fn told(status: &DaskClusterStatus) -> Option<(&str, &str, &str)> {
    let told = status.conditions.iter().find(|one| one.type_ == "SchedulerLink")?;
    Some((told.status.as_str(), told.reason.as_str(), told.message.as_str()))
}

fn settings() -> Settings {
    Settings { cluster_domain: String::new(), default_image: String::new(), worker_batch: None }
}

#[test]
fn an_answer_is_told_with_the_next_change_and_costs_no_write() {
    let good = "pod a answers, and lets workers go without a loss";
    let answered = after(&fresh(), &world("a", preload()));
    assert_eq!(told(&answered), Some(("True", "Preload", good)));
    let before = after(&fresh(), &world("a", Link::Unasked));
    assert_eq!(after(&before, &world("a", preload())), before);
}

#[test]
fn silence_is_told_when_it_lasts_and_in_its_first_words() {
    let bad = Some(("False", "Unreachable", "pod a cannot be asked: no answer in time"));
    assert_eq!(told(&after(&fresh(), &silent_for(29, 100))), None);
    assert_eq!(told(&after(&fresh(), &silent_for(100, 29))), None);
    let silence = after(&fresh(), &silent_for(30, 30));
    assert_eq!(told(&silence), bad);
    let other = Link::Unreachable("connection refused".to_owned());
    assert_eq!(after(&silence, &world("a", other)), silence);
    let answered = after(&fresh(), &world("a", preload()));
    assert_eq!(after(&answered, &silent_for(100, 29)), answered);
    assert_eq!(told(&after(&answered, &silent_for(100, 30))), bad);
}

#[test]
fn what_was_said_of_a_pod_stands_while_nobody_asks_it_and_not_of_the_next() {
    let answered = after(&fresh(), &world("a", preload()));
    assert_eq!(told(&after(&answered, &world("a", Link::Unasked))), told(&answered));
    assert_eq!(told(&after(&answered, &world("b", Link::Unasked))), None);
    let mut starts = world("a", preload());
    starts.scheduler_pods[0].ready = false;
    assert_eq!(told(&after(&answered, &starts)), None);
}

#[test]
fn a_scheduler_is_asked_for_as_long_as_it_does_not_answer() {
    let plan = |status: &DaskClusterStatus, observed: &Observed| {
        let cluster = cluster::check(&a_cluster_of(status)).unwrap();
        let plan = cluster::plan(&cluster, observed, &settings(), now());
        (plan.needs_facts, plan.wake)
    };
    let at_rest = world("a", Link::Unasked);
    for status in
        [fresh(), after(&fresh(), &world("a", preload())), after(&fresh(), &world("a", Link::Stock))]
    {
        assert_eq!(plan(&status, &at_rest), (false, None));
    }
    let in_seconds = |seconds| (true, Some(now() + SignedDuration::from_secs(seconds)));
    assert_eq!(plan(&after(&fresh(), &world("a", silent())), &at_rest), in_seconds(30));
    assert_eq!(plan(&fresh(), &silent_for(100, 12)), in_seconds(18));
}

#[test]
fn silence_and_its_end_are_events_and_a_first_answer_is_none() {
    let answered = after(&fresh(), &world("a", preload()));
    let silence = after(&answered, &world("a", silent()));
    let events = |before: &DaskClusterStatus, next: &DaskClusterStatus| -> Vec<_> {
        let events = cluster::events(before, next).into_iter();
        events.filter(|one| one.reason != "Ready").map(|one| (one.kind, one.reason, one.note)).collect()
    };
    assert_eq!(events(&fresh(), &answered), []);
    let warning = (EventKind::Warning, "Unreachable".to_owned(), "pod a cannot be asked: no answer in time");
    assert_eq!(events(&answered, &silence), [(warning.0, warning.1, warning.2.to_owned())]);
    let over =
        (EventKind::Normal, "Recovered".to_owned(), "no longer SchedulerLink (Unreachable)".to_owned());
    let stock = after(&silence, &world("a", Link::Rpc(Arc::default())));
    assert_eq!([&answered, &stock].map(|next| events(&silence, next)), [[over.clone()], [over]]);
    assert_eq!(events(&silence, &silence), []);
}

#[test]
fn a_scheduler_that_has_loaded_nothing_although_it_was_to_is_told() {
    let said = |link: Link| {
        let status = after(&fresh(), &world("a", link));
        let (status, reason, message) = told(&status).unwrap();
        assert_eq!((status, reason), ("False", "Stock"));
        message.to_owned()
    };
    assert!(said(Link::Rpc(Arc::default())).contains("is asked by Dask's own protocol"));
    assert!(said(Link::Stock).contains("cannot be asked"));
}

#[test]
fn a_scheduler_that_is_to_load_nothing_of_ours_loads_nothing_and_that_is_told() {
    let preloads = |cluster: &DaskCluster| {
        let plan = cluster::plan(&cluster::check(cluster).unwrap(), &Observed::default(), &settings(), now());
        let text = format!("{:?}", plan.apply);
        (text.contains("OPERATOR_PRELOAD"), text.contains("OPERATOR_TOKEN"))
    };
    let said = |cluster: &DaskCluster| {
        let checked = cluster::check(cluster).unwrap();
        let status = cluster::status(&checked, &complete(cluster), &Outcome::default(), now());
        told(&status)
            .map(|(status, reason, message)| (status.to_owned(), reason.to_owned(), message.to_owned()))
    };
    let usual = a_cluster().build();
    assert_eq!((preloads(&usual), said(&usual)), ((true, true), None));
    let mut stock = usual;
    stock.metadata.annotations = Some([(labels::STOCK_SCHEDULER.to_owned(), "true".to_owned())].into());
    let (status, reason, message) = said(&stock).unwrap();
    assert_eq!((preloads(&stock), status.as_str(), reason.as_str()), ((false, false), "False", "Stock"));
    assert!(message.ends_with("the annotation dask.org/stock-scheduler says so"), "{message}");
}
