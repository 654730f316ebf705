//! What must hold in every world.

use dask_operator_api::autoscaler::{PolicyType, ScaleDown, ScaleUp, ScalingPolicy, SelectPolicy};
use dask_operator_testkit::an_autoscaler;
use proptest::prelude::*;
use serde_json::Value;

use super::world::{World, needing, tasks, workers};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// In seconds.
const WINDOW: u32 = 5;

fn demands() -> impl Strategy<Value = Vec<Value>> {
    let states = prop::sample::select(vec!["processing", "queued", "unrunnable", "next"]);
    let one = (states, prop::option::of(Just("GPU")), 0u64..2000, 0f64..5000.0);
    let one = one.prop_map(|(state, resource, count, seconds)| match resource {
        Some(resource) => needing(resource, state, count, seconds),
        None => tasks(state, count, seconds),
    });
    prop::collection::vec(one, 0..4)
}

fn policies() -> impl Strategy<Value = Vec<ScalingPolicy>> {
    let types = prop::sample::select(vec![PolicyType::Workers, PolicyType::Percent]);
    let one = (types, 1u32..60, 1u32..3).prop_map(|(type_, value, period_seconds)| ScalingPolicy {
        type_,
        value,
        period_seconds,
    });
    prop::collection::vec(one, 0..3)
}

fn selects() -> impl Strategy<Value = SelectPolicy> {
    prop::sample::select(vec![SelectPolicy::Max, SelectPolicy::Min])
}

prop_compose! {
    /// How fast workers come and go is limited in some of them.
    fn worlds()(world in unpaced(), up in policies(), down in policies(), each in selects()) -> World {
        let mut world = world;
        let spec = &mut world.autoscaler.spec;
        spec.scale_up = Some(ScaleUp { policies: up, select_policy: Some(each) });
        let down_now = spec.scale_down.take().unwrap_or_default();
        spec.scale_down = Some(ScaleDown { policies: down, select_policy: Some(each), ..down_now });
        world
    }
}

prop_compose! {
    fn unpaced()(
        demand in demands(),
        least in 0i64..5,
        more in 0i64..30,
        groups in prop::collection::vec((0u32..3, 0u32..20, -1i32..2, 0usize..10, 1u32..5, any::<bool>()), 1..4),
    ) -> World {
        let minimums: u32 = groups.iter().map(|group| group.0).sum();
        let maximums: u32 = groups.iter().map(|group| group.0 + group.1).sum();
        let least = least.min(maximums.into());
        let mut autoscaler = an_autoscaler().between(least, least + i64::from(minimums) + more).stabilization(WINDOW);
        for (name, (minimum, extent, priority, ..)) in NAMES.iter().zip(&groups) {
            autoscaler = autoscaler.group(name, *priority, (*minimum, minimum + extent));
        }
        let mut world = World::new(autoscaler.build(), 0);
        world.groups.clear();
        for (name, (_, _, _, replicas, threads, has_gpu)) in NAMES.iter().zip(groups) {
            *world.group(name) = workers(replicas, threads);
            if has_gpu {
                world.group(name).resources.insert("GPU".to_owned(), 2.0);
            }
        }
        world.demand = demand;
        world
    }
}

prop_compose! {
    /// Workers with tasks and results, some that do not start, some that crash, some that the API server refuses.
    fn troubled()(
        world in worlds(),
        ails in prop::collection::vec((0usize..10, 0u64..1500, 0usize..12, 0u32..3, 0usize..12), NAMES.len()),
    ) -> World {
        let mut world = world;
        for ((busy, bytes, able, crashes, quota), workers) in ails.into_iter().zip(world.groups.values_mut()) {
            (workers.busy, workers.bytes, workers.able) = (busy, bytes, able);
            (workers.crashes, workers.quota) = (crashes, quota);
        }
        world
    }
}

fn total(world: &World) -> usize {
    world.groups.values().map(|group| group.replicas).sum()
}

/// Looks for many windows: where all that are allowed are there, work moves from one group to another by and by.
fn settled(mut world: World) -> World {
    world.pass(180);
    world
}

