//! Many histories of people with an autoscaled cluster: what was lost, as a table.

use anyhow::{Result, ensure};
use e2e::drains::{LOSSES, losses};
use e2e::histories::History;
use e2e::progress::{Progress, say};
use e2e::{operator, python, up};
use serde_json::Value;

use crate::args::HistoryOptions;
use crate::players;

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
    let seeds = options.seed..options.seed + u64::from(options.count);
    let counted = players::play(AT_ONCE, seeds, |seed| one(seed, &columns));
    let (kept, failed): (Vec<_>, Vec<_>) = counted.into_iter().partition(Result::is_ok);
    let lost: u64 = kept.iter().flatten().map(losses).sum();
    say(&format!("{} histories ended, {} did not; {lost} losses", kept.len(), failed.len()));
    ensure!(failed.is_empty() && kept.len() == options.count as usize && lost == 0, "something was lost");
    Ok(())
}

fn one(seed: u64, columns: &[&str]) -> Result<Value> {
    let counted = players::alone(History { name: format!("history-{seed}"), seed, acts: ACTS }.play());
    say(&match &counted {
        Ok(counted) => row(seed, columns, counted),
        Err(error) => format!("{seed}: {error:#}"),
    });
    let counted = counted?;
    ensure!(counted["compared"].as_u64() > Some(0), "no result was compared: {counted}");
    Ok(counted)
}

fn row(seed: u64, columns: &[&str], counted: &Value) -> String {
    let figures: Vec<_> = columns.iter().map(|name| counted[name].to_string()).collect();
    let losses = if losses(counted) == 0 { String::new() } else { counted["examples"].to_string() };
    format!("| {seed} | {} | {losses}", figures.join(" | "))
}
