//! How many workers there are for which work.

use dask_operator_plan::Kind;
use dask_operator_testkit::{AutoscalerBuilder, an_autoscaler};
use serde_json::json;

use super::world::{World, needing, tasks, workers};

const GROUP: &str = "demo-default";

#[test]
fn workers_come_for_the_threads_that_the_work_needs() {
    // 100 tasks of half a second each are done in 5 seconds by 10 threads, which 5 workers have.
    for present in [0, 1, 3] {
        let mut world = World::new(an_autoscaler().between(0, 50).build(), present);
        world.demand = vec![tasks("queued", 100, 50.0)];
        world.look();
        assert_eq!(world.replicas(GROUP), 5, "from {present} workers");
    }
}

#[test]
fn what_the_work_asks_for_is_known_beside_what_it_gets() {
    let groups = an_autoscaler().between(0, 8).group(GROUP, 1, (0, 5)).group("more", 0, (1, 5));
    let mut world = World::new(groups.build(), 0);
    *world.group("more") = workers(0, 2);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    let decisions = world.scaling().decisions;
    let numbers: Vec<_> = decisions.iter().map(|one| (one.wanted, one.to)).collect();
    assert_eq!(numbers, [(50, 5), (0, 3)]);
}

#[test]
fn a_number_is_written_for_as_long_as_the_autoscaler_is_there() {
    let mut world = World::new(an_autoscaler().between(0, 50).build(), 0);
    world.demand = vec![tasks("queued", 100, 50.0)];
    let plan = world.look();
    let premises: Vec<_> = plan.premises.iter().map(|one| (one.kind, &*one.name)).collect();
    // It joins the cluster in the same look.
    assert_eq!(premises, [(Kind::DaskCluster, "demo"), (Kind::DaskAutoscaler, "demo")]);
    world.pass(1);
    world.demand.clear();
    assert_eq!(world.look().premises.len(), 1, "no number is written");
}

#[test]
fn few_long_tasks_ask_for_few_workers() {
    let mut world = World::new(an_autoscaler().between(0, 50).build(), 0);
    world.demand = vec![tasks("processing", 3, 10_000.0)];
    world.look();
    assert_eq!(world.replicas(GROUP), 2);
}

#[test]
fn what_can_run_when_the_present_tasks_have_ended_has_its_workers_in_time() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 1);
    world.demand = vec![json!({"tasks": {
        "processing": {"count": 1, "seconds": 1.0},
        "next": {"count": 500, "seconds": 250.0},
        "waiting": {"count": 500, "seconds": 250.0},
    }})];
    world.look();
    assert_eq!(world.replicas(GROUP), 8);
    // Of a chain only one task can run after the other.
    world.demand = vec![json!({"tasks": {
        "processing": {"count": 1, "seconds": 1.0},
        "next": {"count": 1, "seconds": 1.0},
        "waiting": {"count": 500, "seconds": 500.0},
    }})];
    assert_eq!(world.pass(20).replicas(GROUP), 1);
}

#[test]
fn workers_leave_when_fewer_were_enough_for_the_whole_window() {
    let mut world = World::new(an_autoscaler().between(0, 8).stabilization(15).build(), 4);
    assert_eq!(world.pass(15).replicas(GROUP), 4);
    assert_eq!(world.pass(1).replicas(GROUP), 0);
    assert_eq!(world.status.last_decisions[0].reason, "Idle");
}

#[test]
fn a_pause_shorter_than_the_window_costs_no_worker() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 0);
    for _ in 0..10 {
        world.demand = vec![tasks("queued", 100, 100.0)];
        world.pass(3);
        world.demand = Vec::new();
        world.pass(12);
        assert_eq!(world.replicas(GROUP), 8);
    }
}

#[test]
fn a_busy_worker_stays_however_short_its_tasks_are_said_to_be() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 6);
    world.demand = vec![tasks("processing", 4, 0.4)];
    world.group(GROUP).busy = 4;
    assert_eq!(world.pass(60).replicas(GROUP), 4);
}

#[test]
fn results_in_memory_have_workers_to_hold_them() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 1);
    // Three quarters of its memory: beyond 60 % it would write to disk.
    world.group(GROUP).bytes = 750;
    world.look();
    assert_eq!(world.replicas(GROUP), 2);
    world.group(GROUP).bytes = 1;
    assert_eq!(world.pass(60).replicas(GROUP), 1, "the last worker has a result");
    world.group(GROUP).bytes = 0;
    assert_eq!(world.pass(60).replicas(GROUP), 0);
}

#[test]
fn what_only_a_worker_on_its_way_out_holds_is_given_a_place() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 0);
    world.group(GROUP).going = 500;
    assert_eq!(world.pass(1).replicas(GROUP), 1);
    assert_eq!(world.status.last_decisions[0].reason, "Memory");
    world.group(GROUP).going = 0;
    assert_eq!(world.pass(60).replicas(GROUP), 0);
}

