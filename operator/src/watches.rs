//! The watches: one per kind and namespace, selected by label, so that what is not Dask's never reaches us.

mod follow;
mod kinds;
mod pods;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dask_operator_api::labels::{self, component};
use dask_operator_api::{DaskAutoscaler, DaskCluster, DaskWorkerGroup};
use dask_operator_plan::sabotage::{self, Bug};
use kube::runtime::watcher::Config;
use kube::{Api, Resource};
use thiserror::Error;
use tokio::task::{JoinError, JoinSet};

use crate::cache::{Budget, ConfigMap, Deployment, Guarded, HookEvent, OF_HOOKS, Pod, Service};
use crate::context::Context;
use crate::triggers::Triggers;
use follow::{Watched, follow};
use kinds::{Autoscalers, Children, Clusters, Follow, Groups};
use pods::{Hooks, Schedulers, Workers};

/// Watches never end, unless with this.
#[derive(Debug, Error)]
#[error("a watch ended: {0:?}")]
pub struct WatchError(Option<JoinError>);

/// Keeps the caches current, and triggers whom each change concerns.
#[derive(Clone)]
pub(crate) struct Follower {
    pub(crate) context: Arc<Context>,
    pub(crate) triggers: Arc<Triggers>,
}

impl Follower {
    /// Follows everything in these namespaces, or everywhere when there is none. All watches end with this future.
    pub(crate) async fn follow(self, namespaces: &[String]) -> WatchError {
        let scopes: Vec<_> = match namespaces {
            [] => vec![None],
            _ if sabotage::is(Bug::EveryNamespace) => vec![None],
            [first, ..] if sabotage::is(Bug::FirstNamespaceOnly) => vec![Some(first.clone())],
            some => some.iter().cloned().map(Some).collect(),
        };
        let mut watches = Watches { tasks: JoinSet::new(), scopes, follower: self, missing: Arc::default() };
        watches.start();
        let ended = watches.tasks.join_next().await;
        WatchError(ended.and_then(Result::err))
    }
}

struct Watches {
    tasks: JoinSet<()>,
    scopes: Vec<Option<String>>,
    follower: Follower,
    /// Watches whose first list is not complete.
    missing: Arc<AtomicUsize>,
}

impl Watches {
    fn start(&mut self) {
        // One more than watches begun, so that the caches are not complete before all are.
        self.missing.store(1, Ordering::SeqCst);
        let labelled = |text: &str| Config::default().labels(text);
        let of = |part: &str| format!("{}={part}", labels::COMPONENT);
        let scheduler = labelled(&of(component::SCHEDULER));
        self.watch::<Guarded<DaskCluster>, _>(&Config::default(), || Clusters);
        self.watch::<Guarded<DaskWorkerGroup>, _>(&Config::default(), || Groups);
        self.watch::<Guarded<DaskAutoscaler>, _>(&Config::default(), || Autoscalers);
        let (of_cluster, of_group) = (labels::CLUSTER_NAME, labels::WORKER_GROUP_NAME);
        let schedulers = labelled(&format!("{},{of_cluster}", of(component::SCHEDULER)));
        self.watch::<Pod, _>(&schedulers, || Schedulers);
        self.watch::<Pod, _>(&labelled(&format!("{},{of_group}", of(component::WORKER))), || Workers);
        self.watch::<Deployment, _>(&scheduler, || {
            Children(|cache| &cache.deployments, Follower::cluster_and_groups)
        });
        self.watch::<Service, _>(&scheduler, || Children(|cache| &cache.services, Follower::cluster));
        self.watch::<Budget, _>(&scheduler, || Children(|cache| &cache.budgets, Follower::cluster));
        self.watch::<ConfigMap, _>(&labelled(&of(component::CONFIG)), || {
            Children(|cache| &cache.configs, Follower::cluster)
        });
        self.watch_beside::<HookEvent, _>(&Config::default().fields(OF_HOOKS), || Hooks);
        arrive(&self.missing, &self.follower.context);
    }

    /// Nothing is done before the first list is complete.
    fn watch<K: Watched, F: Follow<K> + Send + Sync + 'static>(
        &mut self,
        selected: &Config,
        role: fn() -> F,
    ) {
        for scope in self.scopes.clone() {
            self.missing.fetch_add(1, Ordering::SeqCst);
            let (missing, context) = (Arc::clone(&self.missing), Arc::clone(&self.follower.context));
            self.spawn(scope, selected, role(), move || arrive(&missing, &context));
        }
    }

    /// Of what is only told: a role of an earlier version does not allow it, and all else goes on.
    fn watch_beside<K: Watched, F: Follow<K> + Send + Sync + 'static>(
        &mut self,
        selected: &Config,
        role: fn() -> F,
    ) {
        for scope in self.scopes.clone() {
            self.spawn(scope, selected, role(), || ());
        }
    }

    fn spawn<K: Watched, F: Follow<K> + Send + Sync + 'static>(
        &mut self,
        scope: Option<String>,
        selected: &Config,
        role: F,
        listed: impl FnOnce() + Send + 'static,
    ) {
        let client = self.follower.context.writer.caller.client.clone();
        let api: Api<K> = match &scope {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        self.tasks.spawn(follow(api, scope, selected.clone(), self.follower.clone(), role, listed));
    }
}

/// One more first list is complete.
fn arrive(missing: &AtomicUsize, context: &Context) {
    if missing.fetch_sub(1, Ordering::SeqCst) == 1 {
        context.cache.complete();
    }
}

/// The plural form of a kind's name is no use to people.
fn kind_of<K: Resource<DynamicType = ()>>() -> String {
    K::kind(&()).into_owned()
}
