//! What is told of workers that left with something, and for how long.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use dask_operator_api::worker_group::DaskWorkerGroupStatus;
use dask_operator_plan::worker_group::{self, Observed};
use dask_operator_plan::{Drain, DrainState, Outcome, Settings, Suffixes};
use dask_operator_testkit::a_group;
use jiff::{SignedDuration, Timestamp};

const WORDS: &str = "pod p left after 1 s: 1 tasks interrupted, 2 results (30 bytes) lost";

fn minutes(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
}

fn lost() -> Drain {
    let (state, seconds) = (DrainState::Forgotten, 1.2);
    Drain { name: "p".to_owned(), tasks: 1, lost_keys: 2, lost_bytes: 30, seconds, state, ..Drain::default() }
}

fn whole() -> Drain {
    Drain { state: DrainState::Ready, lost_keys: 0, ..lost() }
}

/// What becomes of a group of which this was said when these have left.
fn after(before: &DaskWorkerGroupStatus, drained: &[Drain], at: Timestamp) -> DaskWorkerGroupStatus {
    let group = worker_group::check(&a_group().status(before.clone()).build()).unwrap();
    let outcome = Outcome { drained: drained.to_vec(), ..Outcome::default() };
    worker_group::status(&group, &Observed::default(), &outcome, at)
}

fn told(status: &DaskWorkerGroupStatus) -> Option<(&str, &str)> {
    let told = status.conditions.iter().find(|one| one.type_ == "WorkLost")?;
    Some((told.reason.as_str(), told.message.as_str()))
}

fn wake(status: &DaskWorkerGroupStatus, at: Timestamp) -> Option<Timestamp> {
    let group = worker_group::check(&a_group().replicas(0).status(status.clone()).build()).unwrap();
    let settings =
        Settings { cluster_domain: String::new(), default_image: String::new(), worker_batch: None };
    let observed = Observed { cluster: Some(worker_group::Cluster::default()), ..Observed::default() };
    worker_group::plan(&group, &observed, &settings, Suffixes::from_seed(1), at).wake
}

#[test]
fn what_was_lost_is_an_event_and_what_was_not_is_none() {
    assert_eq!(worker_group::losses(&lost()).unwrap().note, WORDS);
    let nothing = Drain { tasks: 0, lost_keys: 0, ..lost() };
    for drain in [whole(), nothing] {
        assert_eq!(worker_group::losses(&drain), None);
    }
}

#[test]
fn it_is_told_for_ten_minutes_whoever_leaves_whole() {
    let fresh = DaskWorkerGroupStatus::default();
    assert_eq!(told(&after(&fresh, &[whole()], minutes(0))), None);
    let status = after(&fresh, &[whole(), lost()], minutes(0));
    assert_eq!(told(&status), Some(("WorkInterrupted", WORDS)));
    assert_eq!(told(&after(&status, &[whole()], minutes(9))), told(&status));
    assert_eq!(told(&after(&status, &[], minutes(10))), None);
    assert_eq!((wake(&status, minutes(9)), wake(&status, minutes(10))), (Some(minutes(10)), None));
}

#[test]
fn a_loss_that_is_written_takes_the_place_of_the_one_before() {
    let before = after(&DaskWorkerGroupStatus::default(), &[lost()], minutes(0));
    let next = Drain { name: "q".to_owned(), ..lost() };
    let status = after(&before, &[next], minutes(1));
    assert_eq!(told(&status).unwrap().1, WORDS.replace("pod p", "pod q"));
    assert_eq!(told(&after(&status, &[], minutes(2))), told(&status));
}
