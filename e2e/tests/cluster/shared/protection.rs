//! Pods that are protected are not evicted, and a scheduler is restarted only when somebody asks.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use dask_operator_api::cluster::{DaskCluster, DaskClusterStatus};
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(4);
const SCHEDULER: &str = "dask.org/component=scheduler";
const WORKER: &str = "dask.org/component=worker";

fn a_cluster(workers: u32, spec: &Value) -> String {
    let resources = json!({"requests": {"cpu": "20m", "memory": "200Mi"}});
    let mut all = json!({"worker": {"replicas": workers, "threads": 1, "resources": resources}});
    for (field, value) in spec.as_object().into_iter().flatten() {
        all[field.as_str()] = value.clone();
    }
    manifests::cluster_of("demo", &all)
}

fn is_live(pod: &Arc<Pod>) -> bool {
    pod.metadata.deletion_timestamp.is_none()
}

/// The one live pod that a selector finds, once it is ready.
async fn the_pod(bed: &Bed, selector: &str) -> Result<Arc<Pod>> {
    let is_ready = |pod: &Arc<Pod>| {
        let conditions = pod.status.as_ref().and_then(|status| status.conditions.clone());
        conditions.unwrap_or_default().iter().any(|one| one.type_ == "Ready" && one.status == "True")
    };
    let one = |pods: &[Arc<Pod>]| pods.len() == 1 && pods.iter().all(|pod| is_live(pod) && is_ready(pod));
    let pods = bed.until(selector, &format!("one ready pod of {selector}"), SOON, one).await?;
    pods.first().cloned().context("one pod")
}

