//! Clusters whose scheduler is honest until a worker is to leave, and from then on something else: a few lines of
//! Python, as are their workers.

use anyhow::Result;
use serde_json::json;

use crate::bed::Bed;
use crate::manifests;

const SCRIPT: &str = include_str!("../workloads/scheduler_that_turns.py");
/// In place of Dask's own program, and before it on the path, so that the commands are the usual ones.
const FOLDER: &str = "/turns";

/// What becomes of a scheduler.
#[derive(Clone, Copy, Debug)]
pub struct Turncoat {
    /// In the script's words; the cluster is called so, too.
    pub turns: &'static str,
    /// `worker.drain` of its one worker.
    pub seconds: u32,
    pub on_timeout: &'static str,
}

/// Makes one cluster of each.
pub fn apply(bed: &Bed, all: &[Turncoat]) -> Result<()> {
    let metadata = json!({"name": "turns"});
    let script =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"dask": SCRIPT}});
    bed.apply(&script.to_string())?;
    let clusters: Vec<_> = all.iter().map(Turncoat::cluster).collect();
    bed.apply(&clusters.join("\n---\n"))
}

impl Turncoat {
    fn cluster(&self) -> String {
        let tiny = json!({"requests": {"cpu": "5m", "memory": "20Mi"}});
        let path = format!("{FOLDER}:/opt/dask/bin:/usr/local/bin:/usr/bin:/bin");
        let pod = |name: &str| {
            let container = json!({
                "name": name,
                "env": [{"name": "PATH", "value": path}, {"name": "TURNS", "value": self.turns}],
                "volumeMounts": [{"name": "turns", "mountPath": FOLDER}],
            });
            let volumes = json!([{"name": "turns", "configMap": {"name": "turns", "defaultMode": 0o755}}]);
            json!({"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 2})
        };
        let drain = json!({"timeoutSeconds": self.seconds, "onTimeout": self.on_timeout});
        let worker = json!({"replicas": 1, "resources": tiny, "drain": drain, "spec": pod("worker")});
        let scheduler = json!({"resources": tiny, "spec": pod("scheduler")});
        manifests::cluster_of(self.turns, &json!({"scheduler": scheduler, "worker": worker}))
    }
}
