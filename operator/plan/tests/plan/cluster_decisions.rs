//! What a cluster's plan and status say, world by world.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use dask_operator_api::DaskCluster;
use dask_operator_api::cluster::{DaskClusterStatus, Phase};
use dask_operator_api::conditions::Reason;
use dask_operator_plan::cluster::{self, Child, DefaultGroup, Observed, Ownership, SchedulerPod, Service};
use dask_operator_plan::{Apply, Failure, FailureKind, Kind, Outcome, Plan, Settings};
use dask_operator_testkit::a_cluster;
use jiff::Timestamp;
use serde_json::{Value, json};

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn plan(cluster: &DaskCluster, observed: &Observed) -> Plan {
    let settings = Settings {
        cluster_domain: "cluster.local".to_owned(),
        default_image: "dask".to_owned(),
        worker_batch: None,
    };
    cluster::plan(&cluster::check(cluster).unwrap(), observed, &settings, now())
}

fn status(cluster: &DaskCluster, observed: &Observed, outcome: &Outcome) -> DaskClusterStatus {
    cluster::status(&cluster::check(cluster).unwrap(), observed, outcome, now())
}

/// The world in which everything that `cluster` plans from nothing exists.
pub(super) fn complete(cluster: &DaskCluster) -> Observed {
    let group = plan(cluster, &Observed::default()).apply.into_iter().find_map(|apply| match apply {
        Apply::Create(create) if create.kind == Kind::DaskWorkerGroup => Some(create.object),
        _ => None,
    });
    let group = group.unwrap();
    let notes = &group["metadata"]["annotations"];
    Observed {
        deployment: Some(Child::default()),
        service: Some(Service::default()),
        group: Some(DefaultGroup {
            child: Child {
                hash: notes["dask.org/pushed-worker"].as_str().map(str::to_owned),
                ..Child::default()
            },
            pushed_replicas: notes["dask.org/pushed-replicas"].as_str().and_then(|text| text.parse().ok()),
            worker: group["spec"]["worker"].clone(),
            replicas: 0,
            ready_replicas: 0,
            status_is_current: true,
            roll: None,
        }),
        ..Observed::default()
    }
}

fn only_patch(plan: &Plan) -> Value {
    match plan.apply.as_slice() {
        [Apply::Patch(patch)] => patch.body.clone(),
        other => panic!("one patch expected: {other:?}"),
    }
}

fn condition<'a>(status: &'a DaskClusterStatus, type_: &str) -> Option<(&'a str, &'a str)> {
    let found = status.conditions.iter().find(|condition| condition.type_ == type_);
    found.map(|condition| (condition.status.as_str(), condition.reason.as_str()))
}

#[test]
fn a_complete_cluster_leaves_nothing_to_write() {
    let cluster = a_cluster().workers(3).build();
    assert!(plan(&cluster, &complete(&cluster)).is_empty());
}

#[test]
fn replicas_are_pushed_once_and_then_belong_to_the_group() {
    let before = a_cluster().workers(2).build();
    let mut world = complete(&before);
    world.group.as_mut().unwrap().worker["replicas"] = json!(7);
    assert!(plan(&before, &world).is_empty(), "the group's own replicas stand");

    let after = a_cluster().workers(4).build();
    let body = only_patch(&plan(&after, &world));
    assert_eq!(body["spec"], json!({"worker": {"replicas": 4}}));
    assert_eq!(body["metadata"]["annotations"]["dask.org/pushed-replicas"], "4");
}

#[test]
fn a_changed_worker_template_is_pushed_without_the_replicas() {
    let before = a_cluster().worker_pod(json!({"containers": [{"name": "worker", "image": "a"}]})).build();
    let mut world = complete(&before);
    world.group.as_mut().unwrap().worker["replicas"] = json!(7);
    let after = a_cluster().worker_pod(json!({"containers": [{"name": "worker", "image": "b"}]})).build();
    let spec = &only_patch(&plan(&after, &world))["spec"]["worker"];
    assert_eq!(spec, &json!({"spec": {"containers": [{"name": "worker", "image": "b"}]}}));
}

