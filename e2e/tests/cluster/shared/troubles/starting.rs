//! Pods that exist and cannot start.

use std::time::Duration;

use anyhow::Result;
use dask_operator_api::conditions::Reason;
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::{ContainerStateWaiting, Pod};
use serde_json::{Value, json};

use super::{SOON, Trouble, until_cause};

const WORKERS: &str = "dask.org/component=worker";
const SCHEDULERS: &str = "dask.org/component=scheduler";
const NO_IMAGE: &str = "registry.invalid/no-such-image:1";

/// What the first container of a pod waits for.
fn waiting(pod: &Pod) -> Option<&ContainerStateWaiting> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()?.state.as_ref()?.waiting.as_ref()
}

fn waits_for_its_image(pod: &Pod) -> bool {
    let reason = waiting(pod).and_then(|waiting| waiting.reason.as_deref());
    matches!(reason, Some("ErrImagePull" | "ImagePullBackOff"))
}

fn a_cluster(worker: &Value) -> String {
    let mut worker = worker.clone();
    worker["replicas"] = json!(1);
    worker["threads"] = json!(1);
    manifests::cluster_of("demo", &json!({"worker": worker}))
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_told_of_workers() -> Result<()> {
    let bed = Bed::new("image").await?;
    let args = manifests::WITHOUT_NANNY;
    let worker =
        |image: &str| json!({"spec": {"containers": [{"name": "worker", "image": image, "args": args}]}});
    bed.apply(&a_cluster(&worker(NO_IMAGE)))?;
    let cause =
        until_cause(&bed, WORKERS, "a worker whose image cannot be pulled", waits_for_its_image).await?;
    let words = ["1 of 1 workers cannot start; pod demo-default-worker-", "failed to pull", NO_IMAGE];
    let trouble = Trouble { object: "demo-default", reason: Reason::ImageCannotBePulled, words: &words };
    trouble.until_told::<DaskWorkerGroup>(&bed, cause).await?;
    // The kubelet tries again with ever longer pauses, and says so in turn in other words.
    tokio::time::sleep(Duration::from_secs(25)).await;
    assert_eq!(super::count_events(&bed, Reason::ImageCannotBePulled).await?, 1, "told once");

    bed.apply(&a_cluster(&worker(manifests::dask_image())))?;
    bed.until_registered("demo", 1, SOON).await?;
    trouble.until_over::<DaskWorkerGroup>(&bed).await
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_told_of_a_scheduler() -> Result<()> {
    let bed = Bed::new("image-s").await?;
    let scheduler = |image: &str| {
        let container = json!({"name": "scheduler", "image": image, "args": ["dask", "scheduler"]});
        let spec = json!({"scheduler": {"spec": {"containers": [container]}}, "worker": {"replicas": 0}});
        manifests::cluster_of("demo", &spec)
    };
    bed.apply(&scheduler(NO_IMAGE))?;
    let cause = until_cause(&bed, SCHEDULERS, "a scheduler without its image", waits_for_its_image).await?;
    let words = ["pod demo-scheduler-", "failed to pull", NO_IMAGE];
    let trouble = Trouble { object: "demo", reason: Reason::ImageCannotBePulled, words: &words };
    trouble.until_told::<DaskCluster>(&bed, cause).await?;

    bed.apply(&scheduler(manifests::dask_image()))?;
    bed.kubectl(&["delete", "deployment", "demo-scheduler"])?;
    bed.until_ready("demo", SOON).await?;
    trouble.until_over::<DaskCluster>(&bed).await
}

#[tokio::test]
async fn pods_for_which_there_is_no_node_are_told_in_the_words_of_kubernetes_scheduler() -> Result<()> {
    let bed = Bed::new("no-node").await?;
    let label = format!("e2e.dask.org/{}", bed.namespace);
    let selector = json!({(label.clone()): "yes"});
    let spec = |name: &str| json!({"nodeSelector": selector, "containers": [{"name": name}]});
    let worker = json!({"replicas": 1, "threads": 1, "spec": spec("worker")});
    let cluster = json!({"scheduler": {"spec": spec("scheduler")}, "worker": worker});
    bed.apply(&manifests::cluster_of("demo", &cluster))?;
    let unscheduled = |pod: &Pod| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
        conditions
            .is_some_and(|all| all.iter().any(|one| one.type_ == "PodScheduled" && one.status == "False"))
    };
    let cause = until_cause(&bed, WORKERS, "a worker without a node", unscheduled).await?;
    let words = ["1 of 1 workers cannot start", "nodes are available", "node affinity/selector"];
    let trouble = Trouble { object: "demo-default", reason: Reason::Unschedulable, words: &words };
    trouble.until_told::<DaskWorkerGroup>(&bed, cause).await?;
    let words = ["pod demo-scheduler-", "nodes are available", "node affinity/selector"];
    let of_scheduler = Trouble { object: "demo", reason: Reason::Unschedulable, words: &words };
    of_scheduler.until_told::<DaskCluster>(&bed, cause).await?;

    bed.cluster.kubectl(&["label", "nodes", "--all", &format!("{label}=yes")])?;
    let started = bed.until_registered("demo", 1, SOON).await;
    bed.cluster.kubectl(&["label", "nodes", "--all", &format!("{label}-")])?;
    started?;
    of_scheduler.until_over::<DaskCluster>(&bed).await?;
    trouble.until_over::<DaskWorkerGroup>(&bed).await
}

#[tokio::test]
async fn a_container_that_lacks_its_configuration_is_told_and_starts_when_that_is_there() -> Result<()> {
    let bed = Bed::new("lacking").await?;
    let container = json!({"name": "worker", "envFrom": [{"configMapRef": {"name": "settings"}}]});
    bed.apply(&a_cluster(&json!({"spec": {"containers": [container]}})))?;
    let lacks = |pod: &Pod| {
        waiting(pod).is_some_and(|one| one.reason.as_deref() == Some("CreateContainerConfigError"))
    };
    let cause = until_cause(&bed, WORKERS, "a worker without its ConfigMap", lacks).await?;
    // A busy node says first that it could not look in time, and then that there is none.
    let words = ["1 of 1 workers cannot start", "configmap"];
    let trouble = Trouble { object: "demo-default", reason: Reason::ContainerCannotStart, words: &words };
    trouble.until_told::<DaskWorkerGroup>(&bed, cause).await?;

    bed.kubectl(&["create", "configmap", "settings"])?;
    bed.until_registered("demo", 1, SOON).await?;
    trouble.until_over::<DaskWorkerGroup>(&bed).await
}
