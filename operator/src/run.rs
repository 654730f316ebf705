//! The operator's life: watch, wait for the lease, reconcile until told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use dask_operator_plan::Settings;
use futures::{StreamExt, stream};
use kube::runtime::events::{Recorder, Reporter as EventSource};
use kube::runtime::{Controller, reflector};
use kube::{Client, Config};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::args::RunOptions;
use crate::cache::{Cache, Index};
use crate::context::Context;
use crate::follow::{ClusterRef, Follower, GroupRef, Triggers};
use crate::kubernetes::{Backoff, Gate, Lease, Ledger, Reporter, Writer};
use crate::metrics::Metrics;
use crate::server::{Health, serve};
use crate::shutdown::Shutdown;
use crate::{cluster, worker_group};

/// Reconciles under way are given this long to end when the operator stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Runs until SIGTERM, or until the lease is lost, which is an error: whoever restarts us finds us clean.
pub(crate) async fn run(options: RunOptions) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signal()?;
    let client = client().await?;
    let metrics = Metrics::new();
    let (cluster_trigger, clusters) = unbounded_channel();
    let (group_trigger, groups) = unbounded_channel();
    let triggers =
        Triggers { clusters: cluster_trigger, groups: group_trigger, leading: AtomicBool::new(false) };
    let triggers = Arc::new(triggers);
    let cache = watch(&client, &options, &triggers, &metrics);
    let synced = Arc::new(AtomicBool::new(false));
    let health = Health { cache: Arc::clone(&cache), metrics: metrics.clone(), synced: Arc::clone(&synced) };
    let server = tokio::spawn(serve(options.listen, health, shutdown.clone()));

    let mut lease = Lease::new(client.clone(), &options.lease_namespace, options.identity.clone());
    tokio::select! {
        () = async { cache.synced().await; synced.store(true, Ordering::Relaxed); lease.acquire().await } => {}
        () = shutdown.clone().wait() => return Ok(()),
        failed = server => return failed?.context("cannot serve health and metrics"),
    }
    tracing::info!(identity = options.identity, "leading");
    metrics.leading(true);
    let context = context(client, Arc::clone(&cache), settings(&options), metrics);
    triggers.lead(&cache);
    let controllers = controllers(context, clusters, groups, &shutdown);
    let stopped = async {
        shutdown.clone().wait().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        () = controllers => lease.release().await,
        () = stopped => lease.release().await,
        lost = lease.keep() => return Err(lost.into()),
    }
    Ok(())
}

async fn client() -> anyhow::Result<Client> {
    let mut config = Config::infer().await.context("no way to reach an API server")?;
    // Watches are silent for long; every other call has its own deadline.
    config.read_timeout = None;
    Client::try_from(config).context("cannot make a client of the API server")
}

fn settings(options: &RunOptions) -> Settings {
    let cluster_domain = options.cluster_domain.clone().filter(|domain| !domain.is_empty());
    Settings {
        cluster_domain: cluster_domain.unwrap_or_else(cluster_domain_of_resolver),
        default_image: options.worker_image.clone(),
    }
}

/// The resolver of a pod searches `svc.<cluster domain>`.
fn cluster_domain_of_resolver() -> String {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let words = text.lines().filter(|line| line.starts_with("search")).flat_map(str::split_whitespace);
    let found = words
        .into_iter()
        .find_map(|word| word.strip_prefix("svc."))
        .map(|domain| domain.trim_end_matches('.'));
    found.unwrap_or("cluster.local").to_owned()
}

fn watch(client: &Client, options: &RunOptions, triggers: &Arc<Triggers>, metrics: &Metrics) -> Arc<Cache> {
    let (clusters, cluster_writer) = reflector::store();
    let (groups, group_writer) = reflector::store();
    let cache = Arc::new(Cache {
        clusters,
        groups,
        groups_of_cluster: Arc::new(Index::default()),
        schedulers: Arc::new(Index::default()),
        workers: Arc::new(Index::default()),
        deployments: Arc::new(Index::default()),
        services: Arc::new(Index::default()),
        configs: Arc::new(Index::default()),
    });
    let follower = Follower {
        client: client.clone(),
        namespace: options.namespace.clone(),
        cache: Arc::clone(&cache),
        triggers: Arc::clone(triggers),
        metrics: metrics.clone(),
    };
    follower.start(cluster_writer, group_writer);
    cache
}

fn context(client: Client, cache: Arc<Cache>, settings: Settings, metrics: Metrics) -> Arc<Context> {
    let recorder = Recorder::new(client.clone(), EventSource::from("dask-operator"));
    let writer = Writer { client, gate: Gate::new(), metrics };
    Arc::new(Context {
        cache,
        settings,
        reporter: Reporter::new(writer.clone(), recorder),
        writer,
        ledger: Ledger::default(),
        backoff: Backoff::default(),
    })
}

/// Both controllers. Everything that can change an object's plan arrives through its trigger.
async fn controllers(
    context: Arc<Context>,
    clusters: UnboundedReceiver<ClusterRef>,
    groups: UnboundedReceiver<GroupRef>,
    shutdown: &Shutdown,
) {
    let cluster_controller = Controller::for_stream(stream::pending(), context.cache.clusters.clone())
        .reconcile_on(received(clusters))
        .graceful_shutdown_on(shutdown.clone().wait())
        .run(cluster::reconcile, cluster::on_error, Arc::clone(&context))
        .for_each(|_| async {});
    let group_controller = Controller::for_stream(stream::pending(), context.cache.groups.clone())
        .reconcile_on(received(groups))
        .graceful_shutdown_on(shutdown.clone().wait())
        .run(worker_group::reconcile, worker_group::on_error, context)
        .for_each(|_| async {});
    futures::join!(cluster_controller, group_controller);
}

fn received<T>(receiver: UnboundedReceiver<T>) -> impl futures::Stream<Item = T> {
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|item| (item, receiver)) })
}
