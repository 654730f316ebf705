//! When nothing changes, nothing is written and nothing is asked, whatever goes on elsewhere.

use std::time::Duration;

use anyhow::Result;
use e2e::audit::Request;
use e2e::bed::Bed;
use e2e::quiet;
use jiff::Timestamp;

use crate::audited::settled::settled;

const SOON: Duration = Duration::from_mins(4);
/// `cargo e2e bench rest` has fifty, and nobody beside them.
const AUTOSCALERS: u32 = 5;

#[tokio::test]
async fn in_a_minute_of_rest_nothing_is_written_or_asked_and_autoscalers_look_all_the_same() -> Result<()> {
    let (bed, idle) = (settled("rest").await?, Bed::new("rest-many").await?);
    quiet::apply_idle_autoscalers(&idle, AUTOSCALERS)?;
    quiet::until_followed(&idle, AUTOSCALERS, SOON).await?;
    let start = Timestamp::now();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let here = [bed.namespace.as_str(), idle.namespace.as_str()];
    let mut asked = quiet::calls_since(&bed, start)?;
    // A watch of all namespaces is begun anew after some minutes.
    let of_all = |call: &Request| call.object_ref.namespace.is_empty() && call.verb != "watch";
    asked.retain(|call| of_all(call) || here.contains(&call.object_ref.namespace.as_str()));
    assert!(asked.is_empty(), "{asked:#?}");
    Ok(())
}
