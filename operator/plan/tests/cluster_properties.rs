//! What must hold of a cluster's plan and status in every world.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use dask_operator_api::DaskCluster;
use dask_operator_api::cluster::Phase;
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
    let hash = prop_oneof![Just(None), Just(Some("old".to_owned()))];
    prop::option::of((ownership(), hash).prop_map(|(ownership, hash)| Child {
        ownership,
        hash,
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
        },
    ))
}

fn worlds() -> impl Strategy<Value = Observed> {
    let service = (child(), any::<bool>());
    let pods = prop::collection::vec((any::<bool>(), any::<bool>(), any::<bool>()), 0..3);
    (child(), service, child(), group(), pods).prop_map(
        |(deployment, (service, awaits), config, group, pods)| Observed {
            deployment,
            service: service.map(|child| Service { child, awaits_address: awaits }),
            config,
            group,
            scheduler_pods: pods.into_iter().map(pod).collect(),
            replica_failure: None,
        },
    )
}

fn pod((ready, terminating, ended): (bool, bool, bool)) -> SchedulerPod {
    SchedulerPod { ready: ready && !ended, terminating, ended, ..SchedulerPod::default() }
}

fn the_cluster(workers: i32) -> DaskCluster {
    a_cluster().workers(workers).config(json!({"a": 1})).build()
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

/// The world after the plan: what was created exists, what was patched bears its notes.
fn applied(mut world: Observed, plan: &Plan) -> Observed {
    for apply in &plan.apply {
        let (kind, object) = match apply {
            Apply::Create(create) => (create.kind, &create.object),
            Apply::Patch(patch) => (patch.kind, &patch.body),
        };
        let child = Child { hash: noted(&object["metadata"], "dask.org/template-hash"), ..Child::default() };
        match kind {
            Kind::Deployment => world.deployment = Some(child),
            Kind::Service => world.service = Some(Service { child, ..Service::default() }),
            Kind::ConfigMap => world.config = Some(child),
            _ => world.group = Some(group_after(world.group.take(), object)),
        }
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
    fn an_applied_plan_leaves_nothing_to_write(workers in 0i32..5, world in worlds()) {
        let cluster = the_cluster(workers);
        let after = applied(world.clone(), &plan(&cluster, &world));
        let again = plan(&cluster, &after);
        prop_assert!(again.is_empty(), "{again:?}");
    }

    #[test]
    fn only_what_is_ours_is_ever_changed(workers in 0i32..5, world in worlds()) {
        for apply in plan(&the_cluster(workers), &world).apply {
            let Apply::Patch(patch) = apply else { continue };
            let child = match patch.kind {
                Kind::ConfigMap => world.config.as_ref(),
                _ => world.group.as_ref().map(|group| &group.child),
            };
            prop_assert_eq!(child.map(|child| child.ownership), Some(Ownership::Ours));
        }
    }

    #[test]
    fn every_object_that_is_made_belongs_to_its_cluster(workers in 0i32..5, world in worlds()) {
        for apply in plan(&the_cluster(workers), &world).apply {
            let Apply::Create(create) = apply else { continue };
            prop_assert_eq!(&create.object["metadata"]["ownerReferences"][0]["uid"], "cluster-uid");
        }
    }

    #[test]
    fn ready_is_never_said_of_a_cluster_without_a_ready_scheduler(workers in 0i32..5, world in worlds()) {
        let checked = cluster::check(&the_cluster(workers)).unwrap();
        let status = cluster::status(&checked, &world, &Outcome::default(), Timestamp::UNIX_EPOCH);
        let is = |type_: &str| status.conditions.iter().any(|one| one.type_ == type_ && one.status == "True");
        let live = world.scheduler_pods.iter().any(|pod| pod.ready && !pod.terminating);
        prop_assert!(!is("Ready") || (is("SchedulerReady") && live && !is("NameTaken")));
    }

    #[test]
    fn the_phase_stays_running_in_every_world(workers in 0i32..5, world in worlds()) {
        let mut cluster = the_cluster(workers);
        let status = |cluster: &DaskCluster, world: &Observed| {
            cluster::status(&cluster::check(cluster).unwrap(), world, &Outcome::default(), Timestamp::UNIX_EPOCH)
        };
        cluster.status = Some(status(&cluster, &Observed { service: Some(Service::default()), ..Observed::default() }));
        prop_assert_eq!(status(&cluster, &world).phase, Some(Phase::Running));
    }
}
