//! Pods that the API server will not have: told of the group and of the scheduler alike, and made when it relents.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use dask_operator_api::conditions::Reason;
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use e2e::admission::{self, Policy};
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::{SOON, Trouble};

const WORKERS: &str = "dask.org/component=worker";

/// A cluster that meets the trouble from its first moment on.
async fn until_both_told(bed: &Bed, manifest: &str, reason: Reason, words: &[&str]) -> Result<()> {
    bed.apply(manifest)?;
    let began = Instant::now();
    let workers = [words, &["2 of 2 workers cannot be created: pods \"…\" is forbidden"]].concat();
    Trouble { object: "demo-default", reason, words: &workers }
        .until_told::<DaskWorkerGroup>(bed, began)
        .await?;
    let scheduler = [words, &["the scheduler's pod cannot be created: pods \"…\" is forbidden"]].concat();
    Trouble { object: "demo", reason, words: &scheduler }.until_told::<DaskCluster>(bed, began).await
}

async fn until_recovered(bed: &Bed, reason: Reason) -> Result<()> {
    bed.until_ready("demo", SOON).await?;
    bed.until_registered("demo", 2, SOON).await?;
    Trouble { object: "demo-default", reason, words: &[] }.until_over::<DaskWorkerGroup>(bed).await?;
    Trouble { object: "demo", reason, words: &[] }.until_over::<DaskCluster>(bed).await
}

#[tokio::test]
async fn a_quota_lets_a_group_grow_to_what_fits_and_the_rest_is_told() -> Result<()> {
    let bed = Bed::new("quota").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.until_ready("demo", SOON).await?;
    bed.kubectl(&["create", "quota", "small", "--hard=pods=3"])?;
    let used = "jsonpath={.status.used.pods}=2";
    bed.kubectl(&["wait", "quota/small", &format!("--for={used}"), "--timeout=60s"])?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=4"])?;
    let began = Instant::now();
    let words =
        ["2 of 4 workers cannot be created: pods \"…\" is forbidden: exceeded quota: small", "pods=3"];
    let trouble = Trouble { object: "demo-default", reason: Reason::QuotaExceeded, words: &words };
    trouble.until_told::<DaskWorkerGroup>(&bed, began).await?;
    bed.until_registered("demo", 2, SOON).await?;

    bed.kubectl(&["patch", "quota", "small", "--patch", r#"{"spec": {"hard": {"pods": "20"}}}"#])?;
    bed.until_registered("demo", 4, SOON).await?;
    trouble.until_over::<DaskWorkerGroup>(&bed).await?;
    assert_eq!(super::count_events(&bed, Reason::QuotaExceeded).await?, 1, "told once");
    bed.until(WORKERS, "four workers", SOON, |pods: &[Arc<Pod>]| pods.len() == 4).await.map(drop)
}

#[tokio::test]
async fn a_missing_service_account_is_named_and_waited_for() -> Result<()> {
    let bed = Bed::new("account").await?;
    let spec = json!({"serviceAccountName": "robot", "containers": [{"name": "main"}]});
    let resources = json!({"requests": {"cpu": "20m", "memory": "100Mi"}});
    let worker = json!({"replicas": 2, "threads": 1, "spec": spec, "resources": resources});
    let cluster = manifests::cluster_of("demo", &json!({"scheduler": {"spec": spec}, "worker": worker}));
    let words = ["error looking up service account", "serviceaccount \"robot\" not found"];
    until_both_told(&bed, &cluster, Reason::ServiceAccountMissing, &words).await?;
    bed.kubectl(&["create", "serviceaccount", "robot"])?;
    until_recovered(&bed, Reason::ServiceAccountMissing).await
}

#[tokio::test]
async fn a_limit_range_that_forbids_the_pods_is_told() -> Result<()> {
    let bed = Bed::new("limits").await?;
    bed.apply(
        &json!({
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "limits"},
            "spec": {"limits": [{"type": "Container", "min": {"memory": "9Gi"}}]},
        })
        .to_string(),
    )?;
    let resources = json!({"requests": {"cpu": "20m", "memory": "100Mi"}});
    let worker = json!({"replicas": 2, "threads": 1, "resources": resources});
    let cluster = json!({"scheduler": {"resources": resources}, "worker": worker});
    let words = ["minimum memory usage per Container is 9Gi"];
    let cluster = manifests::cluster_of("demo", &cluster);
    until_both_told(&bed, &cluster, Reason::LimitRangeViolated, &words).await?;
    bed.kubectl(&["delete", "limitrange", "limits"])?;
    until_recovered(&bed, Reason::LimitRangeViolated).await
}

#[tokio::test]
async fn a_level_of_pod_security_that_the_pods_break_is_told() -> Result<()> {
    let bed = Bed::new("restricted").await?;
    let label = "pod-security.kubernetes.io/enforce";
    bed.cluster.kubectl(&["label", "namespace", &bed.namespace, &format!("{label}=restricted")])?;
    let words = ["violates PodSecurity \"restricted:latest\"", "runAsNonRoot != true"];
    until_both_told(&bed, &manifests::cluster("demo", 2), Reason::PodSecurityViolated, &words).await?;
    bed.cluster.kubectl(&["label", "namespace", &bed.namespace, &format!("{label}-")])?;
    until_recovered(&bed, Reason::PodSecurityViolated).await
}

#[tokio::test]
async fn an_admission_policy_that_forbids_the_pods_is_told_in_its_own_words() -> Result<()> {
    let bed = Bed::new("policy").await?;
    let policy = Policy::new(&bed).await?;
    let words = ["ValidatingAdmissionPolicy", admission::WORDS];
    until_both_told(&bed, &manifests::cluster("demo", 2), Reason::RefusedByAdmission, &words).await?;
    policy.delete()?;
    until_recovered(&bed, Reason::RefusedByAdmission).await
}
