//! The operator's life: watch, wait for the lease, reconcile until told to stop.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use dask_operator_plan::Settings;
use futures::{StreamExt, stream};
use kube::runtime::Controller;
use kube::runtime::events::{Recorder, Reporter as EventSource};
use kube::{Client, Config};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;

use crate::args::RunOptions;
use crate::cache::{Cache, Stores};
use crate::context::Context;
use crate::kubernetes::{Backoff, Caller, Gate, Lease, Ledger, Reporter, Writer};
use crate::metrics::Metrics;
use crate::reconcile::{on_error, reconcile};
use crate::server::{Health, serve};
use crate::shutdown::Shutdown;
use crate::triggers::{ClusterRef, GroupRef, Triggers};
use crate::watches::Follower;

/// Reconciles under way are given this long to end when the operator stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Runs until SIGTERM, or until the lease is lost, which is an error: whoever restarts us finds us clean.
pub(crate) async fn run(options: &RunOptions) -> anyhow::Result<()> {
    let shutdown = Shutdown::on_signal()?;
    let context = context(client().await?, settings(options));
    let (cluster_trigger, clusters) = unbounded_channel();
    let (group_trigger, groups) = unbounded_channel();
    let triggers =
        Triggers { clusters: cluster_trigger, groups: group_trigger, leading: AtomicBool::new(false) };
    let triggers = Arc::new(triggers);
    let context = watch(context, watched_namespace(options)?, &triggers);
    let server = tokio::spawn(serve(options.listen(), Health::of(&context), shutdown.clone()));

    let mut lease = lease(&context, options);
    let held = tokio::select! {
        held = async { context.cache.synced().await; lease.acquire().await } => held,
        () = shutdown.clone().wait() => return Ok(()),
        failed = server => return failed?.context("cannot serve health and metrics"),
    };
    lead(
        &context,
        &triggers,
        (&mut lease, held),
        controllers(Arc::clone(&context), clusters, groups, &shutdown),
        &shutdown,
    )
    .await
}

/// Reconciles while the lease is ours.
async fn lead(
    context: &Context,
    triggers: &Triggers,
    (lease, held): (&mut Lease, Instant),
    controllers: impl Future<Output = ()>,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    tracing::info!("leading");
    context.writer.caller.metrics.leading(true);
    triggers.lead(&context.cache);
    let stopped = async {
        shutdown.clone().wait().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        () = controllers => {}
        () = stopped => {}
        lost = lease.keep(held) => return Err(lost.into()),
    }
    lease.release().await;
    Ok(())
}

/// The one namespace to watch, or none for all.
fn watched_namespace(options: &RunOptions) -> anyhow::Result<Option<String>> {
    let mut names = options.watched_namespaces()?;
    anyhow::ensure!(names.len() < 2, "cannot watch several namespaces yet: {}", names.join(", "));
    Ok(names.pop())
}

fn lease(context: &Context, options: &RunOptions) -> Lease {
    let client = context.writer.caller.client.clone();
    Lease::new(client, &options.lease_namespace, options.identity.clone().unwrap_or_else(random_identity))
}

/// Two processes on one host are two replicas.
fn random_identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}-{:08x}", host.trim(), getrandom::u32().unwrap_or_default())
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
        worker_batch: options.worker_batch(),
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

/// The edges, with caches that are still empty.
fn context(client: Client, settings: Settings) -> (Context, Stores) {
    let (cache, stores) = Cache::new();
    let recorder = Recorder::new(client.clone(), EventSource::from("dask-operator"));
    let writer = Writer { caller: Caller { client, gate: Gate::new(), metrics: Metrics::new() } };
    let context = Context {
        cache,
        settings,
        reporter: Reporter::new(writer.clone(), recorder),
        writer,
        ledger: Ledger::default(),
        backoff: Backoff::default(),
    };
    (context, stores)
}

/// Starts to fill them.
fn watch(
    (context, stores): (Context, Stores),
    namespace: Option<String>,
    triggers: &Arc<Triggers>,
) -> Arc<Context> {
    let context = Arc::new(context);
    let client = context.writer.caller.client.clone();
    let follower =
        Follower { client, namespace, context: Arc::clone(&context), triggers: Arc::clone(triggers) };
    follower.start(stores);
    context
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
        .run(reconcile::<DaskCluster>, on_error, Arc::clone(&context))
        .for_each(|_| async {});
    let group_controller = Controller::for_stream(stream::pending(), context.cache.groups.clone())
        .reconcile_on(received(groups))
        .graceful_shutdown_on(shutdown.clone().wait())
        .run(reconcile::<DaskWorkerGroup>, on_error, context)
        .for_each(|_| async {});
    futures::join!(cluster_controller, group_controller);
}

fn received<T>(receiver: UnboundedReceiver<T>) -> impl futures::Stream<Item = T> {
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|item| (item, receiver)) })
}
