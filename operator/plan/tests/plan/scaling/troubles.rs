//! What keeps workers from following the work, and that it is told.

use dask_operator_api::conditions::Reason;
use dask_operator_plan::autoscaler::{self, Course};
use dask_operator_plan::{FailureKind, Link, Trouble};
use dask_operator_testkit::{AutoscalerBuilder, an_autoscaler};
use jiff::SignedDuration;
use serde_json::json;

use super::world::{World, needing, tasks, workers};

const GROUP: &str = "demo-default";

#[test]
fn nothing_is_scaled_by_a_scheduler_that_tells_nothing() {
    let links = [
        (Link::Unasked, "AwaitsFacts"),
        (Link::Stock, "SchedulerTellsNothing"),
        (Link::Unreachable("no answer in time".to_owned()), "SchedulerSilent"),
    ];
    for (link, reason) in links {
        let mut world = World::new(an_autoscaler().between(0, 8).build(), 4);
        world.demand = vec![tasks("queued", 100, 1000.0)];
        world.link = Some(link);
        assert_eq!(world.pass(60).replicas(GROUP), 4);
        assert!(world.reasons().contains(&reason), "{:?}", world.reasons());
        world.link = None;
        assert_eq!(world.pass(1).replicas(GROUP), 8);
        assert!(world.pass(1).reasons().contains(&"FollowsWork"));
    }
}

fn unreachable() -> Link {
    Link::Unreachable("connection refused".to_owned())
}

/// What keeps the scheduler's pod from running, if something does; it works no longer.
fn down(world: &mut World, link: Link, trouble: Option<&str>) {
    world.link = Some(link);
    world.scheduler_ready = false;
    world.scheduler_trouble =
        trouble.map(|words| Trouble { reason: Reason::ContainerFailed, words: words.to_owned() });
    assert_eq!(world.pass(60).replicas(GROUP), 4);
}

#[test]
fn a_scheduler_that_starts_is_waited_for() {
    for link in [Link::Unasked, unreachable()] {
        let mut world = World::new(an_autoscaler().between(4, 8).build(), 4);
        assert!(world.pass(1).reasons().contains(&"FollowsWork"));
        down(&mut world, link, None);
        assert_eq!(world.reasons(), ["AwaitsFacts"]);
    }
}

#[test]
fn one_that_is_dead_is_told_in_its_words_also_while_it_starts_once_more() {
    for link in [Link::Unasked, unreachable()] {
        let mut world = World::new(an_autoscaler().between(4, 8).build(), 4);
        assert!(world.pass(1).reasons().contains(&"FollowsWork"));
        down(&mut world, link, Some("no more"));
        assert!(world.reasons().contains(&"SchedulerSilent"), "{:?}", world.reasons());
        assert!(world.status.conditions.iter().any(|one| one.message.contains("ContainerFailed: no more")));
        let before = world.status.clone();
        down(&mut world, unreachable(), None);
        assert_eq!(world.status, before);
        (world.scheduler_ready, world.link) = (true, None);
        assert!(world.pass(1).reasons().contains(&"FollowsWork"));
    }
}

#[test]
fn one_that_answers_is_followed_whatever_ails_its_pod() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 4);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    world.scheduler_ready = false;
    world.scheduler_trouble =
        Some(Trouble { reason: Reason::ContainerFailed, words: "a sidecar".to_owned() });
    assert_eq!(world.pass(1).replicas(GROUP), 8);
}

#[test]
fn nothing_is_scaled_by_what_nobody_has_heard_of_for_long() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 4);
    world.link_age = SignedDuration::from_secs(30);
    assert_eq!(world.pass(60).replicas(GROUP), 4);
    assert!(world.reasons().contains(&"SchedulerSilent"), "{:?}", world.reasons());
}

#[test]
fn a_new_replica_that_has_not_asked_yet_says_what_was_said() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 8);
    world.demand = vec![tasks("queued", 1000, 1000.0)];
    world.pass(1);
    let before = world.status.clone();
    world.link = Some(Link::Unasked);
    world.course = Course::default();
    world.pass(20);
    assert_eq!(world.status, before);
}

