//! What is read from the statuses of pods, in the words of real kubelets and schedulers.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use dask_operator_api::conditions::Reason;
use dask_operator_plan::worker_group::{Ended, Stage};
use dask_operator_plan::{PodStatus, Trouble};
use jiff::Timestamp;
use serde_json::{Value, json};

fn status(text: &Value) -> PodStatus {
    serde_json::from_value(text.clone()).unwrap()
}

fn trouble(text: &Value) -> Option<(Reason, String)> {
    status(text).trouble().map(|Trouble { reason, words }| (reason, words))
}

#[expect(clippy::unnecessary_wraps, reason = "what it is compared with may be nothing")]
fn is(reason: Reason, words: &str) -> Option<(Reason, String)> {
    Some((reason, words.to_owned()))
}

fn end(text: &Value) -> Ended {
    match status(text).stage(Timestamp::UNIX_EPOCH) {
        Stage::Ended(end) => end,
        other => panic!("it ended: {other:?}"),
    }
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({"phase": "Pending", "containerStatuses": [
        {"name": "worker", "state": {"waiting": {"reason": reason, "message": message}}},
    ]})
}

/// A pod of phase Failed whose one container ended so.
fn failed(code: i32, reason: &str, message: &str) -> Value {
    let end =
        json!({"exitCode": code, "reason": reason, "message": message, "finishedAt": "2026-01-01T00:01:00Z"});
    json!({"phase": "Failed", "containerStatuses": [{"name": "worker", "state": {"terminated": end}}]})
}

/// A restarted container: not ready since `unready`, with this state, after an end at 00:01:00.
fn restarted(state: &Value, code: i32, unready: &str) -> Value {
    let end = json!({"exitCode": code, "reason": "Error", "message": "last words\n", "finishedAt": "2026-01-01T00:01:00Z"});
    let ready = json!({"type": "Ready", "status": "False", "lastTransitionTime": unready});
    let container = json!({"name": "scheduler", "state": state, "lastState": {"terminated": end}});
    json!({"phase": "Running", "conditions": [ready], "containerStatuses": [container]})
}

const EARLY: &str = "2026-01-01T00:00:30Z";

#[test]
fn a_pod_is_unscheduled_until_it_has_a_node() {
    let stage = |text: Value| status(&text).stage(Timestamp::UNIX_EPOCH);
    assert_eq!(stage(json!({"phase": "Pending"})), Stage::Unscheduled);
    let scheduled = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]});
    assert_eq!(stage(scheduled), Stage::NotReady);
}

#[test]
fn a_pod_that_starts_or_runs_is_in_no_trouble() {
    assert_eq!(trouble(&json!({"phase": "Pending"})), None);
    assert_eq!(trouble(&waiting("ContainerCreating", "")), None);
    assert_eq!(trouble(&waiting("PodInitializing", "")), None);
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    assert_eq!(trouble(&ready), None);
}

#[test]
fn an_image_is_one_trouble_whether_the_kubelet_tries_or_waits() {
    let words = "failed to pull and unpack image \"registry.invalid/none:1\": failed to resolve reference \
                 \"registry.invalid/none:1\": failed to do request: Head \"https://registry.invalid/v2/none/manifests/1\": \
                 dial tcp: lookup registry.invalid on 10.255.255.53:53: dial udp 10.255.255.53:53: connect: network is \
                 unreachable";
    let backing_off = format!("Back-off pulling image \"registry.invalid/none:1\": ErrImagePull: {words}");
    let expected = is(Reason::ImageCannotBePulled, words);
    assert_eq!(trouble(&waiting("ErrImagePull", words)), expected);
    assert_eq!(trouble(&waiting("ImagePullBackOff", &backing_off)), expected);
}

#[test]
fn an_image_that_is_none_or_must_not_be_pulled_is_told() {
    let wrong = "Failed to apply default image tag \"Bad Image\": couldn't parse image name \"Bad Image\": invalid \
                 reference format: repository name (library/Bad Image) must be lowercase";
    let absent =
        "Container image \"ghcr.io/dask-operator/nothere:1\" is not present with pull policy of Never";
    assert_eq!(trouble(&waiting("InvalidImageName", wrong)), is(Reason::ImageCannotBePulled, wrong));
    assert_eq!(trouble(&waiting("ErrImageNeverPull", absent)), is(Reason::ImageCannotBePulled, absent));
}

#[test]
fn a_program_that_does_not_exist_is_one_trouble_whatever_the_kubelet_calls_it() {
    let message = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create \
                   failed: unable to start container process: exec: \"nope\": executable file not found in $PATH: unknown";
    let words = format!("container worker cannot start: {message}");
    let expected = is(Reason::CommandNotFound, &words);
    assert_eq!(trouble(&waiting("RunContainerError", message)), expected);
    let mut again = waiting("CrashLoopBackOff", "back-off 20s restarting failed");
    again["containerStatuses"][0]["lastState"] =
        json!({"terminated": {"exitCode": 128, "reason": "StartError", "message": message}});
    assert_eq!(trouble(&again), expected);
    let end = end(&failed(128, "StartError", message)).trouble;
    assert_eq!(Some((end.reason, end.words)), expected);
}

