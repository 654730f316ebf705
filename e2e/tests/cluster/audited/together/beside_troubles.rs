//! One cluster's trouble is nobody else's: a healthy one beside all of them at once reacts as fast as before.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use e2e::admission::Policy;
use e2e::bed::Bed;
use e2e::{latency, manifests};
use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(4);
const RUNS: usize = 3;
/// Ten times the promise.
const MOST: Duration = Duration::from_secs(5);
/// A namespace that goes: pods go first, and for as long as they take, no new ones may be made.
const GOING: &str = "going";
const WORKERS: &str = "dask.org/component=worker";
/// More than are created at once.
const MANY: u32 = 40;

/// A trouble: what it is called, what in its namespace leads to it, and the cluster that meets it.
struct Trouble {
    namespace: &'static str,
    reason: &'static str,
    cause: Option<Value>,
    spec: Value,
}

fn in_pod(reason: &'static str, replicas: u32, pod: &Value) -> Trouble {
    let small = json!({"requests": {"cpu": "5m", "memory": "10Mi"}});
    let worker = json!({"replicas": replicas, "spec": pod, "resources": small});
    Trouble {
        namespace: reason,
        reason,
        cause: None,
        spec: json!({"scheduler": {"resources": small}, "worker": worker}),
    }
}

fn in_namespace(reason: &'static str, cause: Value) -> Trouble {
    let cause = Some(cause);
    Trouble { cause, ..in_pod(reason, MANY, &json!({"containers": [{"name": "worker"}]})) }
}

fn in_container(reason: &'static str, container: &Value) -> Trouble {
    let mut container = container.clone();
    container["name"] = json!("worker");
    in_pod(reason, 2, &json!({"containers": [container]}))
}

fn of_kind(kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "small"}, "spec": spec})
}

/// An object of somebody else's has the name of the scheduler's.
fn taken(namespace: &'static str, version: &str, kind: &str, spec: &Value) -> Trouble {
    let metadata = json!({"name": "demo-scheduler"});
    let cause = json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec});
    let pod = in_pod("OwnedByAnother", 1, &json!({"containers": [{"name": "worker"}]}));
    Trouble { namespace, cause: Some(cause), ..pod }
}

fn somebodys() -> Value {
    let labels = json!({"app": "theirs"});
    let spec = json!({"containers": [{"name": "theirs", "image": "theirs"}]});
    json!({"replicas": 0, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": spec}})
}

fn troubles() -> [Trouble; 14] {
    let workers = json!([{"name": "worker"}]);
    let memory = json!({"limits": {"memory": "50Mi"}});
    let hungry = json!(["python", "-c", "x = b'x' * (1 << 30)"]);
    let crashing = json!({"name": "scheduler", "command": ["sh", "-c", "exit 4"]});
    let least = json!({"limits": [{"type": "Container", "min": {"memory": "9Gi"}}]});
    [
        in_namespace("QuotaExceeded", of_kind("ResourceQuota", &json!({"hard": {"pods": "0"}}))),
        in_namespace("LimitRangeViolated", of_kind("LimitRange", &least)),
        taken("taken-service", "v1", "Service", &json!({"ports": [{"port": 1234}]})),
        taken("taken-deployment", "apps/v1", "Deployment", &somebodys()),
        in_pod("RefusedByAdmission", MANY, &json!({"containers": workers})),
        in_pod(
            "ServiceAccountMissing",
            MANY,
            &json!({"serviceAccountName": "nobody", "containers": workers}),
        ),
        in_pod("DroppedByServer", 1, &json!({"ofTomorrow": true, "containers": workers})),
        in_pod(
            "Unschedulable",
            2,
            &json!({"nodeSelector": {"e2e.dask.org/no": "no"}, "containers": workers}),
        ),
        in_container(
            "ImageCannotBePulled",
            &json!({"image": "registry.invalid/none:1", "args": ["dask", "worker"]}),
        ),
        in_pod("PodSecurityViolated", MANY, &json!({"containers": workers})),
        in_container("CommandNotFound", &json!({"command": ["no-such-program"]})),
        Trouble {
            namespace: "crashing-scheduler",
            spec: json!({"scheduler": {"spec": {"containers": [crashing]}}, "worker": {"replicas": 0}}),
            ..in_pod("ContainerFailed", 0, &json!({}))
        },
        in_container("ContainerFailed", &json!({"command": ["sh", "-c", "exit 3"]})),
        in_container("OutOfMemory", &json!({"command": hungry, "resources": memory})),
    ]
}

/// Returns once the trouble is told, of the cluster or of its group.
async fn a_troubled_bed(trouble: &Trouble) -> Result<(Bed, Option<Policy>)> {
    let mut policy = None;
    let bed = Bed::new(&trouble.namespace.to_lowercase()).await?;
    if let Some(cause) = &trouble.cause {
        bed.apply(&cause.to_string())?;
    }
    match trouble.reason {
        // It counts for nothing before its controller has seen it.
        "QuotaExceeded" => {
            bed.kubectl(&["wait", "quota/small", "--for=jsonpath={.status.hard.pods}=0", "--timeout=60s"])?;
        }
        "PodSecurityViolated" => {
            let level = "pod-security.kubernetes.io/enforce=restricted";
            bed.cluster.kubectl(&["label", "namespace", &bed.namespace, level])?;
        }
        "RefusedByAdmission" => policy = Some(Policy::new(&bed).await?),
        _ => {}
    }
    bed.apply(&manifests::cluster_of("demo", &trouble.spec))?;
    let is_told = |all: &[Condition]| all.iter().any(|one| one.reason == trouble.reason);
    let of_clusters = |clusters: &[Arc<DaskCluster>]| {
        clusters.iter().filter_map(|one| one.status.as_ref()).any(|status| is_told(&status.conditions))
    };
    let of_groups = |groups: &[Arc<DaskWorkerGroup>]| {
        groups.iter().filter_map(|one| one.status.as_ref()).any(|status| is_told(&status.conditions))
    };
    tokio::select! {
        told = bed.until("", trouble.reason, SOON, of_clusters) => drop(told?),
        told = bed.until("", trouble.reason, SOON, of_groups) => drop(told?),
    }
    Ok((bed, policy))
}

/// How soon a lost worker is followed by a new pod, and how soon one that is not wanted any more is let go.
#[derive(Debug)]
struct Reactions {
    replaced: Duration,
    let_go: Duration,
}

impl Reactions {
    /// The medians of some.
    async fn of(bed: &Bed) -> Result<Self> {
        let (mut replaced, mut let_go) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            both(bed).await?;
            replaced.push(latency::of_replacement(bed).await?);
            both(bed).await?;
            let_go.push(latency::of_leaving(bed, "demo").await?.0);
            bed.kubectl(&["scale", "dsk/demo", "--replicas=2"])?;
        }
        Ok(Self { replaced: median(replaced), let_go: median(let_go) })
    }

    /// As before the troubles, but for what two processors need for a dozen schedulers that start; and never more than ten
    /// times what is promised.
    fn assert_as(&self, before: &Self) {
        for (beside, before) in [(self.replaced, before.replaced), (self.let_go, before.let_go)] {
            let most = MOST.min(before * 3 + Duration::from_secs(1));
            assert!(beside < most, "{beside:?}, {before:?} before");
        }
    }
}

/// Two workers that stay, and both registered: who has just left may still be counted, and a pod that is yet to be made
/// would be taken for the one that follows the next loss.
async fn both(bed: &Bed) -> Result<()> {
    bed.until_all_registered("demo", (2, 1), SOON).await
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort();
    all[all.len() / 2]
}

/// A namespace that goes while its cluster still wants workers, for as long as their pods hold out.
async fn going() -> Result<Bed> {
    let bed = Bed::new(GOING).await?;
    let stays = json!(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]);
    let deaf = json!({"name": "deaf", "image": manifests::dask_image(), "command": stays});
    // A worker by its ordinary command: others are not made while there is no scheduler.
    let pod = json!({"containers": [{"name": "worker"}, deaf], "terminationGracePeriodSeconds": 900});
    bed.apply(&manifests::cluster_of(
        "demo",
        &json!({"worker": {"replicas": 2, "threads": 1, "spec": pod}}),
    ))?;
    let running = |pods: &[Arc<Pod>]| {
        let phase = |pod: &Arc<Pod>| pod.status.as_ref().and_then(|status| status.phase.clone());
        pods.iter().filter(|pod| phase(pod).as_deref() == Some("Running")).count() == 2
    };
    bed.until(WORKERS, "two workers that run", SOON, running).await?;
    bed.cluster.kubectl(&["delete", "namespace", &bed.namespace, "--wait=false"])?;
    until_refused(&bed).await?;
    Ok(bed)
}