#[test]
fn changed_configuration_is_written_to_its_config_map() {
    let cluster = a_cluster().config(json!({"distributed": {"admin": {}}})).build();
    let mut world = complete(&cluster);
    world.config = Some(Child { hash: Some("old".to_owned()), ..Child::default() });
    let body = only_patch(&plan(&cluster, &world));
    assert_eq!(body["data"]["operator.yaml"], r#"{"distributed":{"admin":{}}}"#);
}

#[test]
fn the_phase_is_running_as_soon_as_the_service_exists() {
    let cluster = a_cluster().build();
    let made = Outcome { created: vec![Kind::Service], ..Outcome::default() };
    assert_eq!(status(&cluster, &Observed::default(), &made).phase, Some(Phase::Running));
    assert_eq!(status(&cluster, &Observed::default(), &Outcome::default()).phase, Some(Phase::Created));
}

#[test]
fn a_load_balancer_without_an_address_is_pending() {
    let cluster = a_cluster().service(json!({"type": "LoadBalancer"})).build();
    let made = Outcome { created: vec![Kind::Service], ..Outcome::default() };
    assert_eq!(status(&cluster, &Observed::default(), &made).phase, Some(Phase::Pending));
    let mut world = complete(&cluster);
    world.service = Some(Service { awaits_address: true, ..Service::default() });
    assert_eq!(status(&cluster, &world, &Outcome::default()).phase, Some(Phase::Pending));
}

#[test]
fn the_phase_never_leaves_running() {
    let running = DaskClusterStatus { phase: Some(Phase::Running), ..DaskClusterStatus::default() };
    let cluster = a_cluster().status(running.clone()).build();
    assert_eq!(status(&cluster, &Observed::default(), &Outcome::default()).phase, Some(Phase::Running));
    let problems = cluster::check(&a_cluster().named("a.b").build()).unwrap_err();
    assert_eq!(cluster::invalid(&running, &problems, Some(2), now()).phase, Some(Phase::Running));
}

#[test]
fn ready_needs_the_scheduler_and_every_worker() {
    let cluster = a_cluster().workers(2).build();
    let mut world = complete(&cluster);
    let ready = |world: &Observed| {
        condition(&status(&cluster, world, &Outcome::default()), "Ready")
            .map(|(status, reason)| (status.to_owned(), reason.to_owned()))
    };
    let is = |status: &str, reason: &str| Some((status.to_owned(), reason.to_owned()));
    assert_eq!(ready(&world), is("False", "SchedulerMissing"));
    world.scheduler_pods = vec![SchedulerPod::default()];
    assert_eq!(ready(&world), is("False", "SchedulerNotReady"));
    world.scheduler_pods[0].ready = true;
    assert_eq!(ready(&world), is("False", "WorkersNotReady"));
    world.group.as_mut().unwrap().ready_replicas = 2;
    assert_eq!(ready(&world), is("True", "AllReady"));
    world.group.as_mut().unwrap().roll = Some(Reason::RollingUpdate);
    assert_eq!(ready(&world), is("False", "RollingUpdate"));
    world.scheduler_pods[0].terminating = true;
    assert_eq!(ready(&world), is("False", "SchedulerMissing"));
}

#[test]
fn an_object_of_somebody_else_is_left_alone_and_told() {
    let cluster = a_cluster().build();
    let mut world = complete(&cluster);
    world.group.as_mut().unwrap().child.ownership = Ownership::Foreign;
    world.group.as_mut().unwrap().pushed_replicas = None;
    assert!(plan(&cluster, &world).is_empty());
    let status = status(&cluster, &world, &Outcome::default());
    assert_eq!(condition(&status, "NameTaken"), Some(("True", "OwnedByAnother")));
    assert_eq!(condition(&status, "Ready"), Some(("False", "OwnedByAnother")));
}

#[test]
fn what_an_earlier_cluster_of_the_name_left_is_waited_for_in_silence() {
    let cluster = a_cluster().build();
    let mut world = complete(&cluster);
    world.service.as_mut().unwrap().child.ownership = Ownership::Predecessor;
    let status = status(&cluster, &world, &Outcome::default());
    assert_eq!(condition(&status, "NameTaken"), None);
    assert_eq!(status.phase, Some(Phase::Created));
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    let failure = Failure {
        object: "a worker pod".to_owned(),
        kind: FailureKind::Refused(Reason::QuotaExceeded),
        message: "exceeded quota".to_owned(),
    };
    let outcome = Outcome { failures: vec![failure], ..Outcome::default() };
    let status = status(&a_cluster().build(), &Observed::default(), &outcome);
    let refused = status.conditions.iter().find(|condition| condition.type_ == "Refused").unwrap();
    assert_eq!(refused.message, "a worker pod: exceeded quota");
}

#[test]
fn unknown_fields_stay_told_for_as_long_as_the_spec_stays() {
    let told = Outcome { unknown_fields: Some("unknown field \"x\"".to_owned()), ..Outcome::default() };
    let first = status(&a_cluster().build(), &Observed::default(), &told);
    let same = a_cluster().status(first.clone()).build();
    assert!(condition(&status(&same, &Observed::default(), &Outcome::default()), "UnknownFields").is_some());
    let changed = a_cluster().generation(2).status(first).build();
    assert_eq!(
        condition(&status(&changed, &Observed::default(), &Outcome::default()), "UnknownFields"),
        None
    );
}

#[test]
fn the_observed_generation_is_the_one_looked_at_whatever_somebody_wrote_there() {
    let spoilt = DaskClusterStatus { observed_generation: Some(999_999), ..DaskClusterStatus::default() };
    let cluster = a_cluster().generation(3).status(spoilt).build();
    assert_eq!(status(&cluster, &Observed::default(), &Outcome::default()).observed_generation, Some(3));
}

#[test]
fn an_undisturbed_life_is_worth_one_event() {
    let cluster = a_cluster().workers(1).build();
    let mut world = complete(&cluster);
    let starting = status(&cluster, &world, &Outcome::default());
    assert_eq!(cluster::events(&DaskClusterStatus::default(), &starting), vec![]);
    world.scheduler_pods = vec![SchedulerPod { ready: true, ..SchedulerPod::default() }];
    world.group.as_mut().unwrap().ready_replicas = 1;
    let ready = status(&cluster, &world, &Outcome::default());
    let told: Vec<_> = cluster::events(&starting, &ready).into_iter().map(|event| event.reason).collect();
    assert_eq!(told, ["Ready"]);
}

#[test]
fn a_bad_name_is_told_once_with_its_rule() {
    let problems = cluster::check(&a_cluster().named("a.b").build()).unwrap_err();
    let before = DaskClusterStatus::default();
    let after = cluster::invalid(&before, &problems, Some(1), now());
    assert_eq!(after.phase, Some(Phase::Error));
    let told = cluster::events(&before, &after);
    assert!(told.len() == 1 && told[0].note.contains("not a DNS label"), "{told:?}");
    assert_eq!(cluster::events(&after, &cluster::invalid(&after, &problems, Some(1), now())), vec![]);
}

#[test]
fn a_group_that_bears_no_note_of_ours_is_taken_as_it_is() {
    let cluster = a_cluster().workers(2).build();
    let mut world = complete(&cluster);
    let group = world.group.as_mut().unwrap();
    (group.pushed_replicas, group.child.hash) = (None, None);
    group.worker["replicas"] = json!(9);
    let body = only_patch(&plan(&cluster, &world));
    assert_eq!(body["spec"], Value::Null, "its replicas stand");
    assert_eq!(body["metadata"]["annotations"]["dask.org/pushed-replicas"], "2");
}

#[test]
fn a_null_in_the_configuration_is_a_change() {
    let config_of = |config: Value| {
        let plan = plan(&a_cluster().config(config).build(), &Observed::default());
        let made = plan.apply.into_iter().find_map(|apply| match apply {
            Apply::Create(create) if create.kind == Kind::ConfigMap => Some(create.object),
            _ => None,
        });
        made.unwrap()["metadata"]["annotations"]["dask.org/template-hash"].clone()
    };
    assert_ne!(config_of(json!({"a": 1})), config_of(json!({"a": 1, "spill": null})));
}

#[test]
fn a_running_cluster_that_becomes_invalid_is_told() {
    let running = DaskClusterStatus { phase: Some(Phase::Running), ..DaskClusterStatus::default() };
    let broken = a_cluster().worker_pod(json!({"containers": [1]})).build();
    let next = cluster::invalid(&running, &cluster::check(&broken).unwrap_err(), Some(2), now());
    let told: Vec<_> = cluster::events(&running, &next).into_iter().map(|event| event.reason).collect();
    assert_eq!(told, ["InvalidTemplate"]);
}

#[test]
fn a_cluster_that_goes_does_not_lament_its_scheduler() {
    let deleting = |ready: bool| {
        let mut cluster = a_cluster().build();
        let world = complete(&cluster);
        if !ready {
            cluster.metadata.deletion_timestamp =
                Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now()));
        }
        let pod = SchedulerPod { ready, ..SchedulerPod::default() };
        let world = Observed { scheduler_pods: vec![pod], ..world };
        status(&cluster, &world, &Outcome::default())
    };
    assert_eq!(cluster::events(&deleting(true), &deleting(false)), vec![]);
}

