//! Which workers a scheduler of Dask knows: it has no watch to wait on, so it is asked again and again.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bed::Bed;

const AGAIN: Duration = Duration::from_millis(100);

impl Bed {
    /// What the scheduler itself counts; `workers` is how many are registered.
    async fn counts(&self, cluster: &str) -> Result<Value> {
        let path = format!(
            "/api/v1/namespaces/{}/services/http:{cluster}-scheduler:8787/proxy/json/counts.json",
            self.namespace
        );
        Ok(self.client.request(http::Request::get(path).body(Vec::new())?).await?)
    }

    /// Asks the scheduler until it counts so many registered workers: it has no watch to wait on.
    pub async fn until_registered(&self, cluster: &str, workers: u64, within: Duration) -> Result<()> {
        let mut last = None;
        let ask = async {
            loop {
                let counts = self.counts(cluster).await;
                if counts.as_ref().is_ok_and(|counts| counts["workers"].as_u64() == Some(workers)) {
                    return;
                }
                last = Some(counts);
                tokio::time::sleep(AGAIN).await;
            }
        };
        let registered = tokio::time::timeout(within, ask).await;
        let late = || format!("not within {} s: {workers} registered workers; {last:?}", within.as_secs());
        registered.with_context(late)
    }
}
