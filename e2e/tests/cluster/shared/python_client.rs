//! The Python client of dask-kubernetes works as it is.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::{DaskAutoscaler, DaskCluster};
use e2e::bed::Bed;

const SOON: Duration = Duration::from_mins(4);

#[tokio::test]
async fn a_cluster_is_made_adapted_scaled_and_closed_by_the_client_of_dask_kubernetes() -> Result<()> {
    let bed = Bed::new("client").await?;
    // Its own checks are in the script: a wrong count fails it.
    bed.kube_cluster("kube_cluster")?;
    bed.until("", "no cluster", SOON, |clusters: &[Arc<DaskCluster>]| clusters.is_empty()).await?;
    bed.until("", "no autoscaler", SOON, |all: &[Arc<DaskAutoscaler>]| all.is_empty()).await.map(drop)
}
