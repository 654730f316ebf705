//! `threads` and `processes` of a worker are Dask's own choice between the two, and each wins where it should.

use std::time::Duration;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::manifests;
use e2e::progress::tell;
use serde_json::json;

const SOON: Duration = Duration::from_mins(4);

#[tokio::test]
async fn threads_win_where_data_are_shared_and_processes_where_python_loops() -> Result<()> {
    let bed = Bed::new("threads").await?;
    for (name, threads, processes) in [("threads", 2, 1), ("processes", 1, 2)] {
        let resources = json!({"requests": {"cpu": "20m"}, "limits": {"memory": "1Gi"}});
        let pod = json!({"containers": [{"name": "worker", "args": manifests::WITH_NANNY}]});
        let worker = json!({"threads": threads, "processes": processes, "resources": resources, "spec": pod});
        bed.apply(&manifests::cluster_of(name, &json!({"worker": worker})))?;
    }
    // One pod each, however many processes are in it.
    bed.until_registered("threads", 1, SOON).await?;
    bed.until_registered("processes", 2, SOON).await?;
    let addresses = [
        ("DASK_THREADS_ADDRESS", bed.address("threads")?),
        ("DASK_PROCESSES_ADDRESS", bed.address("processes")?),
    ];
    let environment = addresses.each_ref().map(|(name, address)| (*name, address.as_str()));
    let figures = bed.workload("threads_or_processes", &environment)?;
    tell(&format!("seconds with threads and with processes: {figures}"));
    let seconds = |kind: &str, work: &str| figures[kind][work].as_f64().unwrap_or_default();
    for (winner, loser, work) in
        [("threads", "processes", "shared_data"), ("processes", "threads", "python_loop")]
    {
        assert!(seconds(winner, work) > 0.0 && seconds(winner, work) < seconds(loser, work), "{figures}");
    }
    Ok(())
}
