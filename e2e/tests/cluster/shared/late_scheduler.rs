//! Workers are made beside their scheduler, not after it; one that comes late finds them all still waiting.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use dask_operator_api::cluster::DaskCluster;
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use tokio::time::Instant;

const WORKERS: &str = "dask.org/component=worker";
/// A worker that cannot wait, to show what waiting prevents: it does not survive this.
const HASTY: &str = "dask.org/workergroup-name=demo-hasty";
const SOON: Duration = Duration::from_mins(4);
/// Ten times what it takes.
const REGISTRATION: Duration = Duration::from_secs(50);

/// Twice as long as a nanny would wait by itself.
const LATE: Duration = Duration::from_mins(1);

/// Its scheduler begins when it is told to.
fn late_cluster() -> String {
    let waits = "until [ -e /dev/shm/go ]; do sleep 0.1; done; exec dask scheduler";
    let container = json!({"name": "scheduler", "command": ["sh", "-c", waits]});
    let scheduler = json!({"spec": {"containers": [container]}});
    let pod = json!({"containers": [{"name": "worker", "args": manifests::WITH_NANNY}]});
    let worker = json!({"replicas": 2, "threads": 1, "spec": pod});
    manifests::cluster_of("demo", &json!({"scheduler": scheduler, "worker": worker}))
}

fn group(name: &str, replicas: u32, container: &Value) -> String {
    let worker = json!({"replicas": replicas, "spec": {"containers": [container]}});
    manifests::group_of(name, &json!({"cluster": "demo", "worker": worker}))
}

/// The pods by UID, each with how often its containers were restarted.
fn incarnations(pods: &[Arc<Pod>]) -> BTreeMap<String, i32> {
    let of = |pod: &Arc<Pod>| {
        let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.clone());
        let restarts = statuses.unwrap_or_default().iter().map(|status| status.restart_count).sum();
        (pod.metadata.uid.clone().unwrap_or_default(), restarts)
    };
    pods.iter().map(of).collect()
}

async fn running(bed: &Bed, selector: &str, count: usize) -> Result<BTreeMap<String, i32>> {
    let is_running =
        |pod: &Arc<Pod>| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running");
    let what = format!("{count} running pods of {selector}");
    let all = |pods: &[Arc<Pod>]| pods.len() == count && pods.iter().all(is_running);
    Ok(incarnations(&bed.until(selector, &what, SOON, all).await?))
}

fn scheduler_is_ready(clusters: &[Arc<DaskCluster>]) -> bool {
    let conditions =
        clusters.first().and_then(|cluster| cluster.status.as_ref()).map(|status| &status.conditions);
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "SchedulerReady" && one.status == "True"))
}

#[tokio::test]
async fn a_scheduler_a_minute_late_costs_no_worker_that_waits() -> Result<()> {
    let bed = Bed::new("late").await?;
    bed.apply(&late_cluster())?;
    let bare = json!(manifests::WITHOUT_NANNY);
    bed.apply(&group("demo-bare", 2, &json!({"name": "worker", "args": bare})))?;
    let no_wait = json!([{"name": "OPERATOR_WAIT", "value": "load = print"}]);
    let hasty = json!({"name": "worker", "args": manifests::WITH_NANNY, "env": no_wait});
    bed.apply(&group("demo-hasty", 1, &hasty))?;
    let patient = format!("{WORKERS},dask.org/workergroup-name!=demo-hasty");
    let before = running(&bed, &patient, 4).await?;
    let late = Instant::now() + LATE;
    let hasty = running(&bed, HASTY, 1).await?;
    let gave_up = |pods: &[Arc<Pod>]| incarnations(pods).keys().any(|uid| !hasty.contains_key(uid));
    bed.until(HASTY, "the worker that cannot wait has given up", SOON, gave_up).await?;
    tokio::time::sleep_until(late).await;
    let exec = ["exec", "--namespace", &bed.namespace, "deployment/demo-scheduler"];
    bed.cluster.kubectl(&[&exec[..], &["--", "touch", "/dev/shm/go"]].concat())?;

    let clusters = bed.until("", "the scheduler is ready", SOON, scheduler_is_ready).await?;
    ensure!(clusters.len() == 1);
    bed.until_registered("demo", 5, REGISTRATION).await?;
    assert_eq!(running(&bed, &patient, 4).await?, before, "the same pods, never restarted");
    Ok(())
}
