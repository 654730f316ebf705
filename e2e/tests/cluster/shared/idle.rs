//! A cluster with `idleTimeout` goes when it has nothing to do, and not before.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::DaskCluster;
use e2e::bed::Bed;
use e2e::manifests;
use e2e::workload::Start;

const SOON: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_cluster_goes_when_it_has_been_idle_unless_it_works_or_holds_what_was_published() -> Result<()> {
    let bed = Bed::new("idle").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.until_registered("demo", 1, SOON).await?;
    bed.client("demo", "client.publish_dataset(kept=client.submit(sum, [1, 2]))")?;
    bed.kubectl(&["patch", "dsk/demo", "--type=merge", "--patch", r#"{"spec": {"idleTimeout": 2}}"#])?;
    let kept = |clusters: &[Arc<DaskCluster>]| {
        let told = clusters.iter().filter_map(|one| one.status.as_ref()).flat_map(|one| &one.conditions);
        told.into_iter().any(|condition| condition.reason == "DatasetsPublished")
    };
    bed.until("", "it is told that it stays", SOON, kept).await?;
    let work = Start::new("growing", &bed.address("demo")?).with("TASKS", "1").with("SECONDS", "8");
    let mut work = work.start()?;
    work.until("submitted")?;
    bed.client("demo", "client.unpublish_dataset('kept')")?;
    let (reported, succeeded) = work.finish()?;
    assert!(succeeded, "it went while it was at work: {reported}");
    bed.until("", "no cluster", SOON, |clusters: &[Arc<DaskCluster>]| clusters.is_empty()).await?;
    let events = bed.kubectl(&["get", "events", "--field-selector=reason=IdleDeleted", "--output=name"])?;
    assert_eq!(events.lines().count(), 1, "{events}");
    Ok(())
}
