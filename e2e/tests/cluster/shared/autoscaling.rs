//! Workers come with the work and go when it is done, in the groups that can run it; and what keeps them from that is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dask_operator_api::{DaskAutoscaler, DaskWorkerGroup};
use e2e::autoscalers::{decisions, replicas, until_replicas, until_told};
use e2e::bed::Bed;
use e2e::manifests;
use e2e::workload::Start;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(4);
const WORKERS: &str = "dask.org/component=worker";
/// Ten times as long as another group is waited for.
const FALLEN: Duration = Duration::from_secs(20);

/// A cluster with so many workers and one more group, and an autoscaler that does this.
async fn scaled(name: &str, replicas: u32, more: Option<(&str, Value)>, autoscaler: &Value) -> Result<Bed> {
    let bed = Bed::new(name).await?;
    bed.apply(&manifests::cluster("demo", replicas))?;
    if let Some((group, mut worker)) = more {
        worker["replicas"] = json!(0);
        worker["threads"] = json!(1);
        bed.apply(&manifests::group_of(group, &json!({"cluster": "demo", "worker": worker})))?;
    }
    bed.apply(&manifests::autoscaler("demo", "demo", autoscaler))?;
    until_told(&bed, "demo", "FollowsWork").await?;
    Ok(bed)
}

fn assert_each_was_done_once(reported: &Value, tasks: u64) {
    assert_eq!(reported["bodies"], json!(tasks), "{reported}");
}

#[tokio::test]
async fn workers_come_from_none_with_a_graph_and_go_when_it_is_done() -> Result<()> {
    let bed = Bed::new("grown").await?;
    let worker = json!({"replicas": 0, "threads": 4});
    bed.apply(&manifests::cluster_of("demo", &json!({"worker": worker})))?;
    let spec = json!({"minimum": 0, "maximum": 8, "scaleDown": {"stabilizationSeconds": 4}});
    bed.apply(&manifests::autoscaler("demo", "demo", &spec))?;
    until_told(&bed, "demo", "FollowsWork").await?;
    let mut workload =
        Start::new("growing", &bed.address("demo")?).with("TASKS", "200").with("SECONDS", "4").start()?;
    workload.until("submitted")?;
    let (reported, succeeded) = workload.finish()?;
    assert!(succeeded, "{reported}");
    assert_each_was_done_once(&reported, 200);
    assert_eq!(reported["workers"]["demo-default"], 8, "{reported}");
    bed.until(WORKERS, "no worker", SOON, |pods: &[Arc<Pod>]| pods.is_empty()).await?;
    let told = until_told(&bed, "demo", "FollowsWork").await?;
    let told = decisions(&told);
    // 200 tasks of which nothing is known are thought to take half a second each: 20 threads, which are 5 workers, have
    // them done in 5 seconds.
    assert_eq!(told.first(), Some(&(0, 5, "Work".to_owned())), "{told:?}");
    assert!(told.len() < 10, "more are told of than are kept: {told:?}");
    each_is_an_event(&bed, &told).await?;
    let turns = told.windows(2).filter(|pair| (pair[0].1 > pair[0].0) != (pair[1].1 > pair[1].0)).count();
    assert_eq!((turns, told.last().map(|last| last.1)), (1, Some(0)), "{told:?}");
    Ok(())
}

async fn each_is_an_event(bed: &Bed, decided: &[(i32, i32, String)]) -> Result<()> {
    let notes = |events: &[Arc<Event>]| {
        let by_autoscaler = |event: &&Arc<Event>| {
            event.regarding.as_ref().and_then(|about| about.kind.as_deref()) == Some("DaskAutoscaler")
        };
        let scaled = events.iter().filter(by_autoscaler);
        let scaled = scaled.filter(|event| event.reason.as_deref() == Some("Scaled"));
        scaled.filter_map(|event| event.note.clone()).collect::<Vec<_>>()
    };
    let all = bed.until("", "an Event each", SOON, |events| notes(events).len() >= decided.len()).await?;
    let mut told = notes(&all);
    for (from, to, reason) in decided {
        let words = format!("demo-default: from {from} to {to} workers ({reason}: ");
        let at = told.iter().position(|note| note.starts_with(&words)).context(words)?;
        told.remove(at);
    }
    assert_eq!(told, Vec::<String>::new());
    Ok(())
}