#[test]
fn what_is_copied_away_from_a_worker_that_leaves_does_not_count_twice() {
    let mut world = World::new(an_autoscaler().between(0, 8).build(), 5);
    // Four workers hold 2300 bytes below 60 % of their memory; so the fifth hands over its part, and for a moment
    // both have it.
    world.group(GROUP).bytes = 460;
    assert_eq!(world.pass(16).replicas(GROUP), 4);
    world.group(GROUP).replicas = 5;
    world.group(GROUP).cordoned = 1;
    world.group(GROUP).bytes = 575;
    assert_eq!(world.scaling().decisions[0].to, 4);
}

#[test]
fn tasks_that_need_a_resource_grow_only_the_group_that_offers_it() {
    for gpus in [0, 1] {
        let autoscaler = an_autoscaler().between(0, 50).group(GROUP, 0, (1, 10)).group("gpu", 0, (0, 10));
        let mut world = World::new(autoscaler.build(), 4);
        *world.group("gpu") = workers(gpus, 4);
        world.group("gpu").resources.insert("GPU".to_owned(), 1.0);
        world.demand = vec![needing("GPU", if gpus > 0 { "processing" } else { "unrunnable" }, 31, 15.5)];
        assert_eq!(
            world.pass(20).replicas("gpu"),
            4,
            "31 tasks of half a second, one for each GPU at a time"
        );
        assert_eq!(world.replicas(GROUP), 1, "an idle group shrinks to its minimum");
    }
}

#[test]
fn what_runs_beside_tasks_that_need_a_resource_uses_the_other_threads() {
    let autoscaler = an_autoscaler().between(0, 50).group(GROUP, 0, (0, 10)).group("gpu", 0, (0, 10));
    let mut world = World::new(autoscaler.build(), 0);
    *world.group("gpu") = workers(2, 4);
    world.group("gpu").resources.insert("GPU".to_owned(), 1.0);
    world.demand = vec![needing("GPU", "processing", 2, 1000.0), tasks("queued", 8, 1000.0)];
    world.look();
    assert_eq!((world.replicas("gpu"), world.replicas(GROUP)), (2, 1), "6 threads there, and 2 here");
}

#[test]
fn work_that_needs_nothing_makes_no_workers_that_offer_something() {
    let autoscaler = an_autoscaler().between(0, 50).group("gpu", 0, (0, 10)).group(GROUP, 0, (0, 2));
    let mut world = World::new(autoscaler.build(), 0);
    *world.group("gpu") = workers(1, 4);
    world.group("gpu").resources.insert("GPU".to_owned(), 1.0);
    world.demand = vec![tasks("queued", 100, 1000.0)];
    world.look();
    assert_eq!((world.replicas("gpu"), world.replicas(GROUP)), (1, 2), "one that is there takes its part");
}

#[test]
fn what_is_left_over_in_each_process_is_no_room_for_another_task() {
    let mut world = World::new(an_autoscaler().between(0, 50).build(), 0);
    *world.group(GROUP) = workers(0, 8);
    world.group(GROUP).resources.insert("MEM".to_owned(), 3.0);
    let mut demand = tasks("queued", 4, 1000.0);
    demand["resources"] = json!({"MEM": 2.0});
    world.demand = vec![demand];
    world.look();
    assert_eq!(world.replicas(GROUP), 4);
}

#[test]
fn workers_of_a_group_that_somebody_else_scales_take_their_part() {
    let mut world = World::new(an_autoscaler().between(0, 50).group(GROUP, 0, (0, 10)).build(), 0);
    *world.group("theirs") = workers(2, 2);
    world.demand = vec![tasks("queued", 8, 1000.0)];
    world.look();
    assert_eq!((world.replicas("theirs"), world.replicas(GROUP)), (2, 2));
}

#[test]
fn all_groups_together_keep_within_the_bounds_of_the_whole() {
    let groups = an_autoscaler().between(3, 6).group("a", 0, (0, 5)).group("b", 0, (1, 5));
    let mut world = World::new(groups.build(), 0);
    world.groups.clear();
    *world.group("a") = workers(0, 1);
    *world.group("b") = workers(0, 1);
    world.look();
    assert_eq!((world.replicas("a"), world.replicas("b")), (2, 1));
    assert_eq!(world.status.last_decisions[0].reason, "Minimum");
    world.demand = vec![tasks("queued", 8, 1000.0)];
    world.look();
    assert_eq!((world.replicas("a"), world.replicas("b")), (4, 2), "both do without");
    assert!(world.pass(1).reasons().contains(&"AtMaximum"));
}

