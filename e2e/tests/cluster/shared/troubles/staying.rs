//! Workers that are to leave, and cannot.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use dask_operator_api::DaskWorkerGroup;
use dask_operator_api::conditions::Reason;
use e2e::bed::Bed;
use e2e::manifests::{self, dask_image};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use serde_json::json;

use super::{SOON, Trouble};

const WORKERS: &str = "dask.org/component=worker";
/// Starts a long task on each worker, and returns once all of them run.
const WORK: &str = "
import time
from dask.distributed import fire_and_forget
for worker in client.scheduler_info()['workers']:
    task = client.submit(time.sleep, 600, workers=[worker], allow_other_workers=True, pure=False)
    fire_and_forget(task)
while not all(client.run(lambda dask_worker: dask_worker.state.executing_count).values()):
    time.sleep(0.05)
";
/// Prints the states of the workers, and how often tasks were blamed.
const STATES: &str = "
def told(dask_scheduler):
    states = sorted(worker.status.name for worker in dask_scheduler.workers.values())
    return states, sum(task.suspicious for task in dask_scheduler.tasks.values())
print(*client.run_on_scheduler(told))
";

async fn until_left(bed: &Bed, count: usize) -> Result<()> {
    let left = |pods: &[Arc<Pod>]| pods.len() == count;
    bed.until(WORKERS, &format!("{count} workers are left"), SOON, left).await.map(drop)
}

#[tokio::test]
async fn a_worker_that_cannot_leave_in_time_stays_or_goes_as_its_group_says_and_both_are_told() -> Result<()>
{
    let bed = Bed::new("stays").await?;
    let worker = json!({"replicas": 2, "threads": 1, "drain": {"timeoutSeconds": 1, "onTimeout": "Keep"}});
    bed.apply(&manifests::cluster_of("demo", &json!({"worker": worker})))?;
    bed.until_registered("demo", 2, SOON).await?;
    bed.client("demo", WORK)?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=1"])?;
    let stays =
        Trouble { object: "demo-default", reason: Reason::WorkersKept, words: &["could not leave in time"] };
    stays.until_told::<DaskWorkerGroup>(&bed, Instant::now()).await?;
    until_left(&bed, 2).await?;
    assert_eq!(bed.client("demo", STATES)?.trim(), "['running', 'running'] 0");

    let change = json!({"spec": {"worker": {"drain": {"onTimeout": "Delete"}}}}).to_string();
    bed.kubectl(&["patch", "dsk/demo", "--type=merge", "--patch", &change])?;
    until_left(&bed, 1).await?;
    let told = |events: &[Arc<Event>]| {
        let notes = events.iter().filter(|event| event.reason.as_deref() == Some("WorkInterrupted"));
        notes.filter_map(|event| event.note.as_deref()).any(|note| note.contains("1 tasks interrupted"))
    };
    bed.until("", "an Event that says what was interrupted", SOON, told).await?;
    stays.until_over::<DaskWorkerGroup>(&bed).await?;
    assert_eq!(bed.client("demo", STATES)?.trim(), "['running'] 0");
    Ok(())
}

#[tokio::test]
async fn a_scheduler_that_cannot_be_asked_is_told_and_its_workers_go_when_their_time_is_over() -> Result<()> {
    let bed = Bed::new("unasked").await?;
    let ports = json!([{"name": "tcp-comm", "containerPort": 8786}, {"name": "http-dashboard", "containerPort": 8787}]);
    let elsewhere = json!([{"name": "scheduler", "image": dask_image(), "ports": ports,
        "args": ["dask", "scheduler", "--dashboard-address", ":9787"]}]);
    let worker = json!({"replicas": 2, "threads": 1, "drain": {"timeoutSeconds": 20}});
    let spec = json!({"scheduler": {"spec": {"containers": elsewhere}}, "worker": worker});
    bed.apply(&manifests::cluster_of("demo", &spec))?;
    bed.until_ready("demo", SOON).await?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=1"])?;
    let scaled = Instant::now();
    let silent = Trouble {
        object: "demo-default",
        reason: Reason::SchedulerUnreachable,
        words: &["1 workers are to leave", "refused"],
    };
    silent.until_told::<DaskWorkerGroup>(&bed, scaled).await?;
    until_left(&bed, 1).await?;
    assert!(scaled.elapsed() > Duration::from_secs(20), "{:?}", scaled.elapsed());
    silent.until_over::<DaskWorkerGroup>(&bed).await
}
