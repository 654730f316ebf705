//! The operator's life: watch, wait for the lease, reconcile until told to stop.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dask_operator_api::{DaskAutoscaler, DaskCluster, DaskWorkerGroup};
use dask_operator_plan::Settings;
use futures::{StreamExt, stream};
use kube::Client;
use kube::runtime::Controller;
use kube::runtime::reflector::ObjectRef;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::autoscaler::Courses;
use crate::cache::{Cache, Guarded};
use crate::context::{Chance, Clock, Context};
use crate::kubernetes::{
    Backoff, Caller, Gate, LONGEST_CALL, Lease, LeaseError, Ledger, Reporter, Tenure, Writer, with_deadline,
};
use crate::metrics::Metrics;
use crate::reconcile::{Reconcile, on_error, reconcile};
use crate::record::Record;
use crate::scheduler::{Links, Schedulers};
use crate::scope::Scope;
use crate::server::Health;
use crate::shutdown::Shutdown;
use crate::triggers::{Queues, Triggers};
use crate::watches::{Follower, WatchError};

/// Looks under way are given this long to end when the operator stops: longer than any call takes.
const FAREWELL: Duration = LONGEST_CALL.saturating_add(Duration::from_secs(2));

/// What one replica of the operator runs with.
pub struct Replica {
    /// How it reaches the API server.
    pub client: Client,
    /// The namespaces that it watches.
    pub scope: Scope,
    /// How it reaches the schedulers of clusters.
    pub schedulers: Arc<dyn Schedulers>,
    /// What plans depend on.
    pub settings: Settings,
    /// The lease by which one replica leads.
    pub lease: LeaseName,
    /// Its time of day.
    pub clock: Clock,
    /// Its chance.
    pub chance: Chance,
    /// Where its autoscalers' looks are recorded, if they are.
    pub record: Option<Record>,
}

/// Where the lease is, and under which name this replica holds it.
pub struct LeaseName {
    /// Its namespace.
    pub namespace: String,
    /// The holder's name: no two replicas have the same.
    pub identity: String,
}

/// Why an operator ended that was not told to.
#[derive(Debug, Error)]
pub enum OperatorError {
    /// Another replica leads, or nobody can know.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A watch ended, which none ever should.
    #[error(transparent)]
    Watch(#[from] WatchError),
}

/// One replica of the operator, which has not begun yet.
pub struct Operator {
    context: Arc<Context>,
    triggers: Arc<Triggers>,
    queues: Queues,
    scope: Scope,
    lease: Lease,
}

impl Operator {
    /// The edges, with caches that are still empty.
    pub fn new(replica: Replica) -> Self {
        let Replica { client, scope, schedulers, settings, lease, clock, chance, record } = replica;
        let (client, tenure) = (with_deadline(client), Tenure::default());
        let (triggers, queues) = Triggers::new();
        let triggers = Arc::new(triggers);
        let caller = Caller {
            client: client.clone(),
            gate: Gate::new(),
            metrics: Metrics::new(),
            tenure: tenure.clone(),
        };
        let writer = Writer { caller };
        let context = Context {
            cache: Cache::default(),
            settings,
            reporter: Reporter::new(writer.clone()),
            writer,
            ledger: Ledger::default(),
            backoff: Backoff::default(),
            links: Links::new(schedulers, Arc::clone(&triggers), tenure.clone()),
            courses: Courses::default(),
            record,
            clock: clock.clone(),
            chance,
            leading: AtomicBool::new(false),
        };
        let lease = Lease::new(client, &lease.namespace, lease.identity, clock, tenure);
        Self { context: Arc::new(context), triggers, queues, scope, lease }
    }

    /// What its probes answer from.
    pub(crate) fn health(&self) -> Health {
        Health::of(&self.context)
    }

    /// Stands by until it leads, and leads until it is told to stop.
    pub async fn run(self, shutdown: &Shutdown) -> Result<(), OperatorError> {
        let Self { context, triggers, queues, scope, mut lease } = self;
        let held = tokio::select! {
            biased;
            () = shutdown.clone().wait() => return Ok(()),
            held = lease.acquire() => held,
        };
        tracing::info!("leading");
        context.lead();
        let follower = Follower { context: Arc::clone(&context), triggers, scope: Arc::new(scope) };
        // Only now: what another leader wrote last, a watch begun before may not have shown yet.
        let controllers = async {
            context.cache.synced().await;
            controllers(Arc::clone(&context), queues, shutdown).await;
        };
        tokio::select! {
            biased;
            lost = lease.keep(held) => return Err(lost.into()),
            failed = follower.follow() => return Err(failed.into()),
            () = controllers => {}
            // Whoever is next waits for the lease to run out: something of ours may still be on its way.
            () = farewell(shutdown) => return Ok(()),
        }
        lease.release().await;
        Ok(())
    }
}

async fn farewell(shutdown: &Shutdown) {
    shutdown.clone().wait().await;
    tokio::time::sleep(FAREWELL).await;
}

/// All controllers. Everything that can change an object's plan arrives through its trigger.
async fn controllers(context: Arc<Context>, queues: Queues, shutdown: &Shutdown) {
    let Queues { clusters, groups, autoscalers } = queues;
    futures::join!(
        controller::<DaskCluster>(Arc::clone(&context), clusters, shutdown),
        controller::<DaskWorkerGroup>(Arc::clone(&context), groups, shutdown),
        controller::<DaskAutoscaler>(context, autoscalers, shutdown),
    );
}

async fn controller<K: Reconcile + DeserializeOwned>(
    context: Arc<Context>,
    queue: UnboundedReceiver<ObjectRef<Guarded<K>>>,
    shutdown: &Shutdown,
) {
    Controller::for_stream(stream::pending(), K::objects(&context.cache).store())
        .reconcile_on(received(queue))
        .graceful_shutdown_on(shutdown.clone().wait())
        .run(reconcile::<K>, on_error, context)
        .for_each(|_| async {})
        .await;
}

fn received<T>(receiver: UnboundedReceiver<T>) -> impl futures::Stream<Item = T> {
    stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|item| (item, receiver)) })
}