/// Whether the API server would evict a pod; nothing is evicted. By kubectl: kube's client asks again and again.
fn is_evictable(bed: &Bed, pod: &Pod) -> Result<bool> {
    let (namespace, name) = (&bed.namespace, pod.name_any());
    let eviction = json!({
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name},
        "deleteOptions": {"dryRun": ["All"]},
    });
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction");
    let arguments = ["create", "--raw", &path, "--filename", "-"];
    match bed.cluster.kubectl_with_input(&arguments, &eviction.to_string()) {
        Ok(_) => Ok(true),
        Err(error) if format!("{error:#}").contains("violate the pod's disruption budget") => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits until there are so many budgets; with one, until it covers so many pods.
async fn until_budget(bed: &Bed, covers: Option<i32>) -> Result<()> {
    let is_so = |budgets: &[Arc<PodDisruptionBudget>]| match (budgets, covers) {
        ([], None) => true,
        ([budget], Some(covers)) => {
            let status = budget.status.clone().unwrap_or_default();
            status.expected_pods == covers && status.disruptions_allowed == 0
        }
        _ => false,
    };
    bed.until("", &format!("a budget over {covers:?} pods"), SOON, is_so).await.map(drop)
}

#[tokio::test]
async fn pods_are_not_evicted_while_always_protected_and_are_afterwards() -> Result<()> {
    let bed = Bed::new("always").await?;
    bed.apply(&a_cluster(1, &json!({"disruptionProtection": "Always"})))?;
    bed.until_ready("demo", SOON).await?;
    until_budget(&bed, Some(2)).await?;
    let pods = [the_pod(&bed, SCHEDULER).await?, the_pod(&bed, WORKER).await?];
    for pod in &pods {
        assert!(!is_evictable(&bed, pod)?, "{}", pod.name_any());
        let marks = pod.annotations();
        assert_eq!(marks.get("karpenter.sh/do-not-disrupt").map(String::as_str), Some("true"));
        let evict = marks.get("cluster-autoscaler.kubernetes.io/safe-to-evict");
        assert_eq!(evict.map(String::as_str), Some("false"));
    }

    bed.apply(&a_cluster(1, &json!({"disruptionProtection": "None"})))?;
    until_budget(&bed, None).await?;
    for (pod, selector) in pods.iter().zip([SCHEDULER, WORKER]) {
        assert!(is_evictable(&bed, pod)?, "{}", pod.name_any());
        assert_eq!(the_pod(&bed, selector).await?.uid(), pod.uid(), "nothing was restarted");
    }
    Ok(())
}

#[tokio::test]
async fn a_busy_cluster_is_protected_while_it_has_workers() -> Result<()> {
    let bed = Bed::new("busy").await?;
    bed.apply(&a_cluster(0, &json!({"disruptionProtection": "WhileBusy"})))?;
    bed.until_ready("demo", SOON).await?;
    let scheduler = the_pod(&bed, SCHEDULER).await?;
    assert!(is_evictable(&bed, &scheduler)?);

    bed.apply(&manifests::group("demo", "more", 1))?;
    until_budget(&bed, Some(2)).await?;
    let worker = the_pod(&bed, WORKER).await?;
    for pod in [&scheduler, &worker] {
        assert!(!is_evictable(&bed, pod)?, "{}", pod.name_any());
    }

    bed.kubectl(&["scale", "daskworkergroup/demo-more", "--replicas=0"])?;
    until_budget(&bed, None).await?;
    assert!(is_evictable(&bed, &scheduler)?);
    bed.kubectl(&["delete", "dsk", "demo"])?;
    bed.until("", "nothing is left", SOON, |budgets: &[Arc<PodDisruptionBudget>]| budgets.is_empty()).await?;
    bed.until("", "no pod is left", SOON, |pods: &[Arc<Pod>]| pods.is_empty()).await.map(drop)
}

#[tokio::test]
async fn a_budget_of_somebody_else_stays_and_is_told() -> Result<()> {
    let bed = Bed::new("foreign-budget").await?;
    bed.kubectl(&["create", "pdb", "demo-scheduler", "--selector=a=b", "--min-available=1"])?;
    bed.apply(&a_cluster(0, &json!({"disruptionProtection": "Always"})))?;
    let told = |status: &DaskClusterStatus| {
        let message = message_of(status, "NameTaken");
        message.is_some_and(|message| message.contains("PodDisruptionBudget demo-scheduler"))
    };
    until_status(&bed, "the name is told to be taken", told).await?;
    let selector =
        bed.kubectl(&["get", "pdb", "demo-scheduler", "--output=jsonpath={.spec.selector.matchLabels.a}"])?;
    assert_eq!(selector, "b");
    Ok(())
}

fn message_of(status: &DaskClusterStatus, type_: &str) -> Option<String> {
    let condition = status.conditions.iter().find(|one| one.type_ == type_ && one.status == "True");
    condition.map(|condition| condition.message.clone())
}

async fn until_status(bed: &Bed, what: &str, holds: impl Fn(&DaskClusterStatus) -> bool) -> Result<()> {
    let holds = |clusters: &[Arc<DaskCluster>]| {
        clusters.iter().any(|cluster| cluster.status.as_ref().is_some_and(&holds))
    };
    bed.until("", what, SOON, holds).await.map(drop)
}

/// Asks for a restart and watches it: no two schedulers are ever live.
async fn restart(bed: &Bed, value: &str, before: &Pod) -> Result<Arc<Pod>> {
    bed.kubectl(&["annotate", "dsk", "demo", &format!("dask.org/restart-scheduler={value}"), "--overwrite"])?;
    let replaced = |pods: &[Arc<Pod>]| {
        assert!(pods.iter().filter(|pod| is_live(pod)).count() <= 1, "two schedulers: {pods:#?}");
        pods.len() == 1 && pods[0].uid() != before.uid()
    };
    bed.until(SCHEDULER, "another scheduler pod", SOON, replaced).await?;
    the_pod(bed, SCHEDULER).await
}

#[tokio::test]
async fn a_changed_scheduler_is_told_and_restarted_once_when_somebody_asks() -> Result<()> {
    let bed = Bed::new("outdated").await?;
    bed.apply(&a_cluster(2, &json!({})))?;
    bed.until_registered("demo", 2, SOON).await?;
    bed.until_ready("demo", SOON).await?;
    let first = the_pod(&bed, SCHEDULER).await?;
    let address = cluster_ip(&bed).await?;

    let variable = json!([{"name": "OF_THE_CHANGE", "value": "1"}]);
    let scheduler = json!({
        "spec": {"containers": [{"name": "scheduler", "env": variable}], "notAField": 1},
        "service": {"type": "NodePort"},
    });
    bed.apply(&a_cluster(2, &json!({"scheduler": scheduler})))?;
    let told = |status: &DaskClusterStatus| {
        message_of(status, "SchedulerOutdated").is_some_and(|message| message.contains("kubectl annotate"))
    };
    until_status(&bed, "the scheduler is told to be outdated", told).await?;
    assert_eq!(the_pod(&bed, SCHEDULER).await?.uid(), first.uid(), "nothing was restarted");

    let second = restart(&bed, "1", &first).await?;
    let environment = second.spec.as_ref().map(|spec| json!(spec.containers[0].env)).unwrap_or_default();
    assert_eq!(environment[0]["name"], "OF_THE_CHANGE", "{environment}");
    let applied = |status: &DaskClusterStatus| {
        let current = message_of(status, "SchedulerOutdated").is_none();
        let unknown = message_of(status, "UnknownFields").is_some_and(|words| words.contains("notAField"));
        current && unknown && status.restarted_scheduler.as_deref() == Some("1")
    };
    until_status(&bed, "the restart is recorded, and the unknown field told", applied).await?;
    assert_eq!(cluster_ip(&bed).await?, address, "the Service was changed where it is");
    bed.until_registered("demo", 2, SOON).await?;

    let third = restart(&bed, "2", &second).await?;
    bed.until_registered("demo", 2, SOON).await?;
    bed.until_ready("demo", SOON).await?;
    bed.kubectl(&["annotate", "dsk", "demo", "dask.org/restart-scheduler=2", "--overwrite"])?;
    bed.kubectl(&["annotate", "dsk", "demo", "dask.org/restart-scheduler-"])?;
    bed.kubectl(&["annotate", "dsk", "demo", "dask.org/restart-scheduler=2"])?;
    bed.kubectl(&["scale", "dsk/demo", "--replicas=3"])?;
    bed.until_registered("demo", 3, SOON).await?;
    assert_eq!(the_pod(&bed, SCHEDULER).await?.uid(), third.uid(), "the same value acts once");
    Ok(())
}

async fn cluster_ip(bed: &Bed) -> Result<Option<String>> {
    let service = bed.api::<Service>().get("demo-scheduler").await?;
    Ok(service.spec.and_then(|spec| spec.cluster_ip))
}

#[tokio::test]
async fn a_restart_with_a_template_that_is_refused_leaves_the_scheduler_running() -> Result<()> {
    let bed = Bed::new("refused-restart").await?;
    bed.apply(&a_cluster(0, &json!({})))?;
    bed.until_ready("demo", SOON).await?;
    let before = the_pod(&bed, SCHEDULER).await?;
    let scheduler = json!({"spec": {"containers": [{"name": "scheduler", "imagePullPolicy": "Sometimes"}]}});
    bed.apply(&a_cluster(0, &json!({"scheduler": scheduler})))?;
    bed.kubectl(&["annotate", "dsk", "demo", "dask.org/restart-scheduler=1"])?;
    let told = |status: &DaskClusterStatus| {
        message_of(status, "Refused").is_some_and(|message| message.contains("Sometimes"))
    };
    until_status(&bed, "the refusal is told", told).await?;
    assert_eq!(the_pod(&bed, SCHEDULER).await?.uid(), before.uid());

    bed.apply(&a_cluster(0, &json!({})))?;
    let replaced = |pods: &[Arc<Pod>]| pods.len() == 1 && pods[0].uid() != before.uid();
    bed.until(SCHEDULER, "the restart follows as soon as it can", SOON, replaced).await.map(drop)
}
