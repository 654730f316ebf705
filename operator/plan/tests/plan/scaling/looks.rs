//! What was noted of a look is enough to decide once more.

use dask_operator_plan::autoscaler::{Course, Look};
use dask_operator_testkit::an_autoscaler;

use super::world::{World, needing, tasks};

/// Every look read again from its text, decided again by its own settings.
fn assert_decided_alike(world: &World) {
    let mut course = Course::default();
    assert!(!world.looks.is_empty());
    for look in &world.looks {
        let text = serde_json::to_string(look).expect("a text");
        let read: Look = serde_json::from_str(&text).expect("a look");
        let decided = read.decide(&read.checked().expect("bounds"), &mut course).expect("a world");
        assert_eq!(decided, look.decided, "{text}");
    }
}

#[test]
fn the_same_is_decided_again_while_work_comes_and_goes() {
    let mut world = World::new(an_autoscaler().between(1, 30).build(), 3);
    world.pass(20);
    world.demand = vec![tasks("queued", 200, 100.0), tasks("next", 50, 500.0)];
    world.pass(5).group("demo-default").busy = 7;
    world.group("demo-default").bytes = 300;
    world.demand.clear();
    world.pass(40);
    world.group("demo-default").replicas = 0;
    world.group("demo-default").going = 700;
    world.pass(2);
    assert!(world.looks.iter().any(|look| look.decided[0].to != look.decided[0].from));
    assert_decided_alike(&world);
}

#[test]
fn the_same_is_decided_again_where_workers_cannot_start() {
    let groups = an_autoscaler().between(0, 20).group("demo-spot", 10, (0, 8)).group("demo-gpu", 0, (1, 6));
    let mut world = World::new(groups.build(), 2);
    world.group("demo-spot").able = 2;
    world.group("demo-spot").troubled_since = world.now;
    world.group("demo-gpu").resources.insert("GPU".to_owned(), 1.0);
    world.demand = vec![tasks("processing", 40, 400.0), needing("GPU", "unrunnable", 9, 90.0)];
    world.pass(90);
    world.group("demo-gpu").refused = Some("exceeded quota".to_owned());
    world.pass(30);
    world.demand.clear();
    world.pass(60);
    assert_decided_alike(&world);
}
