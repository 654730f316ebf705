//! `kubectl scale` on a cluster and on a group: exact counts, and only in the group that was scaled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::bed::Bed;
use e2e::manifests;
use e2e::progress::say;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);
/// Far less than the one at work would be waited for.
const PENDING: Duration = Duration::from_secs(10);

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

#[tokio::test]
async fn a_worker_that_finds_no_node_goes_at_once_and_the_one_at_work_stays() -> Result<()> {
    let bed = Bed::new("pending").await?;
    let of_group = json!({"matchLabels": {"dask.org/workergroup-name": "demo-default"}});
    // All nodes have the same: there is room for one of them alone.
    let alone = json!([{"topologyKey": "kubernetes.io/os", "labelSelector": of_group}]);
    let apart = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": alone}});
    let worker = json!({"replicas": 2, "spec": {"affinity": apart, "containers": [{"name": "worker"}]}});
    bed.apply(&manifests::cluster_of("demo", &json!({"worker": worker})))?;
    bed.until_registered("demo", 1, SOON).await?;
    until_pods(&bed, "demo-default", 2).await?;
    let work = "from dask.distributed import fire_and_forget\nimport time\n\
                fire_and_forget(client.submit(time.sleep, 600))\n\
                while not any(client.processing().values()): time.sleep(0.05)\n\
                print(*(worker['name'] for worker in client.scheduler_info()['workers'].values()))";
    let working = bed.client("demo", work)?;
    let scaled = Instant::now();
    bed.kubectl(&["scale", "dsk/demo", "--replicas=1"])?;
    assert_eq!(until_pods(&bed, "demo-default", 1).await?, [working.trim()]);
    let took = scaled.elapsed();
    say(&format!("a pending worker was gone {:.2} s after the scale-down", took.as_secs_f64()));
    assert!(took < PENDING, "{took:?}");
    Ok(())
}
