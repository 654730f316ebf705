//! A cluster that is suspended has no pods, and comes back under the same names.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use dask_operator_api::cluster::{DaskCluster, DaskClusterStatus};
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);

fn status(cluster: &Arc<DaskCluster>) -> DaskClusterStatus {
    cluster.status.clone().unwrap_or_default()
}

fn reason(cluster: &Arc<DaskCluster>, type_: &str) -> Option<String> {
    status(cluster).conditions.into_iter().find(|one| one.type_ == type_).map(|one| one.reason)
}

async fn until_stopped(bed: &Bed, why: &str) -> Result<()> {
    let is_told = |clusters: &[Arc<DaskCluster>]| {
        clusters.iter().any(|cluster| reason(cluster, "Suspended").as_deref() == Some(why))
    };
    bed.until("", why, SOON, is_told).await?;
    bed.until("dask.org/cluster-name=demo", "no pods", SOON, |pods: &[Arc<Pod>]| pods.is_empty()).await?;
    let objects = bed.kubectl(&["get", "dsk,daskworkergroups,deployments,services", "--output=name"])?;
    ensure!(objects.lines().count() == 4, "what describes it stays: {objects}");
    Ok(())
}

async fn until_at_work(bed: &Bed, workers: u64) -> Result<()> {
    bed.until_registered("demo", workers, SOON).await?;
    let is_ready = |clusters: &[Arc<DaskCluster>]| {
        clusters.iter().any(|cluster| {
            reason(cluster, "Ready").as_deref() == Some("AllReady") && reason(cluster, "Suspended").is_none()
        })
    };
    bed.until("", "all ready", SOON, is_ready).await?;
    bed.client("demo", "assert client.submit(sum, [1, 2]).result() == 3")?;
    Ok(())
}

fn patch(bed: &Bed, spec: &serde_json::Value) -> Result<String> {
    let body = json!({"spec": spec}).to_string();
    bed.kubectl(&["patch", "dsk/demo", "--type=merge", "--patch", &body])
}

#[tokio::test]
async fn a_cluster_is_suspended_and_resumed_by_its_spec_and_what_changed_meanwhile_counts() -> Result<()> {
    let bed = Bed::new("suspend").await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    until_at_work(&bed, 2).await?;
    // Neither its scheduler nor its workers are waited for.
    bed.client("demo", "import time; from distributed import fire_and_forget; fire_and_forget(client.submit(time.sleep, 600))")?;
    patch(&bed, &json!({"suspend": true}))?;
    until_stopped(&bed, "SuspendedOnRequest").await?;
    bed.kubectl(&["scale", "daskworkergroups/demo-default", "--replicas=1"])?;
    let scheduler = json!({"resources": {"requests": {"cpu": "21m"}}});
    patch(&bed, &json!({"scheduler": scheduler}))?;
    patch(&bed, &json!({"suspend": false}))?;
    until_at_work(&bed, 1).await?;
    let path = "--output=jsonpath={.items[*].spec.containers[0].resources.requests.cpu}";
    let cpu = bed.kubectl(&["get", "pods", "--selector=dask.org/component=scheduler", path])?;
    assert_eq!(cpu, "21m");
    for reason in ["Suspended", "Resumed"] {
        let selector = format!("--field-selector=reason={reason}");
        let events = bed.kubectl(&["get", "events", &selector, "--output=name"])?;
        assert_eq!(events.lines().count(), 1, "{reason}: {events}");
    }
    let warnings =
        bed.kubectl(&["get", "events", "--field-selector=reason=SchedulerLost", "--output=name"])?;
    assert_eq!(warnings, "");
    Ok(())
}

#[tokio::test]
async fn an_idle_cluster_is_suspended_until_the_annotation_resumes_it() -> Result<()> {
    let bed = Bed::new("idle-suspend").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.until_registered("demo", 1, SOON).await?;
    bed.client("demo", "assert client.submit(sum, [1, 2]).result() == 3")?;
    patch(&bed, &json!({"idleTimeout": 4, "idleAction": "Suspend"}))?;
    until_stopped(&bed, "SuspendedWhenIdle").await?;
    // Nothing but a new value of it resumes the cluster, and who wants it to stay says so.
    patch(&bed, &json!({"idleTimeout": 3600}))?;
    let clusters = bed.kubectl(&["get", "pods", "--output=name"])?;
    assert_eq!(clusters, "");
    bed.kubectl(&["annotate", "dsk/demo", "dask.org/resume=again"])?;
    until_at_work(&bed, 1).await?;
    let resumed = |clusters: &[Arc<DaskCluster>]| {
        clusters
            .iter()
            .map(status)
            .any(|status| status.resumed.as_deref() == Some("again") && status.idle_suspended_since.is_none())
    };
    bed.until("", "the value was acted upon", SOON, resumed).await?;
    Ok(())
}
