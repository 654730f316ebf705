//! Schedulers that are honest until a worker is to leave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dask_operator_api::conditions::{Reason, troubles};
use dask_operator_api::{DaskCluster, DaskWorkerGroup, labels};
use e2e::bed::Bed;
use e2e::turncoats::{self, Turncoat};
use futures::future::{self, try_join_all};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::super::{SOON, TOLD, Told, Trouble};
use super::Gone;

/// Longer than a neighbour may take.
const SECONDS: u32 = 16;
/// A scheduler that stands still is known to after two questions: a long one and a short one.
const LATE: u32 = 30;
/// Of those that do not say so: a scheduler that lets nobody go is waited for no longer after time is over.
const PATIENCE: u32 = 20;
/// A scheduler is told of as unreachable when it has been silent for so long.
const SILENT: Duration = Duration::from_secs(30);

/// What becomes of a scheduler, and the words in which it is told, unless it keeps its word.
struct Turn {
    scheduler: Turncoat,
    words: &'static str,
}

const fn turn(turns: &'static str, seconds: u32, on_timeout: &'static str, words: &'static str) -> Turn {
    Turn { scheduler: Turncoat { turns, seconds, on_timeout }, words }
}

const TURNS: [Turn; 9] = [
    turn("stops", SECONDS, "Keep", "no answer in time"),
    turn("endless", LATE, "Delete", "no answer in time"),
    turn("gigabyte", SECONDS, "Delete", "it answers with more than 8388608 bytes"),
    turn("negative", SECONDS, "Delete", "its facts are none: invalid value: integer `-1`"),
    turn("broken", SECONDS, "Delete", "its facts are none: EOF"),
    turn("redirects", SECONDS, "Delete", "it answers with the HTTP status 302"),
    turn("schema", SECONDS, "Keep", "its facts are of the unknown schema 99"),
    turn("absurd", SECONDS, "Delete", ""),
    turn("slow", LATE, "Delete", ""),
];

pub(super) fn begin(bed: &Bed) -> Result<()> {
    turncoats::apply(bed, &TURNS.map(|turn| turn.scheduler))
}

pub(super) async fn until_ready(bed: &Bed) -> Result<()> {
    for turn in TURNS {
        bed.until_registered(turn.scheduler.turns, 1, SOON).await?;
    }
    Ok(())
}

/// Has every worker leave; returns those that went when their time was over.
pub(super) async fn leave(bed: &Bed) -> Result<Vec<Gone>> {
    let clusters: Vec<_> = TURNS.iter().map(|turn| format!("dsk/{}", turn.scheduler.turns)).collect();
    let clusters: Vec<_> = clusters.iter().map(String::as_str).collect();
    let scaled = Instant::now();
    bed.kubectl(&[&["scale", "--replicas=0"], clusters.as_slice()].concat())?;
    let left = try_join_all(TURNS.iter().map(|turn| turn.leave(bed, scaled))).await?;
    for turn in TURNS.iter().filter(|turn| turn.stays()) {
        turn.assert_it_stays(bed).await?;
    }
    Ok(left.into_iter().flatten().collect())
}

impl Turn {
    fn group(&self) -> String {
        format!("{}-default", self.scheduler.turns)
    }

    fn stays(&self) -> bool {
        self.scheduler.on_timeout == "Keep"
    }

    async fn leave(&self, bed: &Bed, scaled: Instant) -> Result<Option<Gone>> {
        let group = self.group();
        if self.words.is_empty() {
            return self.believed(bed, &group, scaled).await;
        }
        let words = ["1 workers are to leave", self.words];
        let trouble = Trouble { object: &group, reason: Reason::SchedulerUnreachable, words: &words };
        let told = trouble.until_told::<DaskWorkerGroup>(bed, scaled);
        let told = future::try_join(told, self.is_told_of_the_cluster(bed, scaled));
        if self.stays() {
            return told.await.map(|_| None);
        }
        let (_, gone) = tokio::try_join!(told, Gone::wait(bed, &group))?;
        gone.assert_in_time(&group, self.scheduler.seconds, 15);
        Ok(Some(gone))
    }

    async fn is_told_of_the_cluster(&self, bed: &Bed, scaled: Instant) -> Result<()> {
        let (object, words) = (self.scheduler.turns, ["cannot be asked", self.words]);
        let trouble = Trouble { object, reason: Reason::Unreachable, words: &words };
        // It has to be silent for half a minute first.
        trouble.until_told_within::<DaskCluster>(bed, scaled, TOLD + SILENT).await
    }

    /// One that is only slow lets its worker go; what makes no sense is waited for in vain.
    async fn believed(&self, bed: &Bed, group: &str, scaled: Instant) -> Result<Option<Gone>> {
        if self.scheduler.turns == "slow" {
            let gone = Gone::wait(bed, group).await?;
            ensure!(gone.took().as_secs() < i64::from(LATE) - 5, "{group}: {:?}", gone.took());
            // Nothing is wrong with it.
            let cluster = bed.api::<DaskCluster>().get("slow").await?;
            let group = bed.api::<DaskWorkerGroup>().get(group).await?;
            let told: Vec<_> = troubles(cluster.conditions()).chain(troubles(group.conditions())).collect();
            ensure!(told.is_empty(), "{told:?}");
            return Ok(None);
        }
        let words = ["1 workers are to have left by now", "neither lets them go nor says why"];
        let trouble = Trouble { object: group, reason: Reason::NotLetGo, words: &words };
        let told = trouble.until_told::<DaskWorkerGroup>(bed, scaled);
        let ((), gone) = tokio::try_join!(told, Gone::wait(bed, group))?;
        gone.assert_in_time(group, self.scheduler.seconds + PATIENCE, 15);
        Ok(Some(gone))
    }

    async fn assert_it_stays(&self, bed: &Bed) -> Result<()> {
        let group = self.group();
        let workers = format!("{}={group}", labels::WORKER_GROUP_NAME);
        let pods = bed.until(&workers, "pods", SOON, |_: &[Arc<Pod>]| true).await?;
        ensure!(
            pods.len() == 1 && pods.iter().all(|pod| pod.metadata.deletion_timestamp.is_none()),
            "{pods:?}"
        );
        let groups = bed.until("", "groups", SOON, |_: &[Arc<DaskWorkerGroup>]| true).await?;
        let told = groups.iter().filter(|one| one.name_any() == group).flat_map(|one| one.conditions());
        ensure!(
            told.into_iter().any(|one| one.reason == Reason::SchedulerUnreachable.to_string()),
            "{groups:?}"
        );
        Ok(())
    }
}
