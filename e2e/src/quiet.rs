//! How much the operator asks of the API server while nothing changes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::{DaskAutoscaler, DaskCluster};
use jiff::Timestamp;
use serde_json::json;

use crate::audit::Request;
use crate::bed::Bed;
use crate::{liars, manifests};

/// What the operator asked since `start`, about any namespace, the lease aside.
pub fn calls_since(bed: &Bed, start: Timestamp) -> Result<Vec<Request>> {
    let wanted = |request: &Request| {
        let lease = request.object_ref.resource == "leases";
        request.user.username == crate::operator::USER
            && !lease
            && request.request_received_timestamp >= start
    };
    bed.audit()?.requests(wanted)
}

/// So many clusters that are followed by an autoscaler and have nothing to do.
pub fn apply_idle_autoscalers(bed: &Bed, count: u32) -> Result<()> {
    liars::prepare(bed)?;
    for number in 0..count {
        let name = format!("idle-{number}");
        bed.apply(&liars::cluster(&name, 0))?;
        bed.apply(&manifests::autoscaler(&name, &name, &json!({"minimum": 0, "maximum": 3})))?;
    }
    Ok(())
}

/// Waits until so many autoscalers follow the work of their clusters, and nothing is left to be told.
pub async fn until_followed(bed: &Bed, count: u32, within: Duration) -> Result<()> {
    let follows = |one: &&Arc<DaskAutoscaler>| {
        let conditions = one.status.iter().flat_map(|status| &status.conditions);
        conditions.into_iter().any(|condition| condition.reason == "FollowsWork")
    };
    let all = |found: &[Arc<DaskAutoscaler>]| found.iter().filter(follows).count() == count as usize;
    bed.until("", &format!("{count} autoscalers follow the work"), within, all).await?;
    let ready = |found: &[Arc<DaskCluster>]| {
        let ready = |one: &Arc<DaskCluster>| {
            let conditions = one.status.iter().flat_map(|status| &status.conditions);
            conditions.into_iter().any(|one| one.type_ == "Ready" && one.status == "True")
        };
        found.iter().all(ready)
    };
    bed.until("", "all clusters are ready", within, ready).await?;
    until_told().await;
    Ok(())
}

/// Counts that changed last are written at most ten seconds later.
pub async fn until_told() {
    tokio::time::sleep(Duration::from_secs(12)).await;
}