#[test]
fn words_without_an_end_are_cut() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 1);
    world.demand = vec![needing(&"x".repeat(100_000), "unrunnable", 1, 1.0)];
    world.pass(1);
    assert!(world.status.conditions.iter().all(|one| one.message.len() < 500));
}

#[test]
fn a_billion_tasks_get_no_more_than_is_allowed() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 0);
    world.demand = vec![tasks("queued", 1_000_000_000, 1e300), tasks("processing", u64::MAX, 0.0)];
    assert_eq!(world.pass(2).replicas(GROUP), 8);
    assert_eq!(world.reasons(), ["FollowsWork", "AtMaximum"]);
    assert_eq!(world.scaling().decisions[0].wanted, 1_000_000, "no cluster has so many pods");
}

#[test]
fn for_what_nobody_offers_nothing_grows_and_it_is_told() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 1);
    world.demand = vec![needing("GPU", "unrunnable", 31, 15.5)];
    assert_eq!(world.pass(20).replicas(GROUP), 0);
    let told = &world.status.conditions[0].message;
    assert!(told.contains("GPU=1"), "{told}");
    world.demand = vec![json!({"workers": ["alice"], "tasks": {"unrunnable": {"count": 1, "seconds": 1.0}}})];
    assert_eq!(world.pass(1).replicas(GROUP), 0);
    let told = &world.status.conditions[0].message;
    assert!(told.contains("worker alice"), "{told}");
}

fn ladder() -> AutoscalerBuilder {
    an_autoscaler().between(0, 50).group("spot", 10, (0, 8)).group("steady", 0, (0, 8))
}

#[test]
fn work_falls_through_to_the_next_group_after_a_while_and_moves_back() {
    let mut world = World::new(ladder().build(), 0);
    world.groups.clear();
    *world.group("spot") = workers(0, 1);
    *world.group("steady") = workers(0, 1);
    world.group("spot").able = 0;
    world.group("spot").troubled_since = world.now;
    world.demand = vec![tasks("queued", 4, 1000.0)];
    assert_eq!(world.pass(60).replicas("spot"), 4);
    assert_eq!(world.replicas("steady"), 0, "it may yet pass");
    world.pass(2);
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (4, 4));
    assert_eq!(world.status.last_decisions[0].reason, "Fallback");
    assert!(world.reasons().contains(&"GroupCannotGrow"), "{:?}", world.reasons());
    // All is at work on what can start, and more work makes no more of what cannot.
    world.demand = vec![tasks("processing", 6, 1000.0)];
    world.group("steady").busy = 4;
    world.pass(60);
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (4, 6));
    // Machines are back.
    world.group("spot").able = usize::MAX;
    world.pass(40);
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (6, 0));
    assert_eq!(world.status.last_decisions[0].reason, "MovedBack");
}

/// Two groups of workers of one thread, of which the first cannot start any.
fn stuck(autoscaler: AutoscalerBuilder) -> World {
    let mut world = World::new(autoscaler.build(), 0);
    world.groups.clear();
    *world.group("spot") = workers(0, 1);
    *world.group("steady") = workers(0, 1);
    world.group("spot").able = 0;
    world.group("spot").troubled_since = world.now;
    world
}

#[test]
fn what_cannot_start_does_not_count_as_one_of_those_that_are_allowed() {
    let mut world = stuck(an_autoscaler().between(0, 4).group("spot", 10, (0, 8)).group("steady", 0, (0, 8)));
    world.demand = vec![tasks("queued", 10, 1000.0)];
    world.pass(70);
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (4, 4));
    // When it starts, no more are made of either.
    world.group("spot").able = usize::MAX;
    world.group("steady").busy = 4;
    for _ in 0..60 {
        world.pass(1);
        assert!(world.replicas("spot") <= 4 && world.replicas("steady") <= 4);
    }
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (4, 0));
}

