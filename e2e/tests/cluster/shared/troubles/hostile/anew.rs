//! Schedulers of Dask that do not know who asks, and that begin anew in the middle of a drain.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use dask_operator_api::conditions::Reason;
use dask_operator_api::{DaskCluster, DaskWorkerGroup, labels};
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use super::super::{SOON, Told, Trouble};
use super::Gone;

const SECONDS: u32 = 12;
/// Starts a long task on each worker, and returns once all of them run.
const WORK: &str = "
import time
from dask.distributed import fire_and_forget
for worker in client.scheduler_info()['workers']:
    fire_and_forget(client.submit(time.sleep, 600, workers=[worker], pure=False))
while not all(client.run(lambda dask_worker: dask_worker.state.executing_count).values()):
    time.sleep(0.05)
";
const STATES: &str = "
print(client.run_on_scheduler(
    lambda dask_scheduler: [worker.status.name for worker in dask_scheduler.workers.values()]))
";

pub(super) fn begin(bed: &Bed) -> Result<()> {
    let scheduler =
        json!([{"name": "scheduler", "env": [{"name": "OPERATOR_TOKEN", "value": "of another"}]}]);
    let tiny = json!({"requests": {"cpu": "20m", "memory": "100Mi"}});
    let worker =
        |replicas: u32, drain| json!({"replicas": replicas, "threads": 1, "resources": tiny, "drain": drain});
    let deaf = json!({
        "scheduler": {"spec": {"containers": scheduler}},
        "worker": worker(1, json!({"timeoutSeconds": SECONDS})),
    });
    bed.apply(&manifests::cluster_of("deaf", &deaf))?;
    let mut nannies = worker(2, json!({}));
    nannies["spec"] = json!({"containers": [{"name": "worker", "args": manifests::WITH_NANNY}]});
    bed.apply(&manifests::cluster_of("restarted", &json!({"worker": nannies})))
}

pub(super) async fn until_ready(bed: &Bed) -> Result<()> {
    bed.until_registered("deaf", 1, SOON).await?;
    bed.until_registered("restarted", 2, SOON).await?;
    bed.client("deaf", WORK)?;
    bed.client("restarted", WORK).map(drop)
}

pub(super) async fn leave(bed: &Bed) -> Result<()> {
    tokio::try_join!(deaf(bed), restarted(bed)).map(drop)
}

/// The token is not the cluster's.
async fn deaf(bed: &Bed) -> Result<()> {
    let (group, scaled) = ("deaf-default", Instant::now());
    bed.kubectl(&["scale", "dsk/deaf", "--replicas=0"])?;
    let words = ["1 workers are to leave", "it does not know the cluster's token"];
    let trouble = Trouble { object: group, reason: Reason::SchedulerUnreachable, words: &words };
    let told = trouble.until_told::<DaskWorkerGroup>(bed, scaled);
    let ((), gone) = tokio::try_join!(told, Gone::wait(bed, group))?;
    gone.assert_in_time(group, SECONDS, 15);
    Ok(())
}

async fn until_it_is_not_ready(bed: &Bed, cluster: &str) -> Result<()> {
    let is_not = |clusters: &[Arc<DaskCluster>]| {
        let named = clusters.iter().filter(|one| one.name_any() == cluster);
        named
            .flat_map(|one| one.conditions())
            .any(|one| one.type_ == "SchedulerReady" && one.status == "False")
    };
    bed.until("", &format!("the scheduler of {cluster} is not ready"), SOON, is_not).await.map(drop)
}

/// Its workers end with it, and it is told. Others take their places, as many as are wanted, and none of them is told to leave.
async fn restarted(bed: &Bed) -> Result<()> {
    let workers = format!("{}=restarted-default", labels::WORKER_GROUP_NAME);
    let is_marked = |pod: &Pod| pod.metadata.annotations.iter().any(|all| all.contains_key(labels::DRAINING));
    bed.kubectl(&["scale", "dsk/restarted", "--replicas=1"])?;
    let marked = |pods: &[Arc<Pod>]| pods.iter().any(|pod| is_marked(pod));
    let before = bed.until(&workers, "one is to leave", SOON, marked).await?;
    let restart = "import os, signal; os.kill(1, signal.SIGTERM)";
    let (cluster, namespace) = (bed.cluster.clone(), bed.namespace.clone());
    let end = move || {
        let scheduler = ["exec", "--namespace", &namespace, "deployment/restarted-scheduler", "--"];
        cluster.kubectl(&[&scheduler[..], &["python3", "-c", restart]].concat())
    };
    // Whoever says so may end with it; what comes of it is awaited.
    let (told, _) = tokio::join!(until_it_is_not_ready(bed, "restarted"), tokio::task::spawn_blocking(end));
    told?;
    let anew = |pods: &[Arc<Pod>]| {
        let [pod] = pods else { return false };
        let is_new = before.iter().all(|old| old.metadata.uid != pod.metadata.uid);
        is_new && !is_marked(pod) && pod.metadata.deletion_timestamp.is_none()
    };
    bed.until(&workers, "one new worker", SOON, anew).await?;
    bed.until_registered("restarted", 1, SOON).await?;
    assert_eq!(bed.client("restarted", STATES)?.trim(), "['running']");
    Ok(())
}
