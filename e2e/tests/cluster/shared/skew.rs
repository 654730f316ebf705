//! Whoever has other versions than the scheduler is named.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::DaskCluster;
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);

fn condition<'a>(clusters: &'a [Arc<DaskCluster>], type_: &str) -> Option<&'a Condition> {
    let status = clusters.first()?.status.as_ref()?;
    status.conditions.iter().find(|condition| condition.type_ == type_)
}

/// Python looks there first, and finds that dask is of another version.
fn versions() -> String {
    let metadata = "Metadata-Version: 2.1\nName: dask\nVersion: 2000.1.0\n";
    let kind = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "versions"}, "data": {"dask": metadata}});
    kind.to_string()
}

/// A group whose workers look there.
fn group() -> String {
    let path = json!([{"key": "dask", "path": "dask-2000.1.0.dist-info/METADATA"}]);
    let container = json!({
        "name": "worker",
        "env": [{"name": "PYTHONPATH", "value": "/versions"}],
        "volumeMounts": [{"name": "versions", "mountPath": "/versions"}],
    });
    let volume = json!({"name": "versions", "configMap": {"name": "versions", "items": path}});
    let worker = json!({
        "replicas": 1,
        "threads": 1,
        "resources": {"requests": {"cpu": "20m", "memory": "200Mi"}},
        "spec": {"containers": [container], "volumes": [volume]},
    });
    manifests::group_of("demo-other", &json!({"cluster": "demo", "worker": worker}))
}

#[tokio::test]
async fn a_worker_of_another_version_is_named_while_it_is_there_and_the_cluster_stays_ready() -> Result<()> {
    let bed = Bed::new("skew").await?;
    bed.apply(&versions())?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.until_registered("demo", 1, SOON).await?;
    bed.until_ready("demo", SOON).await?;

    bed.apply(&group())?;
    let told = |clusters: &[Arc<DaskCluster>]| condition(clusters, "VersionSkew").is_some();
    let clusters = bed.until("", "a worker differs", SOON, told).await?;
    let skew = condition(&clusters, "VersionSkew").map(|one| (one.reason.as_str(), one.message.as_str()));
    let (reason, message) = skew.unwrap_or_default();
    assert_eq!(reason, "WorkersDiffer");
    assert!(message.starts_with("worker demo-other-worker-"), "{message}");
    assert!(message.contains(" has dask 2000.1.0; the scheduler has dask 20"), "{message}");
    assert_eq!(condition(&clusters, "Ready").map(|one| one.status.as_str()), Some("True"));

    bed.kubectl(&["delete", "daskworkergroup/demo-other"])?;
    let over = |clusters: &[Arc<DaskCluster>]| condition(clusters, "VersionSkew").is_none();
    bed.until("", "nobody differs", SOON, over).await?;
    let events = bed.kubectl(&["get", "events", "--field-selector=reason=WorkersDiffer", "--output=name"])?;
    assert_eq!(events.lines().count(), 1, "{events}");
    Ok(())
}
