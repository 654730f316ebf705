//! What is told when a worker that goes asks nobody first.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use dask_operator_api::labels;
use dask_operator_plan::worker_group::{self, Cluster, FailedHook, Observed};
use dask_operator_plan::{Outcome, Settings, Suffixes};
use dask_operator_testkit::{GroupBuilder, a_group};
use jiff::Timestamp;
use serde_json::json;

fn world() -> Observed {
    let cluster = Cluster { name: "demo".to_owned(), scheduler_ready: true, ..Cluster::default() };
    Observed { cluster: Some(cluster), ..Observed::default() }
}

/// The hash that the pods of a group have.
fn template(group: GroupBuilder) -> String {
    let settings = Settings {
        cluster_domain: "cluster.local".to_owned(),
        default_image: "dask".to_owned(),
        worker_batch: None,
    };
    let group = worker_group::check(&group.build()).unwrap();
    let plan = worker_group::plan(&group, &world(), &settings, Suffixes::from_seed(7), Timestamp::UNIX_EPOCH);
    let made = plan.apply.iter().find_map(|apply| apply.create()).unwrap();
    made.object["metadata"]["annotations"][labels::TEMPLATE_HASH].as_str().unwrap().to_owned()
}

fn told(group: GroupBuilder, hook: Option<FailedHook>) -> Option<String> {
    let group = worker_group::check(&group.build()).unwrap();
    let world = Observed { failed_hook: hook, ..world() };
    let status = worker_group::status(&group, &world, &Outcome::default(), Timestamp::UNIX_EPOCH);
    status.conditions.into_iter().find(|one| one.type_ == "DrainUnprotected").map(|one| one.reason)
}

fn a_hook(container: &str) -> Option<FailedHook> {
    let template = Some(template(a_group()));
    let (pod, container, words) = ("a".to_owned(), container.to_owned(), "PreStopHook failed".to_owned());
    Some(FailedHook { pod, container, template, words })
}

#[test]
fn a_hook_of_ours_that_cannot_run_is_told_until_the_template_changes() {
    assert_eq!(told(a_group(), None), None);
    assert_eq!(told(a_group(), a_hook("worker")).as_deref(), Some("HookCannotRun"));
    let changed = a_group().worker(|worker| worker.threads = Some(7));
    assert_eq!(told(changed, a_hook("worker")), None);
}

#[test]
fn a_hook_of_the_users_own_is_their_affair() {
    assert_eq!(told(a_group(), a_hook("sidecar")), None);
    let hook = json!({"preStop": {"exec": {"command": ["own"]}}});
    let own = a_group().pod(json!({"containers": [{"name": "worker", "lifecycle": hook}]}));
    assert_eq!(told(own, a_hook("worker")).as_deref(), Some("OwnPreStop"));
}