#[test]
fn a_minimum_that_cannot_start_is_waited_for_and_then_made_up_by_others() {
    let mut world =
        stuck(an_autoscaler().between(2, 50).group("spot", 10, (0, 8)).group("steady", 0, (0, 8)));
    world.pass(60);
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (2, 0), "it may yet pass");
    world.pass(300);
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (2, 2));
    assert_eq!(world.status.last_decisions.len(), 2, "{:?}", world.status.last_decisions);
}

#[test]
fn busy_workers_stay_whose_work_no_group_of_a_higher_priority_can_take() {
    let autoscaler = an_autoscaler().between(0, 50).group("spot", 10, (0, 8)).group("gpu", 0, (0, 8));
    let mut world = World::new(autoscaler.build(), 0);
    world.groups.clear();
    *world.group("spot") = workers(2, 1);
    *world.group("gpu") = workers(3, 1);
    world.group("gpu").resources.insert("GPU".to_owned(), 1.0);
    world.group("gpu").busy = 3;
    world.demand = vec![needing("GPU", "processing", 3, 0.3)];
    assert_eq!(world.pass(60).replicas("gpu"), 3);
}

#[test]
fn a_group_that_is_full_hands_on_at_once() {
    let mut world = World::new(ladder().build(), 0);
    world.groups.clear();
    *world.group("spot") = workers(0, 1);
    *world.group("steady") = workers(0, 1);
    world.demand = vec![tasks("queued", 10, 1000.0)];
    world.look();
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (8, 2));
}

#[test]
fn nothing_is_made_on_top_of_workers_that_do_not_start_and_what_waits_stays() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 4);
    world.group(GROUP).able = 2;
    world.demand = vec![tasks("queued", 100, 1000.0)];
    assert_eq!(world.pass(600).replicas(GROUP), 4);
    assert!(world.reasons().contains(&"GroupCannotGrow"));
    world.demand = Vec::new();
    assert_eq!(world.pass(20).replicas(GROUP), 0);
}

#[test]
fn nothing_is_made_on_top_of_workers_that_crash_in_a_row() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 2);
    world.group(GROUP).crashes = 2;
    world.demand = vec![tasks("queued", 100, 1000.0)];
    assert_eq!(world.pass(600).replicas(GROUP), 2);
    assert!(world.reasons().contains(&"GroupCannotGrow"));
}

#[test]
fn where_a_quota_is_used_up_the_group_stays_as_it_is_and_says_so() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 5);
    world.group(GROUP).refused = Some("QuotaExceeded: exceeded quota".to_owned());
    world.demand = vec![tasks("queued", 100, 1000.0)];
    assert_eq!(world.pass(60).replicas(GROUP), 5);
    let told = &world.status.conditions[1];
    assert_eq!(told.reason, "GroupCannotGrow");
    assert!(told.message.contains("exceeded quota"), "{}", told.message);
}

#[test]
fn below_a_quota_the_group_grows_to_what_fits_and_what_is_missing_is_told_without_haste() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 0);
    world.group(GROUP).quota = 5;
    world.demand = vec![tasks("queued", 100, 1000.0)];
    assert_eq!(world.pass(2).replicas(GROUP), 8);
    let told = (world.status.conditions[1].reason.clone(), world.status.conditions[1].message.clone());
    let words = "no more workers for \"demo-default\": QuotaExceeded: 3 of 8 workers cannot be created";
    assert_eq!(told, ("GroupCannotGrow".to_owned(), words.to_owned()));
    for _ in 0..600 {
        let (before, wake) = (world.status.clone(), world.look().wake);
        assert!(wake >= Some(world.now + SignedDuration::from_secs(10)), "{wake:?}");
        assert_eq!(world.status, before);
        world.pass(1);
    }
    world.group(GROUP).quota = usize::MAX;
    world.pass(1);
    assert_eq!((world.replicas(GROUP), world.reasons()), (8, vec!["FollowsWork", "AtMaximum"]));
}

