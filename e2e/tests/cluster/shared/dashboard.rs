//! The scheduler's dashboard in a real browser, while the cluster works.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use e2e::bed::{Bed, run_workload};
use e2e::progress::Progress;
use e2e::{manifests, packages};

const SOON: Duration = Duration::from_mins(4);
const SCREENSHOT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/dashboard.png");

#[tokio::test]
async fn the_dashboard_shows_the_workers_and_their_tasks_in_a_browser() -> Result<()> {
    packages::install(packages::FOR_THE_BROWSER, &mut Progress::new())?;
    let bed = Bed::new("dashboard").await?;
    bed.apply(&manifests::two_small_workers("demo"))?;
    bed.until_registered("demo", 2, SOON).await?;
    let scheduler = bed.address("demo")?;
    let dashboard = scheduler.replace("tcp:", "http:").replace(":8786", ":8787");
    let _ = fs::remove_file(SCREENSHOT);
    let figures = run_workload("dashboard", &[&dashboard, &scheduler, "2", SCREENSHOT], &[])?;
    assert_eq!((&figures["ok"], &figures["workers"]), (&true.into(), &2.into()), "{figures}");
    let picture = fs::read(SCREENSHOT)?;
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000, "{} bytes", picture.len());
    Ok(())
}
