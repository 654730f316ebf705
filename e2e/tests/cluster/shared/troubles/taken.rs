//! Objects that belong to somebody else, and fields that nobody knows.

use std::time::Instant;

use anyhow::Result;
use dask_operator_api::conditions::Reason;
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use serde_json::json;

use super::{SOON, Trouble};

#[tokio::test]
async fn a_service_of_somebody_else_is_left_untouched_and_told() -> Result<()> {
    let bed = Bed::new("taken").await?;
    bed.kubectl(&["create", "service", "clusterip", "demo-scheduler", "--tcp=1234"])?;
    let before = bed.api::<Service>().get("demo-scheduler").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    let words = ["Service demo-scheduler", "exists and belongs to somebody else; it is left as it is"];
    let trouble = Trouble { object: "demo", reason: Reason::OwnedByAnother, words: &words };
    trouble.until_told::<DaskCluster>(&bed, Instant::now()).await?;
    assert_eq!(bed.api::<Service>().get("demo-scheduler").await?, before);

    bed.kubectl(&["delete", "service", "demo-scheduler"])?;
    bed.until_ready("demo", SOON).await?;
    bed.until_registered("demo", 1, SOON).await?;
    trouble.until_over::<DaskCluster>(&bed).await
}

#[tokio::test]
async fn a_deployment_of_somebody_else_is_left_untouched_and_told() -> Result<()> {
    let bed = Bed::new("taken-too").await?;
    let image = format!("--image={}", manifests::dask_image());
    bed.kubectl(&["create", "deployment", "demo-scheduler", &image, "--replicas=0"])?;
    let before = bed.api::<Deployment>().get("demo-scheduler").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    let words = ["Deployment demo-scheduler", "exists and belongs to somebody else; it is left as it is"];
    let trouble = Trouble { object: "demo", reason: Reason::OwnedByAnother, words: &words };
    trouble.until_told::<DaskCluster>(&bed, Instant::now()).await?;
    let after = bed.api::<Deployment>().get("demo-scheduler").await?;
    assert_eq!((after.metadata.owner_references, &after.spec), (None, &before.spec));

    bed.kubectl(&["delete", "deployment", "demo-scheduler"])?;
    bed.until_ready("demo", SOON).await?;
    trouble.until_over::<DaskCluster>(&bed).await
}

#[tokio::test]
async fn unknown_fields_of_a_pod_are_told_and_it_starts_all_the_same() -> Result<()> {
    let bed = Bed::new("unknown").await?;
    let worker = |spec| json!({"worker": {"replicas": 2, "threads": 1, "spec": spec}});
    let containers = json!([{"name": "worker"}]);
    let unknown = json!({"containers": containers, "ofTomorrow": true});
    bed.apply(&manifests::cluster_of("demo", &worker(unknown)))?;
    let words = ["unknown field \"spec.ofTomorrow\""];
    let trouble = Trouble { object: "demo-default", reason: Reason::DroppedByServer, words: &words };
    trouble.until_told::<DaskWorkerGroup>(&bed, Instant::now()).await?;
    bed.until_ready("demo", SOON).await?;
    bed.until_registered("demo", 2, SOON).await?;

    bed.apply(&manifests::cluster_of("demo", &worker(json!({"containers": containers}))))?;
    trouble.until_over::<DaskWorkerGroup>(&bed).await
}
