//! A cluster all of whose workers have a task that runs for longer than anybody should wait, and one that has none.

use std::time::Duration;

use anyhow::Result;

use crate::bed::Bed;
use crate::manifests;

const SOON: Duration = Duration::from_mins(4);
/// Less than the tasks would still run; Dask's own patience alone is longer.
pub const WITHOUT_WAITING: Duration = Duration::from_secs(30);
/// Starts a minute's task on every worker that outlives its client, and returns once each is running.
const MINUTES_OF_WORK: &str = "
import time
from dask.distributed import fire_and_forget
for worker in client.scheduler_info()['workers']:
    fire_and_forget(client.submit(time.sleep, 60, workers=[worker], pure=False))
while not all(client.run(lambda dask_worker: dask_worker.state.executing_count).values()):
    time.sleep(0.05)
";

/// One worker under a nanny and one without, each with a task that runs for a minute.
pub async fn busy(name: &str) -> Result<Bed> {
    let bed = Bed::new(name).await?;
    bed.apply(&manifests::cluster_with_nannies("demo", 1))?;
    bed.apply(&manifests::group("demo", "plain", 1))?;
    bed.until_registered("demo", 2, SOON).await?;
    bed.client("demo", MINUTES_OF_WORK)?;
    Ok(bed)
}

/// Two workers that have registered, and nothing to do.
pub async fn resting(name: &str) -> Result<Bed> {
    let bed = Bed::new(name).await?;
    bed.apply(&manifests::cluster("demo", 2))?;
    bed.until_registered("demo", 2, SOON).await?;
    Ok(bed)
}
