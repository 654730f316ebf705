//! What a group and a cluster tell of their troubles, and for how long.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use dask_operator_api::cluster::DaskClusterStatus;
use dask_operator_api::conditions::Reason;
use dask_operator_api::worker_group::DaskWorkerGroupStatus;
use dask_operator_plan::cluster::{self, SchedulerPod};
use dask_operator_plan::worker_group::{self, Cluster, Ended, Observed, Stage, WorkerPod};
use dask_operator_plan::{Apply, Event, EventKind, Failure, FailureKind, Kind, Outcome, Settings, Suffixes};
use dask_operator_plan::{Trouble, WORKER_POD};
use dask_operator_testkit::{a_cluster, a_group};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use proptest::prelude::*;

const REASONS: [Reason; 5] = [
    Reason::Unschedulable,
    Reason::ImageCannotBePulled,
    Reason::CommandNotFound,
    Reason::OutOfMemory,
    Reason::ContainerFailed,
];

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn later(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

fn trouble(reason: Reason) -> Trouble {
    Trouble { reason, words: format!("words of {reason}") }
}

fn a_pod(name: &str, stage: Stage) -> WorkerPod {
    WorkerPod { stage, ..WorkerPod::ready(name, now()) }
}

fn ended(name: &str, reason: Reason) -> WorkerPod {
    a_pod(name, Stage::Ended(Ended { at: now(), failed: true, trouble: trouble(reason) }))
}

fn waiting(name: &str, reason: Reason) -> WorkerPod {
    WorkerPod { trouble: Some(trouble(reason)), ..a_pod(name, Stage::NotReady) }
}

fn replacement(name: &str) -> WorkerPod {
    WorkerPod { crashes: 1, ..a_pod(name, Stage::Ready) }
}

fn world(pods: Vec<WorkerPod>) -> Observed {
    let cluster =
        Cluster { name: "demo".to_owned(), has_scheduler: true, scheduler_ready: true, ..Cluster::default() };
    Observed { cluster: Some(cluster), pods, ..Observed::default() }
}

/// The status of a group of so many workers that had this one before.
fn status(
    wanted: i32,
    before: &DaskWorkerGroupStatus,
    pods: Vec<WorkerPod>,
    outcome: &Outcome,
    at: Timestamp,
) -> DaskWorkerGroupStatus {
    let group = a_group().replicas(wanted).status(before.clone()).build();
    worker_group::status(&worker_group::check(&group).unwrap(), &world(pods), outcome, at)
}

fn of_pods(wanted: i32, before: &DaskWorkerGroupStatus, pods: Vec<WorkerPod>) -> DaskWorkerGroupStatus {
    status(wanted, before, pods, &Outcome::default(), now())
}

fn fresh() -> DaskWorkerGroupStatus {
    DaskWorkerGroupStatus::default()
}

fn told<'a>(conditions: &'a [Condition], type_: &str) -> Option<(&'a str, &'a str)> {
    let found = conditions.iter().find(|condition| condition.type_ == type_)?;
    Some((&found.reason, &found.message))
}

fn reasons(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.reason.as_str()).collect()
}

fn refused(reason: Reason, message: &str) -> Failure {
    let kind = FailureKind::Refused(reason);
    Failure { object: WORKER_POD.to_owned(), kind, message: message.to_owned() }
}

#[test]
fn workers_that_fit_are_made_and_the_others_are_counted_in_the_servers_words() {
    let failures = vec![refused(Reason::QuotaExceeded, "exceeded quota"); 2];
    let outcome = Outcome { failures, created: vec![Kind::Pod; 2], ..Outcome::default() };
    let status = status(5, &fresh(), vec![a_pod("a", Stage::Ready)], &outcome, now());
    let words = "2 of 5 workers cannot be created: exceeded quota";
    assert_eq!(told(&status.conditions, "Refused"), Some(("QuotaExceeded", words)));
    assert_eq!(told(&status.conditions, "Ready"), Some(("QuotaExceeded", words)));
    assert_eq!(status.replicas, Some(3));
}

