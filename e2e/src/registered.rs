//! Which workers a scheduler of Dask knows: it has no watch to wait on, so it is asked again and again.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bed::Bed;

const AGAIN: Duration = Duration::from_millis(100);

impl Bed {
    /// What the scheduler itself tells: its `counts`, whose `workers` is how many are registered, or its `identity`.
    async fn told(&self, cluster: &str, what: &str) -> Result<Value> {
        let path = format!(
            "/api/v1/namespaces/{}/services/http:{cluster}-scheduler:8787/proxy/json/{what}.json",
            self.namespace
        );
        Ok(self.client.request(http::Request::get(path).body(Vec::new())?).await?)
    }

    /// Asks the scheduler until it counts so many registered workers: it has no watch to wait on.
    pub async fn until_registered(&self, cluster: &str, workers: u64, within: Duration) -> Result<()> {
        let mut last = None;
        let ask = async {
            loop {
                let counts = self.told(cluster, "counts").await;
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

    /// Asks the scheduler until it has a worker of each of these pods; one is called like its pod, or the pod like it.
    pub async fn until_named(&self, cluster: &str, pods: &[String], within: Duration) -> Result<()> {
        let of = |pod: &str, worker: &Value| {
            worker["name"].as_str().is_some_and(|name| name.starts_with(pod) || pod.starts_with(name))
        };
        let ask = async {
            loop {
                let told = self.told(cluster, "identity").await.unwrap_or_default();
                let workers: Vec<_> =
                    told["workers"].as_object().into_iter().flat_map(|all| all.values()).collect();
                if pods.iter().all(|pod| workers.iter().any(|worker| of(pod, worker))) {
                    return;
                }
                tokio::time::sleep(AGAIN).await;
            }
        };
        tokio::time::timeout(within, ask)
            .await
            .with_context(|| format!("workers of {pods:?} do not register"))
    }
}
