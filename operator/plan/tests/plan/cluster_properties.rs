//! What must hold of a cluster's plan and status in every world.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use dask_operator_api::DaskCluster;
use dask_operator_api::cluster::{DisruptionProtection, Phase};
use dask_operator_plan::cluster::{self, Child, DefaultGroup, Observed, Ownership, SchedulerPod, Service};
use dask_operator_plan::{Apply, Kind, Outcome, Plan, Settings};
use dask_operator_testkit::a_cluster;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

fn ownership() -> impl Strategy<Value = Ownership> {
    prop_oneof![3 => Just(Ownership::Ours), 1 => Just(Ownership::Predecessor), 1 => Just(Ownership::Foreign)]
}

fn child() -> impl Strategy<Value = Option<Child>> {
    let note = || prop_oneof![Just(None), Just(Some("old".to_owned()))];
    prop::option::of((ownership(), note(), note()).prop_map(|(ownership, hash, restarted)| Child {
        ownership,
        hash,
        restarted,
        ..Child::default()
    }))
}

fn group() -> impl Strategy<Value = Option<DefaultGroup>> {
    let counts = (0i64..5, 0i64..5, prop::option::of(0i64..5));
    prop::option::of((child(), counts, any::<bool>()).prop_map(
        |(child, (replicas, ready, pushed), current)| DefaultGroup {
            child: child.unwrap_or_default(),
            pushed_replicas: pushed,
            worker: json!({"replicas": replicas}),
            replicas,
            ready_replicas: ready,
            status_is_current: current,
            roll: None,
        },
    ))
}

fn worlds() -> impl Strategy<Value = Observed> {
    let service = (child(), any::<bool>());
    let pods = prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 0..3);
    (child(), service, child(), group(), pods, (child(), any::<bool>())).prop_map(
        |(deployment, (service, awaits), config, group, pods, (budget, has_workers))| Observed {
            deployment,
            service: service.map(|child| Service { child, awaits_address: awaits }),
            config,
            group,
            scheduler_pods: pods.into_iter().map(pod).collect(),
            budget,
            has_workers,
            ..Observed::default()
        },
    )
}

fn pod((ready, terminating, ended): (bool, bool, bool)) -> SchedulerPod {
    SchedulerPod { ready: ready && !ended, terminating, ended, ..SchedulerPod::default() }
}

fn clusters() -> impl Strategy<Value = DaskCluster> {
    use DisruptionProtection::{Always, None as Never, WhileBusy};
    let protection = prop_oneof![Just(Never), Just(WhileBusy), Just(Always)];
    let restart = prop_oneof![Just(None), Just(Some("old")), Just(Some("new"))];
    (0i32..5, protection, restart).prop_map(|(workers, protection, restart)| {
        let cluster = a_cluster().workers(workers).config(json!({"a": 1})).protected(protection);
        match restart {
            Some(value) => cluster.annotation("dask.org/restart-scheduler", value).build(),
            None => cluster.build(),
        }
    })
}

fn plan(cluster: &DaskCluster, observed: &Observed) -> Plan {
    let settings = Settings {
        cluster_domain: "cluster.local".to_owned(),
        default_image: "dask".to_owned(),
        worker_batch: None,
    };
    cluster::plan(&cluster::check(cluster).unwrap(), observed, &settings, Timestamp::UNIX_EPOCH)
}

fn noted(metadata: &Value, note: &str) -> Option<String> {
    metadata["annotations"][note].as_str().map(str::to_owned)
}

fn child_of(world: &Observed, kind: Kind) -> Option<&Child> {
    match kind {
        Kind::ConfigMap => world.config.as_ref(),
        Kind::Deployment => world.deployment.as_ref(),
        Kind::PodDisruptionBudget => world.budget.as_ref(),
        Kind::Service => world.service.as_ref().map(|service| &service.child),
        _ => world.group.as_ref().map(|group| &group.child),
    }
}

/// The world after the plan: what was created exists, what was patched bears its notes.
fn applied(mut world: Observed, plan: &Plan) -> Observed {
    for apply in &plan.apply {
        let (kind, object) = match apply {
            Apply::Create(create) => (create.kind, &create.object),
            Apply::Patch(patch) => (patch.kind, &patch.body),
        };
        let child = Child {
            hash: noted(&object["metadata"], "dask.org/template-hash"),
            restarted: noted(&object["metadata"], "dask.org/restart-scheduler"),
            ..Child::default()
        };
        match kind {
            Kind::Deployment => world.deployment = Some(child),
            Kind::Service => world.service = Some(Service { child, ..Service::default() }),
            Kind::ConfigMap => world.config = Some(child),
            Kind::PodDisruptionBudget => world.budget = Some(child),
            _ => world.group = Some(group_after(world.group.take(), object)),
        }
    }
    if !plan.delete.is_empty() {
        world.budget = None;
    }
    world
}

