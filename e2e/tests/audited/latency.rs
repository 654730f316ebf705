//! How soon things happen, by the microseconds of the audit log. A test asserts ten times what is promised; the
//! figure itself is printed by `cargo e2e bench`.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::bed::Bed;
use e2e::latency;
use e2e::{manifests, operator};
use serde_json::json;

const SOON: Duration = Duration::from_mins(1);
/// Less than the tasks would still run; Dask's own patience alone is longer.
const WITHOUT_WAITING: Duration = Duration::from_secs(30);
/// Starts a minute's task on every worker that outlives its client, and returns once each is running.
const MINUTES_OF_WORK: &str = "
import time
from dask.distributed import fire_and_forget
for worker in client.scheduler_info()['workers']:
    fire_and_forget(client.submit(time.sleep, 60, workers=[worker], pure=False))
while not all(client.run(lambda dask_worker: dask_worker.state.executing_count).values()):
    time.sleep(0.05)
";

/// One worker under a nanny and one without, each with a task that runs for a minute.
async fn busy(name: &str) -> Result<Bed> {
    let bed = Bed::new(name).await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    let plain = json!([{"name": "worker", "args": ["dask", "worker", "--no-nanny", "--name", "$(DASK_WORKER_NAME)"]}]);
    let worker = json!({"replicas": 1, "threads": 1, "spec": {"containers": plain}});
    bed.apply(&manifests::group_of("plain", &json!({"cluster": "demo", "worker": worker})))?;
    bed.until_registered("demo", 2, SOON).await?;
    bed.client("demo", MINUTES_OF_WORK)?;
    Ok(bed)
}

#[tokio::test]
async fn the_phase_is_running_soon_after_the_apply() -> Result<()> {
    let bed = Bed::new("phase").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    let took = latency::of_phase_running(&bed, "demo").await?;
    assert!(took < Duration::from_secs(10), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn a_lost_worker_is_soon_followed_by_a_new_pod() -> Result<()> {
    let bed = Bed::new("lost").await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.until_registered("demo", 2, SOON).await?;
    let took = latency::of_replacement(&bed).await?;
    assert!(took < Duration::from_secs(5), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn an_idle_worker_leaves_soon_when_fewer_are_wanted() -> Result<()> {
    let bed = Bed::new("idle").await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.until_registered("demo", 2, SOON).await?;
    let (let_go, gone) = latency::of_leaving(&bed, "demo").await?;
    println!("idle worker scaled away -> its pod deleted: {let_go:?}, gone: {gone:?}");
    assert!(let_go < Duration::from_secs(5) && gone < Duration::from_secs(15), "{let_go:?} {gone:?}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_at_rest_is_gone_soon_after_its_deletion() -> Result<()> {
    let bed = Bed::new("deletion").await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.until_registered("demo", 2, SOON).await?;
    let took = latency::of_deletion(&bed, "demo").await?;
    assert!(took < Duration::from_secs(50), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_is_gone_as_soon_without_the_operator() -> Result<()> {
    let bed = Bed::new("orphaned").await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.until_registered("demo", 2, SOON).await?;
    operator::scale(&bed.cluster, 0)?;
    let took = latency::of_deletion(&bed, "demo").await;
    operator::scale(&bed.cluster, 1).context("the operator must run again for the next test")?;
    let took = took?;
    assert!(took < Duration::from_secs(50), "{took:?}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_at_work_is_gone_without_waiting_for_its_tasks() -> Result<()> {
    let bed = busy("busy").await?;
    let took = latency::of_deletion(&bed, "demo").await?;
    println!("deletion -> everything gone, under running tasks: {took:?}");
    assert!(took < WITHOUT_WAITING, "{took:?}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_at_work_is_gone_as_soon_without_the_operator() -> Result<()> {
    let bed = busy("busy-orphaned").await?;
    operator::scale(&bed.cluster, 0)?;
    let took = latency::of_deletion(&bed, "demo").await;
    operator::scale(&bed.cluster, 1).context("the operator must run again for the next test")?;
    let took = took?;
    println!("deletion -> everything gone, under running tasks, without the operator: {took:?}");
    assert!(took < WITHOUT_WAITING, "{took:?}");
    Ok(())
}
