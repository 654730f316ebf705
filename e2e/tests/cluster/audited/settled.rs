//! A cluster about which nothing is left to be done or told.

use std::time::Duration;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::manifests;
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);

/// A cluster with an additional group and an autoscaler, everything ready and registered.
pub(crate) async fn settled(name: &str) -> Result<Bed> {
    let bed = Bed::new(name).await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.apply(&manifests::group("demo", "more", 1))?;
    // It looks again and again at what the scheduler tells.
    let group = json!({"name": "demo-more", "minimum": 1, "maximum": 2});
    bed.apply(&manifests::autoscaler("demo", "demo", &json!({"groups": [group]})))?;
    bed.until_registered("demo", 3, SOON).await?;
    bed.until_ready("demo", SOON).await?;
    Ok(bed)
}