#[test]
fn workers_that_never_register_get_none_on_top_and_others_their_work() {
    let mut world = World::new(ladder().build(), 0);
    world.groups.clear();
    *world.group("spot") = workers(0, 1);
    *world.group("steady") = workers(0, 1);
    world.group("spot").silent = true;
    world.group("spot").troubled_since = world.now;
    world.demand = vec![tasks("queued", 4, 1000.0)];
    world.pass(120);
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (4, 0), "they may yet");
    world.demand = vec![tasks("queued", 6, 1000.0)];
    world.pass(600);
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (4, 6));
    let told = &world.status.conditions[1].message;
    assert!(told.ends_with("pod spot-0 has not registered"), "{told}");
    assert!(world.status.last_decisions.len() <= 3, "{:?}", world.status.last_decisions);
}

#[test]
fn workers_that_end_again_and_again_get_none_on_top_and_others_their_work() {
    let mut world = World::new(ladder().build(), 0);
    world.groups.clear();
    *world.group("spot") = workers(4, 1);
    *world.group("steady") = workers(0, 1);
    world.group("spot").crashes = 1;
    world.group("spot").ended = true;
    world.demand = vec![tasks("queued", 6, 1000.0)];
    world.pass(600);
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (4, 6));
    let told = &world.status.conditions[1].message;
    assert!(told.ends_with("ContainerFailed: it ended with 1"), "{told}");
    assert_eq!(world.status.last_decisions.len(), 1, "{:?}", world.status.last_decisions);
}

#[test]
fn bounds_that_exclude_each_other_are_told_and_what_was_decided_stays_told() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 0);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    world.pass(2);
    let spec = an_autoscaler().between(9, 8).build();
    let problems = autoscaler::check(&spec).expect_err("bounds that exclude each other");
    let status = autoscaler::invalid(&world.status, &problems, Some(2), world.now);
    let told: Vec<_> =
        status.conditions.iter().map(|one| (one.reason.as_str(), one.status.as_str())).collect();
    assert_eq!(told, [("InvalidBounds", "False")]);
    assert_eq!(status.last_decisions, world.status.last_decisions);
}

/// Somebody else has put the number back twice.
fn contested() -> World {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 2);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    for _ in 0..2 {
        assert_eq!(world.pass(2).replicas(GROUP), 8);
        world.group(GROUP).replicas = 2;
    }
    world
}

#[test]
fn somebody_else_who_scales_is_not_fought_and_is_told() {
    let mut world = contested();
    assert_eq!(world.pass(590).replicas(GROUP), 2);
    assert!(world.reasons().contains(&"AnotherWriter"), "{:?}", world.reasons());
    assert_eq!(world.pass(20).replicas(GROUP), 8, "they have stopped");
}

/// As an autoscaler of pods whose minimum is ours no more: it puts its number back, and then has nothing to change.
#[test]
fn somebody_else_who_always_puts_the_number_back_is_left_alone_for_longer_each_time() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 2);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    let mut ours = 0;
    for _ in 0..12 * 60 * 4 {
        world.pass(1);
        if world.replicas(GROUP) == 8 {
            ours += 1;
            world.group(GROUP).replicas = 2;
        }
        world.now += SignedDuration::from_secs(14);
    }
    assert_eq!(ours, 8, "in twelve hours");
}

#[test]
fn whoever_changes_the_spec_has_the_group_scaled_at_once() {
    let mut world = contested();
    assert_eq!(world.pass(60).replicas(GROUP), 2);
    world.autoscaler.spec.maximum = Some(7);
    world.autoscaler.metadata.generation = Some(100);
    assert_eq!(world.pass(1).replicas(GROUP), 7);
}

#[test]
fn who_follows_advice_is_nobody_else() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 2);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    world.pass(2);
    world.autoscaler.spec.advisory = true;
    for replicas in [3, 4, 5] {
        world.group(GROUP).replicas = replicas;
        world.pass(60);
    }
    world.autoscaler.spec.advisory = false;
    assert_eq!(world.pass(2).replicas(GROUP), 8);
}

