//! One start, timed, and its removal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dask_operator_api::labels;
use e2e::bed::Bed;
use futures::future::{BoxFuture, try_join_all};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::Api;
use kube::api::PostParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, TypeMeta};
use serde_json::Value;

use super::client::Client;

/// By far more than any start takes.
const DEADLINE: Duration = Duration::from_mins(3);

/// What is told of a start as it happens; when its objects were made is in the audit log.
pub(super) struct Seen {
    pub(super) from: Timestamp,
    pub(super) ready: Duration,
    pub(super) registered: Duration,
    pub(super) result: Duration,
}

/// Sends all these objects at once; returns when the cluster `name`, whose objects they are or become, has given its
/// first result.
pub(super) async fn start(
    bed: &Bed,
    client: &mut Client,
    name: &str,
    workers: u32,
    objects: &[Value],
) -> Result<Seen> {
    let requests = objects.iter().map(|object| create(bed, object)).collect::<Result<Vec<_>>>()?;
    let of_cluster = format!("{}={name}", labels::CLUSTER_NAME);
    let work = async {
        let host = host(bed, &of_cluster).await?;
        client.follow(&host, workers).await
    };
    let (from, began) = (Timestamp::now(), Instant::now());
    let made = async { try_join_all(requests).await.context("an object is refused") };
    let all = async { tokio::try_join!(made, ready(bed, &of_cluster), work) };
    let outcome = tokio::time::timeout(DEADLINE, all).await;
    let (_, ready, [registered, result]) = outcome.with_context(|| format!("{name} does not start"))??;
    let since = |end: Instant| end.duration_since(began);
    Ok(Seen { from, ready: since(ready), registered: since(registered), result: since(result) })
}

/// Removes all clusters of the namespace and waits until nothing is left of them, so that the next start finds
/// what this one found.
pub(super) fn remove_all(bed: &Bed) -> Result<()> {
    let owners = "daskclusters,daskworkergroups,deployments,replicasets,services";
    bed.kubectl(&["delete", owners, "--all", "--timeout=60s"])?;
    // Nothing is lost with them.
    bed.kubectl(&["delete", "pods", "--all", "--grace-period=1", "--timeout=60s"])?;
    let left = bed.kubectl(&["get", &format!("{owners},pods"), "--output", "name"])?;
    ensure!(left.is_empty(), "left over: {left}");
    Ok(())
}

/// The request is sent when the future is first polled.
fn create<'a>(bed: &Bed, object: &Value) -> Result<BoxFuture<'a, kube::Result<()>>> {
    let object: DynamicObject = serde_json::from_value(object.clone())?;
    let TypeMeta { api_version, kind } = object.types.clone().context("an object without a kind")?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let api: Api<DynamicObject> = Api::namespaced_with(bed.client.clone(), &bed.namespace, &resource);
    Ok(Box::pin(async move { api.create(&PostParams::default(), &object).await.map(drop) }))
}

async fn ready(bed: &Bed, of_cluster: &str) -> Result<Instant> {
    let selector = format!("{of_cluster},{}={}", labels::COMPONENT, labels::component::SCHEDULER);
    let is_ready = |pods: &[Arc<Pod>]| pods.iter().any(|pod| is_true(pod, "Ready"));
    bed.until(&selector, "the scheduler is ready", DEADLINE, is_ready).await?;
    Ok(Instant::now())
}

fn is_true(pod: &Pod, condition: &str) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|one| one.type_ == condition && one.status == "True"))
}

/// The address of the scheduler's Service.
async fn host(bed: &Bed, of_cluster: &str) -> Result<String> {
    let has_address = |services: &[Arc<Service>]| services.iter().any(|service| address(service).is_some());
    let services = bed.until(of_cluster, "the scheduler has an address", DEADLINE, has_address).await?;
    services.iter().find_map(|service| address(service)).context("the Service is gone")
}

fn address(service: &Service) -> Option<String> {
    service.spec.as_ref()?.cluster_ip.clone()
}
