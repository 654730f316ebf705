//! What lets workers leave without a loss, and whose own say about it stands.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use dask_operator_plan::worker_group::{self, Cluster};
use dask_operator_plan::{Apply, Kind, Settings, Suffixes, cluster};
use dask_operator_testkit::{a_cluster, a_group};
use jiff::Timestamp;
use serde_json::{Value, json};

fn settings() -> Settings {
    Settings {
        cluster_domain: "cluster.local".to_owned(),
        default_image: "dask".to_owned(),
        worker_batch: None,
    }
}

/// The pod spec of a worker with this container, and with these fields of the pod.
fn worker(container: &Value, mut pod: Value) -> Value {
    pod["containers"] = json!([container]);
    let checked = worker_group::check(&a_group().pod(pod).build()).unwrap();
    let cluster = Cluster { name: "demo".to_owned(), uid: "cluster-uid".to_owned(), ..Cluster::default() };
    let observed = worker_group::Observed { cluster: Some(cluster), ..worker_group::Observed::default() };
    let suffixes = Suffixes::from_seed(1);
    let plan = worker_group::plan(&checked, &observed, &settings(), suffixes, Timestamp::UNIX_EPOCH);
    let created = plan.apply.into_iter().find_map(|apply| match apply {
        Apply::Create(create) => Some(create.object),
        Apply::Patch(_) => None,
    });
    created.unwrap()["spec"].clone()
}

/// The container of a scheduler with this one in its template.
fn scheduler(container: &Value) -> Value {
    let checked =
        cluster::check(&a_cluster().scheduler_pod(json!({"containers": [container]})).build()).unwrap();
    let plan = cluster::plan(&checked, &cluster::Observed::default(), &settings(), Timestamp::UNIX_EPOCH);
    let deployment = plan.apply.into_iter().find_map(|apply| match apply {
        Apply::Create(create) if create.kind == Kind::Deployment => Some(create.object),
        _ => None,
    });
    deployment.unwrap()["spec"]["template"]["spec"]["containers"][0].clone()
}

fn variable(container: &Value, name: &str) -> Option<Value> {
    let all = container["env"].as_array()?;
    all.iter().find(|one| one["name"] == name).map(|one| one["value"].clone())
}

fn asks(pod: &Value) -> bool {
    pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][0] == "python3"
}

#[test]
fn a_worker_asks_with_its_schedulers_token_and_has_the_time_to() {
    let worker = worker(&json!({"name": "worker"}), json!({}));
    assert!(asks(&worker));
    assert_eq!(variable(&worker["containers"][0], "OPERATOR_DRAIN_SECONDS"), Some(json!("20")));
    let token = variable(&worker["containers"][0], "OPERATOR_TOKEN");
    assert!(token.is_some());
}

#[test]
fn a_scheduler_and_its_workers_have_the_same_token() {
    let mut cluster = a_cluster().build();
    cluster.metadata.uid = Some("cluster-uid".to_owned());
    let checked = cluster::check(&cluster).unwrap();
    let plan = cluster::plan(&checked, &cluster::Observed::default(), &settings(), Timestamp::UNIX_EPOCH);
    let text = format!("{:?}", plan.apply);
    let token = variable(&worker(&json!({"name": "worker"}), json!({}))["containers"][0], "OPERATOR_TOKEN");
    assert!(text.contains(token.unwrap().as_str().unwrap()));
}

#[test]
fn a_hook_of_the_users_own_stands_and_another_hook_is_kept() {
    let own = json!({"preStop": {"exec": {"command": ["own"]}}});
    let worker_with =
        |lifecycle: &Value| worker(&json!({"name": "worker", "lifecycle": lifecycle}), json!({}));
    let left = worker_with(&own);
    assert_eq!(left["containers"][0]["lifecycle"], own);
    assert_eq!(variable(&left["containers"][0], "OPERATOR_TOKEN"), None);
    let other = worker_with(&json!({"postStart": {"exec": {"command": ["own"]}}}));
    assert!(asks(&other));
    assert_eq!(other["containers"][0]["lifecycle"]["postStart"]["exec"]["command"][0], "own");
}

#[test]
fn a_grace_period_of_the_users_own_stands_and_the_drain_keeps_within_it() {
    for (grace, drain) in [(60, "50"), (10, "5"), (0, "0"), (3600, "3590")] {
        let pod = worker(&json!({"name": "worker"}), json!({"terminationGracePeriodSeconds": grace}));
        assert_eq!(pod["terminationGracePeriodSeconds"], grace);
        assert_eq!(variable(&pod["containers"][0], "OPERATOR_DRAIN_SECONDS"), Some(json!(drain)));
    }
}

#[test]
fn a_scheduler_whose_preloads_the_user_names_where_they_hide_ours_is_left_alone() {
    let variable_of = |container: Value| variable(&scheduler(&container), "OPERATOR_PRELOAD").is_some();
    assert!(variable_of(json!({"name": "scheduler"})));
    assert!(variable_of(json!({"name": "scheduler", "image": "own", "args": ["dask-scheduler"]})));
    let preload = json!(["dask", "scheduler", "--preload", "own.py"]);
    assert!(!variable_of(json!({"name": "scheduler", "args": preload})));
    let env = json!([{"name": "DASK_DISTRIBUTED__SCHEDULER__PRELOAD", "value": "own.py"}]);
    assert!(!variable_of(json!({"name": "scheduler", "env": env})));
    assert!(!variable_of(json!({"name": "scheduler", "image": "own", "command": ["own-program"]})));
}

#[test]
fn a_worker_on_its_nodes_network_is_known_by_its_name_alone() {
    let address =
        |pod| variable(&worker(&json!({"name": "worker"}), pod)["containers"][0], "OPERATOR_POD_IP");
    assert!(address(json!({})).is_some());
    assert_eq!(address(json!({"hostNetwork": true})), None);
}
