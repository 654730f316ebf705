//! A scheduler that is not what its spec says by now: told, and restarted exactly once when somebody asks.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use dask_operator_api::DaskCluster;
use dask_operator_api::cluster::DaskClusterStatus;
use dask_operator_plan::cluster::{self, Child, Observed, Ownership, Service};
use dask_operator_plan::{Apply, Kind, Outcome, Plan, Premise, Settings};
use dask_operator_testkit::{ClusterBuilder, a_cluster};
use jiff::Timestamp;
use serde_json::{Value, json};

const RESTART: &str = "dask.org/restart-scheduler";
const HASH: &str = "dask.org/template-hash";

fn plan(cluster: &DaskCluster, observed: &Observed) -> Plan {
    let settings = Settings {
        cluster_domain: "cluster.local".to_owned(),
        default_image: "dask".to_owned(),
        worker_batch: None,
    };
    cluster::plan(&cluster::check(cluster).unwrap(), observed, &settings, Timestamp::UNIX_EPOCH)
}

fn status(cluster: &DaskCluster, observed: &Observed) -> DaskClusterStatus {
    let checked = cluster::check(cluster).unwrap();
    cluster::status(&checked, observed, &Outcome::default(), Timestamp::UNIX_EPOCH)
}

/// The message of `SchedulerOutdated`.
fn outdated(cluster: &DaskCluster, observed: &Observed) -> Option<String> {
    let conditions = status(cluster, observed).conditions;
    let told = conditions.into_iter().find(|condition| condition.type_ == "SchedulerOutdated");
    told.map(|condition| condition.message)
}

/// Every write to the Deployment and the Service.
fn writes(cluster: &DaskCluster, observed: &Observed) -> Vec<(Kind, Value)> {
    let writes = plan(cluster, observed).apply.into_iter().map(|apply| match apply {
        Apply::Create(create) => (create.kind, create.object),
        Apply::Patch(patch) => (patch.kind, patch.body),
    });
    writes.filter(|(kind, _)| matches!(kind, Kind::Deployment | Kind::Service)).collect()
}

/// What is known of the scheduler after these writes.
fn written(mut world: Observed, writes: Vec<(Kind, Value)>) -> Observed {
    for (kind, object) in writes {
        let note = |key: &str| object["metadata"]["annotations"][key].as_str().map(str::to_owned);
        let child = Child { hash: note(HASH), restarted: note(RESTART), ..Child::default() };
        match kind {
            Kind::Service => world.service = Some(Service { child, ..Service::default() }),
            _ => world.deployment = Some(child),
        }
    }
    world
}

/// The world that `cluster` made.
fn made(cluster: &DaskCluster) -> Observed {
    written(Observed::default(), writes(cluster, &Observed::default()))
}

fn with_image(image: &str) -> ClusterBuilder {
    a_cluster().scheduler_pod(json!({"containers": [{"name": "scheduler", "image": image}]}))
}

#[test]
fn a_restart_rests_on_the_cluster_as_it_was_looked_at() {
    let world = made(&with_image("a").build());
    let mut cluster = with_image("b").annotation(RESTART, "1").build();
    cluster.metadata.resource_version = Some("7".to_owned());
    let uid = cluster.metadata.uid.clone().unwrap();
    let (kind, name, version) = (Kind::DaskCluster, "demo".to_owned(), Some("7".to_owned()));
    assert_eq!(plan(&cluster, &world).premises, [Premise { kind, name, uid, version }]);
    assert_eq!(plan(&with_image("a").build(), &world).premises, []);
    assert_eq!(
        plan(&with_image("a").build(), &Observed::default()).premises,
        [],
        "nothing ends by what is made"
    );
}

#[test]
fn a_changed_scheduler_is_told_and_left_alone() {
    let world = made(&with_image("a").build());
    assert_eq!(outdated(&with_image("a").build(), &world), None);
    let changed = with_image("b").build();
    assert_eq!(writes(&changed, &world), []);
    let told = outdated(&changed, &world).unwrap();
    let how = "kubectl annotate daskcluster demo --namespace team dask.org/restart-scheduler=$(date +%s)";
    assert!(told.contains(how), "{told}");
    let events = cluster::events(&DaskClusterStatus::default(), &status(&changed, &world));
    assert_eq!(events.iter().map(|event| event.reason.as_str()).collect::<Vec<_>>(), ["SpecChanged"]);
}

#[test]
fn a_changed_service_is_told_apart_from_a_changed_scheduler() {
    let world = made(&a_cluster().build());
    let told = |cluster: ClusterBuilder| outdated(&cluster.build(), &world).unwrap_or_default();
    let service = json!({"type": "LoadBalancer"});
    assert!(told(a_cluster().service(service.clone())).starts_with("the spec of the scheduler's Service"));
    assert!(told(with_image("b")).starts_with("what the scheduler is made from"));
    assert!(told(with_image("b").service(service)).starts_with("what the scheduler and its Service"));
}

