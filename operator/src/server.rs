//! `/livez`, `/readyz`, `/metrics`, and `/healthz` for the Python operator's probes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::cache::Cache;
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

/// What the answers are made from.
#[derive(Clone)]
pub(crate) struct Health {
    pub(crate) cache: Arc<Cache>,
    pub(crate) metrics: Metrics,
    pub(crate) synced: Arc<AtomicBool>,
}

/// Serves until it is time to stop.
pub(crate) async fn serve(address: SocketAddr, health: Health, shutdown: Shutdown) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(alive))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health);
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, router).with_graceful_shutdown(shutdown.wait()).await
}

async fn alive() -> &'static str {
    "ok"
}

/// A replica that waits for the lease is ready, too: its caches are.
async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.synced.load(Ordering::Relaxed) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the caches are not complete yet")
    }
}

async fn metrics(State(health): State<Health>) -> String {
    let Health { cache, metrics, .. } = health;
    metrics.cached("DaskCluster", cache.clusters.len());
    metrics.cached("DaskWorkerGroup", cache.groups.len());
    metrics.cached("Pod", cache.workers.len() + cache.schedulers.len());
    metrics.text()
}