fn group_after(before: Option<DefaultGroup>, object: &Value) -> DefaultGroup {
    let mut group = before.unwrap_or_default();
    group.child.hash = noted(&object["metadata"], "dask.org/pushed-worker");
    group.pushed_replicas =
        noted(&object["metadata"], "dask.org/pushed-replicas").and_then(|text| text.parse().ok());
    for (field, value) in object["spec"]["worker"].as_object().into_iter().flatten() {
        group.worker[field.as_str()] = value.clone();
    }
    group
}

proptest! {
    #[test]
    fn an_applied_plan_leaves_nothing_to_write(cluster in clusters(), world in worlds()) {
        let after = applied(world.clone(), &plan(&cluster, &world));
        let again = plan(&cluster, &after);
        prop_assert!(again.is_empty(), "{again:?}");
    }

    #[test]
    fn only_what_is_ours_is_ever_changed(cluster in clusters(), world in worlds()) {
        let plan = plan(&cluster, &world);
        let patched = plan.apply.iter().filter_map(|apply| match apply {
            Apply::Patch(patch) => Some(patch.kind),
            Apply::Create(_) => None,
        });
        for kind in patched.chain(plan.delete.iter().map(|delete| delete.kind)) {
            let child = child_of(&world, kind);
            prop_assert_eq!(child.map(|child| child.ownership), Some(Ownership::Ours));
        }
    }

    #[test]
    fn a_scheduler_that_exists_is_changed_only_by_a_restart_that_it_does_not_bear_the_note_of(
        cluster in clusters(), world in worlds()
    ) {
        let touched = plan(&cluster, &world).apply.iter().any(|apply| match apply {
            Apply::Patch(patch) => matches!(patch.kind, Kind::Deployment | Kind::Service),
            Apply::Create(_) => false,
        });
        let asked = cluster.metadata.annotations.as_ref().and_then(|all| all.values().next());
        let children = [Kind::Deployment, Kind::Service].map(|kind| child_of(&world, kind));
        let noted = |child: &Child| child.ownership != Ownership::Ours || child.restarted.as_ref() == asked;
        let due = asked.is_some() && !children.into_iter().flatten().all(noted);
        prop_assert_eq!(touched, due);
    }

    #[test]
    fn a_budget_is_there_exactly_while_it_is_asked_for(cluster in clusters(), world in worlds()) {
        let after = applied(world.clone(), &plan(&cluster, &world)).budget;
        let wanted = match cluster.spec.disruption_protection {
            Some(DisruptionProtection::Always) => true,
            Some(DisruptionProtection::WhileBusy) => world.has_workers,
            Some(DisruptionProtection::None) | None => false,
        };
        let foreign = world.budget.is_some_and(|child| child.ownership != Ownership::Ours);
        prop_assert_eq!(after.is_some(), wanted || foreign);
    }

    #[test]
    fn every_object_that_is_made_belongs_to_its_cluster(cluster in clusters(), world in worlds()) {
        for apply in plan(&cluster, &world).apply {
            let Apply::Create(create) = apply else { continue };
            prop_assert_eq!(&create.object["metadata"]["ownerReferences"][0]["uid"], "cluster-uid");
        }
    }

    #[test]
    fn ready_is_never_said_of_a_cluster_without_a_ready_scheduler(cluster in clusters(), world in worlds()) {
        let checked = cluster::check(&cluster).unwrap();
        let status = cluster::status(&checked, &world, &Outcome::default(), Timestamp::UNIX_EPOCH);
        let is = |type_: &str| status.conditions.iter().any(|one| one.type_ == type_ && one.status == "True");
        let live = world.scheduler_pods.iter().any(|pod| pod.ready && !pod.terminating);
        prop_assert!(!is("Ready") || (is("SchedulerReady") && live && !is("NameTaken")));
    }

    #[test]
    fn the_phase_stays_running_in_every_world(cluster in clusters(), world in worlds()) {
        let mut cluster = cluster;
        let status = |cluster: &DaskCluster, world: &Observed| {
            cluster::status(&cluster::check(cluster).unwrap(), world, &Outcome::default(), Timestamp::UNIX_EPOCH)
        };
        cluster.status = Some(status(&cluster, &Observed { service: Some(Service::default()), ..Observed::default() }));
        prop_assert_eq!(status(&cluster, &world).phase, Some(Phase::Running));
    }
}
