//! What people see through kubectl, and what other tools see through the scale subresource.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::worker_group::DaskWorkerGroup;
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

const SOON: Duration = Duration::from_mins(4);
const KINDS: &str = "/apis/kubernetes.dask.org/v1/namespaces";

/// The columns of what kubectl printed: between them are at least two spaces, within their names at most one.
fn columns(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|word| !word.is_empty()).collect()
}

async fn until_workers(bed: &Bed, selector: &str, count: usize) -> Result<()> {
    let what = format!("{count} pods of {selector}");
    bed.until(selector, &what, SOON, |pods: &[Arc<Pod>]| pods.len() == count).await.map(drop)
}

#[tokio::test]
async fn kubectl_get_prints_the_known_columns_first_and_wide_prints_more() -> Result<()> {
    let bed = Bed::new("columns").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.until_ready("demo", SOON).await?;

    let table = bed.kubectl(&["get", "dsk"])?;
    let lines: Vec<_> = table.lines().map(columns).collect();
    assert_eq!(lines[0], ["NAME", "WORKERS", "STATUS", "AGE", "READY"]);
    assert_eq!(lines[1][..3], ["demo", "1", "Running"]);
    assert_eq!(lines[1][4], "True", "{table}");

    let wide = bed.kubectl(&["get", "daskclusters", "--output", "wide"])?;
    let lines: Vec<_> = wide.lines().map(columns).collect();
    assert_eq!(lines[0][..5], ["NAME", "WORKERS", "STATUS", "AGE", "READY"]);
    assert_eq!(lines[0][5..], ["SCHEDULER", "READY WORKERS", "REASON"]);
    assert_eq!(lines[1][4..7], ["True", "True", "1"], "{wide}");

    let groups = bed.kubectl(&["get", "daskworkers"])?;
    let lines: Vec<_> = groups.lines().map(columns).collect();
    assert_eq!(lines[0], ["NAME", "WORKERS", "AGE", "READY"]);
    assert_eq!((lines[1][0], lines[1][1], lines[1][3]), ("demo-default", "1", "True"));
    Ok(())
}

#[tokio::test]
async fn kubectl_explain_tells_what_a_field_means() -> Result<()> {
    let bed = Bed::new("explain").await?;
    for (field, meaning) in [
        ("daskcluster.spec.worker.threads", "Threads in each worker process (`dask worker --nthreads`)."),
        ("daskworkergroup.spec.worker.spill.size", "A worker that writes more is evicted."),
        ("daskcluster.spec.config", "Dask configuration for the scheduler and the workers"),
    ] {
        let told = bed.kubectl(&["explain", field])?;
        // It breaks lines where it likes.
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(meaning), "{field}: {told}");
    }
    Ok(())
}

/// The selector that the scale subresource of an object gives, once its status has so many replicas.
async fn selector_of(bed: &Bed, object: &str, replicas: u64) -> Result<String> {
    let path = format!("{KINDS}/{}/{object}/scale", bed.namespace);
    let read =
        || -> Result<Value> { Ok(serde_json::from_str(&bed.cluster.kubectl(&["get", "--raw", &path])?)?) };
    let poll = async {
        loop {
            let scale = read()?;
            if scale["status"]["replicas"] == replicas {
                assert_eq!(scale["spec"]["replicas"], replicas);
                return Ok(scale["status"]["selector"].as_str().unwrap_or_default().to_owned());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, poll).await?
}

#[tokio::test]
async fn the_scale_of_a_cluster_and_of_a_group_counts_and_selects_exactly_its_own_pods() -> Result<()> {
    let bed = Bed::new("scale").await?;
    for manifest in [
        manifests::cluster("demo", 1),
        manifests::group("demo", "more", 2),
        manifests::cluster("demo-more", 1),
    ] {
        bed.apply(&manifest)?;
    }
    until_workers(&bed, "dask.org/component=worker", 4).await?;
    for (object, group, replicas) in [
        ("daskclusters/demo", "demo-default", 1),
        ("daskworkergroups/demo-default", "demo-default", 1),
        ("daskworkergroups/demo-more", "demo-more", 2),
    ] {
        let selector = selector_of(&bed, object, replicas).await?;
        assert!(!selector.is_empty(), "{object}: no selector");
        let selected = bed.kubectl(&["get", "pods", "--selector", &selector, "--output", "name"])?;
        assert_eq!(selected.lines().count() as u64, replicas, "{object}: {selected}");
        let prefix = format!("pod/{group}-worker-");
        assert!(selected.lines().all(|name| name.starts_with(&prefix)), "{object}: {selected}");
    }
    Ok(())
}

#[tokio::test]
async fn a_horizontal_pod_autoscaler_drives_a_group() -> Result<()> {
    let bed = Bed::new("hpa").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.apply(&manifests::group("demo", "more", 1))?;
    until_workers(&bed, "dask.org/workergroup-name=demo-more", 1).await?;

    bed.apply(&manifests::pod_autoscaler("demo-more", 2))?;
    until_workers(&bed, "dask.org/workergroup-name=demo-more", 2).await?;
    bed.apply(&manifests::pod_autoscaler("demo-more", 3))?;
    until_workers(&bed, "dask.org/workergroup-name=demo-more", 3).await?;
    bed.until_registered("demo", 4, SOON).await?;

    let written = |groups: &[Arc<DaskWorkerGroup>]| {
        let replicas = |name: &str| {
            let group = groups.iter().find(|group| group.metadata.name.as_deref() == Some(name));
            group.map(|group| group.spec.worker.replicas)
        };
        replicas("demo-more") == Some(3) && replicas("demo-default") == Some(1)
    };
    bed.until("", "the group alone has the replicas that it was given", SOON, written).await.map(drop)
}
