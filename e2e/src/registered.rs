//! Which workers a scheduler of Dask knows: it has no watch to wait on, so it is asked again and again.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::Value;

use crate::bed::Bed;

const AGAIN: Duration = Duration::from_millis(250);

impl Bed {
    /// What the scheduler itself counts; `workers` is how many are registered.
    async fn counts(&self, cluster: &str) -> Result<Value> {
        let path = self.dashboard(cluster, "json/counts.json");
        Ok(self.client.request(http::Request::get(path).body(Vec::new())?).await?)
    }

    fn dashboard(&self, cluster: &str, page: &str) -> String {
        let service = format!("http:{cluster}-scheduler:8787");
        format!("/api/v1/namespaces/{}/services/{service}/proxy/{page}", self.namespace)
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

    /// The same, until so many pods stay and it knows all processes of each: one that is gone may be counted for a while.
    pub async fn until_all_registered(
        &self,
        cluster: &str,
        (pods, processes): (usize, usize),
        within: Duration,
    ) -> Result<()> {
        let mut last = None;
        let all = async {
            loop {
                let seen = tokio::try_join!(self.staying(), self.worker_names(cluster));
                let is_known = |known: &str, pod: &String| {
                    known.matches(&format!("<td> {}", worker_name(pod))).count() == processes
                };
                let are_known = |(stay, known): &(Vec<String>, String)| {
                    stay.len() == pods && stay.iter().all(|pod| is_known(known, pod))
                };
                if seen.as_ref().is_ok_and(are_known) {
                    return;
                }
                last = Some(seen);
                tokio::time::sleep(AGAIN).await;
            }
        };
        let registered = tokio::time::timeout(within, all).await;
        let late = || {
            format!("not within {} s: {pods} pods whose workers are registered; {last:?}", within.as_secs())
        };
        registered.with_context(late)
    }

    /// The scheduler's page of its workers, on which each name is in a cell of its own.
    async fn worker_names(&self, cluster: &str) -> Result<String> {
        let path = self.dashboard(cluster, "info/main/workers.html");
        Ok(self.client.request_text(http::Request::get(path).body(Vec::new())?).await?)
    }

    async fn staying(&self) -> Result<Vec<String>> {
        let workers = ListParams::default().labels("dask.org/component=worker");
        let pods = self.api::<Pod>().list(&workers).await?.items;
        let stay = pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        Ok(stay.map(|pod| pod.name_any()).collect())
    }
}

/// What the workers of a pod are called: like the pod, or, if a Deployment made that, like the Deployment.
fn worker_name(pod: &str) -> &str {
    const PART: &str = "-worker-";
    const DIGITS: usize = 10;
    pod.rfind(PART).and_then(|at| pod.get(..at + PART.len() + DIGITS)).unwrap_or(pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_called_like_their_pod_or_its_deployment() {
        let name = "demo-default-worker-9d6db17b41";
        assert_eq!([name, &format!("{name}-799b7c7c6-8vh9z")].map(worker_name), [name; 2]);
        assert_eq!(worker_name("by-hand"), "by-hand");
    }
}
