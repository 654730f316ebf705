//! How many workers there are for a scheduler that has loaded nothing of ours, by what Dask itself would have.

use dask_operator_testkit::an_autoscaler;

use super::world::{World, workers};

const GROUP: &str = "demo-default";

#[test]
fn from_none_there_are_workers_for_as_many_threads_as_dask_would_have() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 0);
    assert_eq!(world.by_target(6).pass(1).replicas(GROUP), 3);
    assert!(world.reasons().contains(&"FollowsWork"), "{:?}", world.reasons());
    assert_eq!(world.by_target(50).pass(1).replicas(GROUP), 8);
}

#[test]
fn once_there_are_some_there_are_as_many_as_dask_would_have_and_fewer_only_after_the_window() {
    let mut world = World::new(an_autoscaler().between(0, 8).stabilization(15).build(), 2);
    assert_eq!(world.by_target(5).pass(1).replicas(GROUP), 5);
    assert_eq!(world.by_target(1).pass(15).replicas(GROUP), 5);
    assert_eq!(world.pass(1).replicas(GROUP), 1);
    assert_eq!(world.by_target(0).pass(20).replicas(GROUP), 0);
}

#[test]
fn a_busy_worker_stays_whatever_dask_would_have() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 4);
    world.group(GROUP).busy = 3;
    assert_eq!(world.by_target(0).pass(60).replicas(GROUP), 3);
}

#[test]
fn nobody_knows_what_tasks_need_so_no_worker_that_offers_more_is_made_where_others_can_be() {
    let groups = an_autoscaler().group("demo-gpu", 0, (0, 4)).group(GROUP, 0, (0, 4));
    let mut world = World::new(groups.between(0, 8).build(), 0);
    let mut gpu = workers(0, 2);
    gpu.resources.insert("GPU".to_owned(), 1.0);
    world.groups.insert("demo-gpu".to_owned(), gpu);
    world.by_target(4).pass(1);
    assert_eq!((world.replicas(GROUP), world.replicas("demo-gpu")), (2, 0));
}
