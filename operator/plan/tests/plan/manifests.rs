//! The exact objects that are made, as snapshots: a change shows in review.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use dask_operator_api::cluster::DisruptionProtection;
use dask_operator_plan::worker_group::{self, Cluster};
use dask_operator_plan::{Apply, Settings, Suffixes, cluster};
use dask_operator_testkit::{a_cluster, a_group};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

fn settings() -> Settings {
    Settings {
        cluster_domain: "cluster.local".to_owned(),
        default_image: "ghcr.io/dask-operator/dask:test".to_owned(),
        worker_batch: None,
    }
}

fn objects_of(cluster: &dask_operator_api::DaskCluster) -> Map<String, Value> {
    let checked = cluster::check(cluster).unwrap();
    let plan = cluster::plan(&checked, &cluster::Observed::default(), &settings(), Timestamp::UNIX_EPOCH);
    plan.apply.into_iter().map(created).collect()
}

fn created(apply: Apply) -> (String, Value) {
    match apply {
        Apply::Create(create) => (format!("{:?}", create.kind), without_generated(create.object)),
        Apply::Patch(patch) => panic!("nothing exists yet: {patch:?}"),
    }
}

/// Texts made from Python are tested as Python.
fn without_generated(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > 300 => json!("generated"),
        Value::Array(items) => items.into_iter().map(without_generated).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, field)| (key, without_generated(field))).collect()
        }
        scalar => scalar,
    }
}

fn worker_of(group: &dask_operator_api::DaskWorkerGroup, cluster: Cluster) -> Value {
    worker_by(&settings(), group, cluster)
}

fn worker_by(settings: &Settings, group: &dask_operator_api::DaskWorkerGroup, cluster: Cluster) -> Value {
    let checked = worker_group::check(group).unwrap();
    let observed = worker_group::Observed { cluster: Some(cluster), ..worker_group::Observed::default() };
    let plan =
        worker_group::plan(&checked, &observed, settings, Suffixes::from_seed(1), Timestamp::UNIX_EPOCH);
    plan.apply.into_iter().map(created).map(|(_, object)| object).next().unwrap()
}

fn the_cluster() -> Cluster {
    Cluster { name: "demo".to_owned(), uid: "cluster-uid".to_owned(), ..Cluster::default() }
}

/// What the Python client of dask-kubernetes sends for a worker.
fn client_worker() -> Value {
    json!({"containers": [{
        "name": "worker",
        "image": "ghcr.io/dask/dask:2026.7.1",
        "args": ["dask-worker", "--name", "$(DASK_WORKER_NAME)", "--dashboard", "--dashboard-address", "8788"],
        "env": [{"name": "DASK_SCHEDULER_ADDRESS", "value": "tls://elsewhere:8786"}],
        "ports": [{"name": "http-dashboard", "containerPort": 8788, "protocol": "TCP"}],
    }]})
}

#[test]
fn a_minimal_cluster_is_completed() {
    insta::assert_yaml_snapshot!(objects_of(&a_cluster().build()));
}

#[test]
fn a_cluster_of_the_python_client_keeps_what_its_user_wrote() {
    let scheduler = json!({"containers": [{
        "name": "scheduler",
        "image": "ghcr.io/dask/dask:2026.7.1",
        "args": ["dask-scheduler", "--host", "0.0.0.0"],
        "readinessProbe": {"httpGet": {"port": "http-dashboard", "path": "/health"}},
    }]});
    let service = json!({
        "type": "ClusterIP",
        "selector": {"dask.org/cluster-name": "demo", "dask.org/component": "scheduler"},
        "ports": [{"name": "tcp-comm", "port": 8786, "targetPort": "tcp-comm", "protocol": "TCP"}],
    });
    let cluster =
        a_cluster().label("team", "a").scheduler_pod(scheduler).service(service).worker_pod(client_worker());
    insta::assert_yaml_snapshot!(objects_of(&cluster.build()));
}

#[test]
fn a_protected_cluster_has_a_budget_and_its_scheduler_is_marked_for_autoscalers() {
    let cluster = a_cluster().protected(DisruptionProtection::Always).build();
    let objects = objects_of(&cluster);
    let template = &objects["Deployment"]["spec"]["template"]["metadata"];
    insta::assert_yaml_snapshot!([&objects["PodDisruptionBudget"], &template["annotations"]]);
}

#[test]
fn marks_for_autoscalers_are_on_whatever_pods_are_protected_for_life() {
    use DisruptionProtection::{Always, None as Never, WhileBusy};
    let marked = [Never, WhileBusy, Always].map(|protection| {
        let objects = objects_of(&a_cluster().protected(protection).build());
        let worker = worker_of(&a_group().build(), Cluster { protection, ..the_cluster() });
        [&objects["Deployment"]["spec"]["template"], &worker].map(is_marked)
    });
    assert_eq!(marked, [[false, false], [false, true], [true, true]]);
}

