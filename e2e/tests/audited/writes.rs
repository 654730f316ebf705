//! How many writes a cluster costs.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use e2e::audit::Request;
use e2e::bed::Bed;
use e2e::manifests;

const SOON: Duration = Duration::from_mins(1);

#[tokio::test]
async fn an_undisturbed_start_costs_its_objects_four_statuses_and_one_event() -> Result<()> {
    let bed = Bed::new("writes").await?;
    bed.apply(&manifests::cluster("demo", 3))?;
    bed.until_ready("demo", SOON).await?;
    bed.until_registered("demo", 3, SOON).await?;
    // Counts that changed last are written at most ten seconds later.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let mut writes: BTreeMap<String, usize> = BTreeMap::new();
    for request in bed.audit()?.writes_of_operator(&bed.namespace)? {
        *writes.entry(Request::summary(&request)).or_default() += 1;
    }
    let count = |summary: &str| writes.get(summary).copied().unwrap_or(0);
    let objects = ["create deployments", "create services", "create daskworkergroups"];
    assert_eq!(objects.map(count), [1, 1, 1], "{writes:?}");
    assert_eq!(count("create pods"), 3, "{writes:?}");
    let statuses = count("patch daskclusters/status") + count("patch daskworkergroups/status");
    assert!((2..=4).contains(&statuses), "{writes:?}");
    assert!(count("create events") <= 1, "{writes:?}");
    let all: usize = writes.values().sum();
    assert_eq!(all, 6 + statuses + count("create events"), "nothing else is written: {writes:?}");
    Ok(())
}