#[test]
fn equal_groups_do_without_in_proportion_wherever_they_stand() {
    let replicas = |[one, other]: [&str; 2]| {
        let groups = an_autoscaler().between(0, 6).group(one, 0, (0, 9)).group(other, 0, (0, 9));
        let mut world = World::new(groups.build(), 0);
        world.groups.clear();
        for (name, resource) in [("gpu", "GPU"), ("large", "MEM")] {
            *world.group(name) = workers(0, 1);
            world.group(name).resources.insert(resource.to_owned(), 1.0);
        }
        world.demand = vec![needing("GPU", "unrunnable", 6, 600.0), needing("MEM", "unrunnable", 3, 300.0)];
        world.pass(2);
        (world.replicas("gpu"), world.replicas("large"))
    };
    assert_eq!((replicas(["gpu", "large"]), replicas(["large", "gpu"])), ((4, 2), (4, 2)));
}

#[test]
fn equal_groups_come_to_their_parts_however_many_of_one_are_there() {
    let groups = an_autoscaler().between(0, 6).group("gpu", 0, (0, 9)).group("large", 0, (0, 9));
    let mut world = World::new(groups.build(), 0);
    world.groups.clear();
    for (name, resource, replicas) in [("gpu", "GPU", 0), ("large", "MEM", 6)] {
        *world.group(name) = workers(replicas, 1);
        world.group(name).resources.insert(resource.to_owned(), 1.0);
    }
    world.demand = vec![needing("GPU", "unrunnable", 9, 900.0), needing("MEM", "queued", 9, 900.0)];
    world.pass(60);
    assert_eq!((world.replicas("gpu"), world.replicas("large")), (3, 3));
}

#[test]
fn advice_is_given_once_and_not_followed() {
    let mut world = World::new(an_autoscaler().between(0, 50).advisory().build(), 1);
    world.demand = vec![tasks("queued", 100, 50.0)];
    assert_eq!(world.pass(20).replicas(GROUP), 1);
    let told: Vec<_> = world.status.last_decisions.iter().map(|told| (told.from, told.to)).collect();
    assert_eq!((told, world.reasons()), (vec![(1, 5)], vec!["Advises"]));
}

#[test]
fn only_the_last_ten_decisions_are_told() {
    let mut world = World::new(an_autoscaler().between(0, 50).build(), 0);
    for count in 1..=12 {
        world.demand = vec![tasks("queued", 2 * count, 1000.0)];
        world.pass(1);
    }
    let told: Vec<_> = world.status.last_decisions.iter().map(|told| told.to).collect();
    assert_eq!(told, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
}

/// The UIDs of the owners that it is given, if any are.
fn adopted(autoscaler: AutoscalerBuilder) -> Option<Vec<String>> {
    let plan = World::new(autoscaler.build(), 0).look();
    let mut patches = plan.apply.iter().filter_map(|apply| apply.patch());
    let patch = patches.find(|patch| patch.kind == Kind::DaskAutoscaler)?;
    let owners = patch.body["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    Some(owners.iter().filter_map(|owner| owner["uid"].as_str().map(str::to_owned)).collect())
}

#[test]
fn an_autoscaler_goes_with_its_cluster_and_what_somebody_else_controls_is_left_to_them() {
    assert_eq!(adopted(an_autoscaler()), Some(vec!["cluster-uid".to_owned()]));
    assert_eq!(adopted(an_autoscaler().controlled_by("DaskCluster", "demo", "cluster-uid")), None);
    assert_eq!(adopted(an_autoscaler().controlled_by("Application", "theirs", "another")), None);
    let moved = an_autoscaler().controlled_by("DaskCluster", "named-before", "another");
    assert_eq!(adopted(moved), Some(vec!["beside".to_owned(), "cluster-uid".to_owned()]));
}

#[test]
fn people_are_told_what_changes_and_nothing_when_nothing_does() {
    let mut world = World::new(an_autoscaler().between(0, 8).stabilization(5).build(), 0);
    world.demand = vec![tasks("queued", 8, 1000.0)];
    world.pass(600);
    world.demand.clear();
    world.pass(600);
    let told: Vec<_> =
        world.events.iter().map(|event| (event.reason.as_str(), event.note.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                "Scaled",
                "demo-default: from 0 to 4 workers (Work: tasks that can run, or soon can, need so many)"
            ),
            (
                "Scaled",
                "demo-default: from 4 to 0 workers (Idle: fewer have been enough for the whole stabilization window)"
            ),
        ]
    );
}

#[test]
fn advice_is_told_once_although_nobody_follows_it() {
    let mut world = World::new(an_autoscaler().between(0, 8).advisory().build(), 0);
    world.demand = vec![tasks("queued", 8, 1000.0)];
    world.pass(600);
    let told: Vec<_> = world.events.iter().map(|event| event.reason.as_str()).collect();
    assert_eq!((told, world.replicas("demo-default")), (vec!["Advised"], 0));
}
