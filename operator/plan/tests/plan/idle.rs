//! What becomes of a cluster that has nothing to do, and what is said before.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;

use dask_operator_api::cluster::DaskClusterStatus;
use dask_operator_api::conditions::{self, ConditionType, Reason, Verdict};
use dask_operator_plan::cluster::{self, CheckedCluster, Observed, SchedulerPod};
use dask_operator_plan::{Facts, Kind, Link, Outcome, Plan, Settings};
use dask_operator_testkit::a_cluster;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const SINCE: i64 = 1_700_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Facts of a scheduler whose clock is years behind ours, and that had nothing to do for so long when it said so.
fn facts(idle: Option<i64>, more: &Value) -> Link {
    let mut facts = json!({
        "schema": 1, "revision": 1, "pod_uid": "", "workers": [], "drains": [],
        "time": SINCE + idle.unwrap_or(0), "idle_since": idle.map(|_| SINCE), "clients": 1, "datasets": 0, "bytes": 30,
    });
    for (name, value) in more.as_object().unwrap() {
        facts[name] = value.clone();
    }
    Link::Preload(Arc::new(Facts::read(facts.to_string().as_bytes()).unwrap()))
}

fn idle(seconds: i64) -> Link {
    facts(Some(seconds), &json!({}))
}

fn world(link: Link, age: i64) -> Observed {
    let pod = SchedulerPod { ready: true, ..SchedulerPod::default() };
    Observed {
        scheduler_pods: vec![pod],
        link,
        link_age: SignedDuration::from_secs(age),
        ..Observed::default()
    }
}

/// The cluster, of which it has been said for so long that it will go.
fn announced(timeout: i64, seconds: i64) -> CheckedCluster {
    let since = now() - SignedDuration::from_secs(seconds);
    let verdict = Verdict {
        type_: ConditionType::Idle,
        status: true,
        reason: Reason::SoonDeleted,
        message: String::new(),
    };
    let conditions = conditions::set(&[], &[verdict], Some(1), since);
    let status = DaskClusterStatus { conditions, ..DaskClusterStatus::default() };
    cluster::check(&a_cluster().idle_timeout(timeout).status(status).build()).unwrap()
}

fn plan_of(cluster: &CheckedCluster, observed: &Observed) -> Plan {
    let settings =
        Settings { cluster_domain: String::new(), default_image: String::new(), worker_batch: None };
    cluster::plan(cluster, observed, &settings, now())
}

fn plan(timeout: i64, observed: &Observed) -> Plan {
    plan_of(&announced(timeout, 3600), observed)
}

fn goes(timeout: i64, observed: &Observed) -> bool {
    plan(timeout, observed).delete.iter().any(|delete| delete.kind == Kind::DaskCluster)
}

/// The reason and the words of what is said beside the usual conditions.
fn told(timeout: i64, observed: &Observed) -> Option<(String, String)> {
    let cluster = cluster::check(&a_cluster().idle_timeout(timeout).build()).unwrap();
    let status = cluster::status(&cluster, observed, &Outcome::default(), now());
    let told = status.conditions.into_iter().find(|one| one.type_ == "Idle" || one.type_ == "FactsStale");
    told.map(|one| (one.reason, one.message))
}

#[test]
fn a_cluster_goes_when_it_had_nothing_to_do_for_long_by_the_schedulers_own_clock() {
    assert!(!goes(300, &world(idle(299), 0)));
    assert!(goes(300, &world(idle(300), 0)));
    assert!(!goes(300, &world(idle(280), 20)), "it may have begun to work since it said so");
    let plan = plan(300, &world(idle(300), 5));
    assert_eq!((plan.apply.len(), plan.delete.len()), (0, 1));
    let delete = &plan.delete[0];
    assert_eq!((delete.uid.as_str(), delete.version.as_deref()), ("cluster-uid", Some("1")));
    assert_eq!(delete.event.as_ref().unwrap().reason, "IdleDeleted");
}

#[test]
fn whoever_asks_for_no_timeout_keeps_the_cluster_and_nobody_is_asked() {
    for timeout in [0, -1, i64::MIN, i64::MAX] {
        let observed = world(idle(1_000_000), 0);
        assert!(!goes(timeout, &observed), "{timeout}");
        assert_eq!((plan(timeout, &observed).needs_facts, told(timeout, &observed)), (false, None));
    }
}

