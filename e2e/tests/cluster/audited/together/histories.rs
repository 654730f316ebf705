//! People at random under an autoscaler lose nothing. `E2E_SEED` repeats a run; `cargo e2e histories` plays fifty.

use anyhow::Result;
use e2e::histories::History;
use e2e::progress::tell;
use e2e::{chance, drains};

const ACTS: u32 = 5;

#[tokio::test]
async fn whatever_people_do_under_an_autoscaler_all_results_are_right_and_nothing_is_done_twice() -> Result<()>
{
    let history = History { name: "history".to_owned(), seed: chance::seed(), acts: ACTS };
    tell(&history.to_string());
    let counted = history.play().await?;
    tell(&counted.to_string());
    assert_eq!(drains::losses(&counted), 0, "{history}: {counted}");
    assert!(counted["compared"].as_u64() > Some(0), "{counted}");
    Ok(())
}
