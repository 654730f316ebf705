//! How many writes a cluster costs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::audit::Request;
use e2e::bed::Bed;
use e2e::manifests;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);

/// How often the operator made each write for a cluster of three workers that starts undisturbed, its statuses and
/// Events aside.
async fn writes(bed: &Bed, manifest: &str) -> Result<BTreeMap<String, usize>> {
    let began = Instant::now();
    bed.apply(manifest)?;
    bed.until_ready("demo", SOON).await?;
    bed.until_registered("demo", 3, SOON).await?;
    let took = began.elapsed().as_secs();
    // Counts that changed last are written at most ten seconds later.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let mut writes: BTreeMap<String, usize> = BTreeMap::new();
    for request in bed.audit()?.writes_of_operator(&bed.namespace)? {
        *writes.entry(Request::summary(&request)).or_default() += 1;
    }
    let statuses =
        ["patch daskclusters/status", "patch daskworkergroups/status"].map(|kind| writes.remove(kind));
    // Where a start takes long, counts are written meanwhile, for each of the two at most every ten seconds; and where
    // workers are ready before their scheduler is, one more than usual is told.
    let most = 4 + usize::from(took > 5) + 2 * usize::try_from(took / 10)?;
    let told = statuses.into_iter().flatten().sum::<usize>();
    assert!((2..=most).contains(&told), "{statuses:?} in {took} s");
    assert!(writes.remove("create events").is_none_or(|events| events == 1));
    Ok(writes)
}

#[tokio::test]
async fn an_undisturbed_start_costs_its_objects_four_statuses_and_one_event() -> Result<()> {
    let bed = Bed::new("writes").await?;
    let writes = writes(&bed, &manifests::cluster("demo", 3)).await?;
    let objects = ["create deployments", "create services", "create daskworkergroups"].map(|kind| (kind, 1));
    let expected = objects.into_iter().chain([("create pods", 3)]);
    assert_eq!(writes, expected.map(|(summary, count)| (summary.to_owned(), count)).collect());
    Ok(())
}

#[tokio::test]
async fn a_worker_costs_a_create_a_mark_and_a_delete() -> Result<()> {
    let bed = Bed::new("life").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.until_registered("demo", 1, SOON).await?;
    let start = Timestamp::now();
    for (replicas, workers) in [("--replicas=2", 2), ("--replicas=1", 1)] {
        bed.kubectl(&["scale", "dsk/demo", replicas])?;
        bed.until_registered("demo", workers, SOON).await?;
        let there = |pods: &[Arc<Pod>]| pods.len() as u64 == workers;
        bed.until("dask.org/component=worker", "as many pods", SOON, there).await?;
    }
    let mut of_pods: BTreeMap<String, usize> = BTreeMap::new();
    for request in bed.audit()?.writes_of_operator(&bed.namespace)? {
        if request.request_received_timestamp >= start && request.object_ref.resource == "pods" {
            *of_pods.entry(request.summary()).or_default() += 1;
        }
    }
    let expected = ["create pods", "delete pods", "patch pods"].map(|kind| (kind.to_owned(), 1));
    assert_eq!(of_pods, BTreeMap::from(expected));
    Ok(())
}

#[tokio::test]
async fn protection_and_a_configuration_cost_one_object_each() -> Result<()> {
    let bed = Bed::new("more-writes").await?;
    let worker = json!({"replicas": 3, "threads": 1});
    let spec = json!({"worker": worker, "config": {"a": 1}, "disruptionProtection": "WhileBusy"});
    let writes = writes(&bed, &manifests::cluster_of("demo", &spec)).await?;
    assert_eq!(
        (writes.get("create poddisruptionbudgets"), writes.get("create configmaps")),
        (Some(&1), Some(&1))
    );
    assert_eq!(writes.values().sum::<usize>(), 8, "nothing else is written: {writes:?}");
    Ok(())
}