#[test]
fn somebody_else_who_comes_by_every_quarter_of_an_hour_is_told() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 2);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    world.pass(2);
    for _ in 0..2 {
        assert!(!world.reasons().contains(&"AnotherWriter"));
        world.pass(15 * 60).group(GROUP).replicas = 2;
        world.look();
    }
    assert!(world.reasons().contains(&"AnotherWriter"), "{:?}", world.reasons());
}

#[test]
fn a_write_that_failed_is_no_change_of_another_and_no_decision_that_is_told() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 2);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    world.fails = Some(FailureKind::Refused(Reason::RefusedByServer));
    world.pass(5);
    assert_eq!((world.replicas(GROUP), world.status.last_decisions.len()), (2, 0));
    world.fails = None;
    assert_eq!(world.pass(2).replicas(GROUP), 8);
    assert_eq!(world.status.last_decisions.len(), 1);
}

#[test]
fn a_write_whose_answer_was_lost_is_ours() {
    let mut world = World::new(an_autoscaler().between(0, 50).build(), 2);
    for replicas in [4, 6, 8] {
        world.fails = None;
        world.demand = vec![tasks("queued", 2 * replicas - 2, 1000.0)];
        world.pass(1);
        world.demand = vec![tasks("queued", 2 * replicas, 1000.0)];
        world.fails = Some(FailureKind::Transient);
        world.pass(1);
        // It was done all the same.
        world.group(GROUP).replicas = usize::try_from(replicas).expect("a small number");
        world.pass(1);
    }
    assert!(!world.reasons().contains(&"AnotherWriter"), "{:?}", world.reasons());
}

#[test]
fn somebody_elses_changes_count_although_ours_were_refused_meanwhile() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 2);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    world.pass(2);
    world.fails = Some(FailureKind::Refused(Reason::RefusedByServer));
    for replicas in [3, 4] {
        world.group(GROUP).replicas = replicas;
        world.pass(2);
    }
    assert!(world.reasons().contains(&"AnotherWriter"), "{:?}", world.reasons());
}

#[test]
fn a_group_that_does_not_exist_is_told_and_the_others_are_scaled() {
    let mut starting = World::new(an_autoscaler().between(0, 8).group(GROUP, 0, (0, 8)).build(), 0);
    starting.groups.clear();
    assert!(!starting.pass(1).reasons().contains(&"NoSuchGroup"), "the default group comes with its cluster");
    let autoscaler = an_autoscaler().between(0, 8).group(GROUP, 0, (0, 8)).group("demo-more", 0, (0, 8));
    let mut world = World::new(autoscaler.build(), 0);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    assert_eq!(world.pass(1).replicas(GROUP), 8);
    assert!(world.reasons().contains(&"NoSuchGroup"));
}

#[test]
fn of_two_autoscalers_the_younger_does_nothing() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 0);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    world.older = Some("first".to_owned());
    assert_eq!(world.pass(10).replicas(GROUP), 0);
    assert!(world.reasons().contains(&"OlderAutoscaler"));
}

#[test]
fn workers_that_waited_long_for_a_node_have_their_time_to_register() {
    let mut world = World::new(ladder().build(), 0);
    world.groups.clear();
    *world.group("spot") = workers(4, 1);
    *world.group("steady") = workers(0, 1);
    world.group("spot").silent = true;
    world.pass(600);
    world.group("spot").ready_since = Some(world.now);
    world.demand = vec![tasks("queued", 6, 1000.0)];
    world.pass(60);
    assert_eq!((world.replicas("spot"), world.replicas("steady")), (6, 0));
}

#[test]
fn a_suspended_cluster_is_not_scaled_and_goes_on_where_it_was() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 2);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    world.suspended = true;
    assert_eq!(world.pass(600).replicas(GROUP), 2);
    assert_eq!(world.reasons(), ["ClusterSuspended"]);
    world.suspended = false;
    assert_eq!(world.pass(2).replicas(GROUP), 8);
}
