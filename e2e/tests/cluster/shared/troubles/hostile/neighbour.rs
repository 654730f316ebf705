//! A healthy cluster whose workers hold data, and how long one of them takes to leave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::bed::Bed;
use e2e::manifests;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::SOON;

const WORKERS: &str = "dask.org/component=worker";
/// Each worker holds something that cannot be computed anew, and no client.
const HOLD: &str = "
addresses = list(client.scheduler_info()['workers'])
data = [client.scatter(bytes(1_000_000), workers=[one], hash=False) for one in addresses]
client.publish_dataset(data, name='data')
";
const LOOK: &str = "print([len(one) for one in client.gather(client.get_dataset('data'))])";

pub(super) struct Neighbour {
    bed: Bed,
    workers: usize,
}

impl Neighbour {
    pub(super) async fn new() -> Result<Self> {
        let (bed, workers) = (Bed::new("neighbour").await?, 3);
        bed.apply(&manifests::cluster("demo", 3))?;
        Ok(Self { bed, workers })
    }

    pub(super) async fn hold(&self) -> Result<()> {
        self.bed.until_registered("demo", 3, SOON).await?;
        self.bed.client("demo", HOLD).map(drop)
    }

    /// Has one worker leave; how long that took until its pod was let go, and when that was.
    pub(super) async fn drain(&mut self) -> Result<(Duration, Timestamp)> {
        self.workers -= 1;
        let (began, left) = (Instant::now(), self.workers);
        self.bed.kubectl(&["scale", "dsk/demo", &format!("--replicas={left}")])?;
        let let_go = |pods: &[Arc<Pod>]| {
            pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).count() == left
        };
        self.bed.until(WORKERS, &format!("{left} workers stay"), SOON, let_go).await?;
        Ok((began.elapsed(), Timestamp::now()))
    }

    /// The same; nothing was lost by that one and those before.
    pub(super) async fn drain_whole(mut self) -> Result<(Duration, Timestamp)> {
        let drained = self.drain().await?;
        assert_eq!(self.bed.client("demo", LOOK)?.trim(), "[1000000, 1000000, 1000000]");
        Ok(drained)
    }
}
