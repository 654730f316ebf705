//! `kubectl scale` on a cluster and on a group: exact counts, and only in the group that was scaled.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::Pod;

const SOON: Duration = Duration::from_mins(1);

async fn until_pods(bed: &Bed, group: &str, count: usize) -> Result<Vec<String>> {
    let selector = format!("dask.org/workergroup-name={group}");
    let what = format!("{count} worker pods of {group}");
    let pods = bed.until(&selector, &what, SOON, |pods: &[Arc<Pod>]| pods.len() == count).await?;
    let mut names: Vec<_> = pods.iter().filter_map(|pod| pod.metadata.name.clone()).collect();
    names.sort();
    Ok(names)
}

#[tokio::test]
async fn a_cluster_grows_and_shrinks_to_exact_counts_of_registered_workers() -> Result<()> {
    let bed = Bed::new("scale-cluster").await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.until_ready("demo", SOON).await?;
    bed.until_registered("demo", 2, SOON).await?;
    let first = until_pods(&bed, "demo-default", 2).await?;

    bed.kubectl(&["scale", "dsk/demo", "--replicas=6"])?;
    let grown = until_pods(&bed, "demo-default", 6).await?;
    assert!(first.iter().all(|name| grown.contains(name)), "workers that ran go on: {first:?} {grown:?}");
    bed.until_registered("demo", 6, SOON).await?;

    bed.kubectl(&["scale", "dsk/demo", "--replicas=3"])?;
    let left = until_pods(&bed, "demo-default", 3).await?;
    assert!(left.iter().all(|name| grown.contains(name)), "no worker is new: {left:?}");
    bed.until_registered("demo", 3, SOON).await
}

#[tokio::test]
async fn a_group_grows_and_shrinks_to_exact_counts_and_its_neighbour_is_left_alone() -> Result<()> {
    let bed = Bed::new("scale-group").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.apply(&manifests::group("demo", "more", 2))?;
    bed.until_registered("demo", 3, SOON).await?;
    let neighbour = until_pods(&bed, "demo-default", 1).await?;
    let mut before = until_pods(&bed, "demo-more", 2).await?;
    for count in [6, 3] {
        bed.kubectl(&["scale", "daskworkergroup/demo-more", &format!("--replicas={count}")])?;
        let after = until_pods(&bed, "demo-more", count).await?;
        let (fewer, more) = if after.len() < before.len() { (&after, &before) } else { (&before, &after) };
        assert!(fewer.iter().all(|name| more.contains(name)), "{before:?} {after:?}");
        bed.until_registered("demo", 1 + count as u64, SOON).await?;
        before = after;
    }
    assert_eq!(until_pods(&bed, "demo-default", 1).await?, neighbour);
    Ok(())
}
