//! What a worker of a group offers is known, too, while there is none.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::worker_group::{DaskWorkerGroup, DaskWorkerGroupStatus};
use e2e::bed::Bed;
use e2e::manifests;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_mins(4);

/// The status of a group, once it is as it should be.
async fn until_status(
    bed: &Bed,
    group: &str,
    what: &str,
    is_so: impl Fn(&DaskWorkerGroupStatus) -> bool,
) -> Result<DaskWorkerGroupStatus> {
    let find = |groups: &[Arc<DaskWorkerGroup>]| {
        let found = groups.iter().find(|one| one.metadata.name.as_deref() == Some(group));
        found.and_then(|found| found.status.clone()).filter(|status| is_so(status))
    };
    let groups = bed.until("", what, SOON, |groups: &[Arc<DaskWorkerGroup>]| find(groups).is_some()).await?;
    Ok(find(&groups).unwrap_or_default())
}

fn is_unknown(status: &DaskWorkerGroupStatus) -> bool {
    status.conditions.iter().any(|one| one.type_ == "OffersUnknown" && one.reason == "CommandTellsNothing")
}

fn worker(replicas: u32, more: &Value) -> Value {
    let mut worker =
        json!({"replicas": replicas, "resources": {"requests": {"cpu": "20m", "memory": "200Mi"}}});
    for (name, value) in more.as_object().into_iter().flatten() {
        worker[name] = value.clone();
    }
    worker
}

#[tokio::test]
async fn what_a_worker_told_is_known_when_its_group_is_scaled_to_zero() -> Result<()> {
    let bed = Bed::new("offers").await?;
    // Nothing says how many threads it has, nor how much memory.
    let spec = json!({"worker": worker(1, &json!({"daskResources": {"GPU": 2}}))});
    bed.apply(&manifests::cluster_of("demo", &spec))?;
    bed.until_registered("demo", 1, SOON).await?;
    bed.until_ready("demo", SOON).await?;
    bed.kubectl(&["scale", "daskworkergroup/demo-default", "--replicas=0"])?;
    let is_empty = |status: &DaskWorkerGroupStatus| status.replicas == Some(0);
    let status = until_status(&bed, "demo-default", "there is no worker", is_empty).await?;
    let offers = status.offers.clone().unwrap_or_default();
    assert!(offers.threads.is_some_and(|threads| threads > 0), "{offers:?}");
    assert!(offers.memory.is_some_and(|memory| memory > 0), "{offers:?}");
    assert_eq!(offers.resources.unwrap_or_default().get("GPU"), Some(&2.0));
    assert!(!is_unknown(&status));
    Ok(())
}

#[tokio::test]
async fn of_a_group_from_zero_that_starts_a_script_nobody_knows_what_it_offers_until_that_is_said()
-> Result<()> {
    let bed = Bed::new("offers-unknown").await?;
    bed.apply(&manifests::cluster("demo", 0))?;
    let script = json!([{"name": "worker", "image": manifests::dask_image(), "args": ["sh", "-c", "exec dask worker"]}]);
    let of = |more: &Value| {
        let mut worker = worker(0, more);
        worker["spec"] = json!({"containers": script});
        manifests::group_of("demo-script", &json!({"cluster": "demo", "worker": worker}))
    };
    bed.apply(&of(&json!({})))?;
    until_status(&bed, "demo-script", "nobody knows", is_unknown).await?;
    bed.apply(&of(&json!({"threads": 2, "daskResources": {"GPU": 1}})))?;
    let status = until_status(&bed, "demo-script", "it is said", |status| !is_unknown(status)).await?;
    let offers = status.offers.unwrap_or_default();
    assert_eq!((offers.threads, offers.template), (Some(2), None));
    assert_eq!(offers.resources.unwrap_or_default().get("GPU"), Some(&1.0));
    Ok(())
}
