//! Deletion is garbage collection: it takes no operator.

use std::time::Duration;

use anyhow::Result;
use e2e::operator::Replicas;
use e2e::{at_work, latency};

#[tokio::test]
async fn clusters_at_rest_and_at_work_are_gone_as_soon_without_the_operator() -> Result<()> {
    let (at_rest, at_work) = tokio::try_join!(at_work::resting("orphaned"), at_work::busy("busy-orphaned"))?;
    let none = Replicas::new(&at_rest.cluster, 0)?;
    let (at_rest, at_work) =
        tokio::join!(latency::of_deletion(&at_rest, "demo"), latency::of_deletion(&at_work, "demo"));
    drop(none);
    let (at_rest, at_work) = (at_rest?, at_work?);
    println!("deletion -> everything gone, without the operator: {at_rest:?} at rest, {at_work:?} at work");
    assert!(at_rest < Duration::from_secs(50), "{at_rest:?}");
    assert!(at_work < at_work::WITHOUT_WAITING, "{at_work:?}");
    Ok(())
}
