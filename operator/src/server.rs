//! `/livez`, `/readyz`, `/metrics`, and `/healthz` for the Python operator's probes.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::routing::get;
use dask_operator_api::conditions;
use dask_operator_plan::worker_group::WorkerPod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::cache::{Cache, Guarded, Key, Objects};
use crate::context::Context;
use crate::metrics::{ClusterLabels, GroupLabels, Passing, TroubleLabels, Workers};
use crate::reconcile::Reconcile;

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
    let (cache, metrics) = (&health.0.cache, &health.0.writer.caller.metrics);
    metrics.cached("DaskCluster", cache.clusters.len());
    metrics.cached("DaskWorkerGroup", cache.groups.len());
    metrics.cached("DaskAutoscaler", cache.autoscalers.len());
    metrics.cached("Pod", cache.workers.len() + cache.schedulers.len());
    let (troubles, groups) = (troubles(cache), groups(&health.0));
    let ages = health.0.links.ages().into_iter().map(|(key, age)| (of_cluster(key), age.as_secs_f64()));
    let passing = Passing { troubles, groups, ages: ages.collect() };
    ([(CONTENT_TYPE, OPEN_METRICS)], metrics.text(passing))
}

/// What autoscalers decided last, and what has come of it.
fn groups(context: &Context) -> Vec<(GroupLabels, Workers)> {
    let decisions = context.courses.decisions().into_iter();
    let told = decisions.map(|(group, (wanted, granted))| {
        let pods = context.cache.workers.of_parent(&group);
        let ready = pods.iter().map(|pod| pod.worker()).filter(WorkerPod::is_ready).count();
        let labels = GroupLabels { namespace: group.namespace, group: group.name };
        (labels, Workers { wanted, granted, ready })
    });
    told.collect()
}

fn of_cluster(key: Key) -> ClusterLabels {
    ClusterLabels { namespace: key.namespace, cluster: key.name }
}

/// What the statuses tell.
fn troubles(cache: &Cache) -> Vec<TroubleLabels> {
    let of_clusters = told(&cache.clusters, |cluster| Some(&cluster.status.as_ref()?.conditions));
    let of_groups = told(&cache.groups, |group| Some(&group.status.as_ref()?.conditions));
    let of_autoscalers = told(&cache.autoscalers, |one| Some(&one.status.as_ref()?.conditions));
    of_clusters.into_iter().chain(of_groups).chain(of_autoscalers).collect()
}

fn told<K>(objects: &Objects<K>, conditions: fn(&K) -> Option<&Vec<Condition>>) -> Vec<TroubleLabels>
where
    K: Reconcile,
{
    let all = objects.all();
    let good = all.iter().filter_map(|object| match &**object {
        Guarded::Good(object) => conditions(object),
        Guarded::Bad { .. } => None,
    });
    good.flat_map(|all| conditions::troubles(all)).map(|condition| labels(&K::kind(&()), condition)).collect()
}

fn labels(kind: &str, condition: &Condition) -> TroubleLabels {
    TroubleLabels {
        kind: kind.to_owned(),
        condition: condition.type_.clone(),
        reason: condition.reason.clone(),
    }
}
