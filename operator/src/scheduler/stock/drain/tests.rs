//! Each step by which a pod leaves, and what may come between.

use std::time::Duration;

use dask_operator_plan::{DrainState, Worker};

use super::*;

const ADDRESS: &str = "tcp://10.0.0.1:4000";

/// A worker as its scheduler knows it after so many reports.
fn worker(status: &str, reports: u32, executing: u64) -> Told {
    let worker = Worker { address: ADDRESS.to_owned(), status: status.to_owned(), ..Worker::default() };
    Told { worker, seen: f64::from(reports), executing: Some(executing) }
}

/// A drain that began now, and has a minute.
struct World {
    drain: Drain,
    now: Instant,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let mut drain = Drain::new(now);
        drain.ip = Some([10, 0, 0, 1].into());
        drain.leave(Duration::from_mins(1), now);
        Self { drain, now }
    }

    /// The next step, while the scheduler knows of so many tasks there.
    fn next(&mut self, told: &[Told], tasks: u64) -> Option<Action> {
        let tasks = told.iter().map(|told| (told.worker.address.clone(), tasks)).collect();
        self.drain.next(&told.iter().collect::<Vec<_>>(), &tasks, self.now)
    }

    fn paused() -> Self {
        let mut world = Self::new();
        assert_eq!(world.next(&[worker(RUNNING, 0, 1)], 3), retire());
        assert!(!world.drain.done(Outcome::Done, world.now));
        world
    }

    fn state(&self) -> DrainState {
        self.drain.report("pod").state
    }

    fn took(&self) -> u64 {
        Duration::from_secs_f64(self.drain.report("pod").seconds).as_secs()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared to what may be nothing")]
fn retire() -> Option<Action> {
    Some(Action::Retire(vec![ADDRESS.to_owned()]))
}

#[test]
fn a_worker_without_tasks_is_ready_when_its_results_were_copied_twice() {
    let mut world = World::paused();
    assert_eq!((world.next(&[worker(PAUSED, 0, 0)], 0), world.state()), (retire(), DrainState::Waiting));
    assert!(!world.drain.done(Outcome::Done, world.now));
    assert_eq!((world.next(&[worker(PAUSED, 0, 0)], 0), world.state()), (None, DrainState::Ready));
}

#[test]
fn what_was_not_begun_is_given_to_others_when_reports_say_twice_that_nothing_is_executed() {
    let mut world = World::paused();
    // What was on its way while it was paused says nothing, and neither does the same report once more.
    for (report, executing) in [(1, 0), (1, 0), (2, 1), (3, 0), (3, 0)] {
        assert_eq!(world.next(&[worker(PAUSED, report, executing)], 2), None, "{report}");
    }
    assert_eq!(world.next(&[worker(PAUSED, 4, 0)], 2), retire());
    assert!(world.drain.done(Outcome::Done, world.now));
    let told = [worker(PAUSED, 4, 0)];
    assert_eq!(world.next(&told, 2), Some(Action::Remove(vec![ADDRESS.to_owned()])));
    assert!(!world.drain.done(Outcome::Done, world.now));
    assert_eq!((world.next(&[], 0), world.state()), (None, DrainState::Ready));
}

#[test]
fn what_comes_of_tasks_is_copied_while_others_are_executed() {
    let mut world = World::paused();
    let told = [worker(PAUSED, 1, 1)];
    assert_eq!(world.next(&told, 1), None);
    world.now += Duration::from_secs(10);
    assert_eq!(world.next(&told, 1), retire());
    assert!(!world.drain.done(Outcome::Done, world.now));
    assert_eq!((world.next(&told, 1), world.state()), (None, DrainState::Waiting));
}

#[test]
fn whoever_has_not_reported_or_is_not_known_is_waited_for() {
    let mut world = World::paused();
    let silent = |report| Told { executing: None, ..worker(PAUSED, report, 0) };
    for report in 1..9 {
        assert_eq!(world.next(&[silent(report)], 2), None);
    }
    let quiet = [worker(PAUSED, 9, 0)];
    assert_eq!(world.drain.next(&[&quiet[0]], &BTreeMap::new(), world.now), None);
}

#[test]
fn one_that_is_refused_goes_on_and_is_tried_again_when_asked() {
    let mut world = World::paused();
    assert_eq!(world.next(&[worker(PAUSED, 0, 0)], 0), retire());
    world.drain.done(Outcome::Refused, world.now);
    assert_eq!(world.state(), DrainState::Refused);
    let on = Some(Action::GoOn(vec![([10, 0, 0, 1], 4000).into()]));
    assert_eq!(world.next(&[worker(PAUSED, 1, 0)], 0), on);
    assert_eq!(world.next(&[worker(RUNNING, 2, 0)], 0), None);
    world.drain.leave(Duration::from_secs(9), world.now);
    assert_eq!(world.next(&[worker(RUNNING, 2, 0)], 0), retire());
}

#[test]
fn one_that_a_plugin_keeps_is_not_paused() {
    let mut world = World::new();
    let mut told = worker(RUNNING, 0, 1);
    told.worker.vetoed = true;
    assert_eq!((world.next(&[told], 1), world.state()), (None, DrainState::Refused));
}

#[test]
fn time_that_is_over_interrupts_and_nothing_is_removed_by_that() {
    let mut world = World::paused();
    world.now += Duration::from_mins(1);
    assert_eq!((world.next(&[worker(PAUSED, 1, 1)], 3), world.state()), (None, DrainState::Interrupted));
    assert_eq!(world.drain.report("pod").tasks, 3);
    world.drain.forget();
    assert_eq!(world.next(&[worker(PAUSED, 1, 1)], 3), Some(Action::Remove(vec![ADDRESS.to_owned()])));
    world.drain.done(Outcome::Done, world.now);
    assert_eq!(world.state(), DrainState::Forgotten);
}

#[test]
fn a_step_of_which_nobody_knows_what_came_is_taken_again() {
    let mut world = World::new();
    for tries in 1..4 {
        assert_eq!(world.next(&[worker(RUNNING, 0, 1)], 1), retire());
        world.drain.done(Outcome::Unknown, world.now);
        assert_eq!((world.state(), world.drain.tries), (DrainState::Waiting, tries));
    }
}

#[test]
fn workers_that_die_meanwhile_are_lost_and_with_whoever_never_was_there_nothing_is() {
    let mut world = World::paused();
    assert_eq!((world.next(&[], 0), world.state()), (None, DrainState::Lost));
    let mut nobody = World::new();
    assert_eq!((nobody.next(&[], 0), nobody.state()), (None, DrainState::Ready));
    assert_eq!(nobody.next(&[worker(RUNNING, 1, 0)], 0), retire(), "it has come meanwhile");
}

#[test]
fn one_that_takes_work_again_is_not_ready_any_more() {
    let mut world = World::paused();
    world.next(&[worker(PAUSED, 0, 0)], 0);
    world.drain.done(Outcome::Done, world.now);
    assert_eq!(world.state(), DrainState::Ready);
    assert_eq!(world.next(&[worker(RUNNING, 1, 0)], 0), retire());
}

#[test]
fn one_that_is_wanted_again_is_told_so_on_its_own_pod_until_it_takes_work() {
    let mut world = World::paused();
    world.drain.go_on();
    let mut told = worker(PAUSED, 1, 1);
    told.worker.address = "tcp://192.0.2.1:4000".to_owned();
    assert_eq!(world.next(&[told], 1), Some(Action::GoOn(vec![([10, 0, 0, 1], 4000).into()])));
    world.drain.done(Outcome::Done, world.now);
    assert!(!world.drain.is_over());
    assert_eq!((world.next(&[worker(RUNNING, 1, 1)], 1), world.drain.is_over()), (None, true));
}

#[test]
fn what_came_of_a_pod_is_told_for_a_minute_after_its_workers_are_gone_and_then_forgotten() {
    let is_over = |mut world: World| {
        world.next(&[], 0);
        for (seconds, is_over) in [(59, false), (1, true)] {
            world.now += Duration::from_secs(seconds);
            assert_eq!((world.next(&[], 0), world.drain.is_over()), (None, is_over), "{:?}", world.state());
        }
    };
    is_over(World::paused());
    let mut interrupted = World::paused();
    interrupted.now += Duration::from_mins(1);
    interrupted.next(&[worker(PAUSED, 1, 1)], 3);
    is_over(interrupted);
    let mut refused = World::paused();
    refused.drain.done(Outcome::Refused, refused.now);
    is_over(refused);
    let mut forgotten = World::paused();
    forgotten.drain.forget();
    is_over(forgotten);
}

#[test]
fn whoever_is_there_is_not_forgotten_however_long_that_takes() {
    let mut world = World::paused();
    world.drain.done(Outcome::Refused, world.now);
    for _ in 0..5 {
        world.next(&[], 0);
        world.now += Duration::from_secs(59);
        world.next(&[worker(RUNNING, 1, 0)], 0);
        assert_eq!(world.state(), DrainState::Refused);
    }
}

#[test]
fn a_pod_with_more_workers_than_can_be_spoken_of_is_refused() {
    let mut world = World::new();
    let many = |count: usize| vec![worker(RUNNING, 0, 1); count];
    assert!(matches!(world.next(&many(MOST_WORKERS), 1), Some(Action::Retire(_))));
    assert_eq!((world.next(&many(MOST_WORKERS + 1), 1), world.state()), (None, DrainState::Refused));
}

#[test]
fn what_a_pod_took_is_counted_from_when_it_is_to_leave_once_more() {
    let mut world = World::paused();
    world.now += Duration::from_mins(1);
    world.next(&[worker(PAUSED, 1, 1)], 3);
    assert_eq!(world.took(), 60);
    world.drain.leave(Duration::from_mins(1), world.now);
    world.now += Duration::from_secs(5);
    for _ in 0..2 {
        assert_eq!(world.next(&[worker(PAUSED, 1, 0)], 0), retire());
        world.drain.done(Outcome::Done, world.now);
    }
    assert_eq!((world.state(), world.took()), (DrainState::Ready, 5));
}
