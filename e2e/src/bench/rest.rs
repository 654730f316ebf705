//! What many autoscalers cost while nothing happens: `cargo e2e bench rest`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::bed::Bed;
use e2e::progress::say;
use e2e::quiet;
use jiff::Timestamp;

const AUTOSCALERS: u32 = 50;
const REST: Duration = Duration::from_mins(2);
const SOON: Duration = Duration::from_mins(5);

pub(super) async fn bench() -> Result<()> {
    let bed = Bed::new("rest").await?;
    bed.until_alone()?;
    quiet::apply_idle_autoscalers(&bed, AUTOSCALERS)?;
    quiet::until_followed(&bed, AUTOSCALERS, SOON).await?;
    let start = Timestamp::now();
    tokio::time::sleep(REST).await;
    let calls = quiet::calls_since(&bed, start)?;
    let mut kinds = BTreeMap::<String, usize>::new();
    for call in &calls {
        *kinds.entry(call.summary()).or_default() += 1;
    }
    let seconds = REST.as_secs();
    say(&format!("{AUTOSCALERS} autoscalers, {seconds} s: {} calls but the lease's {kinds:?}", calls.len()));
    // A watch is begun anew after some minutes, however many objects it is of.
    ensure!(calls.iter().all(|call| call.verb == "watch"), "something was asked: {kinds:?}");
    Ok(())
}