#[test]
fn a_program_that_a_shell_does_not_find_is_told_in_the_shells_words() {
    let end = end(&failed(127, "Error", "sh: 1: nope: not found\n")).trouble;
    assert_eq!(end.reason, Reason::CommandNotFound);
    assert_eq!(end.words, "container worker ended with exit code 127 (Error): sh: 1: nope: not found");
}

#[test]
fn a_container_that_cannot_be_made_is_told_without_what_changes_at_each_try() {
    let lacking = waiting("CreateContainerConfigError", "configmap \"nope\" not found");
    let words = "container worker cannot start: configmap \"nope\" not found";
    assert_eq!(trouble(&lacking), is(Reason::ContainerCannotStart, words));
    let words = |identity: &str| {
        let message = format!("failed to generate container \"{identity}\" spec: no command specified");
        trouble(&waiting("CreateContainerError", &message))
    };
    let one = words("8dea2b1e2b4b95e4ed32f6c75f5c0c810f40d291a309dda8f9c636d0ad168327");
    assert_eq!(one, words("e39fea0e6c6906f312fecabb98861229da102f070e883237b4f19ac905ca9664"));
    let words = |port: u32| {
        trouble(&waiting("ErrImagePull", &format!("read udp 10.0.0.2:{port}->10.96.0.10:53: i/o timeout")))
    };
    assert_eq!(words(54321), words(41233));
}

#[test]
fn a_pod_without_a_node_is_told_in_the_words_of_the_scheduler_of_kubernetes() {
    let words = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are \
                 available: 1 Preemption is not helpful for scheduling.";
    let condition =
        json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words});
    let text = json!({"phase": "Pending", "conditions": [condition]});
    assert_eq!(trouble(&text), is(Reason::Unschedulable, words));
}

#[test]
fn a_crash_is_one_trouble_while_the_container_waits_runs_and_ends() {
    let words = "container scheduler ended with exit code 3 (Error): last words";
    let expected = is(Reason::ContainerFailed, words);
    let backs_off =
        json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed"}});
    let again = json!({"exitCode": 3, "reason": "Error", "message": "last words", "finishedAt": "2026-01-01T00:02:00Z"});
    for state in [backs_off, json!({"running": {}}), json!({"terminated": again})] {
        assert_eq!(trouble(&restarted(&state, 3, EARLY)), expected);
    }
}

#[test]
fn a_crash_after_which_the_pod_was_ready_is_history() {
    assert_eq!(trouble(&restarted(&json!({"running": {}}), 3, "2026-01-01T00:09:00Z")), None);
    assert!(trouble(&restarted(&json!({"running": {}}), 3, "2026-01-01T00:01:01Z")).is_some());
}

#[test]
fn a_clean_end_is_trouble_only_where_the_kubelet_backs_off() {
    let backs_off = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    assert!(trouble(&restarted(&backs_off, 0, EARLY)).is_some());
    assert_eq!(trouble(&restarted(&json!({"running": {}}), 0, EARLY)), None);
}

#[test]
fn an_init_container_is_in_trouble_for_the_pod() {
    let end = json!({"exitCode": 4, "reason": "Error"});
    let state = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    let init = json!({"name": "prepare", "state": state, "lastState": {"terminated": end}});
    let main = json!({"name": "worker", "state": {"waiting": {"reason": "PodInitializing"}}});
    let text = json!({"phase": "Pending", "initContainerStatuses": [init], "containerStatuses": [main]});
    let words = "container prepare ended with exit code 4 (Error)";
    assert_eq!(trouble(&text), is(Reason::ContainerFailed, words));
}

#[test]
fn an_end_carries_exit_code_reason_and_last_words() {
    let end = end(&failed(137, "OOMKilled", "first\nlast"));
    assert!(end.failed);
    assert_eq!(end.trouble.reason, Reason::OutOfMemory);
    assert_eq!(end.trouble.words, "container worker ended with exit code 137 (OOMKilled): last");
    assert_eq!(end.at, "2026-01-01T00:01:00Z".parse().unwrap());
}

#[test]
fn an_eviction_is_told_in_the_kubelets_words_whatever_its_containers_ended_by() {
    let mut text = failed(137, "Error", "");
    text["reason"] = json!("Evicted");
    text["message"] = json!("The node was low on resource: memory.");
    let end = end(&text);
    assert_eq!(end.trouble.reason, Reason::Evicted);
    assert_eq!(end.trouble.words, "Evicted: The node was low on resource: memory.");
}