/// Whoever removes namespaces would look again when half of its pods' time is over, or when it changes.
fn let_go(going: &Bed) -> Result<()> {
    going.kubectl(&["delete", "pods", "--all", "--force", "--grace-period=0"])?;
    going.cluster.kubectl(&["label", "namespace", &going.namespace, "held=no"]).map(drop)
}

/// Returns at once while it lasts.
async fn until_refused(bed: &Bed) -> Result<()> {
    let refused = |groups: &[Arc<DaskWorkerGroup>]| {
        let conditions = groups.iter().filter_map(|one| one.status.as_ref()).flat_map(|one| &one.conditions);
        conditions.into_iter().any(|one| one.reason == "NamespaceTerminating")
    };
    bed.until("", "NamespaceTerminating", SOON, refused).await.map(drop)
}

#[tokio::test]
async fn a_healthy_cluster_beside_all_troubles_keeps_its_reaction_times() -> Result<()> {
    let bed = Bed::new("healthy").await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.until_ready("demo", SOON).await?;
    let before = Reactions::of(&bed).await?;

    let start = Timestamp::now();
    let troubles = troubles();
    let beds = try_join_all(troubles.iter().map(a_troubled_bed)).await?;
    let going = going().await?;
    let beside = Reactions::of(&bed).await?;
    let elapsed = Timestamp::now().duration_since(start).as_secs();
    println!("{before:?} before, {beside:?} beside all troubles");
    let went_on = until_refused(&going).await;
    let_go(&going)?;
    went_on?;
    beside.assert_as(&before);

    for (troubled, _) in &beds {
        let writes = troubled.audit()?.writes_of_operator(&troubled.namespace)?;
        let tries = writes.iter().filter(|write| write.summary() == "create pods").count();
        let statuses = writes.iter().filter(|write| write.summary().ends_with("/status")).count();
        println!("{}: {tries} tries and {statuses} statuses in {elapsed} s", troubled.namespace);
        // After half a second, one, two, up to a minute, and no more at a time than are under way at once.
        let rounds = 9 + usize::try_from(elapsed / 60)?;
        assert!(tries <= 16 * rounds, "{}: {tries} tries in {elapsed} s", troubled.namespace);
        // Counts that change are told every ten seconds, of a cluster and of its group.
        let told = 20 + usize::try_from(elapsed / 5)?;
        assert!(statuses <= told, "{}: {statuses} statuses in {elapsed} s", troubled.namespace);
    }
    Ok(())
}
