//! Workers that leave at random under load lose nothing, and what would be lost otherwise is seen, with the newest Dask
//! and with the oldest. `E2E_SEED` repeats a run, and `cargo e2e drains` plays a hundred.

use anyhow::Result;
use e2e::chance;
use e2e::drains::{self, Drains, Shape, Way};
use e2e::progress::tell;

#[tokio::test]
async fn workers_that_leave_at_random_lose_nothing_and_begin_nothing_twice() -> Result<()> {
    let run = Drains::at_random("drains", chance::seed());
    tell(&format!("{run}"));
    let counted = run.run().await?;
    tell(&counted.to_string());
    assert_eq!(drains::losses(&counted), 0, "{run}: {counted}");
    assert!(counted["bodies"].as_u64() > Some(100) && counted["bodies"] == counted["tasks"], "{counted}");
    Ok(())
}

/// A worker that has to go may take its part of a shuffle along: Dask begins that again, and it ends right.
#[tokio::test]
async fn workers_that_are_evicted_lose_nothing_and_every_shuffle_ends_right() -> Result<()> {
    let random = Drains::at_random("evicted", chance::seed());
    let run = Drains { shape: Shape::Nanny, ways: &[Way::Evict], ..random };
    let counted = run.run().await?;
    tell(&format!("{run}: {counted}"));
    assert_eq!(drains::losses(&counted), 0, "{run}: {counted}");
    assert!(counted["shuffles"].as_u64() > Some(0), "{counted}");
    Ok(())
}

/// Which shows that each loss would be seen.
#[tokio::test]
async fn workers_that_do_not_ask_before_they_leave_lose_and_begin_twice() -> Result<()> {
    let random = Drains::at_random("unasked-drains", chance::seed());
    let ways = &[Way::Evict, Way::Delete];
    let run = Drains { shape: Shape::Nanny, ways, protected: false, ..random };
    let counted = run.run().await?;
    tell(&format!("{run}: {counted}"));
    for kind in ["begun_twice", "recomputed", "unreadable", "suspicious"] {
        assert!(counted[kind].as_u64() > Some(0), "{kind}: {counted}");
    }
    Ok(())
}