#[test]
fn a_busy_cluster_never_goes() {
    let observed = world(facts(None, &json!({})), 0);
    assert!(!goes(1, &observed));
    assert_eq!(told(1, &observed), None);
    assert!(plan(1, &observed).needs_facts && plan(1, &observed).wake.is_some());
}

#[test]
fn it_is_said_before_with_what_would_go_and_the_words_stay_the_same() {
    assert_eq!(told(300, &world(idle(149), 0)), None);
    let (reason, words) = told(300, &world(idle(150), 0)).unwrap();
    assert_eq!(reason, "SoonDeleted");
    let begins =
        "nothing to do since 2023-11-14T22:13:20Z; deleted after 300 s of that; 1 clients are connected";
    assert!(words.starts_with(begins) && words.contains("30 bytes"), "{words}");
    assert_eq!(told(300, &world(idle(170), 7)).unwrap().1, words);
}

#[test]
fn nothing_goes_of_which_it_was_not_said_before_whatever_became_of_a_clock() {
    let observed = world(idle(100_000), 0);
    let goes = |cluster: &CheckedCluster| !plan_of(cluster, &observed).delete.is_empty();
    let unannounced = cluster::check(&a_cluster().idle_timeout(300).build()).unwrap();
    assert!(!goes(&unannounced) && told(300, &observed).is_some());
    assert!(!goes(&announced(300, 59)));
    assert!(goes(&announced(300, 60)));
    assert!(goes(&announced(4, 2)), "half the time is enough");
}

#[test]
fn what_was_said_stays_said_while_a_new_replica_has_not_asked_yet() {
    let cluster = announced(300, 5);
    let status = cluster::status(&cluster, &world(Link::Unasked, 0), &Outcome::default(), now());
    assert!(status.conditions.iter().any(|one| one.reason == "SoonDeleted"));
}

#[test]
fn the_next_look_is_when_something_is_to_be_said_or_done() {
    let wake = |seconds, age| plan(300, &world(idle(seconds), age)).wake.unwrap() - now();
    let seconds = |seconds| jiff::Span::new().seconds(seconds).fieldwise();
    assert_eq!(wake(145, 0), seconds(5));
    assert_eq!(wake(290, 1), seconds(9));
    assert_eq!(wake(290, 15), seconds(30), "it is asked again and again");
    assert_eq!(wake(10, 0), seconds(30), "facts are followed for as long as somebody looks at them");
}

#[test]
fn published_datasets_keep_a_cluster() {
    let observed = world(facts(Some(1000), &json!({"datasets": 2})), 0);
    assert!(!goes(300, &observed));
    assert_eq!(told(300, &observed).unwrap().0, "DatasetsPublished");
}

#[test]
fn when_the_last_dataset_is_gone_the_whole_notice_begins_anew() {
    let kept = world(facts(Some(100_000), &json!({"datasets": 1})), 0);
    let free = world(idle(100_000), 0);
    let status =
        |cluster: &CheckedCluster, observed, at| cluster::status(cluster, observed, &Outcome::default(), at);
    let with = |status| cluster::check(&a_cluster().idle_timeout(300).status(status).build()).unwrap();
    let long_ago = now() - SignedDuration::from_hours(1);
    let mut cluster = with(status(&with(DaskClusterStatus::default()), &kept, long_ago));
    for _ in 0..3 {
        assert_eq!(plan_of(&cluster, &free).delete, []);
        cluster = with(status(&cluster, &free, now()));
    }
    let settings =
        Settings { cluster_domain: String::new(), default_image: String::new(), worker_batch: None };
    let later =
        |seconds| cluster::plan(&cluster, &free, &settings, now() + SignedDuration::from_secs(seconds));
    assert_eq!((later(59).delete.len(), later(60).delete.len()), (0, 1));
}

#[test]
fn what_is_old_absurd_or_unknown_deletes_nothing() {
    let absurd = facts(Some(1000), &json!({"time": 1e300}));
    let early = facts(Some(1000), &json!({"idle_since": -1e300}));
    let uncounted = facts(Some(1000), &json!({"datasets": null}));
    for link in [absurd, early, uncounted, Link::Unasked, Link::Stock, Link::Unreachable("gone".to_owned())] {
        assert!(!goes(300, &world(link, 0)));
    }
    assert!(!goes(300, &world(idle(1000), 30)), "nobody has heard of it for long");
    assert_eq!(told(300, &world(Link::Stock, 0)).unwrap().0, "SchedulerTellsNothing");
    assert_eq!(told(300, &world(Link::Unreachable("gone".to_owned()), 0)).unwrap().0, "SchedulerSilent");
}
