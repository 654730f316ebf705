//! One cluster of Dask whose workers cannot leave as they should, each group for a reason of its own.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use dask_operator_api::conditions::Reason;
use dask_operator_api::{DaskWorkerGroup, labels};
use e2e::bed::Bed;
use e2e::manifests::{self, WITH_NANNY, WITHOUT_NANNY, dask_image};
use e2e::workload::Workload;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::super::{SOON, Told, Trouble, metrics};
use super::{Gone, until_event};

/// For those who cannot leave at all, which is told no longer than it lasts.
const SECONDS: u32 = 12;
/// Of every group there is one worker.
const WORKERS: u64 = 7;

pub(super) fn begin(bed: &Bed) -> Result<()> {
    let brief = json!({"timeoutSeconds": SECONDS});
    let cluster = json!({"worker": worker(&brief, &json!({}))});
    let nanny = json!({"containers": [{"name": "worker", "args": WITH_NANNY}]});
    let plain = json!([{"name": "worker", "args": WITHOUT_NANNY}]);
    // So that it can be killed from within, as the first process of a container cannot.
    let plain = json!({"shareProcessNamespace": true, "containers": plain});
    let blind = json!({"name": "worker", "image": dask_image(), "command": ["/opt/dask/bin/dask"],
        "args": WITH_NANNY[1..], "env": [{"name": "PATH", "value": "/nowhere"}]});
    let groups = [
        ("actors", brief, json!({})),
        ("holder", json!({"timeoutSeconds": 1, "onTimeout": "Keep"}), json!({})),
        ("killed", json!({}), nanny),
        ("plain", json!({}), plain),
        ("blind", json!({}), json!({"containers": [blind]})),
        ("scant", json!({}), json!({})),
    ];
    let groups = groups.map(|(name, drain, pod)| {
        let spec = json!({"cluster": "uneasy", "worker": worker(&drain, &pod)});
        manifests::group_of(&format!("uneasy-{name}"), &spec)
    });
    bed.apply(&[&[manifests::cluster_of("uneasy", &cluster)], &groups[..]].concat().join("\n---\n"))
}

fn worker(drain: &Value, pod: &Value) -> Value {
    let small = json!({"requests": {"cpu": "20m", "memory": "100Mi"}});
    json!({"replicas": 1, "threads": 1, "resources": small, "drain": drain, "spec": pod})
}

/// Its workers have what they cannot leave with.
pub(super) async fn until_ready(bed: &Bed) -> Result<Workload> {
    bed.until_registered("uneasy", WORKERS, SOON).await?;
    let mut workload = Workload::start("uneasy", &bed.address("uneasy")?)?;
    workload.until("ready")?;
    Ok(workload)
}

/// All leave, those with actors first: while these stay they may be given what others have.
pub(super) async fn leave(bed: &Bed, workload: Workload) -> Result<()> {
    refused(bed, "actors", "actors").await?;
    scale_away(bed, &["holder", "killed", "plain"])?;
    // Whoever is to be seen going may go sooner than these are killed.
    let kill = async { tokio::task::spawn_blocking(move || kill(workload)).await? };
    let (first, second) = (killed(bed, "uneasy-killed"), killed(bed, "uneasy-plain"));
    let ((), (), (), mut workload) = tokio::try_join!(holder(bed), first, second, kill)?;
    blind(bed).await?;
    workload.act("pause")?;
    scant(bed, &mut workload).await?;
    workload.act("check")?;
    refused(bed, "default", "last worker").await
}

fn kill(mut workload: Workload) -> Result<Workload> {
    workload.act("kill").map(|()| workload)
}

fn scale_away(bed: &Bed, groups: &[&str]) -> Result<()> {
    let groups: Vec<_> = groups.iter().map(|name| format!("daskworkergroup/uneasy-{name}")).collect();
    let groups: Vec<_> = groups.iter().map(String::as_str).collect();
    bed.kubectl(&[&["scale", "--replicas=0"], groups.as_slice()].concat()).map(drop)
}

/// A worker has something that nobody can take over. It goes with it when its time is over.
async fn refused(bed: &Bed, group: &str, why: &str) -> Result<()> {
    let (name, scaled) = (format!("uneasy-{group}"), Instant::now());
    scale_away(bed, &[group])?;
    let trouble = Trouble { object: &name, reason: Reason::DrainRefused, words: &["cannot leave", why] };
    let told = trouble.until_told::<DaskWorkerGroup>(bed, scaled);
    let ((), (), gone) = tokio::try_join!(told, lost(bed, &name, &["bytes) lost"]), Gone::wait(bed, &name))?;
    gone.assert_in_time(&name, SECONDS, 15);
    Ok(())
}