proptest! {
    #[test]
    fn groups_keep_within_their_bounds(world in worlds()) {
        let world = settled(world);
        for group in &world.autoscaler.spec.groups {
            let (least, most) = (group.minimum.unwrap_or(0), group.maximum.unwrap_or(0));
            let replicas = world.replicas(&group.name);
            prop_assert!((least as usize..=most as usize).contains(&replicas), "{}: {replicas}", group.name);
        }
    }

    #[test]
    fn no_group_grows_beyond_what_all_may_have(world in worlds()) {
        let mut world = world;
        let most = usize::try_from(world.autoscaler.spec.maximum.unwrap_or(0)).unwrap_or(0);
        for _ in 0..20 {
            let before = total(&world);
            world.pass(1);
            let now = total(&world);
            prop_assert!(now <= before.max(most), "from {before} to {now} of {most}");
        }
    }

    #[test]
    fn more_work_never_means_fewer_workers(world in worlds(), more in 1u32..1000) {
        let mut busier = world.clone();
        busier.demand.push(tasks("queued", more.into(), more.into()));
        let (calm, busy) = (total(&settled(world)), total(&settled(busier)));
        prop_assert!(busy >= calm, "{busy} with more work, {calm} without");
    }

    #[test]
    fn under_constant_work_nothing_changes_any_more(world in worlds()) {
        let mut world = settled(world);
        let before = total(&world);
        let decisions = world.status.last_decisions.clone();
        world.pass(60);
        prop_assert_eq!(before, total(&world));
        prop_assert_eq!(decisions, world.status.last_decisions);
    }

    #[test]
    fn groups_keep_within_their_bounds_whatever_ails_their_workers(mut world in troubled()) {
        for _ in 0..60 {
            let before = NAMES.map(|name| world.replicas(name));
            world.pass(1);
            for group in &world.autoscaler.spec.groups {
                let at = NAMES.iter().position(|name| *name == group.name).expect("its name");
                let (least, most) = (group.minimum.unwrap_or(0) as usize, group.maximum.unwrap_or(0) as usize);
                let (then, now) = (before[at], world.replicas(&group.name));
                prop_assert!(now <= then.max(most), "{}: from {then} to {now} of {most}", group.name);
                prop_assert!(now >= then.min(least), "{}: from {then} to {now} of {least}", group.name);
            }
        }
    }

    #[test]
    fn the_order_in_which_work_is_told_does_not_matter(world in worlds()) {
        let mut other = world.clone();
        other.demand.reverse();
        let replicas = |world: World| NAMES.map(|name| settled(world.clone()).replicas(name));
        prop_assert_eq!(replicas(world), replicas(other));
    }

    #[test]
    fn no_group_grows_or_shrinks_faster_than_its_policies_allow_but_for_its_bounds(
        world in unpaced(),
        value in 1usize..6,
        period in 1usize..6,
    ) {
        let mut world = world;
        let policy = ScalingPolicy {
            type_: PolicyType::Workers,
            value: u32::try_from(value).unwrap_or(0),
            period_seconds: u32::try_from(period).unwrap_or(0),
        };
        world.autoscaler.spec.scale_up = Some(ScaleUp { policies: vec![policy], select_policy: None });
        world.autoscaler.spec.scale_down.get_or_insert_default().policies = vec![policy];
        let bound = |bound: Option<i64>| usize::try_from(bound.unwrap_or(0)).unwrap_or(0);
        let (least, most) = (bound(world.autoscaler.spec.minimum), bound(world.autoscaler.spec.maximum));
        let mut history = vec![NAMES.map(|name| world.replicas(name))];
        for _ in 0..40 {
            world.pass(1);
            history.push(NAMES.map(|name| world.replicas(name)));
            let lately = &history[history.len().saturating_sub(period + 1)..];
            // The bounds of the whole hold for all groups together.
            let totals: Vec<usize> = lately.iter().map(|replicas| replicas.iter().sum()).collect();
            let is_few = totals.iter().any(|total| *total <= least);
            let is_many = totals.iter().any(|total| *total > most);
            for group in &world.autoscaler.spec.groups {
                let at = NAMES.iter().position(|name| *name == group.name).expect("its name");
                let (then, now) = (lately[0][at], world.replicas(&group.name));
                let is_minimum = is_few || now <= bound(group.minimum.map(i64::from));
                prop_assert!(now <= then + value || is_minimum, "{}: from {then} to {now}", group.name);
                let is_maximum = is_many || then > bound(group.maximum.map(i64::from));
                prop_assert!(now + value >= then || is_maximum, "{}: from {then} to {now}", group.name);
            }
        }
    }

    #[test]
    fn no_group_that_grew_shrinks_within_the_window(world in worlds()) {
        let mut world = world;
        let mut grew = [None; NAMES.len()];
        for second in 0..60 {
            let before = NAMES.map(|name| world.replicas(name));
            world.pass(1);
            for (at, name) in NAMES.iter().enumerate() {
                let now = world.replicas(name);
                if now > before[at] {
                    grew[at] = Some(second);
                }
                let is_soon = grew[at].is_some_and(|then| second - then < WINDOW);
                prop_assert!(now >= before[at] || !is_soon, "{name}: from {} to {now}", before[at]);
            }
        }
    }
}
