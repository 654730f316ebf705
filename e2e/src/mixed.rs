//! Bursts, pauses, a trickle and a long task, in turn: how often the number of workers turns round.

use std::fmt;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::autoscalers::{Course, until_replicas, until_told};
use crate::bed::Bed;
use crate::manifests;
use crate::workload::Start;

const WINDOW: u32 = 4;
const SOON: std::time::Duration = std::time::Duration::from_mins(1);

/// What was seen.
#[derive(Debug)]
pub struct Seen {
    /// How often it turned round.
    pub turns: usize,
    /// How often the work did.
    pub most_turns: usize,
    /// One number of workers after the other.
    pub numbers: Vec<i32>,
    /// What the workload reported.
    pub reported: Value,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { turns, most_turns, numbers, reported } = self;
        write!(
            f,
            "{} s of mixed load: the number of workers turned round {turns} times, ",
            reported["seconds"]
        )?;
        write!(f, "the work {most_turns} times; workers: {numbers:?}")
    }
}

/// So many times over, each about half a minute.
pub async fn run(name: &str, rounds: u32) -> Result<Seen> {
    let bed = Bed::new(name).await?;
    bed.apply(&manifests::cluster_with_nannies("demo", 0))?;
    let down = json!({"stabilizationSeconds": WINDOW});
    let spec = json!({"minimum": 0, "maximum": 4, "targetDurationSeconds": 1, "scaleDown": down});
    bed.apply(&manifests::autoscaler("demo", "demo", &spec))?;
    until_told(&bed, "demo", "FollowsWork").await?;
    let course = Course::of(&bed);
    let work = Start::new("mixed", &bed.address("demo")?);
    let work = work.with("ROUNDS", &rounds.to_string()).with("WINDOW", &WINDOW.to_string());
    let (reported, succeeded) = work.start()?.finished().await?;
    ensure!(succeeded, "{reported}");
    until_replicas(&bed, "demo-default", 0, SOON).await?;
    let numbers = course.numbers().remove("demo-default").context("no workers")?;
    let most_turns = usize::try_from(reported["turns"].as_u64().context("it tells no turns")?)?;
    Ok(Seen { turns: course.turns(), most_turns, numbers, reported })
}