/// What went with a worker is told when it has gone; the time that is printed counts from now, its drain included.
async fn lost(bed: &Bed, group: &str, words: &[&str]) -> Result<()> {
    let trouble = Trouble { object: group, reason: Reason::WorkInterrupted, words };
    trouble.until_told::<DaskWorkerGroup>(bed, Instant::now()).await
}

/// By all drains since the operator started.
fn lost_bytes(metrics: &str) -> u64 {
    let counts = |line: &str| line.strip_prefix("dask_operator_drain_lost_bytes_total ")?.parse().ok();
    metrics.lines().find_map(counts).unwrap_or(0)
}

/// Half a gigabyte cannot be moved in time, so its worker stays; until it is to go all the same.
async fn holder(bed: &Bed) -> Result<()> {
    let (name, before) = ("uneasy-holder", lost_bytes(&metrics(bed).await?));
    let kept = Trouble { object: name, reason: Reason::WorkersKept, words: &["could not leave in time"] };
    kept.until_told::<DaskWorkerGroup>(bed, Instant::now()).await?;
    until_event(bed, "WorkerStays", name, &["could not leave in time"]).await?;
    let change = json!({"spec": {"worker": {"drain": {"onTimeout": "Delete"}}}}).to_string();
    bed.kubectl(&["patch", "daskworkergroup", name, "--type=merge", "--patch", &change])?;
    let ((), gone) =
        tokio::try_join!(lost(bed, name, &["0 tasks interrupted", "(500000"]), Gone::wait(bed, name))?;
    gone.assert_in_time(name, 1, 30);
    let lost = lost_bytes(&metrics(bed).await?) - before;
    assert!(lost >= 500_000_000, "the metric counts {lost} bytes");
    Ok(())
}

/// A worker is killed while it leaves, and what it could not hand over is lost. Whoever comes first tells so: the
/// scheduler, or the node if the worker was the pod's own process.
async fn killed(bed: &Bed, group: &str) -> Result<()> {
    let workers = format!("{}={group}", labels::WORKER_GROUP_NAME);
    let gone = bed.until(&workers, "the killed worker is gone", SOON, |pods: &[Arc<Pod>]| pods.is_empty());
    let told = |one: &Condition| match one.type_.as_str() {
        "WorkLost" => one.message.contains(" results (500000"),
        "WorkersFailing" => one.message.contains("exit code 137"),
        _ => false,
    };
    let told = |groups: &[Arc<DaskWorkerGroup>]| {
        let named = groups.iter().filter(|one| one.name_any() == group);
        named.flat_map(|one| one.conditions()).any(told)
    };
    let what = format!("what {group} lost is told");
    tokio::try_join!(gone, bed.until("", &what, SOON, told)).map(drop)
}

/// Its hook cannot run, which its node tells. The operator has asked before, so nothing is lost; not while others are
/// killed, who might just have taken over what it had.
async fn blind(bed: &Bed) -> Result<()> {
    scale_away(bed, &["blind"])?;
    let told = until_event(bed, "FailedPreStopHook", "uneasy-blind-worker-", &[]);
    let (gone, ()) = tokio::try_join!(Gone::wait(bed, "uneasy-blind"), told)?;
    // Whoever takes over may still be waiting for those who were killed: half a minute for each, by Dask's own patience.
    gone.assert_in_time("uneasy-blind", 0, 120);
    Ok(())
}

/// Nobody who stays has memory to spare; when somebody has again, it goes.
async fn scant(bed: &Bed, workload: &mut Workload) -> Result<()> {
    let (name, scaled) = ("uneasy-scant", Instant::now());
    scale_away(bed, &["scant"])?;
    let trouble = Trouble { object: name, reason: Reason::DrainRefused, words: &["peers paused"] };
    trouble.until_told::<DaskWorkerGroup>(bed, scaled).await?;
    workload.act("resume")?;
    Gone::wait(bed, name).await?;
    let events = bed.api::<Event>().list(&kube::api::ListParams::default()).await?.items;
    let lost = |event: &&Event| {
        let about = event.regarding.as_ref().and_then(|about| about.name.as_deref());
        event.reason.as_deref() == Some("WorkInterrupted") && about == Some(name)
    };
    assert_eq!(events.iter().find(lost), None);
    Ok(())
}
