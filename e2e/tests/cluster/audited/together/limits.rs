//! What keeps an autoscaler from its number is told, and then hardly anything is written, whatever it is: a quota, a
//! scheduler that lies or hangs, workers that never register or crash, somebody else who scales.
//!
//! All at once, each in a namespace of its own, since most of the time is spent on seeing that nothing happens.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::audit::Request;
use e2e::autoscalers::{replicas, until_observed, until_replicas, until_told, until_told_in_words};
use e2e::bed::Bed;
use e2e::progress::tell;
use e2e::workload::Start;
use e2e::{liars, manifests};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(4);
/// Workers that have not registered after two minutes are told.
const LATE: Duration = Duration::from_mins(4);
/// For so long nothing should happen.
const WHILE: Duration = Duration::from_secs(30);
const WORKERS: &str = "dask.org/component=worker";
const BILLION: u64 = 1_000_000_000;
const LIARS: [&str; 3] = ["liar", "hung", "dead"];
/// More than there can be workers for, by a client that goes.
const MUCH_WORK: &str = "
import time
from dask.distributed import fire_and_forget
fire_and_forget(client.map(lambda number: number, range(200), pure=False))
def wanted(dask_scheduler):
    other = dask_scheduler.clients.get('fire-and-forget')
    return len(other.wants_what) if other else 0
while client.run_on_scheduler(wanted) < 200:
    time.sleep(0.05)
";

#[tokio::test]
async fn what_keeps_an_autoscaler_from_its_number_is_told_and_makes_it_write_hardly_anything() -> Result<()> {
    let all = tokio::try_join!(quota(), liars(), workers_that_do_not_stay(), another_who_scales());
    all.map(drop)
}

fn bounds(minimum: u32, maximum: u32) -> Value {
    let down = json!({"stabilizationSeconds": 2});
    json!({"minimum": minimum, "maximum": maximum, "targetDurationSeconds": 1, "scaleDown": down})
}

/// A cluster of Dask without workers, with this in them, and its autoscaler.
async fn scaled(bed: &Bed, name: &str, pod: Value, bounds: &Value) -> Result<()> {
    let resources = json!({"requests": {"cpu": "20m", "memory": "100Mi"}});
    let worker = json!({"replicas": 0, "threads": 1, "resources": resources, "spec": pod});
    bed.apply(&manifests::cluster_of(name, &json!({"worker": worker})))?;
    bed.apply(&manifests::autoscaler(name, name, bounds))?;
    bed.until_ready(name, SOON).await?;
    until_told(bed, name, "FollowsWork").await.map(drop)
}

/// What the operator writes in a namespace for a while in which nothing should happen.
async fn writes(bed: &Bed) -> Result<Vec<String>> {
    let start = Timestamp::now();
    tokio::time::sleep(WHILE).await;
    let writes = bed.audit()?.writes_of_operator(&bed.namespace)?;
    let late = writes.iter().filter(|write| write.request_received_timestamp >= start);
    Ok(late.map(Request::summary).collect())
}

fn scalings(writes: &[String]) -> usize {
    writes.iter().filter(|write| *write == "patch daskworkergroups").count()
}

async fn pods_of(bed: &Bed, group: &str) -> Result<usize> {
    let selector = format!("dask.org/workergroup-name={group}");
    let pods = bed.until(&selector, "pods", SOON, |_: &[Arc<Pod>]| true).await?;
    Ok(pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).count())
}

/// The scheduler and two workers fit.
async fn quota() -> Result<()> {
    let bed = Bed::new("scant").await?;
    scaled(&bed, "demo", json!({}), &bounds(0, 6)).await?;
    bed.kubectl(&["create", "quota", "scant", "--hard=pods=3"])?;
    bed.kubectl(&["wait", "quota/scant", "--for=jsonpath={.status.used.pods}=1", "--timeout=60s"])?;
    let work = Start::new("growing", &bed.address("demo")?).with("TASKS", "100").start()?;
    until_told_in_words(&bed, "demo", "GroupCannotGrow", "exceeded quota: scant", SOON).await?;
    bed.until_registered("demo", 2, SOON).await?;
    let writes = writes(&bed).await?;
    tell(&format!("a quota below the target: {} writes in {WHILE:?}: {writes:?}", writes.len()));
    // The group tries again after ever longer waits.
    assert!(writes.len() <= 30 && scalings(&writes) <= 1, "{writes:?}");
    let (reported, succeeded) = work.finished().await?;
    assert!(succeeded, "{reported}");
    assert_eq!((&reported["bodies"], &reported["workers"]), (&json!(100), &json!({"demo-default": 2})));
    Ok(())
}

