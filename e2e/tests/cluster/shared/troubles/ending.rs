//! Containers that end on their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::conditions::Reason;
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use e2e::bed::Bed;
use e2e::manifests;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kube::api::ListParams;
use serde_json::{Value, json};

use super::{SOON, Told, Trouble, count_events, until_cause};

const WORKERS: &str = "dask.org/component=worker";
const SCHEDULERS: &str = "dask.org/component=scheduler";

/// How the first container of a pod ended, now or before.
fn end(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    [&status.state, &status.last_state].into_iter().find_map(|state| state.as_ref()?.terminated.as_ref())
}

fn has_ended(pod: &Pod) -> bool {
    end(pod).is_some()
}

fn saying(words: &str, code: u32) -> Value {
    json!(["sh", "-c", format!("echo something else; echo {words}; exit {code}")])
}

fn with_worker(container: &Value) -> String {
    let worker = json!({"replicas": 1, "threads": 1, "spec": {"containers": [container]}});
    manifests::cluster_of("demo", &json!({"worker": worker}))
}

fn with_scheduler(container: &Value) -> String {
    let scheduler = json!({"spec": {"containers": [container]}});
    manifests::cluster_of("demo", &json!({"scheduler": scheduler, "worker": {"replicas": 0}}))
}

#[tokio::test]
async fn workers_that_crash_are_told_once_with_their_last_words_and_replaced_ever_more_slowly() -> Result<()>
{
    let bed = Bed::new("crashing").await?;
    bed.apply(&with_worker(&json!({"name": "worker", "command": saying("that was it", 3)})))?;
    let cause = until_cause(&bed, WORKERS, "a worker that ended", has_ended).await?;
    let words = ["pod demo-default-worker-", "container worker ended with exit code 3 (Error): that was it"];
    let trouble = Trouble { object: "demo-default", reason: Reason::ContainerFailed, words: &words };
    let told = trouble.until_told::<DaskWorkerGroup>(&bed, cause);
    let ((), gaps) = tokio::try_join!(told, gaps_between_four_pods(&bed))?;
    // The next one at once, then after 5 s, then after 10; times of creation are told in whole seconds.
    assert!(gaps[1] >= 4 && gaps[2] >= 9, "seconds between pods: {gaps:?}");
    assert_eq!(count_events(&bed, Reason::ContainerFailed).await?, 1, "told once");
    assert_eq!(count_events_named(&bed, "Recovered").await?, 0);

    bed.apply(&with_worker(&json!({"name": "worker"})))?;
    bed.until_registered("demo", 1, SOON).await?;
    trouble.until_over::<DaskWorkerGroup>(&bed).await
}

