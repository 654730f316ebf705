//! Many histories of people with an autoscaled cluster: what was lost, as a table.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Error, Result, ensure};
use e2e::drains::{LOSSES, losses};
use e2e::histories::History;
use e2e::progress::{Progress, say};
use e2e::{operator, python, up};
use serde_json::Value;

use crate::args::HistoryOptions;

/// They wait most of the time.
const AT_ONCE: usize = 3;
const ACTS: u32 = 6;
/// What stands beside the losses.
const BESIDE: [&str; 7] = ["submitted", "compared", "bodies", "cancelled", "gone", "most_workers", "turns"];

/// Plays them, and fails after a loss.
pub(crate) fn run(options: &HistoryOptions, progress: &mut Progress) -> Result<()> {
    let cluster = up::up(progress)?;
    operator::install(&cluster, progress)?;
    python::client(progress)?;
    let columns: Vec<_> = BESIDE.into_iter().chain(LOSSES).collect();
    say(&format!("| seed | {} |", columns.join(" | ").replace('_', " ")));
    say(&format!("|{}", " --: |".repeat(columns.len() + 1)));
    let seeds = Mutex::new(options.seed..options.seed + u64::from(options.count));
    let counted = thread::scope(|scope| {
        let players: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| play(&seeds, &columns))).collect();
        players.into_iter().flat_map(|player| player.join().unwrap_or_default()).collect::<Vec<_>>()
    });
    let (kept, failed): (Vec<_>, Vec<_>) = counted.into_iter().partition(Result::is_ok);
    let lost: u64 = kept.iter().flatten().map(losses).sum();
    say(&format!("{} histories ended, {} did not; {lost} losses", kept.len(), failed.len()));
    ensure!(failed.is_empty() && kept.len() == options.count as usize && lost == 0, "something was lost");
    Ok(())
}

/// Takes one seed after the other.
fn play(seeds: &Mutex<Range<u64>>, columns: &[&str]) -> Vec<Result<Value, Error>> {
    let next = || seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
    let mut all = Vec::new();
    while let Some(seed) = next() {
        let counted = one(seed);
        say(&match &counted {
            Ok(counted) => row(seed, columns, counted),
            Err(error) => format!("{seed}: {error:#}"),
        });
        all.push(counted);
    }
    all
}

fn one(seed: u64) -> Result<Value> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(History { name: format!("history-{seed}"), seed, acts: ACTS }.play())
}

fn row(seed: u64, columns: &[&str], counted: &Value) -> String {
    let figures: Vec<_> = columns.iter().map(|name| counted[name].to_string()).collect();
    let losses = if losses(counted) == 0 { String::new() } else { counted["examples"].to_string() };
    format!("| {seed} | {} | {losses}", figures.join(" | "))
}