/// All say that they have a billion tasks; then one hangs, one dies again and again, and one beside them works.
async fn liars() -> Result<()> {
    let bed = Bed::new("liars").await?;
    until_all_have_three(&bed).await?;
    liars::hang(&bed, "hung")?;
    liars::die(&bed, "dead")?;
    silent_ones_may_have_more(&bed).await?;
    let start = Timestamp::now();
    beside_liars(&bed).await?;
    let of_liars = |write: &&Request| {
        let since = write.request_received_timestamp >= start;
        since && write.summary() == "patch daskworkergroups" && write.object_ref.name != "demo-default"
    };
    let writes = bed.audit()?.writes_of_operator(&bed.namespace)?;
    assert_eq!(writes.iter().filter(of_liars).count(), 0, "{writes:#?}");
    for group in LIARS.map(|name| format!("{name}-default")) {
        assert_eq!((replicas(&bed, &group).await?, pods_of(&bed, &group).await?), (3, 3), "{group}");
    }
    until_told(&bed, "hung", "SchedulerSilent").await?;
    until_told(&bed, "dead", "SchedulerSilent").await.map(drop)
}

async fn until_all_have_three(bed: &Bed) -> Result<()> {
    liars::prepare(bed)?;
    for name in LIARS {
        bed.apply(&liars::cluster(name, BILLION))?;
        bed.apply(&manifests::autoscaler(name, name, &bounds(0, 3)))?;
    }
    for name in LIARS {
        until_told(bed, name, "AtMaximum").await?;
        until_replicas(bed, &format!("{name}-default"), 3, SOON).await?;
    }
    bed.until(WORKERS, "nine workers", SOON, |pods: &[Arc<Pod>]| pods.len() == 9).await.map(drop)
}

/// What they said last would have them grow, and is not believed any more.
async fn silent_ones_may_have_more(bed: &Bed) -> Result<()> {
    for name in ["hung", "dead"] {
        until_told(bed, name, "SchedulerSilent").await?;
        bed.apply(&manifests::autoscaler(name, name, &bounds(0, 6)))?;
        until_observed(bed, name).await?;
    }
    until_told_in_words(bed, "dead", "SchedulerSilent", "(Error): no more", SOON).await.map(drop)
}

/// Workers come with the work and go when it is done.
async fn beside_liars(bed: &Bed) -> Result<()> {
    scaled(bed, "demo", json!({}), &bounds(0, 2)).await?;
    let work = Start::new("growing", &bed.address("demo")?).with("TASKS", "20").start()?;
    let (reported, succeeded) = work.finished().await?;
    assert!(succeeded, "{reported}");
    assert_eq!((&reported["bodies"], &reported["workers"]), (&json!(20), &json!({"demo-default": 2})));
    until_replicas(bed, "demo-default", 0, SOON).await
}

/// Those of one cluster never register, those of another one crash; neither get company.
async fn workers_that_do_not_stay() -> Result<()> {
    let bed = Bed::new("astray").await?;
    let crashing =
        json!({"containers": [{"name": "worker", "command": ["sh", "-c", "echo no more; exit 3"]}]});
    let troubles = [
        ("mute", liars::mute_workers(), "has not registered"),
        ("crashing", crashing, "ended with exit code 3 (Error): no more"),
    ];
    for (name, pod, _) in &troubles {
        scaled(&bed, name, pod.clone(), &bounds(0, 2)).await?;
        bed.client(name, MUCH_WORK)?;
    }
    for (name, _, words) in &troubles {
        until_told_in_words(&bed, name, "GroupCannotGrow", words, LATE).await?;
        bed.apply(&manifests::autoscaler(name, name, &bounds(0, 8)))?;
        until_observed(&bed, name).await?;
    }
    let writes = writes(&bed).await?;
    tell(&format!("workers that do not register or stay: {} writes in {WHILE:?}: {writes:?}", writes.len()));
    assert!(writes.len() <= 30 && scalings(&writes) == 0, "{writes:?}");
    for (name, _, words) in &troubles {
        until_told_in_words(&bed, name, "GroupCannotGrow", words, SOON).await?;
        let group = format!("{name}-default");
        assert_eq!(replicas(&bed, &group).await?, 2, "{name}");
        assert!(pods_of(&bed, &group).await? <= 2, "{name}");
    }
    Ok(())
}

/// An autoscaler of pods wants more workers than there is work for.
async fn another_who_scales() -> Result<()> {
    let bed = Bed::new("beside").await?;
    scaled(&bed, "demo", json!({}), &bounds(1, 4)).await?;
    until_replicas(&bed, "demo-default", 1, SOON).await?;
    bed.apply(&manifests::pod_autoscaler("demo-default", 3))?;
    let told = until_told_in_words(&bed, "demo", "AnotherWriter", "demo-default", SOON).await?;
    until_replicas(&bed, "demo-default", 3, SOON).await.with_context(|| format!("{told:#?}"))?;
    bed.until_registered("demo", 3, SOON).await?;
    let writes = writes(&bed).await?;
    tell(&format!("a HorizontalPodAutoscaler beside it: {} writes in {WHILE:?}: {writes:?}", writes.len()));
    assert_eq!(scalings(&writes), 0, "{writes:?}");
    assert_eq!(replicas(&bed, "demo-default").await?, 3);
    until_told(&bed, "demo", "AnotherWriter").await.map(drop)
}
