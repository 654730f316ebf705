//! Deletion is garbage collection: it takes no operator.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::bed::Bed;
use e2e::{latency, manifests, operator};

use crate::at_work;

const SOON: Duration = Duration::from_mins(1);

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
async fn a_cluster_at_work_is_gone_as_soon_without_the_operator() -> Result<()> {
    let bed = at_work::busy("busy-orphaned").await?;
    operator::scale(&bed.cluster, 0)?;
    let took = latency::of_deletion(&bed, "demo").await;
    operator::scale(&bed.cluster, 1).context("the operator must run again for the next test")?;
    let took = took?;
    println!("deletion -> everything gone, under running tasks, without the operator: {took:?}");
    assert!(took < at_work::WITHOUT_WAITING, "{took:?}");
    Ok(())
}