#[test]
fn a_refusal_stands_until_there_is_another_answer() {
    let refusal = Outcome { failures: vec![refused(Reason::QuotaExceeded, "q")], ..Outcome::default() };
    let before = status(1, &fresh(), vec![], &refusal, now());
    let silence = Failure {
        object: WORKER_POD.to_owned(),
        kind: FailureKind::Transient,
        message: "no answer".to_owned(),
    };
    let silence = Outcome { failures: vec![silence], ..Outcome::default() };
    let unanswered = status(1, &before, vec![], &silence, now());
    assert_eq!(worker_group::events(&before, &unanswered), []);
    let made = of_pods(1, &before, vec![a_pod("a", Stage::NotReady)]);
    assert_eq!(told(&made.conditions, "Refused"), None);
    assert_eq!(reasons(&worker_group::events(&before, &made)), ["Recovered"]);
}

#[test]
fn a_refusal_does_not_stand_for_as_long_as_a_name_is_taken() {
    let failed = |kind| {
        let failure = Failure { kind, ..refused(Reason::RefusedByServer, "no") };
        Outcome { failures: vec![failure], ..Outcome::default() }
    };
    let before = status(1, &fresh(), vec![], &failed(FailureKind::Refused(Reason::RefusedByServer)), now());
    let after = status(1, &before, vec![], &failed(FailureKind::NameTaken), now());
    assert!(told(&before.conditions, "Refused").is_some() && told(&after.conditions, "Refused").is_none());
}

#[test]
fn a_worker_that_cannot_start_is_told_with_the_kubelets_words() {
    let pods = vec![waiting("a", Reason::ImageCannotBePulled), a_pod("b", Stage::Ready)];
    let status = of_pods(2, &fresh(), pods);
    let words = "1 of 2 workers cannot start; pod a: words of ImageCannotBePulled";
    assert_eq!(told(&status.conditions, "WorkersCannotStart"), Some(("ImageCannotBePulled", words)));
    assert_eq!(told(&status.conditions, "Ready"), Some(("ImageCannotBePulled", words)));
}

#[test]
fn a_failure_stays_told_until_the_next_worker_has_proven_itself() {
    let crashed = of_pods(1, &fresh(), vec![ended("a", Reason::OutOfMemory)]);
    let words = Some(("OutOfMemory", "pod a: words of OutOfMemory"));
    assert_eq!(told(&crashed.conditions, "WorkersFailing"), words);
    assert_eq!(reasons(&worker_group::events(&fresh(), &crashed)), ["OutOfMemory"]);

    let replaced = of_pods(1, &crashed, vec![replacement("b")]);
    assert_eq!(told(&replaced.conditions, "WorkersFailing"), words);
    assert_eq!(told(&replaced.conditions, "Ready").map(|(reason, _)| reason), Some("AllReady"));

    let proven = status(1, &replaced, vec![replacement("b")], &Outcome::default(), later(10));
    assert_eq!(told(&proven.conditions, "WorkersFailing"), None);
    assert_eq!(reasons(&worker_group::events(&replaced, &proven)), ["Recovered"]);
}

/// When a group is looked at again although nothing changes.
fn wake(wanted: i32, before: &DaskWorkerGroupStatus, pods: Vec<WorkerPod>) -> Option<Timestamp> {
    let group = a_group().replicas(wanted).status(before.clone()).build();
    let group = worker_group::check(&group).unwrap();
    let settings =
        Settings { cluster_domain: String::new(), default_image: String::new(), worker_batch: None };
    worker_group::plan(&group, &world(pods), &settings, Suffixes::from_seed(1), now()).wake
}

#[test]
fn a_group_is_looked_at_again_when_its_workers_have_proven_themselves() {
    let wake = |before: &_| wake(1, before, vec![replacement("b")]);
    assert_eq!(wake(&fresh()), None);
    assert_eq!(wake(&of_pods(1, &fresh(), vec![ended("a", Reason::OutOfMemory)])), Some(later(10)));
}

