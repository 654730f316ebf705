//! How fast workers come and go, where policies say.

use dask_operator_api::autoscaler::{PolicyType, ScalingPolicy, SelectPolicy};
use dask_operator_plan::autoscaler::Course;
use dask_operator_testkit::an_autoscaler;
use jiff::SignedDuration;

use super::world::{World, needing, tasks, workers};

const GROUP: &str = "demo-default";

fn policy(type_: PolicyType, value: u32, period_seconds: u32) -> ScalingPolicy {
    ScalingPolicy { type_, value, period_seconds }
}

/// So many workers within a minute.
fn a_minute(value: u32) -> [ScalingPolicy; 1] {
    [policy(PolicyType::Workers, value, 60)]
}

/// The reason and the words of what keeps the number of workers from what the work asks for.
fn limited(world: &World) -> Option<(&str, &str)> {
    let told = world.status.conditions.iter().find(|one| one.type_ == "ScalingLimited")?;
    Some((&told.reason, &told.message))
}

#[test]
fn workers_come_as_many_at_a_time_as_the_policy_says_and_it_is_told() {
    let mut world =
        World::new(an_autoscaler().between(0, 50).grows_by(&a_minute(4), SelectPolicy::Max).build(), 0);
    world.demand = vec![tasks("queued", 20, 1000.0)];
    world.pass(1);
    assert_eq!((world.replicas(GROUP), world.status.last_decisions[0].reason.as_str()), (4, "ScaleUpLimit"));
    let words = "more workers of \"demo-default\" are needed than `scaleUp` allows yet";
    assert_eq!(limited(&world), Some(("ScaleUpLimit", words)));
    world.pass(59);
    assert_eq!(world.replicas(GROUP), 4);
    world.pass(1);
    assert_eq!(world.replicas(GROUP), 8);
    world.pass(60);
    assert_eq!((world.replicas(GROUP), world.status.last_decisions[0].reason.as_str()), (10, "Work"));
    assert_eq!((limited(&world), world.status.last_decisions.len()), (None, 3));
}

#[test]
fn the_next_look_is_when_the_period_frees_room() {
    let mut world =
        World::new(an_autoscaler().between(0, 50).grows_by(&a_minute(4), SelectPolicy::Max).build(), 0);
    world.demand = vec![tasks("queued", 20, 1000.0)];
    world.pass(50);
    assert_eq!(world.look().wake, Some(world.now + SignedDuration::from_secs(10)));
}

#[test]
fn workers_leave_as_many_at_a_time_as_the_policy_says_and_it_is_told() {
    let half = [policy(PolicyType::Percent, 50, 60)];
    let autoscaler = an_autoscaler().between(1, 50).stabilization(15).shrinks_by(&half, SelectPolicy::Max);
    let mut world = World::new(autoscaler.build(), 9);
    assert_eq!(world.pass(16).replicas(GROUP), 4);
    assert_eq!(world.status.last_decisions[0].reason, "ScaleDownLimit");
    let words = "fewer workers of \"demo-default\" are enough, and `scaleDown` lets no more go yet";
    assert_eq!(limited(&world), Some(("ScaleDownLimit", words)));
    assert_eq!(world.pass(59).replicas(GROUP), 4);
    assert_eq!(world.pass(1).replicas(GROUP), 2);
    assert_eq!(world.pass(60).replicas(GROUP), 1);
    assert_eq!((limited(&world), world.reasons()), (None, vec!["FollowsWork"]));
}

#[test]
fn the_smallest_change_may_hold_and_none_at_all() {
    let both = [policy(PolicyType::Workers, 4, 60), policy(PolicyType::Percent, 100, 60)];
    for (select, replicas) in [(SelectPolicy::Max, 12), (SelectPolicy::Min, 8), (SelectPolicy::Disabled, 2)] {
        let mut world = World::new(an_autoscaler().between(0, 50).grows_by(&both, select).build(), 2);
        world.demand = vec![tasks("queued", 40, 1000.0)];
        world.pass(61);
        assert_eq!(world.replicas(GROUP), replicas, "{select:?}");
    }
}

#[test]
fn a_minimum_comes_at_once_whatever_policies_say() {
    let slow = || an_autoscaler().grows_by(&a_minute(1), SelectPolicy::Max);
    let mut world = World::new(slow().between(6, 50).build(), 0);
    world.look();
    assert_eq!(world.replicas(GROUP), 6);
    let mut world = World::new(slow().between(0, 50).group(GROUP, 0, (3, 9)).build(), 0);
    world.look();
    assert_eq!(world.replicas(GROUP), 3);
    let disabled = an_autoscaler().between(4, 50).grows_by(&[], SelectPolicy::Disabled).build();
    let mut world = World::new(disabled, 0);
    world.demand = vec![tasks("queued", 40, 1000.0)];
    assert_eq!(world.pass(200).replicas(GROUP), 4);
}

#[test]
fn the_minimum_of_the_whole_comes_at_once_although_a_group_is_held_back() {
    let autoscaler = an_autoscaler().between(3, 50).grows_by(&a_minute(1), SelectPolicy::Max);
    let mut world = World::new(autoscaler.group(GROUP, 0, (0, 9)).group("gpu", 0, (0, 9)).build(), 0);
    *world.group("gpu") = workers(0, 1);
    world.group("gpu").resources.insert("GPU".to_owned(), 1.0);
    world.demand = vec![needing("GPU", "unrunnable", 9, 900.0)];
    world.look();
    assert_eq!((world.replicas(GROUP), world.replicas("gpu")), (0, 3));
}

#[test]
fn what_is_more_than_the_maximum_goes_at_once_whatever_policies_say() {
    let slow = an_autoscaler().shrinks_by(&a_minute(1), SelectPolicy::Max);
    let mut world = World::new(slow.between(0, 4).group(GROUP, 0, (0, 4)).build(), 9);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    world.look();
    assert_eq!(world.replicas(GROUP), 4);
    let slow = an_autoscaler().stabilization(0).shrinks_by(&a_minute(1), SelectPolicy::Max);
    let groups = slow.between(0, 4).group("a", 0, (0, 9)).group("b", 0, (0, 9));
    let mut world = World::new(groups.build(), 0);
    world.groups.clear();
    *world.group("a") = workers(5, 1);
    *world.group("b") = workers(5, 1);
    assert_eq!(world.pass(2).replicas("a") + world.replicas("b"), 4);
}

#[test]
fn a_new_replica_knows_of_no_changes_so_the_period_begins_anew() {
    let mut world =
        World::new(an_autoscaler().between(0, 50).grows_by(&a_minute(4), SelectPolicy::Max).build(), 0);
    world.demand = vec![tasks("queued", 40, 1000.0)];
    assert_eq!(world.pass(30).replicas(GROUP), 4);
    world.course = Course::default();
    assert_eq!(world.pass(59).replicas(GROUP), 8);
}
