//! The files that the README shows work as they stand, used the way it tells.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::bed::Bed;
use e2e::progress::Progress;
use e2e::route::Route;
use e2e::{commands, python};

const SOON: Duration = Duration::from_mins(4);
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
const CLUSTER: &str = include_str!("../../../../examples/cluster.yaml");
const GROUP: &str = include_str!("../../../../examples/group.yaml");

#[tokio::test]
async fn the_cluster_of_the_examples_runs_their_job_from_a_laptop() -> Result<()> {
    ensure!(CLUSTER.lines().count() <= 12, "no longer a cluster in twelve lines");
    let bed = Bed::new("example").await?;
    bed.apply(CLUSTER)?;
    bed.until_ready("demo", SOON).await?;
    let route = Route::forwarded(&bed.cluster, &bed.namespace, "demo")?;
    let mut job = Command::new(python::client(&mut Progress::new())?);
    job.arg(format!("{EXAMPLES}/job.py")).env("DASK_SCHEDULER_ADDRESS", route.address());
    let printed = commands::output(&mut job)?;
    assert!(printed.starts_with("π ≈ 3.14"), "{printed}");
    Ok(())
}

#[tokio::test]
async fn tasks_that_need_a_resource_run_only_in_the_group_that_offers_it() -> Result<()> {
    ensure!(GROUP.lines().count() <= 15, "no longer a group in fifteen lines");
    let bed = Bed::new("example-gpu").await?;
    bed.apply(CLUSTER)?;
    bed.apply(GROUP)?;
    bed.until_registered("demo", 3, SOON).await?;
    let lines = "from dask.distributed import get_worker\n\
                 where = lambda number: get_worker().name\n\
                 needy = client.map(where, range(40), resources={'GPU': 1}, pure=False)\n\
                 print(*set(client.gather(needy)))\n\
                 print(*set(client.gather(client.map(where, range(40), pure=False))))";
    let printed = bed.client("demo", lines)?;
    let names: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    let offers = |name: &&str| name.starts_with("demo-gpu-worker-");
    assert_eq!(names[0].len(), 1, "{printed}");
    assert!(names[0].iter().all(offers), "{printed}");
    assert!(!names[1].iter().all(offers), "tasks without needs run elsewhere, too: {printed}");
    Ok(())
}
