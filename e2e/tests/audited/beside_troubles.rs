//! One cluster's trouble is nobody else's: a healthy one beside all of them at once reacts as fast as alone.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::DaskWorkerGroup;
use e2e::audit::Request;
use e2e::bed::Bed;
use e2e::{latency, manifests};
use jiff::Timestamp;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(2);
const RUNS: usize = 5;
/// More than are created at once.
const MANY: u32 = 40;

/// Clusters whose groups cannot have their workers, each for a reason of its own.
fn troubles() -> [(&'static str, Value); 4] {
    let worker = |replicas: u32, spec: Value| {
        let resources = json!({"requests": {"cpu": "5m", "memory": "10Mi"}});
        let scheduler = json!({"resources": {"requests": {"cpu": "5m", "memory": "50Mi"}}});
        json!({"scheduler": scheduler, "worker": {"replicas": replicas, "spec": spec, "resources": resources}})
    };
    let container = json!({"name": "worker"});
    let image = json!([{"name": "worker", "image": "registry.invalid/none:1", "args": ["dask", "worker"]}]);
    let crash = json!([{"name": "worker", "command": ["sh", "-c", "exit 3"]}]);
    let nowhere = json!({"nodeSelector": {"e2e.dask.org/none": "none"}, "containers": [container]});
    [
        (
            "ServiceAccountMissing",
            worker(MANY, json!({"serviceAccountName": "nobody", "containers": [container]})),
        ),
        ("ImageCannotBePulled", worker(2, json!({"containers": image}))),
        ("ContainerFailed", worker(2, json!({"containers": crash}))),
        ("Unschedulable", worker(2, nowhere)),
    ]
}

async fn a_troubled_bed(reason: &str, spec: &Value) -> Result<Bed> {
    let bed = Bed::new(&reason.to_lowercase()).await?;
    bed.apply(&manifests::cluster_of("demo", spec))?;
    let told = |groups: &[Arc<DaskWorkerGroup>]| {
        let conditions =
            groups.iter().filter_map(|group| group.status.as_ref()).flat_map(|one| &one.conditions);
        conditions.into_iter().any(|one| one.reason == reason)
    };
    bed.until("", reason, SOON, told).await?;
    Ok(bed)
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
    let mut beds = Vec::new();
    for (reason, spec) in troubles() {
        beds.push(a_troubled_bed(reason, &spec).await?);
    }
    let beside = replacement(&bed).await?;
    let elapsed = Timestamp::now().duration_since(start).as_secs();
    println!("worker deleted -> next worker created: {alone:?} alone, {beside:?} beside all troubles");
    assert!(beside < Duration::from_secs(5), "{beside:?}");
    assert!(beside < alone * 3 + Duration::from_millis(500), "{alone:?} alone, {beside:?} beside troubles");

    for troubled in &beds {
        let writes = troubled.audit()?.writes_of_operator(&troubled.namespace)?;
        let tries = writes.iter().filter(|write| write.summary() == "create pods").count();
        let statuses = writes.iter().filter(|write| write.summary().ends_with("/status")).count();
        println!("{}: {tries} tries and {statuses} statuses in {elapsed} s", troubled.namespace);
        // Half a second, one, two, up to a minute.
        assert!(tries <= 12 * MANY as usize, "{}: {tries} tries", troubled.namespace);
        assert!(statuses <= 20, "{}: {statuses} statuses", troubled.namespace);
    }
    Ok(())
}

#[tokio::test]
async fn a_namespace_that_goes_takes_its_clusters_along_and_is_hardly_asked_for_more() -> Result<()> {
    let bed = Bed::new("going").await?;
    bed.apply(&manifests::cluster("demo", 3))?;
    bed.until_registered("demo", 3, SOON).await?;
    let start = Timestamp::now();
    bed.cluster.kubectl(&["delete", "namespace", &bed.namespace, "--timeout=100s"])?;
    let tries = |request: &Request| {
        request.is_operators_write()
            && request.object_ref.namespace == bed.namespace
            && request.request_received_timestamp >= start
            && request.response_status.code >= 400
    };
    let refused: Vec<_> = bed.audit()?.requests(tries)?.iter().map(Request::summary).collect();
    println!("refused in a namespace that goes: {refused:?}");
    assert!(refused.len() <= 20, "{refused:?}");
    Ok(())
}
