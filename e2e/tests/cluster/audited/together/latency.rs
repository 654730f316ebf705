//! How soon things happen, by the microseconds of the audit log. A test asserts ten times what is promised; the
//! figure itself is printed by `cargo e2e bench`.

use std::time::Duration;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::{at_work, latency, manifests};
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);
/// What is promised of a graph is the median.
const GRAPHS: usize = 5;

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
async fn a_submitted_graph_is_soon_followed_by_its_first_worker() -> Result<()> {
    let bed = Bed::new("growth").await?;
    bed.apply(&manifests::cluster("demo", 0))?;
    let soon = json!({"minimum": 0, "maximum": 1, "scaleDown": {"stabilizationSeconds": 1}});
    bed.apply(&manifests::autoscaler("demo", "demo", &soon))?;
    bed.until_ready("demo", SOON).await?;
    let mut took = Vec::new();
    for _ in 0..GRAPHS {
        took.push(latency::of_growth(&bed, "demo").await?);
    }
    println!("graph submitted -> first worker created: {took:?}");
    took.sort();
    assert!(took[GRAPHS / 2] < Duration::from_secs(1), "{took:?}");
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
async fn a_cluster_at_work_is_gone_without_waiting_for_its_tasks() -> Result<()> {
    let bed = at_work::busy("busy").await?;
    let took = latency::of_deletion(&bed, "demo").await?;
    println!("deletion -> everything gone, under running tasks: {took:?}");
    assert!(took < at_work::WITHOUT_WAITING, "{took:?}");
    Ok(())
}
