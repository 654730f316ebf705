//! When nothing changes, nothing is written but the lease, and the API server is asked nothing.

use std::time::Duration;

use anyhow::Result;
use e2e::audit::Request;
use e2e::bed::Bed;
use e2e::{manifests, operator, quiet};
use jiff::Timestamp;
use serde_json::json;

const SOON: Duration = Duration::from_mins(1);
/// `cargo e2e bench rest` has fifty.
const AUTOSCALERS: u32 = 5;

/// What the operator wrote since `start`, in any namespace, the lease aside.
fn writes_since(bed: &Bed, start: Timestamp) -> Result<Vec<String>> {
    let calls = quiet::calls_since(bed, start)?;
    Ok(calls.iter().filter(|call| call.is_write()).map(Request::summary).collect())
}

/// A cluster with an additional group, everything ready and registered.
async fn settled(name: &str) -> Result<Bed> {
    let bed = Bed::new(name).await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.apply(&manifests::group("demo", "more", 1))?;
    // It looks again and again at what the scheduler tells.
    let group = json!({"name": "demo-more", "minimum": 1, "maximum": 2});
    bed.apply(&manifests::autoscaler("demo", "demo", &json!({"groups": [group]})))?;
    bed.until_registered("demo", 3, SOON).await?;
    bed.until_ready("demo", SOON).await?;
    bed.until_alone()?;
    // Counts that changed last are written at most ten seconds later.
    tokio::time::sleep(Duration::from_secs(12)).await;
    Ok(bed)
}

#[tokio::test]
async fn a_minute_of_rest_sees_no_write_and_whatever_autoscalers_follow_asks_nothing() -> Result<()> {
    let (bed, idle) = (settled("rest").await?, Bed::new("rest-many").await?);
    quiet::apply_idle_autoscalers(&idle, AUTOSCALERS)?;
    quiet::until_followed(&idle, AUTOSCALERS, SOON).await?;
    let start = Timestamp::now();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(writes_since(&bed, start)?, Vec::<String>::new());
    // A watch is begun anew after some minutes.
    let asked = quiet::calls_since(&bed, start)?;
    assert!(asked.iter().all(|call| call.verb == "watch"), "{asked:#?}");
    Ok(())
}

#[tokio::test]
async fn a_restart_of_the_operator_sees_no_write() -> Result<()> {
    let bed = settled("restart").await?;
    let start = Timestamp::now();
    operator::scale(&bed.cluster, 0)?;
    operator::scale(&bed.cluster, 1)?;
    operator::wait_until_leading(&bed.cluster)?;
    // It looks at everything at once.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(writes_since(&bed, start)?, Vec::<String>::new());
    bed.kubectl(&["scale", "dsk/demo", "--replicas=3"])?;
    bed.until_registered("demo", 4, SOON).await?;
    assert!(!writes_since(&bed, start)?.is_empty(), "what it writes is seen");
    Ok(())
}
