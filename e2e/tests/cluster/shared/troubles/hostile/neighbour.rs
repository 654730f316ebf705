//! A healthy cluster whose workers hold data, and how long one of them takes to leave, again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use e2e::bed::Bed;
use e2e::manifests;
use e2e::workload::Workload;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;
use tokio::task::JoinHandle;

use super::SOON;

const WORKERS: u32 = 3;
/// No sooner after one drain does the next one begin while others are in trouble: each starts a worker.
const APART: Duration = Duration::from_secs(8);
/// Those that stay when one leaves.
const OTHERS: u32 = WORKERS - 1;
const PODS: &str = "dask.org/component=worker";

/// One that holds something on each of its workers.
pub(super) struct Neighbour {
    bed: Bed,
    workload: Option<Workload>,
}

/// How long one worker took from the scale-down until its pod was let go, and when that was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drained {
    pub(super) took: Duration,
    pub(super) at: Timestamp,
}

impl Neighbour {
    pub(super) async fn new() -> Result<Self> {
        let bed = Bed::new("neighbour").await?;
        // What is measured is the operator, not for how long a busy machine has no time for this scheduler.
        let scheduler = json!({"resources": {"requests": {"cpu": "200m"}}});
        let small = json!({"requests": {"cpu": "100m", "memory": "200Mi"}});
        let worker = json!({"replicas": WORKERS, "threads": 1, "resources": small});
        bed.apply(&manifests::cluster_of("demo", &json!({"scheduler": scheduler, "worker": worker})))?;
        Ok(Self { bed, workload: None })
    }

    pub(super) async fn hold(&mut self) -> Result<()> {
        self.bed.until_registered("demo", WORKERS.into(), SOON).await?;
        let mut workload = Workload::start("holding", &self.bed.address("demo")?)?;
        workload.say(&WORKERS.to_string())?;
        self.workload.insert(workload).act("hold")
    }

    /// Has one worker after the other leave, so many times, and another one come.
    pub(super) async fn drain(&mut self, times: usize) -> Result<Vec<Drained>> {
        let mut drained = Vec::new();
        for _ in 0..times {
            drained.push(self.drain_one().await?);
        }
        Ok(drained)
    }

    /// The same until something else is over; nothing was lost with all that left.
    pub(super) async fn drain_beside<T>(mut self, other: JoinHandle<Result<T>>) -> Result<(Vec<Drained>, T)> {
        let drained = self.drain_until(&other).await;
        // Where both fail, it knows why.
        let told = other.await??;
        Ok((drained?, told))
    }

    async fn drain_until<T>(&mut self, other: &JoinHandle<Result<T>>) -> Result<Vec<Drained>> {
        let mut drained = Vec::new();
        let mut begin = tokio::time::interval(APART);
        while !other.is_finished() {
            begin.tick().await;
            drained.push(self.drain_one().await?);
        }
        self.act("check").map(|()| drained)
    }

    async fn drain_one(&mut self) -> Result<Drained> {
        let began = Instant::now();
        self.scale(OTHERS)?;
        let let_go = |pods: &[Arc<Pod>]| {
            pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).count() == OTHERS as usize
        };
        self.bed.until(PODS, "one worker is let go", SOON, let_go).await?;
        let drained = Drained { took: began.elapsed(), at: Timestamp::now() };
        self.scale(WORKERS)?;
        self.act("hold")?;
        Ok(drained)
    }

    fn scale(&self, workers: u32) -> Result<()> {
        self.bed.kubectl(&["scale", "dsk/demo", &format!("--replicas={workers}")]).map(drop)
    }

    fn act(&mut self, what: &str) -> Result<()> {
        self.workload.as_mut().context("nothing is held yet")?.act(what)
    }
}