#[test]
fn what_another_template_led_to_is_history_and_replaced_at_once() {
    let old = |pod: WorkerPod| WorkerPod { template: Some("another".to_owned()), crashes: 8, ..pod };
    let crashed = vec![old(ended("a", Reason::CommandNotFound))];
    let status = of_pods(1, &fresh(), crashed.clone());
    assert_eq!(told(&status.conditions, "WorkersFailing"), None);
    let group = worker_group::check(&a_group().replicas(1).build()).unwrap();
    let settings =
        Settings { cluster_domain: String::new(), default_image: String::new(), worker_batch: None };
    let plan = worker_group::plan(&group, &world(crashed), &settings, Suffixes::from_seed(1), now());
    assert_eq!((plan.apply.len(), plan.delete.len(), plan.wake), (1, 1, None));
    let Apply::Create(create) = &plan.apply[0] else { unreachable!("nothing is patched") };
    assert_eq!(create.object["metadata"]["annotations"]["dask.org/crashes"], serde_json::Value::Null);
}

#[test]
fn another_number_of_workers_makes_no_failure_history() {
    let crashed = of_pods(1, &fresh(), vec![ended("a", Reason::CommandNotFound)]);
    let scaled = a_group().replicas(2).generation(2).status(crashed).build();
    let scaled = worker_group::check(&scaled).unwrap();
    let status = worker_group::status(&scaled, &world(vec![replacement("b")]), &Outcome::default(), now());
    assert!(told(&status.conditions, "WorkersFailing").is_some());
}

#[test]
fn a_group_of_another_cluster_is_not_ready_however_many_workers_it_has() {
    let group = worker_group::check(&a_group().replicas(1).build()).unwrap();
    let observed = Observed { of_another: Some("other".to_owned()), ..world(vec![replacement("a")]) };
    let status = worker_group::status(&group, &observed, &Outcome::default(), now());
    let ready = told(&status.conditions, "Ready").unwrap();
    assert_eq!(ready.0, "NotItsCluster");
}

#[test]
fn a_trouble_of_another_reason_is_told_once_more_and_other_words_are_not() {
    let before = of_pods(1, &fresh(), vec![waiting("a", Reason::Unschedulable)]);
    let same = of_pods(1, &before, vec![waiting("b", Reason::Unschedulable)]);
    assert_eq!(worker_group::events(&before, &same), []);
    let other = of_pods(1, &before, vec![waiting("a", Reason::ImageCannotBePulled)]);
    assert_eq!(reasons(&worker_group::events(&before, &other)), ["ImageCannotBePulled"]);
}

#[test]
fn a_group_that_goes_or_cannot_be_followed_has_not_recovered() {
    let before = of_pods(1, &fresh(), vec![waiting("a", Reason::Unschedulable)]);
    let mut going = a_group().replicas(1).status(before.clone()).build();
    going.metadata.deletion_timestamp = Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now()));
    let going = worker_group::check(&going).unwrap();
    let gone = worker_group::status(&going, &world(vec![]), &Outcome::default(), now());
    assert_eq!(worker_group::events(&before, &gone), []);
    let problems = worker_group::check(&a_group().replicas(-1).build()).unwrap_err();
    let invalid = worker_group::invalid(&before, &problems, Some(2), now());
    assert_eq!(reasons(&worker_group::events(&before, &invalid)), ["InvalidReplicas"]);
}

fn cluster_status(before: &DaskClusterStatus, world: &cluster::Observed) -> DaskClusterStatus {
    let cluster = a_cluster().status(before.clone()).build();
    cluster::status(&cluster::check(&cluster).unwrap(), world, &Outcome::default(), now())
}

fn a_scheduler(trouble: Option<Trouble>) -> cluster::Observed {
    let pod =
        SchedulerPod { name: "s".to_owned(), ready: trouble.is_none(), trouble, ..SchedulerPod::default() };
    cluster::Observed { scheduler_pods: vec![pod], ..cluster::Observed::default() }
}