/// Dask itself says how many it would have (`adaptive_target`).
#[tokio::test]
async fn workers_come_and_go_with_the_work_where_the_scheduler_is_as_dask_made_it() -> Result<()> {
    let bed = Bed::new("stock-grown").await?;
    let worker = json!({"replicas": 0, "threads": 1});
    bed.apply(&manifests::stock_cluster_of("demo", &json!({"worker": worker})))?;
    let spec = json!({"minimum": 0, "maximum": 8, "scaleDown": {"stabilizationSeconds": 4}});
    bed.apply(&manifests::autoscaler("demo", "demo", &spec))?;
    until_told(&bed, "demo", "FollowsWork").await?;
    let mut workload =
        Start::new("growing", &bed.address("demo")?).with("TASKS", "100").with("SECONDS", "2").start()?;
    workload.until("submitted")?;
    let (reported, succeeded) = workload.finish()?;
    assert!(succeeded, "{reported}");
    assert_each_was_done_once(&reported, 100);
    assert_eq!(reported["workers"]["demo-default"], 8, "{reported}");
    bed.until(WORKERS, "no worker", SOON, |pods: &[Arc<Pod>]| pods.is_empty()).await.map(drop)
}

#[tokio::test]
async fn workers_for_what_depends_on_a_running_task_are_there_before_it_ends() -> Result<()> {
    let spec = json!({"minimum": 0, "maximum": 4, "targetDurationSeconds": 1});
    let bed = scaled("ahead", 0, None, &spec).await?;
    let work = Start::new("growing", &bed.address("demo")?).with("TASKS", "20").with("BEHIND", "yes");
    let mut work = work.start()?;
    work.until("root")?;
    // All of them depend on one task, which does not end before it is told to.
    bed.until_registered("demo", 4, SOON).await?;
    work.say("go on")?;
    let (reported, succeeded) = work.finish()?;
    assert!(succeeded, "{reported}");
    assert_each_was_done_once(&reported, 20);
    assert_eq!(reported["before"], 4, "{reported}");
    Ok(())
}

/// 31 tasks that need a GPU, which three workers at most offer.
async fn work_for_gpus(bed: &Bed) -> Result<()> {
    let work = Start::new("growing", &bed.address("demo")?).with("TASKS", "31").with("SECONDS", "2");
    let (reported, succeeded) = work.with("RESOURCE", "GPU").start()?.finished().await?;
    assert!(succeeded, "{reported}");
    assert_each_was_done_once(&reported, 31);
    assert_eq!(reported["workers"]["demo-gpu"], 3, "{reported}");
    Ok(())
}

fn groups_of(least_gpus: u32) -> Value {
    let groups = json!([
        {"name": "demo-default", "minimum": 1, "maximum": 4},
        {"name": "demo-gpu", "minimum": least_gpus, "maximum": 3},
    ]);
    json!({"targetDurationSeconds": 1, "groups": groups, "scaleDown": {"stabilizationSeconds": 4}})
}

#[tokio::test]
async fn tasks_that_need_a_resource_get_the_workers_that_offer_it_and_no_others() -> Result<()> {
    let gpu = json!({"daskResources": {"GPU": 1}});
    let bed = scaled("resources", 2, Some(("demo-gpu", gpu)), &groups_of(0)).await?;
    let shrinks = until_replicas(&bed, "demo-default", 1, SOON);
    tokio::try_join!(shrinks, work_for_gpus(&bed)).context("from no GPU")?;
    until_replicas(&bed, "demo-gpu", 0, SOON).await?;
    let gpus = "dask.org/workergroup-name=demo-gpu";
    bed.until(gpus, "no worker of it is left", SOON, |pods: &[Arc<Pod>]| pods.is_empty()).await?;
    bed.apply(&manifests::autoscaler("demo", "demo", &groups_of(1)))?;
    bed.until_registered("demo", 2, SOON).await?;
    work_for_gpus(&bed).await.context("from one GPU")?;
    let grown = |all: &[Arc<DaskAutoscaler>]| {
        let told = all.iter().filter_map(|one| one.status.as_ref()).flat_map(|one| &one.last_decisions);
        told.filter(|one| one.group == "demo-default").any(|one| one.to > one.from)
    };
    let all = until_told(&bed, "demo", "FollowsWork").await?;
    assert!(!grown(&all), "{all:?}");
    let mut idle =
        Start::new("growing", &bed.address("demo")?).with("TASKS", "1").with("RESOURCE", "FPGA").start()?;
    idle.until("submitted")?;
    let told = until_told(&bed, "demo", "NobodyOffers").await?;
    let messages = told.iter().filter_map(|one| one.status.as_ref()).flat_map(|one| &one.conditions);
    assert!(messages.into_iter().any(|one| one.message.contains("FPGA=1")), "{told:?}");
    assert_eq!(replicas(&bed, "demo-default").await?, 1);
    until_replicas(&bed, "demo-gpu", 1, SOON).await
}

/// A ladder of two groups, of which the first finds no node.
async fn ladder() -> Result<Bed> {
    let groups = json!([
        {"name": "demo-spot", "maximum": 4, "priority": 10},
        {"name": "demo-default", "maximum": 2},
    ]);
    let spec = json!({
        "groups": groups, "fallbackAfterSeconds": 2, "targetDurationSeconds": 1,
        "scaleDown": {"stabilizationSeconds": 2}
    });
    let nowhere = json!({"spec": {"nodeSelector": {"has-spot-machines": "yes"}}});
    scaled("ladder", 0, Some(("demo-spot", nowhere)), &spec).await
}