fn is_marked(pod: &Value) -> bool {
    pod["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "true"
}

#[test]
fn a_mark_for_autoscalers_of_the_users_own_wins() {
    let cluster = a_cluster().protected(DisruptionProtection::Always);
    let objects = objects_of(&cluster.annotation("karpenter.sh/do-not-disrupt", "false").build());
    assert!(!is_marked(&objects["Deployment"]["spec"]["template"]));
}

#[test]
fn a_worker_of_the_python_client_waits_and_keeps_what_its_user_wrote() {
    insta::assert_yaml_snapshot!(worker_of(&a_group().pod(client_worker()).build(), the_cluster()));
}

#[test]
fn a_worker_left_to_us_has_fixed_ports_and_the_fields_of_its_group() {
    let group = a_group().worker(|worker| {
        worker.threads = Some(2);
        worker.dask_resources = Some([("GPU".to_owned(), 1.0), ("disk".to_owned(), 2.5)].into());
        worker.resources = Some(json!({"limits": {"memory": "2Gi"}}).into());
        worker.spill = Some(dask_operator_api::parts::Spill { size: "10Gi".to_owned() });
    });
    let cluster = Cluster { has_config: true, image: Some("own/image:1".to_owned()), ..the_cluster() };
    insta::assert_yaml_snapshot!(worker_of(&group.build(), cluster));
}

#[test]
fn a_worker_of_several_processes_has_a_range_of_ports_and_shares_its_memory() {
    let group = a_group().worker(|worker| worker.processes = Some(4)).build();
    insta::assert_yaml_snapshot!(worker_of(&group, the_cluster())["spec"]["containers"][0]["args"]);
}

#[test]
fn a_command_is_kept_when_asked() {
    let group = a_group().annotation("dask.org/keep-command", "true").pod(client_worker()).build();
    let pod = worker_of(&group, the_cluster());
    assert_eq!(pod["spec"]["containers"][0]["args"][0], "dask-worker");
}

#[test]
fn an_own_configuration_stands_and_ours_goes_beside_it() {
    let pod = json!({"containers": [{"name": "worker", "env": [{"name": "DASK_CONFIG", "value": "/mine"}]}]});
    let cluster = Cluster { has_config: true, ..the_cluster() };
    let worker = worker_of(&a_group().pod(pod).build(), cluster);
    assert_eq!(worker["spec"]["containers"][0]["volumeMounts"][0]["mountPath"], "/etc/dask/operator.yaml");
}

#[test]
fn keep_command_on_a_cluster_reaches_its_default_group() {
    let mut cluster = a_cluster().build();
    cluster.metadata.annotations = Some([("dask.org/keep-command".to_owned(), "true".to_owned())].into());
    let group = &objects_of(&cluster)["DaskWorkerGroup"];
    assert_eq!(group["metadata"]["annotations"]["dask.org/keep-command"], "true");
}

#[test]
fn the_startup_probe_asks_where_health_is_answered() {
    let probe = |container: Value| {
        let objects = objects_of(&a_cluster().scheduler_pod(json!({"containers": [container]})).build());
        objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]["startupProbe"]["httpGet"]["port"]
            .clone()
    };
    assert_eq!(probe(json!({"name": "scheduler"})), "http-dashboard");
    assert_eq!(probe(json!({"name": "scheduler", "ports": [{"name": "mine", "containerPort": 1}]})), 8787);
    let moved = json!({"name": "scheduler", "args": ["dask", "scheduler", "--dashboard-address", ":9000"]});
    assert_eq!(probe(moved), Value::Null);
}

#[test]
fn a_worker_whose_waiting_text_would_be_hidden_is_made_when_its_scheduler_is_ready() {
    let args = json!(["dask", "worker", "--no-nanny", "--preload", "mine.py"]);
    let group =
        a_group().pod(json!({"containers": [{"name": "worker", "image": "x", "args": args}]})).build();
    let checked = worker_group::check(&group).unwrap();
    let pods = |scheduler_ready| {
        let cluster = Cluster { scheduler_ready, ..the_cluster() };
        let observed = worker_group::Observed { cluster: Some(cluster), ..worker_group::Observed::default() };
        let suffixes = Suffixes::from_seed(1);
        worker_group::plan(&checked, &observed, &settings(), suffixes, Timestamp::UNIX_EPOCH).apply.len()
    };
    assert_eq!((pods(false), pods(true)), (0, 1));
}

#[test]
fn memory_is_shared_by_as_many_processes_as_the_command_line_says() {
    let limit = |args: Value| {
        let template = json!({"containers": [{"name": "worker", "image": "x", "args": args}]});
        let group = a_group().pod(template).worker(|worker| worker.threads = Some(1)).build();
        let args = worker_of(&group, the_cluster())["spec"]["containers"][0]["args"].clone();
        let words: Vec<_> =
            args.as_array().unwrap().iter().filter_map(Value::as_str).map(str::to_owned).collect();
        words.iter().position(|word| word == "--memory-limit").map(|at| words[at + 1].clone())
    };
    assert_eq!(limit(json!(["dask", "worker"])).as_deref(), Some("1.0000"));
    assert_eq!(limit(json!(["dask", "worker", "--nworkers", "4"])).as_deref(), Some("0.2500"));
    assert_eq!(limit(json!(["dask", "worker", "--nworkers=auto"])), None);
}

#[test]
fn a_worker_finds_its_scheduler_in_the_domain_of_its_kubernetes() {
    let settings = Settings { cluster_domain: "corp.example".to_owned(), ..settings() };
    let worker = worker_by(&settings, &a_group().build(), the_cluster());
    let variables = worker["spec"]["containers"][0]["env"].as_array().unwrap();
    let address = variables.iter().find(|one| one["name"] == "DASK_SCHEDULER_ADDRESS").unwrap();
    assert!(address["value"].as_str().unwrap().ends_with(".svc.corp.example:8786"), "{address}");
}
