//! A worker asks its scheduler to take over what it has before it is signalled, so that an eviction, a drained node and
//! a plain deletion lose nothing (`operator/preload/src/leave.py`).

use serde_json::{Value, json};

use super::super::check::CheckedGroup;
use crate::container::{self, Container};
use crate::pod_spec::PodSpec;
use crate::preload_token::{self, TOKEN_VARIABLE};

/// Asks, and waits for the answer.
const SOURCE: &str = include_str!("../../../../preload/generated/leave.py");

/// How long a pod may take to end if it does not say so, in seconds: Kubernetes' own default. A process 1 that does not
/// hear SIGTERM, as Python while it starts, takes all of it.
const GRACE: u32 = 30;
/// Between the end of the drain and the kill: Dask's own end.
const AFTERWARDS: u32 = 10;

/// Makes the worker ask, unless it has a hook of its user's own; how long it may take follows from the grace period.
pub(super) fn inject(pod: &mut PodSpec, cluster_uid: &str) {
    let own_address = !pod.is_on_host_network();
    let main = pod.main_mut();
    if has_hook(main) {
        return;
    }
    let ask = json!({"exec": {"command": ["python3", "-I", "-S", "-c", SOURCE.trim_end()]}});
    let lifecycle = main.entry("lifecycle").or_insert_with(|| json!({}));
    match lifecycle {
        Value::Object(hooks) => drop(hooks.insert("preStop".to_owned(), ask)),
        other => *other = json!({"preStop": ask}),
    }
    container::append_env(main, TOKEN_VARIABLE, &preload_token::token(cluster_uid));
    // By a node's address its other workers would be found, too.
    if own_address {
        container::append_field(main, "OPERATOR_POD_IP", "status.podIP");
    }
    let grace = pod.grace_seconds().unwrap_or(GRACE);
    let drain = grace.saturating_sub(AFTERWARDS).max(grace / 2);
    container::append_env(pod.main_mut(), "OPERATOR_DRAIN_SECONDS", &drain.to_string());
}

/// Whether nothing in the group's template says how its pods are to end.
pub(in crate::worker_group) fn leaves_as_we_say(group: &CheckedGroup) -> bool {
    !has_own_hook(group) && group.pod.grace_seconds().is_none()
}

/// Whether its workers do something else before they go.
pub(in crate::worker_group) fn has_own_hook(group: &CheckedGroup) -> bool {
    has_hook(group.pod.main())
}

fn has_hook(container: &Container) -> bool {
    container.get("lifecycle").is_some_and(|lifecycle| lifecycle["preStop"].is_object())
}
