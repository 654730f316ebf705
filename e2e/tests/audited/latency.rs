//! How soon things happen, by the microseconds of the audit log. A test asserts ten times what is promised; the
//! figure itself is printed by `cargo e2e bench`.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::bed::Bed;
use e2e::latency;
use e2e::{manifests, operator};

const SOON: Duration = Duration::from_mins(1);

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
