//! The promised latencies: `cargo e2e bench latency`.

use std::time::Duration;

use anyhow::Result;
use e2e::bed::Bed;
use e2e::progress::say;
use e2e::{latency, manifests};
use serde_json::json;

const SOON: Duration = Duration::from_mins(1);
const RUNS: usize = 5;
const GROWTHS: usize = 20;

/// A promise and how it was kept, run by run.
struct Line {
    promise: &'static str,
    bound: Duration,
    took: Vec<Duration>,
}

pub(super) async fn bench() -> Result<()> {
    let lines = measure().await?;
    say(&format!(
        "{:<52} {:>10} {:>10} {:>10} {:>10}",
        "seconds, by the audit log", "promised", "least", "median", "most"
    ));
    for line in lines {
        say(&row(line));
    }
    Ok(())
}

async fn measure() -> Result<[Line; 6]> {
    let line = |promise, seconds| Line { promise, bound: Duration::from_secs_f64(seconds), took: Vec::new() };
    let mut running = line("apply -> phase Running", 1.0);
    let mut replaced = line("worker deleted -> next worker created", 0.5);
    let mut let_go = line("idle worker scaled away -> its pod deleted", 0.5);
    let mut gone = line("idle worker scaled away -> its pod gone", 1.5);
    let mut deleted = line("cluster at rest deleted -> nothing left", 5.0);
    for _ in 0..RUNS {
        let bed = Bed::new("bench").await?;
        bed.apply(&manifests::cluster("demo", 2))?;
        running.took.push(latency::of_phase_running(&bed, "demo").await?);
        bed.until_registered("demo", 2, SOON).await?;
        replaced.took.push(latency::of_replacement(&bed).await?);
        bed.until_registered("demo", 2, SOON).await?;
        let (deleted_after, gone_after) = latency::of_leaving(&bed, "demo").await?;
        let_go.took.push(deleted_after);
        gone.took.push(gone_after);
        deleted.took.push(latency::of_deletion(&bed, "demo").await?);
        bed.kubectl(&["delete", "namespace", &bed.namespace, "--wait"])?;
    }
    Ok([running, replaced, let_go, gone, deleted, growth().await?])
}

/// A graph is submitted to a cluster without workers, again and again.
async fn growth() -> Result<Line> {
    let bed = Bed::new("bench").await?;
    bed.apply(&manifests::cluster("demo", 0))?;
    let soon = json!({"minimum": 0, "maximum": 1, "scaleDown": {"stabilizationSeconds": 1}});
    bed.apply(&manifests::autoscaler("demo", "demo", &soon))?;
    bed.until_ready("demo", SOON).await?;
    let mut took = Vec::new();
    for _ in 0..GROWTHS {
        took.push(latency::of_growth(&bed, "demo").await?);
    }
    let bound = Duration::from_millis(100);
    Ok(Line { promise: "graph submitted -> first worker created", bound, took })
}

fn row(mut line: Line) -> String {
    line.took.sort();
    let seconds = |took: Option<&Duration>| took.map(Duration::as_secs_f64).unwrap_or_default();
    let (least, most) = (seconds(line.took.first()), seconds(line.took.last()));
    let median = seconds(line.took.get(line.took.len() / 2));
    let promised = line.bound.as_secs_f64();
    format!("{:<52} {promised:>10.3} {least:>10.3} {median:>10.3} {most:>10.3}", line.promise)
}
