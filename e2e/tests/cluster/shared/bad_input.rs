//! What cannot be followed is said where people look, and nothing else is created.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::cluster::{DaskCluster, Phase};
use dask_operator_api::worker_group::DaskWorkerGroup;
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::events::v1::Event;
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);

#[tokio::test]
async fn a_name_that_breaks_the_rule_is_an_error_that_names_the_rule() -> Result<()> {
    let bed = Bed::new("bad-name").await?;
    let kinds = "services,deployments,replicasets,pods,daskworkergroups,poddisruptionbudgets,configmaps";
    let there = || bed.kubectl(&["get", kinds, "--output", "name"]);
    // Kubernetes itself puts its certificates there.
    bed.kubectl(&["wait", "configmap/kube-root-ca.crt", "--for=create", "--timeout=60s"])?;
    let before = there()?;
    let long = "a".repeat(54);
    for (name, rule) in [("has.dot", "not a DNS label"), (long.as_str(), "at most 53 are allowed")] {
        bed.apply(&manifests::cluster_of(name, &json!({"config": {"distributed": {}}})))?;
        let told = |clusters: &[Arc<DaskCluster>]| {
            let status = clusters.iter().find(|one| one.metadata.name.as_deref() == Some(name));
            let status = status.and_then(|one| one.status.clone()).unwrap_or_default();
            let condition = status.conditions.iter().find(|one| one.type_ == "Ready");
            let reason =
                condition.is_some_and(|one| one.reason == "InvalidName" && one.message.contains(rule));
            status.phase == Some(Phase::Error) && reason
        };
        bed.until("", "phase Error and a condition with the rule", SOON, told).await?;
        let event = |events: &[Arc<Event>]| {
            events.iter().any(|event| {
                let note = event.note.clone().unwrap_or_default();
                event.reason.as_deref() == Some("InvalidName") && note.contains(rule)
            })
        };
        bed.until("", "an Event with the rule", SOON, event).await?;
    }
    assert_eq!(there()?, before);
    Ok(())
}

#[tokio::test]
async fn a_group_without_its_cluster_waits_and_works_at_once_when_it_appears() -> Result<()> {
    let bed = Bed::new("no-cluster").await?;
    bed.apply(&manifests::group("demo", "early", 1))?;
    let waiting = |groups: &[Arc<DaskWorkerGroup>]| {
        let status = groups.first().and_then(|group| group.status.clone()).unwrap_or_default();
        status.conditions.iter().any(|one| one.type_ == "ClusterNotFound" && one.message.contains("\"demo\""))
    };
    bed.until("", "condition ClusterNotFound", SOON, waiting).await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.until_registered("demo", 2, SOON).await?;
    let adopted = |groups: &[Arc<DaskWorkerGroup>]| {
        groups.len() == 2
            && groups.iter().all(|group| {
                let owned =
                    group.metadata.owner_references.as_ref().is_some_and(|owners| owners[0].name == "demo");
                let status = group.status.clone().unwrap_or_default();
                owned && !status.conditions.iter().any(|one| one.type_ == "ClusterNotFound")
            })
    };
    bed.until("", "both groups belong to the cluster and the condition is gone", SOON, adopted).await?;
    bed.kubectl(&["delete", "dsk/demo"])?;
    bed.until("", "no group is left", SOON, |groups: &[Arc<DaskWorkerGroup>]| groups.is_empty())
        .await
        .map(drop)
}
