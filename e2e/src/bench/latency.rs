//! The promised latencies: `cargo e2e bench latency`. It fails when a median is longer than what is promised.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::bed::Bed;
use e2e::cluster::Cluster;
use e2e::operator::{self, Replicas};
use e2e::progress::say;
use e2e::statistics::Spread;
use e2e::{at_work, latency, manifests};
use jiff::Timestamp;
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

pub(super) async fn bench(cluster: &Cluster) -> Result<()> {
    let mut lines = Vec::from(at_rest().await?);
    lines.extend([growth().await?, deletion_at_work().await?]);
    lines.extend(without_the_operator(cluster).await?);
    lines.push(hand_over(cluster).await?);
    say(&format!(
        "{:<52} {:>10} {:>10} {:>10} {:>10}",
        "seconds, by the audit log", "promised", "least", "median", "most"
    ));
    lines.iter().filter_map(row).for_each(|row| say(&row));
    let late: Vec<_> = lines.iter().filter(|line| !line.is_kept()).map(|line| line.promise).collect();
    ensure!(late.is_empty(), "later than promised: {}", late.join(", "));
    Ok(())
}

impl Line {
    fn new(promise: &'static str, bound: Duration) -> Self {
        Self { promise, bound, took: Vec::new() }
    }

    fn spread(&self) -> Option<Spread> {
        Spread::of(self.took.iter().map(Duration::as_secs_f64))
    }

    fn is_kept(&self) -> bool {
        self.spread().is_some_and(|spread| spread.median <= self.bound.as_secs_f64())
    }
}

async fn at_rest() -> Result<[Line; 5]> {
    let line = |promise, milliseconds| Line::new(promise, Duration::from_millis(milliseconds));
    let mut running = line("apply -> phase Running", 1000);
    let mut replaced = line("worker deleted -> next worker created", 500);
    let mut let_go = line("idle worker scaled away -> its pod deleted", 500);
    let mut gone = line("idle worker scaled away -> its pod gone", 1500);
    let mut deleted = line("cluster at rest deleted -> nothing left", 5000);
    for _ in 0..RUNS {
        let bed = Bed::new("bench").await?;
        bed.apply(&manifests::cluster_with_nannies("demo", 2))?;
        running.took.push(latency::of_phase_running(&bed, "demo").await?);
        bed.until_registered("demo", 2, SOON).await?;
        replaced.took.push(latency::of_replacement(&bed).await?);
        bed.until_all_registered("demo", (2, 1), SOON).await?;
        let (deleted_after, gone_after) = latency::of_leaving(&bed, "demo").await?;
        let_go.took.push(deleted_after);
        gone.took.push(gone_after);
        deleted.took.push(latency::of_deletion(&bed, "demo").await?);
        bed.kubectl(&["delete", "namespace", &bed.namespace, "--wait"])?;
    }
    Ok([running, replaced, let_go, gone, deleted])
}

/// A graph is submitted to a cluster without workers, again and again.
async fn growth() -> Result<Line> {
    let bed = Bed::new("bench").await?;
    bed.apply(&manifests::cluster_with_nannies("demo", 0))?;
    let soon = json!({"minimum": 0, "maximum": 1, "scaleDown": {"stabilizationSeconds": 1}});
    bed.apply(&manifests::autoscaler("demo", "demo", &soon))?;
    bed.until_ready("demo", SOON).await?;
    let mut line = Line::new("graph submitted -> first worker created", Duration::from_millis(100));
    for _ in 0..GROWTHS {
        line.took.push(latency::of_growth(&bed, "demo").await?);
    }
    Ok(line)
}

async fn deletion_at_work() -> Result<Line> {
    let mut line = Line::new("cluster at work deleted -> nothing left", Duration::from_secs(12));
    for _ in 0..RUNS {
        let bed = at_work::busy("bench").await?;
        line.took.push(latency::of_deletion(&bed, "demo").await?);
        bed.kubectl(&["delete", "namespace", &bed.namespace, "--wait"])?;
    }
    Ok(line)
}

async fn without_the_operator(cluster: &Cluster) -> Result<[Line; 2]> {
    let mut at_rest = Line::new("... at rest, without the operator -> nothing left", Duration::from_secs(5));
    let mut at_work = Line::new("... at work, without the operator -> nothing left", Duration::from_secs(12));
    for _ in 0..RUNS {
        let beds = [at_work::resting("bench").await?, at_work::busy("bench").await?];
        let none = Replicas::new(cluster, 0)?;
        for (line, bed) in [&mut at_rest, &mut at_work].into_iter().zip(&beds) {
            line.took.push(latency::of_deletion(bed, "demo").await?);
        }
        drop(none);
        for bed in beds {
            bed.kubectl(&["delete", "namespace", &bed.namespace, "--wait"])?;
        }
    }
    Ok([at_rest, at_work])
}

/// With its pod the leader goes, again and again.
async fn hand_over(cluster: &Cluster) -> Result<Line> {
    let mut line = Line::new("leader told to stop -> another one leads", Duration::from_secs(2));
    let bed = Bed::new("bench").await?;
    let _two = Replicas::new(cluster, 2)?;
    for _ in 0..RUNS {
        let leader = operator::wait_until_leading(cluster)?;
        let told = Timestamp::now();
        operator::kubectl(cluster, &["delete", "pod", &leader, "--wait=false"])?;
        operator::wait_until_another_leads(cluster, &leader)?;
        line.took.push(latency::of_hand_over(&bed, &leader, told).await?.0);
        operator::wait_until_available(cluster)?;
    }
    Ok(line)
}

fn row(line: &Line) -> Option<String> {
    let Spread { least, median, most, .. } = line.spread()?;
    let promised = line.bound.as_secs_f64();
    Some(format!("{:<52} {promised:>10.3} {least:>10.3} {median:>10.3} {most:>10.3}", line.promise))
}