#[test]
fn what_does_not_change_the_scheduler_does_not_outdate_it() {
    let world = made(&a_cluster().build());
    let defaulted =
        json!({"containers": [{"name": "scheduler", "image": "", "args": [], "env": [], "resources": {}}]});
    let ports = json!({"ports": [
        {"name": "tcp-comm", "port": 8786, "protocol": "TCP", "targetPort": "tcp-comm"},
        {"name": "http-dashboard", "port": 8787, "protocol": "TCP", "targetPort": "http-dashboard"},
    ]});
    for same in [
        a_cluster().scheduler_pod(defaulted).service(ports),
        a_cluster().workers(9).worker_pod(json!({"containers": [{"name": "worker", "image": "x"}]})),
        a_cluster().label("team", "a").annotation("note", "b"),
        a_cluster().protected(dask_operator_api::cluster::DisruptionProtection::Always),
    ] {
        assert_eq!(outdated(&same.build(), &world), None);
    }
    let own = made(&with_image("a").build());
    assert_eq!(outdated(&with_image("a").image("for-workers").build(), &own), None);
    assert_ne!(outdated(&a_cluster().image("for-all").build(), &world), None);
    assert_ne!(outdated(&a_cluster().config(json!({"a": null})).build(), &world), None);
}

#[test]
fn a_restart_replaces_the_template_whole_and_is_made_once() {
    let world = made(&with_image("a").build());
    let asked = with_image("b").annotation(RESTART, "1").build();
    let writes_now = writes(&asked, &world);
    let [(Kind::Service, service), (Kind::Deployment, deployment)] = writes_now.as_slice() else {
        panic!("{writes_now:?}")
    };
    assert_eq!(service.get("spec"), None, "the Service did not change");
    let template = &deployment["spec"]["template"];
    assert_eq!(
        (&template["$patch"], &deployment["spec"]["strategy"]["type"]),
        (&json!("replace"), &json!("Recreate"))
    );
    assert_eq!(template["spec"]["containers"][0]["image"], "b");
    assert_eq!(template["metadata"]["annotations"][RESTART], "1");
    let after = written(world, writes_now);
    assert_eq!(writes(&asked, &after), []);
    assert_eq!(outdated(&asked, &after), None);
    assert_eq!(status(&asked, &after).restarted_scheduler.as_deref(), Some("1"));
}

#[test]
fn a_restart_is_made_although_nothing_changed_and_again_for_another_value() {
    let first = a_cluster().annotation(RESTART, "1").build();
    let world = made(&first);
    assert_eq!(writes(&first, &world), [], "it was made with it");
    assert_eq!(writes(&a_cluster().build(), &world), [], "taking it away asks for nothing");
    assert_eq!(writes(&a_cluster().annotation(RESTART, "2").build(), &world).len(), 2);
}

#[test]
fn a_restart_that_came_half_way_is_finished_and_not_begun_again() {
    let service = json!({"type": "NodePort"});
    let world = made(&a_cluster().build());
    let asked = with_image("b").service(service).annotation(RESTART, "1").build();
    for (half, rest) in [(Kind::Service, Kind::Deployment), (Kind::Deployment, Kind::Service)] {
        let done = writes(&asked, &world).into_iter().filter(|(kind, _)| *kind == half).collect();
        let left = writes(&asked, &written(world.clone(), done));
        assert_eq!(left.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [rest]);
        assert_ne!(left[0].1.get("spec"), None);
    }
}

#[test]
fn a_service_changed_after_a_restart_waits_for_the_next() {
    let world = made(&a_cluster().build());
    let asked = a_cluster().annotation(RESTART, "1").build();
    let world = written(world.clone(), writes(&asked, &world));
    let changed = a_cluster().annotation(RESTART, "1").service(json!({"type": "NodePort"})).build();
    assert_eq!(writes(&changed, &world), []);
    assert_ne!(outdated(&changed, &world), None);
}

#[test]
fn a_scheduler_that_bears_no_note_of_ours_is_left_alone_until_a_restart_is_asked_for() {
    let world = Observed {
        deployment: Some(Child::default()),
        service: Some(Service::default()),
        ..Observed::default()
    };
    let cluster = with_image("b").build();
    assert_eq!((writes(&cluster, &world), outdated(&cluster, &world)), (vec![], None));
    let asked = with_image("b").annotation(RESTART, "1").build();
    let writes = writes(&asked, &world);
    assert!(writes.len() == 2 && writes.iter().all(|(_, body)| body.get("spec").is_some()), "{writes:?}");
}

#[test]
fn a_scheduler_of_somebody_else_is_not_restarted() {
    let foreign = Child { ownership: Ownership::Foreign, ..Child::default() };
    let service = Service { child: foreign.clone(), ..Service::default() };
    let world = Observed { deployment: Some(foreign), service: Some(service), ..Observed::default() };
    assert_eq!(writes(&a_cluster().annotation(RESTART, "1").build(), &world), []);
}

#[test]
fn a_restart_is_told_once_and_a_start_is_not() {
    let asked = a_cluster().annotation(RESTART, "1").build();
    let told = |before: &DaskClusterStatus, after: &DaskClusterStatus| {
        let events = cluster::events(before, after).into_iter().map(|event| event.reason);
        events.filter(|reason| reason == "SchedulerRestarted").count()
    };
    let started = status(&asked, &Observed::default());
    assert_eq!(told(&DaskClusterStatus::default(), &started), 0);
    assert_eq!(told(&started, &status(&asked, &made(&asked))), 0);
    let before = status(&a_cluster().build(), &made(&a_cluster().build()));
    let after = status(&asked, &made(&asked));
    assert_eq!((told(&before, &after), told(&after, &after)), (1, 0));
}

#[test]
fn the_annotation_is_not_passed_on_to_workers() {
    let plan = plan(&a_cluster().annotation(RESTART, "1").build(), &Observed::default());
    let group = plan.apply.into_iter().find_map(|apply| match apply {
        Apply::Create(create) if create.kind == Kind::DaskWorkerGroup => Some(create.object),
        _ => None,
    });
    assert_eq!(group.unwrap()["metadata"]["annotations"].get(RESTART), None);
}