#[test]
fn an_evicted_scheduler_does_not_hide_the_one_that_runs() {
    let cluster = a_cluster().build();
    let evicted = SchedulerPod { name: "a".to_owned(), ended: true, ..SchedulerPod::default() };
    let running = SchedulerPod { name: "b".to_owned(), ready: true, ..SchedulerPod::default() };
    let world = Observed { scheduler_pods: vec![evicted, running], ..complete(&cluster) };
    let status = status(&cluster, &world, &Outcome::default());
    assert_eq!(condition(&status, "SchedulerReady"), Some(("True", "SchedulerReady")));
}

#[test]
fn a_cluster_is_not_ready_while_its_group_is_yet_to_be_told() {
    let before = a_cluster().workers(2).build();
    let mut world = complete(&before);
    world.scheduler_pods = vec![SchedulerPod { ready: true, ..SchedulerPod::default() }];
    world.group.as_mut().unwrap().ready_replicas = 2;
    let ready = |cluster: &DaskCluster| {
        let status = status(cluster, &world, &Outcome::default());
        condition(&status, "Ready").map(|(status, _)| status.to_owned())
    };
    assert_eq!(ready(&before).as_deref(), Some("True"));
    assert_eq!(ready(&a_cluster().workers(4).build()).as_deref(), Some("False"));
}