/// Looks on until a group of one worker has had its fourth pod; the seconds from one's creation to the next one's. Once
/// told, the trouble stays told, whether the next one runs, has ended or is waited for.
async fn gaps_between_four_pods(bed: &Bed) -> Result<[i64; 3]> {
    let (mut created, mut told) = (BTreeMap::new(), false);
    let four = async {
        while created.len() < 4 {
            let pods = bed.api::<Pod>().list(&ListParams::default().labels(WORKERS)).await?.items;
            let new =
                pods.into_iter().filter_map(|pod| pod.metadata.uid.zip(pod.metadata.creation_timestamp));
            created.extend(new.map(|(uid, at)| (uid, at.0)));
            let is_told = is_failing(bed).await?;
            assert!(is_told || !told, "it comes and goes");
            told = is_told;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(SOON, four).await??;
    let mut times: Vec<_> = created.into_values().collect();
    times.sort();
    Ok([0, 1, 2].map(|first| times[first + 1].duration_since(times[first]).as_secs()))
}

async fn is_failing(bed: &Bed) -> Result<bool> {
    let groups = bed.api::<DaskWorkerGroup>().list(&ListParams::default()).await?.items;
    Ok(groups.iter().flat_map(Told::conditions).any(|one| one.type_ == "WorkersFailing"))
}

async fn count_events_named(bed: &Bed, reason: &str) -> Result<usize> {
    let events = bed.api::<k8s_openapi::api::events::v1::Event>().list(&ListParams::default()).await?.items;
    Ok(events.iter().filter(|event| event.reason.as_deref() == Some(reason)).count())
}

#[tokio::test]
async fn a_scheduler_that_crashes_over_and_over_has_one_reason_all_the_time() -> Result<()> {
    let bed = Bed::new("crashing-s").await?;
    bed.apply(&with_scheduler(&json!({"name": "scheduler", "command": saying("no more", 4)})))?;
    let cause = until_cause(&bed, SCHEDULERS, "a scheduler that ended", has_ended).await?;
    let words = ["pod demo-scheduler-", "container scheduler ended with exit code 4 (Error): no more"];
    let trouble = Trouble { object: "demo", reason: Reason::ContainerFailed, words: &words };
    trouble.until_told::<DaskCluster>(&bed, cause).await?;

    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    let mut versions = BTreeSet::new();
    while tokio::time::Instant::now() < end {
        let cluster = bed.api::<DaskCluster>().get("demo").await?;
        let reason = cluster.conditions().iter().find(|one| one.type_ == "SchedulerReady");
        assert_eq!(reason.map(|one| one.reason.as_str()), Some("ContainerFailed"));
        versions.insert(cluster.metadata.resource_version);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(versions.len(), 1, "nothing new is said while it runs, ends and waits in turn");
    assert_eq!(count_events(&bed, Reason::ContainerFailed).await?, 1, "told once");

    bed.apply(&with_scheduler(&json!({"name": "scheduler"})))?;
    bed.kubectl(&["delete", "deployment", "demo-scheduler"])?;
    bed.until_ready("demo", SOON).await?;
    trouble.until_over::<DaskCluster>(&bed).await
}

#[tokio::test]
async fn a_worker_killed_for_its_memory_is_replaced_and_told() -> Result<()> {
    let bed = Bed::new("oom").await?;
    let resources = json!({"requests": {"cpu": "20m", "memory": "100Mi"}, "limits": {"memory": "250Mi"}});
    let worker = json!({"replicas": 2, "threads": 1, "resources": resources});
    bed.apply(&manifests::cluster_of("demo", &json!({"worker": worker})))?;
    bed.until_registered("demo", 2, SOON).await?;
    let mut killing = bed.client_command(
        "demo",
        "victim = list(client.scheduler_info()['workers'])[0]\n\
         client.run(lambda: len(b'x' * (1 << 30)), workers=[victim], on_error='ignore')",
    )?;
    let mut client = killing.spawn()?;
    let cause = until_cause(&bed, WORKERS, "a worker that ended", has_ended).await?;
    assert!(client.wait()?.success());
    let words = ["container worker ended with exit code 137 (OOMKilled)"];
    let trouble = Trouble { object: "demo-default", reason: Reason::OutOfMemory, words: &words };
    trouble.until_told::<DaskWorkerGroup>(&bed, cause).await?;
    bed.until_registered("demo", 2, SOON).await?;
    let two = |pods: &[Arc<Pod>]| pods.len() == 2;
    bed.until(WORKERS, "two pods of workers, the dead one gone", SOON, two).await?;
    // It stays told until the new worker has run for ten minutes; the cluster is ready all the same.
    bed.until_ready("demo", SOON).await?;
    let group = bed.api::<DaskWorkerGroup>().get("demo-default").await?;
    assert!(trouble.is_told(&[Arc::new(group)]));
    Ok(())
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_told_of_workers_and_of_a_scheduler() -> Result<()> {
    let bed = Bed::new("no-command").await?;
    let missing = json!(["no-such-program"]);
    let scheduler = json!({"spec": {"containers": [{"name": "scheduler", "command": missing}]}});
    let spec = json!({"scheduler": scheduler, "worker": {"replicas": 0}});
    bed.apply(&manifests::cluster_of("demo", &spec))?;
    let cause = until_cause(&bed, SCHEDULERS, "a scheduler without its program", has_ended).await?;
    let words = ["exec: \"no-such-program\": executable file not found"];
    let reason = Reason::CommandNotFound;
    Trouble { object: "demo", reason, words: &words }.until_told::<DaskCluster>(&bed, cause).await?;

    bed.kubectl(&["delete", "dsk/demo"])?;
    bed.apply(&with_worker(&json!({"name": "worker", "command": missing})))?;
    let cause = until_cause(&bed, WORKERS, "a worker without its program", has_ended).await?;
    let trouble = Trouble { object: "demo-default", reason, words: &words };
    trouble.until_told::<DaskWorkerGroup>(&bed, cause).await?;
    bed.apply(&with_worker(&json!({"name": "worker"})))?;
    bed.until_registered("demo", 1, SOON).await?;
    trouble.until_over::<DaskWorkerGroup>(&bed).await
}
