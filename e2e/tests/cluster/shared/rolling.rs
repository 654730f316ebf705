//! A changed template replaces the workers of a group, a few at a time, while they work.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use dask_operator_api::DaskWorkerGroup;
use e2e::bed::Bed;
use e2e::manifests;
use e2e::progress::say;
use e2e::workload::Workload;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::{Value, json};

const WORKERS: &str = "dask.org/component=worker";
const SCHEDULERS: &str = "dask.org/component=scheduler";
const SOON: Duration = Duration::from_mins(4);

fn a_cluster(workers: u32, worker: &Value) -> String {
    let mut worker = worker.clone();
    worker["replicas"] = json!(workers);
    worker["threads"] = json!(1);
    manifests::cluster_of("demo", &json!({"worker": worker}))
}

async fn names(bed: &Bed, selector: &str) -> Result<BTreeSet<String>> {
    let pods = bed.until(selector, "pods", SOON, |pods: &[Arc<Pod>]| !pods.is_empty()).await?;
    Ok(pods.iter().map(|pod| pod.name_any()).collect())
}

/// Waits for what the group tells of workers of an earlier template; nothing when there are none.
async fn until_outdated(bed: &Bed, what: &str, holds: impl Fn(Option<(&str, &str)>) -> bool) -> Result<()> {
    let told = |groups: &[Arc<DaskWorkerGroup>]| {
        let conditions = groups.iter().filter_map(|group| Some(&group.status.as_ref()?.conditions)).flatten();
        let mut outdated = conditions.filter(|one| one.type_ == "WorkersOutdated");
        holds(outdated.next().map(|one| (one.reason.as_str(), one.message.as_str())))
    };
    bed.until("", what, SOON, told).await.map(drop)
}

#[tokio::test]
async fn six_workers_are_replaced_under_a_running_graph_and_never_are_fewer_registered() -> Result<()> {
    let bed = Bed::new("rolling").await?;
    let labelled = |generation: &str| json!({"metadata": {"labels": {"generation": generation}}});
    bed.apply(&a_cluster(6, &labelled("one")))?;
    bed.until_registered("demo", 6, SOON).await?;
    let scheduler = names(&bed, SCHEDULERS).await?;
    let before = names(&bed, WORKERS).await?;
    let mut workload = Workload::start("rolling", &bed.address("demo")?)?;
    workload.until("ready")?;
    bed.apply(&a_cluster(6, &labelled("two")))?;
    let changed = Instant::now();
    until_outdated(&bed, "the roll is told", |told| told.is_some_and(|(why, _)| why == "RollingUpdate"))
        .await?;
    let (reported, succeeded) = workload.finish()?;
    say(&format!("six workers replaced within {:.0} s: {reported}", changed.elapsed().as_secs_f64()));
    assert!(succeeded, "{reported}");
    assert_eq!((&reported["fewest"], &reported["blamed"]), (&json!(6), &json!(0)), "{reported}");
    until_outdated(&bed, "the roll is over", |told| told.is_none()).await?;
    bed.until_ready("demo", SOON).await?;
    let all_new = |pods: &[Arc<Pod>]| pods.iter().all(|pod| !before.contains(&pod.name_any()));
    bed.until(WORKERS, "none of the first is left", SOON, all_new).await?;
    assert_eq!(names(&bed, "generation=two").await?.len(), 6);
    assert_eq!(names(&bed, SCHEDULERS).await?, scheduler);
    Ok(())
}

#[tokio::test]
async fn a_template_that_cannot_start_stops_the_roll_and_the_workers_go_on() -> Result<()> {
    const NO_IMAGE: &str = "registry.invalid/no-such-image:1";
    let bed = Bed::new("stalled").await?;
    bed.apply(&a_cluster(2, &json!({})))?;
    bed.until_registered("demo", 2, SOON).await?;
    let before = names(&bed, WORKERS).await?;
    bed.kubectl(&["patch", "dsk/demo", "--type=merge", "--patch", &with_image(&json!(NO_IMAGE))])?;
    let stalled = |told: Option<(&str, &str)>| {
        told.is_some_and(|(why, words)| {
            why == "UpdateStalled"
                && words.starts_with("2 workers are of an earlier")
                && words.contains(NO_IMAGE)
        })
    };
    until_outdated(&bed, "the roll stalls, in the node's own words", stalled).await?;
    bed.until_registered("demo", 2, SOON).await?;
    assert!(names(&bed, WORKERS).await?.is_superset(&before));
    assert_eq!(bed.client("demo", "print(client.submit(sum, range(100)).result())")?.trim(), "4950");
    bed.kubectl(&["patch", "dsk/demo", "--type=merge", "--patch", &with_image(&Value::Null)])?;
    until_outdated(&bed, "the roll was turned round", |told| told.is_none()).await?;
    bed.until_ready("demo", SOON).await?;
    let as_before =
        |pods: &[Arc<Pod>]| pods.iter().map(|pod| pod.name_any()).collect::<BTreeSet<_>>() == before;
    bed.until(WORKERS, "the workers are those of before", SOON, as_before).await.map(drop)
}

fn with_image(image: &Value) -> String {
    json!({"spec": {"image": image}}).to_string()
}

#[tokio::test]
async fn a_strategy_that_could_replace_nobody_is_refused() -> Result<()> {
    let bed = Bed::new("strategy").await?;
    let refused = |strategy: Value| {
        let applied = bed.apply(&a_cluster(1, &json!({"updateStrategy": strategy})));
        applied.map_or_else(|error| error.to_string(), |()| "it was accepted".to_owned())
    };
    for none in [json!({"maxSurge": 0, "maxUnavailable": 0}), json!({"maxSurge": "0%", "maxUnavailable": 0})]
    {
        let words = refused(none);
        assert!(words.contains("maxSurge and maxUnavailable cannot both be 0"), "{words}");
    }
    for nonsense in [json!({"maxSurge": -1}), json!({"maxSurge": "many"}), json!({"maxUnavailable": "7"})] {
        let words = refused(nonsense);
        assert!(words.contains("must be a number of workers, or a percentage"), "{words}");
    }
    bed.apply(&a_cluster(1, &json!({"updateStrategy": {"type": "OnDelete", "maxSurge": "25%"}})))
}