#[test]
fn a_scheduler_in_trouble_is_told_once_with_its_reason() {
    let ready = cluster_status(&DaskClusterStatus::default(), &a_scheduler(None));
    let crashed = cluster_status(&ready, &a_scheduler(Some(trouble(Reason::OutOfMemory))));
    let words = Some(("OutOfMemory", "pod s: words of OutOfMemory"));
    assert_eq!(told(&crashed.conditions, "SchedulerReady"), words);
    assert_eq!(told(&crashed.conditions, "Ready"), words);
    assert_eq!(reasons(&cluster::events(&ready, &crashed)), ["OutOfMemory"]);
    assert_eq!(
        cluster::events(
            &crashed,
            &cluster_status(&crashed, &a_scheduler(Some(trouble(Reason::OutOfMemory))))
        ),
        []
    );
    let gone = cluster_status(&ready, &cluster::Observed::default());
    assert_eq!(reasons(&cluster::events(&ready, &gone)), ["SchedulerLost"]);
}

#[test]
fn a_scheduler_that_cannot_be_made_is_told_without_the_name_of_the_pod() {
    let words = |name: &str| {
        let failure = format!("pods \"{name}\" is forbidden: exceeded quota: small");
        let world = cluster::Observed { replica_failure: Some(failure), ..cluster::Observed::default() };
        cluster_status(&DaskClusterStatus::default(), &world).conditions
    };
    let expected = "the scheduler's pod cannot be created: pods \"…\" is forbidden: exceeded quota: small";
    assert_eq!(told(&words("demo-scheduler-1-a"), "SchedulerReady"), Some(("QuotaExceeded", expected)));
    assert_eq!(words("demo-scheduler-1-a"), words("demo-scheduler-1-b"));
}

fn pods() -> impl Strategy<Value = Vec<WorkerPod>> {
    let pod = (0usize..4, prop::sample::select(&REASONS[..]), 0u32..2);
    prop::collection::vec(pod, 0..6).prop_map(|pods| {
        let pod = |(number, (kind, reason, crashes)): (usize, (usize, Reason, u32))| {
            let name = format!("pod-{number}");
            let pod = match kind {
                0 => ended(&name, reason),
                1 => waiting(&name, reason),
                2 => a_pod(&name, Stage::NotReady),
                _ => a_pod(&name, Stage::Ready),
            };
            WorkerPod { crashes, ..pod }
        };
        pods.into_iter().enumerate().map(pod).collect()
    })
}

proptest! {
    #[test]
    fn the_same_world_is_told_once(pods in pods(), wanted in 0i32..6) {
        let first = of_pods(wanted, &fresh(), pods.clone());
        let second = of_pods(wanted, &first, pods);
        prop_assert_eq!(&first, &second);
        prop_assert_eq!(worker_group::events(&first, &second), []);
    }

    #[test]
    fn a_group_in_trouble_is_not_looked_at_over_and_over(before in pods(), after in pods(), wanted in 0i32..6) {
        let wake = wake(wanted, &of_pods(wanted, &fresh(), before), after);
        prop_assert!(wake.is_none_or(|wake| wake > now()), "{wake:?}");
    }

    #[test]
    fn the_order_in_which_pods_are_seen_changes_no_word(
        (pods, shuffled) in pods().prop_flat_map(|pods| (Just(pods.clone()), Just(pods).prop_shuffle()))
    ) {
        prop_assert_eq!(of_pods(3, &fresh(), pods), of_pods(3, &fresh(), shuffled));
    }

    #[test]
    fn a_step_is_worth_at_most_one_event_a_condition(before in pods(), after in pods()) {
        let first = of_pods(3, &fresh(), before);
        let second = of_pods(3, &first, after);
        let events = worker_group::events(&first, &second);
        prop_assert!(events.len() <= 2, "{events:?}");
        let warned = events.iter().filter(|event| event.kind == EventKind::Warning);
        for event in warned {
            let told = second.conditions.iter().any(|one| one.reason == event.reason && one.message == event.note);
            prop_assert!(told, "{event:?}");
        }
    }

    #[test]
    fn a_trouble_of_pods_never_hides_that_all_are_ready(pods in pods()) {
        let live = pods.iter().filter(|pod| pod.is_live()).count();
        let ready = pods.iter().filter(|pod| pod.stage == Stage::Ready).count();
        let status = of_pods(i32::try_from(live).unwrap(), &fresh(), pods);
        let said = told(&status.conditions, "Ready").unwrap().0 == "AllReady";
        prop_assert_eq!(said, ready == live);
    }
}
