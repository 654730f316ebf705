//! The watches: one per kind and namespace, selected by label, so that what is not Dask's never reaches us.

mod follow;
mod kinds;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dask_operator_api::labels::{self, component};
use dask_operator_api::{DaskAutoscaler, DaskCluster, DaskWorkerGroup};
use dask_operator_plan::sabotage::{self, Bug};
use kube::{Api, Resource};
use thiserror::Error;
use tokio::task::{JoinError, JoinSet};

use crate::cache::{Budget, ConfigMap, Deployment, Guarded, Pod, Service};
use crate::context::Context;
use crate::scope::Scope;
use crate::triggers::Triggers;
use follow::{Watched, follow};
use kinds::{Autoscalers, Children, Clusters, Follow, Groups, Schedulers, Workers};

/// Watches never end, unless with this.
#[derive(Debug, Error)]
#[error("a watch ended: {0:?}")]
pub struct WatchError(Option<JoinError>);

/// Keeps the caches current, and triggers whom each change concerns.
#[derive(Clone)]
pub(crate) struct Follower {
    pub(crate) context: Arc<Context>,
    pub(crate) triggers: Arc<Triggers>,
    pub(crate) scope: Arc<Scope>,
}

impl Follower {
    /// Follows everything in the scope. All watches end with this future.
    pub(crate) async fn follow(self) -> WatchError {
        let mut namespaces = self.scope.watches();
        if sabotage::is(Bug::EveryNamespace) {
            namespaces = vec![None];
        } else if sabotage::is(Bug::FirstNamespaceOnly) {
            namespaces.truncate(1);
        }
        let mut watches =
            Watches { tasks: JoinSet::new(), namespaces, follower: self, missing: Arc::default() };
        watches.start();
        let ended = watches.tasks.join_next().await;
        WatchError(ended.and_then(Result::err))
    }
}

struct Watches {
    tasks: JoinSet<()>,
    namespaces: Vec<Option<String>>,
    follower: Follower,
    /// Watches whose first list is not complete.
    missing: Arc<AtomicUsize>,
}

impl Watches {
    fn start(&mut self) {
        // One more than watches begun, so that the caches are not complete before all are.
        self.missing.store(1, Ordering::SeqCst);
        let of = |part: &str| format!("{}={part}", labels::COMPONENT);
        let scheduler = of(component::SCHEDULER);
        self.watch::<Guarded<DaskCluster>, _>("", || Clusters);
        self.watch::<Guarded<DaskWorkerGroup>, _>("", || Groups);
        self.watch::<Guarded<DaskAutoscaler>, _>("", || Autoscalers);
        self.watch::<Pod, _>(&format!("{scheduler},{}", labels::CLUSTER_NAME), || Schedulers);
        self.watch::<Pod, _>(&format!("{},{}", of(component::WORKER), labels::WORKER_GROUP_NAME), || Workers);
        self.watch::<Deployment, _>(&scheduler, || {
            Children(|cache| &cache.deployments, Follower::cluster_and_groups)
        });
        self.watch::<Service, _>(&scheduler, || Children(|cache| &cache.services, Follower::cluster));
        self.watch::<Budget, _>(&scheduler, || Children(|cache| &cache.budgets, Follower::cluster));
        self.watch::<ConfigMap, _>(&of(component::CONFIG), || {
            Children(|cache| &cache.configs, Follower::cluster)
        });
        arrive(&self.missing, &self.follower.context);
    }

    fn watch<K: Watched, F: Follow<K> + Send + Sync + 'static>(&mut self, selector: &str, role: fn() -> F) {
        for namespace in &self.namespaces {
            self.missing.fetch_add(1, Ordering::SeqCst);
            let (follower, missing) = (self.follower.clone(), Arc::clone(&self.missing));
            let context = Arc::clone(&follower.context);
            let listed = move || arrive(&missing, &context);
            let client = self.follower.context.writer.caller.client.clone();
            let api: Api<K> = match namespace {
                Some(namespace) => Api::namespaced(client, namespace),
                None => Api::all(client),
            };
            self.tasks.spawn(follow(api, namespace.clone(), selector.to_owned(), follower, role(), listed));
        }
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
