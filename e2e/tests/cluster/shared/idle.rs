//! A cluster with `idleTimeout` goes when it has nothing to do, and not before.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use dask_operator_api::DaskCluster;
use e2e::bed::Bed;
use e2e::manifests;
use e2e::workload::{Start, Workload};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

const SOON: Duration = Duration::from_mins(4);

/// Returns when a condition of the one cluster is such.
async fn until_told(bed: &Bed, what: &str, is: impl Fn(&Condition) -> bool) -> Result<()> {
    let told = |clusters: &[Arc<DaskCluster>]| {
        let told = clusters.iter().filter_map(|one| one.status.as_ref()).flat_map(|one| &one.conditions);
        told.into_iter().any(&is)
    };
    bed.until("", what, SOON, told).await.map(drop)
}

async fn until_gone(bed: &Bed) -> Result<()> {
    bed.until("", "no cluster", SOON, |clusters: &[Arc<DaskCluster>]| clusters.is_empty()).await?;
    let tells = |event: &&Arc<Event>| event.reason.as_deref() == Some("IdleDeleted");
    // It is told after it is done.
    let told = |events: &[Arc<Event>]| events.iter().any(|event| tells(&event));
    let events = bed.until("", "an Event IdleDeleted", SOON, told).await?;
    ensure!(events.iter().filter(tells).count() == 1, "{events:?}");
    Ok(())
}

fn patch(bed: &Bed, seconds: u32) -> Result<()> {
    let patch = format!(r#"{{"spec": {{"idleTimeout": {seconds}}}}}"#);
    bed.kubectl(&["patch", "dsk/demo", "--type=merge", "--patch", &patch]).map(drop)
}

#[tokio::test]
async fn a_cluster_goes_when_it_has_been_idle_unless_it_works_or_holds_what_was_published() -> Result<()> {
    let bed = Bed::new("idle").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.until_registered("demo", 1, SOON).await?;
    bed.client("demo", "client.publish_dataset(kept=client.submit(sum, [1, 2]))")?;
    patch(&bed, 2)?;
    until_told(&bed, "that it stays", |condition| condition.reason == "DatasetsPublished").await?;
    let work = Start::new("growing", &bed.address("demo")?).with("TASKS", "1").with("SECONDS", "8");
    let mut work = work.start()?;
    work.until("submitted")?;
    bed.client("demo", "client.unpublish_dataset('kept')")?;
    let (reported, succeeded) = work.finish()?;
    assert!(succeeded, "it went while it was at work: {reported}");
    until_gone(&bed).await
}

/// Who is connected and what is in memory does not keep it, and is told before.
#[tokio::test]
async fn an_idle_cluster_says_who_would_lose_what_before_it_goes() -> Result<()> {
    let bed = Bed::new("idle-held").await?;
    bed.apply(&manifests::cluster("demo", 1))?;
    bed.until_registered("demo", 1, SOON).await?;
    let mut connected = Workload::start("connected", &bed.address("demo")?)?;
    connected.until("ready")?;
    patch(&bed, 6)?;
    let who = "1 clients are connected, and results of 1000 bytes are in memory";
    until_told(&bed, who, |condition| condition.reason == "SoonDeleted" && condition.message.contains(who))
        .await?;
    until_gone(&bed).await
}
