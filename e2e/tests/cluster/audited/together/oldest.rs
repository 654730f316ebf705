//! The oldest release of Dask that is supported works as the newest does, in an image that nobody else is given.

use std::time::Duration;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::dask::Dask;
use e2e::manifests;
use e2e::workload::Start;
use serde_json::json;

/// What the preloads are tested with, too.
const OLDEST: &str = include_str!("../../../../../operator/preload/tests/oldest.txt");
const SOON: Duration = Duration::from_mins(4);

#[tokio::test]
async fn a_cluster_of_the_oldest_dask_computes_and_shrinks_under_load_and_loses_nothing() -> Result<()> {
    let bed = Bed::new("oldest").await?;
    let pod = json!({"containers": [{"name": "worker", "args": manifests::WITH_NANNY}]});
    let worker = json!({"replicas": 3, "threads": 1, "spec": pod});
    bed.apply(&manifests::cluster_of("demo", &json!({"image": Dask::Oldest.image(), "worker": worker})))?;
    bed.until_registered("demo", 3, SOON).await?;
    let mut workload = Start::new("leaving", &bed.address("demo")?).by(Dask::Oldest).start()?;
    workload.until("ready")?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=2"])?;
    let (reported, succeeded) = workload.finish()?;
    assert!(succeeded, "{reported}");
    assert_eq!(reported["gone"].as_array().map(Vec::len), Some(1), "{reported}");
    // Three results and two running tasks of each of three workers.
    assert_eq!(reported["bodies"], 15, "{reported}");
    let version = reported["version"].as_str().unwrap_or_default();
    assert!(OLDEST.lines().any(|line| line == format!("distributed=={version}")), "{reported}");
    Ok(())
}
