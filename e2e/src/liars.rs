//! Clusters whose scheduler schedules nothing: a few lines of Python that tell the operator what they are given.

use anyhow::Result;
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::manifests;

const SCRIPT: &str = include_str!("../workloads/scheduler_that_lies.py");
/// In place of Dask's own program, and before it on the path, so that the command is the usual one.
const FOLDER: &str = "/lies";
/// Outlives the container, so that one that is to die does so whenever it is started.
const TROUBLE: &str = "/trouble";

/// Has the script ready for those of a namespace.
pub fn prepare(bed: &Bed) -> Result<()> {
    let metadata = json!({"name": "lies"});
    let script =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"dask": SCRIPT}});
    bed.apply(&script.to_string())
}

/// One that says that so many tasks are queued; its workers never register.
pub fn cluster(name: &str, tasks: u64) -> String {
    let tiny = json!({"requests": {"cpu": "5m", "memory": "20Mi"}});
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    let scheduler = json!({
        "name": "scheduler",
        "args": ["dask", "scheduler"],
        "env": [
            variable("PATH", &format!("{FOLDER}:/opt/dask/bin:/usr/local/bin:/usr/bin:/bin")),
            variable("TASKS", &tasks.to_string()),
            variable("TROUBLE", TROUBLE),
        ],
        "volumeMounts": [
            {"name": "lies", "mountPath": FOLDER},
            {"name": "trouble", "mountPath": TROUBLE},
        ],
    });
    let volumes = json!([
        {"name": "lies", "configMap": {"name": "lies", "defaultMode": 0o755}},
        {"name": "trouble", "emptyDir": {}},
    ]);
    let scheduler = json!({"resources": tiny, "spec": {"containers": [scheduler], "volumes": volumes}});
    let worker = json!({"replicas": 0, "resources": tiny, "spec": mute_workers()});
    manifests::cluster_of(name, &json!({"scheduler": scheduler, "worker": worker}))
}

/// A pod that starts and does nothing more.
pub fn mute_workers() -> Value {
    let sleep = json!({"name": "worker", "command": ["sleep", "600"]});
    json!({"containers": [sleep], "terminationGracePeriodSeconds": 1})
}

/// From now on it does not answer any more.
pub fn hang(bed: &Bed, cluster: &str) -> Result<()> {
    trouble(bed, cluster, "hangs")
}

/// It ends, and again whenever it is started.
pub fn die(bed: &Bed, cluster: &str) -> Result<()> {
    trouble(bed, cluster, "dies")
}

fn trouble(bed: &Bed, cluster: &str, which: &str) -> Result<()> {
    let (scheduler, file) = (format!("deployment/{cluster}-scheduler"), format!("{TROUBLE}/{which}"));
    let exec = ["exec", "--namespace", &bed.namespace, &scheduler, "--", "touch", &file];
    bed.cluster.kubectl(&exec).map(drop)
}