#[tokio::test]
async fn work_falls_through_to_the_next_group_and_moves_back_when_the_first_can_start() -> Result<()> {
    let bed = ladder().await?;
    // One task that runs until it is told to end, and what depends on it: work for one worker, and for two once it
    // runs, however long workers take to start.
    let work = Start::new("growing", &bed.address("demo")?).with("TASKS", "4").with("BEHIND", "yes");
    let mut work = work.start()?;
    until_replicas(&bed, "demo-spot", 1, SOON).await?;
    let first = Instant::now();
    until_replicas(&bed, "demo-default", 1, SOON).await?;
    assert!(first.elapsed() < FALLEN, "{:?}", first.elapsed());
    until_told(&bed, "demo", "GroupCannotGrow").await?;
    let fallback = (0, 1, "Fallback".to_owned());
    let decided = |all: &[Arc<DaskAutoscaler>]| decisions(all).contains(&fallback);
    bed.until("", "the fallback is told", SOON, decided).await?;
    work.until("root")?;
    let nodes = bed.cluster.kubectl(&["get", "nodes", "--output", "name"])?;
    let node = nodes.lines().next().context("no node")?;
    bed.cluster.kubectl(&["label", node, "has-spot-machines=yes"])?;
    let moved_back = |all: &[Arc<DaskAutoscaler>]| {
        let told = all.iter().filter_map(|one| one.status.as_ref()).flat_map(|one| &one.last_decisions);
        told.into_iter().any(|one| one.group == "demo-default" && one.reason == "MovedBack")
    };
    let moved = bed.until("", "work moves back", SOON, moved_back).await;
    let emptied = until_replicas(&bed, "demo-default", 0, SOON).await;
    bed.cluster.kubectl(&["label", node, "has-spot-machines-"])?;
    moved?;
    emptied?;
    work.say("go on")?;
    let (reported, succeeded) = work.finish()?;
    assert!(succeeded, "{reported}");
    assert_each_was_done_once(&reported, 4);
    for group in ["demo-default", "demo-spot"] {
        assert!(reported["workers"][group].as_u64() > Some(0), "{group}: {reported}");
    }
    until_replicas(&bed, "demo-spot", 0, SOON).await
}

#[tokio::test]
async fn what_an_autoscaler_cannot_do_is_told_and_its_end_leaves_the_workers() -> Result<()> {
    let bed = scaled("told", 0, None, &json!({"minimum": 2, "maximum": 4})).await?;
    until_replicas(&bed, "demo-default", 2, SOON).await?;
    bed.apply(&manifests::autoscaler("demo", "demo", &json!({"minimum": 4, "maximum": 3})))?;
    until_told(&bed, "demo", "InvalidBounds").await?;
    assert_eq!(replicas(&bed, "demo-default").await?, 2);
    bed.apply(&manifests::autoscaler("demo", "demo", &json!({"minimum": 1, "maximum": 3})))?;
    until_told(&bed, "demo", "FollowsWork").await?;
    bed.apply(&manifests::autoscaler("second", "demo", &json!({"minimum": 3, "maximum": 3})))?;
    until_told(&bed, "second", "OlderAutoscaler").await?;
    let astray = json!([{"name": "demo-default", "minimum": 3}, {"name": "demo-gone"}]);
    bed.apply(&manifests::autoscaler("demo", "demo", &json!({"groups": astray})))?;
    until_told(&bed, "demo", "NoSuchGroup").await?;
    until_replicas(&bed, "demo-default", 3, SOON).await?;
    bed.apply(&manifests::autoscaler("demo", "demo", &json!({"minimum": 1, "maximum": 3})))?;
    bed.apply(&manifests::autoscaler("lost", "nobody", &json!({"minimum": 3, "maximum": 3})))?;
    until_told(&bed, "lost", "ClusterNotFound").await?;
    // Once it may be a person who does not know of the autoscaler; who does it twice is another one that scales.
    for _ in 0..2 {
        until_replicas(&bed, "demo-default", 1, SOON).await?;
        bed.kubectl(&["scale", "daskworkergroup/demo-default", "--replicas=3"])?;
    }
    until_told(&bed, "demo", "AnotherWriter").await?;
    bed.kubectl(&["delete", "daskautoscaler", "second", "demo", "--timeout=5s"])?;
    let groups = bed.api::<DaskWorkerGroup>().get("demo-default").await?;
    assert_eq!(groups.spec.worker.replicas, 3);
    bed.apply(&manifests::autoscaler(
        "advice",
        "demo",
        &json!({"minimum": 0, "maximum": 3, "advisory": true}),
    ))?;
    let advises = |all: &[Arc<DaskAutoscaler>]| decisions(all) == [(3, 0, "Idle".to_owned())];
    bed.until("", "advice", SOON, advises).await?;
    until_replicas(&bed, "demo-default", 3, SOON).await
}
