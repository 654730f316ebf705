//! People at random under an autoscaler lose nothing, and the number of workers does not turn round without need.
//! `E2E_SEED` repeats a run; `cargo e2e histories` plays fifty, `cargo e2e bench mixed` five minutes of mixed load.

use anyhow::Result;
use e2e::histories::History;
use e2e::progress::tell;
use e2e::{chance, drains, mixed};

/// As many as an ordinary run can wait for.
const FEW: u64 = 2;
const ACTS: u32 = 5;
/// About half a minute each.
const ROUNDS: u32 = 2;

#[tokio::test]
async fn whatever_people_do_under_an_autoscaler_all_results_are_right_and_nothing_is_done_twice() -> Result<()>
{
    let first = chance::seed();
    tell(&format!("{FEW} histories from E2E_SEED={first}"));
    for seed in first..first + FEW {
        let history = History { name: format!("history-{}", seed - first), seed, acts: ACTS };
        let counted = history.play().await?;
        tell(&format!("{history}: {counted}"));
        assert_eq!(drains::losses(&counted), 0, "{history}: {counted}");
        assert!(counted["compared"].as_u64() > Some(0), "{counted}");
    }
    Ok(())
}

#[tokio::test]
async fn under_mixed_load_the_number_of_workers_turns_round_no_more_often_than_the_work() -> Result<()> {
    let seen = mixed::run("mixed", ROUNDS).await?;
    tell(&seen.to_string());
    assert!((1..=seen.most_turns).contains(&seen.turns), "{seen}");
    Ok(())
}
