//! `client.restart()` brings every worker back, again and again.

use std::time::Duration;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::manifests;
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);
/// Each raises when it takes longer than Dask's own patience; prints how many workers are there in the end.
const FIVE_TIMES: &str = "
import time
client.submit(int).result()
for _ in range(5):
    began = time.monotonic()
    client.restart()
    print(f'restarted within {time.monotonic() - began:.1f} s')
print(len(client.nthreads()), client.submit(sum, [1, 2]).result())
";

async fn restart_five_times(name: &str, args: &[&str]) -> Result<()> {
    let bed = Bed::new(name).await?;
    let pod = json!({"containers": [{"name": "worker", "args": args}]});
    let worker = json!({"replicas": 2, "threads": 1, "spec": pod});
    bed.apply(&manifests::cluster_of("demo", &json!({"worker": worker})))?;
    bed.until_registered("demo", 2, SOON).await?;
    let told = bed.client("demo", FIVE_TIMES)?;
    assert_eq!(told.lines().last(), Some("2 3"), "{told}");
    e2e::progress::say(&told);
    Ok(())
}

#[tokio::test]
async fn a_client_restarts_workers_with_a_nanny_five_times_in_a_row() -> Result<()> {
    restart_five_times("restart", &manifests::WITH_NANNY).await
}

#[tokio::test]
async fn a_client_restarts_workers_without_a_nanny_five_times_in_a_row() -> Result<()> {
    restart_five_times("restart-plain", &manifests::WITHOUT_NANNY).await
}
