//! What is said to schedulers and workers, in msgpack.

use serde_json::{Value, json};

/// Changes of ours are found by this in Dask's logs and events.
const CAUSE: &str = "dask-operator";

/// What both sides say first. We compress nothing, and would not read what is pickled whatever its version.
pub(super) fn greeting() -> Vec<u8> {
    packed(&json!({"compression": null, "python": [3, 10, 0], "pickle-protocol": 4}))
}

/// A question that has no arguments.
pub(in crate::scheduler) fn question(op: &str) -> Vec<u8> {
    packed(&json!({"op": op, "reply": true}))
}

/// How many tasks these workers still have, by the scheduler's own books.
pub(in crate::scheduler) fn what_it_processes(workers: &[String]) -> Vec<u8> {
    packed(&json!({"op": "processing", "reply": true, "workers": workers}))
}

/// Which workers could be closed if none were wanted: all, but for those that a plugin or a long task keeps.
pub(in crate::scheduler) fn which_may_close() -> Vec<u8> {
    packed(&json!({"op": "workers_to_close", "reply": true, "target": 0}))
}

/// These workers take no more work, and others copy what only they hold; they stay registered. It is always said which
/// workers: without that, Dask chooses some itself.
pub(in crate::scheduler) fn retirement(workers: &[String]) -> Vec<u8> {
    packed(&json!({
        "op": "retire_workers", "reply": true, "workers": workers, "remove": false, "close_workers": false,
        "stimulus_id": CAUSE,
    }))
}

/// A worker is about to go: others take its tasks, and none of them is blamed.
pub(in crate::scheduler) fn removal(worker: &str) -> Vec<u8> {
    packed(&json!({
        "op": "unregister", "reply": true, "address": worker, "expected": true, "close": false,
        "stimulus_id": CAUSE,
    }))
}

/// To a worker itself: it takes work again, and tells its scheduler so.
pub(in crate::scheduler) fn going_on() -> Vec<Vec<u8>> {
    let begin = json!({"op": "connection_stream", "reply": false});
    let change = json!({"op": "worker-status-change", "status": "running", "stimulus_id": CAUSE});
    [begin, change, json!({"op": "close-stream"})].iter().map(packed).collect()
}

fn packed(message: &Value) -> Vec<u8> {
    // A value of JSON can always be packed.
    rmp_serde::to_vec(message).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_retired_that_was_not_named() {
        let message: Value = rmp_serde::from_slice(&retirement(&[])).unwrap();
        assert_eq!(message["workers"], json!([]));
        let message: Value = rmp_serde::from_slice(&retirement(&["tcp://a:1".to_owned()])).unwrap();
        assert_eq!((&message["remove"], &message["close_workers"]), (&json!(false), &json!(false)));
    }
}
