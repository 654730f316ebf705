//! One cluster's trouble is nobody else's: a healthy one beside all of them at once reacts as fast as alone.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use e2e::admission::Policy;
use e2e::bed::Bed;
use e2e::{latency, manifests};
use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(4);
const RUNS: usize = 5;
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

/// How soon a lost worker is followed by a new pod: the median of some.
async fn replacement(bed: &Bed) -> Result<Duration> {
    let mut took = Vec::new();
    for _ in 0..RUNS {
        bed.until_registered("demo", 2, SOON).await?;
        took.push(latency::of_replacement(bed).await?);
    }
    took.sort();
    Ok(took[RUNS / 2])
}

#[tokio::test]
async fn a_healthy_cluster_beside_all_troubles_keeps_its_reaction_times() -> Result<()> {
    let bed = Bed::new("healthy").await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.until_ready("demo", SOON).await?;
    let alone = replacement(&bed).await?;

    let start = Timestamp::now();
    let troubles = troubles();
    let beds = try_join_all(troubles.iter().map(a_troubled_bed)).await?;
    let beside = replacement(&bed).await?;
    let elapsed = Timestamp::now().duration_since(start).as_secs();
    println!("worker deleted -> next worker created: {alone:?} alone, {beside:?} beside all troubles");
    assert!(beside < Duration::from_secs(5), "{beside:?}");
    // On two processors, of which a dozen schedulers start.
    assert!(beside < alone * 10 + Duration::from_secs(2), "{alone:?} alone, {beside:?} beside troubles");

    for (troubled, _) in &beds {
        let writes = troubled.audit()?.writes_of_operator(&troubled.namespace)?;
        let tries = writes.iter().filter(|write| write.summary() == "create pods").count();
        let statuses = writes.iter().filter(|write| write.summary().ends_with("/status")).count();
        println!("{}: {tries} tries and {statuses} statuses in {elapsed} s", troubled.namespace);
        // After half a second, one, two, up to a minute, and no more at a time than are under way at once.
        let rounds = 9 + usize::try_from(elapsed / 60)?;
        assert!(tries <= 16 * rounds, "{}: {tries} tries in {elapsed} s", troubled.namespace);
        assert!(statuses <= 40, "{}: {statuses} statuses", troubled.namespace);
    }
    // So many pods that go keep the node busy for the next test.
    drop(beds);
    bed.until_alone()
}
