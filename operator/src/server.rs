//! `/livez`, `/readyz`, `/metrics`, and `/healthz` for the Python operator's probes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::routing::get;

use crate::context::Context;
use crate::metrics::scrape;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the answers are made from.
#[derive(Clone)]
pub(crate) struct Health(Arc<Context>);

impl Health {
    /// Of this operator.
    pub(crate) fn of(context: &Arc<Context>) -> Self {
        Self(Arc::clone(context))
    }
}

/// Serves for as long as the operator lives, its farewell included; returns only when that fails.
pub(crate) async fn serve(address: SocketAddr, health: Health) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(alive))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health);
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(listener, router).await
}

async fn alive() -> &'static str {
    "ok"
}

async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.0.is_ready() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the caches are not complete yet")
    }
}

async fn metrics(State(health): State<Health>) -> ([(HeaderName, &'static str); 1], String) {
    ([(CONTENT_TYPE, OPEN_METRICS)], scrape::text(&health.0))
}
