//! How steady the number of workers is under mixed load: `cargo e2e bench mixed`.

use anyhow::{Result, ensure};
use e2e::mixed;
use e2e::progress::say;

/// About five minutes.
const ROUNDS: u32 = 12;

pub(super) async fn bench() -> Result<()> {
    let seen = mixed::run("mixed", ROUNDS).await?;
    say(&seen.to_string());
    ensure!(seen.turns <= seen.most_turns, "the number of workers turned round more often than the work did");
    Ok(())
}
