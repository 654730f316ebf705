//! Under mixed load the number of workers does not turn round without need; `cargo e2e bench mixed` has five minutes of it.
//! Alone, since work that others slow down is other work.

use anyhow::Result;
use e2e::mixed;
use e2e::progress::tell;

/// About half a minute.
const ROUNDS: u32 = 1;

#[tokio::test]
async fn the_number_of_workers_turns_round_no_more_often_than_the_work() -> Result<()> {
    let seen = mixed::run("mixed", ROUNDS).await?;
    tell(&seen.to_string());
    assert!((1..=seen.most_turns).contains(&seen.turns), "{seen}");
    Ok(())
}
