//! The latencies that are promised, each measured once by the microseconds of the audit log.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use dask_operator_api::cluster::{DaskCluster, Phase};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;

use crate::audit::Request;
use crate::bed::Bed;
use crate::operator;
use crate::workload::Start;

const SOON: Duration = Duration::from_mins(4);
const WORKERS: &str = "dask.org/component=worker";

/// From the creation of a cluster to the operator's status write that made its phase Running.
pub async fn of_phase_running(bed: &Bed, cluster: &str) -> Result<Duration> {
    // The first phase that is told is this one, so the first status is what tells it.
    let told = |clusters: &[Arc<DaskCluster>]| {
        clusters.iter().any(|one| one.status.as_ref().and_then(|status| status.phase).is_some())
    };
    let clusters = bed.until("", "a phase", SOON, told).await?;
    let first = clusters.iter().find_map(|one| one.status.as_ref()?.phase);
    anyhow::ensure!(first == Some(Phase::Running), "the first phase is {first:?}");
    let of_cluster = |request: &Request| {
        let object = &request.object_ref;
        object.namespace == bed.namespace && object.resource == "daskclusters" && object.name == cluster
    };
    let tells =
        |request: &Request| request.is_operators_write() && request.object_ref.subresource == "status";
    let requests = until_logged(bed, of_cluster, tells).await?;
    let created = requests.iter().find(|request| !request.is_operators_write() && request.is_write());
    let told = requests.iter().find(|request| tells(request));
    between(created, told)
}

/// From the request that deletes a worker to the operator's request for the next one.
pub async fn of_replacement(bed: &Bed) -> Result<Duration> {
    // Who was deleted a moment ago is still there, and is not replaced twice.
    let stays = |pod: &&Arc<Pod>| pod.metadata.deletion_timestamp.is_none();
    let here = |pods: &[Arc<Pod>]| pods.iter().any(|pod| stays(&pod));
    let before = bed.until(WORKERS, "a worker", SOON, here).await?;
    let lost = before.iter().find(stays).and_then(|pod| pod.metadata.name.clone()).unwrap_or_default();
    let start = Timestamp::now();
    bed.kubectl(&["delete", "pod", &lost, "--wait=false"])?;
    let new = |pods: &[Arc<Pod>]| {
        pods.iter().any(|pod| before.iter().all(|old| old.metadata.name != pod.metadata.name))
    };
    bed.until(WORKERS, "a new worker", SOON, new).await?;
    let of_pods = |request: &Request| {
        request.object_ref.namespace == bed.namespace
            && request.object_ref.resource == "pods"
            && request.request_received_timestamp >= start
    };
    let is_next = |request: &Request| request.verb == "create" && request.is_operators_write();
    let requests = until_logged(bed, of_pods, is_next).await?;
    let deleted = requests.iter().find(|request| request.verb == "delete" && request.object_ref.name == lost);
    between(deleted, requests.iter().find(|request| is_next(request)))
}

/// From the request that scales an idle cluster of two down to the operator's deletion of one worker's pod, and to the
/// moment when that is gone.
pub async fn of_leaving(bed: &Bed, cluster: &str) -> Result<(Duration, Duration)> {
    // The end of one that was lost before would be taken for the end of the one that is let go.
    bed.until(WORKERS, "two workers and no third", SOON, |pods: &[Arc<Pod>]| pods.len() == 2).await?;
    let start = Timestamp::now();
    bed.kubectl(&["scale", &format!("dsk/{cluster}"), "--replicas=1"])?;
    bed.until(WORKERS, "one worker is left", SOON, |pods: &[Arc<Pod>]| pods.len() == 1).await?;
    let here = |request: &Request| {
        request.object_ref.namespace == bed.namespace && request.request_received_timestamp >= start
    };
    // First the operator deletes the pod, and then its node, when it has ended.
    let is_last = |request: &Request| request.verb == "delete" && !request.is_operators_write();
    let requests = until_logged(bed, here, is_last).await?;
    let scaled =
        requests.iter().find(|request| request.object_ref.subresource == "scale" && request.is_write());
    let scaled = scaled.context("nobody scaled")?.request_received_timestamp;
    let gone = requests.iter().find(|request| is_last(request)).context("no pod is gone")?;
    let let_go = requests.iter().find(|request| request.verb == "delete" && request.is_operators_write());
    let let_go = let_go.context("the operator deleted nothing")?.request_received_timestamp;
    let since = |at: Timestamp| Duration::try_from(at.duration_since(scaled));
    Ok((since(let_go)?, since(gone.stage_timestamp)?))
}

/// From the submission of a graph, on the client's side, to the operator's request for the first worker of a cluster that
/// has none and is autoscaled. The cluster is as it was when this is over.
pub async fn of_growth(bed: &Bed, cluster: &str) -> Result<Duration> {
    let work = Start::new("growing", &bed.address(cluster)?).with("TASKS", "1").with("SECONDS", "0");
    let (reported, succeeded) = work.start()?.finish()?;
    anyhow::ensure!(succeeded, "{reported}");
    let seconds = reported["submitted"].as_f64().context("it does not say when")?;
    let submitted = Timestamp::from_duration(SignedDuration::try_from_secs_f64(seconds)?)?;
    let creates = |request: &Request| {
        request.object_ref.namespace == bed.namespace
            && request.object_ref.resource == "pods"
            && request.verb == "create"
            && request.is_operators_write()
            && request.request_received_timestamp >= submitted
    };
    let requests = until_logged(bed, creates, creates).await?;
    let first = requests.first().context("no worker was made")?.request_received_timestamp;
    bed.until(WORKERS, "no worker is left", SOON, |pods: &[Arc<Pod>]| pods.is_empty()).await?;
    Ok(first.duration_since(submitted).try_into()?)
}

/// From the request that deletes a cluster to the moment when its last pod is gone.
pub async fn of_deletion(bed: &Bed, cluster: &str) -> Result<Duration> {
    let start = Timestamp::now();
    bed.kubectl(&["delete", "dsk", cluster, "--wait=false"])?;
    bed.until("dask.org/component", "no pod is left", SOON, |pods: &[Arc<Pod>]| pods.is_empty()).await?;
    let kinds = ["daskclusters", "daskworkergroups", "services", "deployments", "replicasets"];
    for kind in kinds {
        let left = bed.kubectl(&["get", kind, "--output", "name"])?;
        anyhow::ensure!(left.is_empty(), "left over: {left}");
    }
    anyhow::ensure!(bed.api::<Pod>().list(&ListParams::default()).await?.items.is_empty(), "a pod is left");
    let deletes = |request: &Request| {
        request.object_ref.namespace == bed.namespace
            && request.verb == "delete"
            && request.request_received_timestamp >= start
    };
    let requests = bed.audit()?.requests(deletes)?;
    let first = requests.first().context("no deletion in the audit log")?;
    let last = requests
        .iter()
        .map(|request| request.stage_timestamp)
        .max()
        .context("no deletion in the audit log")?;
    Ok(last.duration_since(first.request_received_timestamp).try_into()?)
}

/// From a moment at which the leader is ended to the request by which another one takes its lease, and when that was.
pub async fn of_hand_over(bed: &Bed, old: &str, from: Timestamp) -> Result<(Duration, Timestamp)> {
    let by_another = |request: &Request| {
        let lease = request.summary() == "update leases" && request.user.username == operator::USER;
        let later = request.request_received_timestamp >= from && request.response_status.code == 200;
        lease && later && request.pod() != Some(old)
    };
    let requests = until_logged(bed, by_another, by_another).await?;
    let taken = requests.first().context("no one took the lease")?.request_received_timestamp;
    Ok((taken.duration_since(from).try_into()?, taken))
}

/// A request is logged when it has been answered, which may be after others have seen what it did.
async fn until_logged(
    bed: &Bed,
    wanted: impl Fn(&Request) -> bool,
    awaited: impl Fn(&Request) -> bool,
) -> Result<Vec<Request>> {
    let audit = bed.audit()?;
    let logged = async {
        loop {
            let requests = audit.requests(&wanted)?;
            if requests.iter().any(&awaited) {
                return Ok(requests);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, logged).await.context("not in the audit log")?
}

fn between(first: Option<&Request>, second: Option<&Request>) -> Result<Duration> {
    let first = first.context("the first request is not in the audit log")?;
    let second = second.context("the second request is not in the audit log")?;
    let took = second.request_received_timestamp.duration_since(first.request_received_timestamp);
    took.try_into().context("the second request came before the first")
}
