//! Which watch fills what, and which objects each change concerns.

use std::fmt::Debug;
use std::sync::Arc;

use dask_operator_api::labels::{self, component};
use dask_operator_api::{DaskCluster, DaskWorkerGroup};
use dask_operator_plan::Kind;
use futures::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::cache::{
    Budget, ChildRecord, ConfigMap, Deployment, GroupRecord, Guarded, Index, Key, Meta, Pod, Record, Service,
    Stores,
};
use crate::context::Context;
use crate::kubernetes::Reconciled;
use crate::triggers::Triggers;

/// A dead connection is noticed after this many seconds and five more.
const WATCH_SECONDS: u32 = 60;

/// The watches: one per kind, selected by label, so that what is not Dask's never reaches us.
pub(crate) struct Follower {
    pub(crate) client: Client,
    pub(crate) namespace: Option<String>,
    pub(crate) context: Arc<Context>,
    pub(crate) triggers: Arc<Triggers>,
}

impl Follower {
    /// Starts every watch; each runs for as long as the process.
    pub(crate) fn start(self, Stores { clusters, groups }: Stores) {
        let follower = Arc::new(self);
        tokio::spawn(Arc::clone(&follower).clusters(clusters));
        tokio::spawn(Arc::clone(&follower).groups(groups));
        tokio::spawn(Arc::clone(&follower).schedulers());
        tokio::spawn(Arc::clone(&follower).workers());
        let of = |part: &str| format!("{}={part}", labels::COMPONENT);
        let cache = &follower.context.cache;
        let scheduler = of(component::SCHEDULER);
        tokio::spawn(
            Arc::clone(&follower).children::<Deployment>(Arc::clone(&cache.deployments), scheduler.clone()),
        );
        tokio::spawn(
            Arc::clone(&follower).children::<Service>(Arc::clone(&cache.services), scheduler.clone()),
        );
        tokio::spawn(Arc::clone(&follower).children::<Budget>(Arc::clone(&cache.budgets), scheduler));
        tokio::spawn(
            Arc::clone(&follower).children::<ConfigMap>(Arc::clone(&cache.configs), of(component::CONFIG)),
        );
    }

    async fn clusters(self: Arc<Self>, mut writer: Writer<Guarded<DaskCluster>>) {
        self.follow::<Guarded<DaskCluster>>("", |event| {
            let event = trimmed(event);
            let before = Self::known(&event, &self.context.cache.clusters);
            writer.apply_watcher_event(&event);
            for (key, _) in self.concerned(Kind::DaskCluster, &event, before, &self.context.cache.clusters) {
                self.cluster_and_groups(&key);
            }
        })
        .await;
    }

    async fn groups(self: Arc<Self>, mut writer: Writer<Guarded<DaskWorkerGroup>>) {
        self.follow::<Guarded<DaskWorkerGroup>>("", |event| {
            let event = trimmed(event);
            let before = Self::known(&event, &self.context.cache.groups);
            writer.apply_watcher_event(&event);
            for (key, group) in
                self.concerned(Kind::DaskWorkerGroup, &event, before, &self.context.cache.groups)
            {
                self.triggers.group(&key);
                self.triggers.cluster(&Key::new(&key.namespace, &group_record(&group).cluster));
            }
            for group in self.context.cache.groups_of_cluster.apply(map(event, |group| group_record(&group)))
            {
                self.triggers.cluster(&Key::new(&group.meta.key.namespace, &group.cluster));
            }
        })
        .await;
    }

    async fn schedulers(self: Arc<Self>) {
        let selector = format!("{}={},{}", labels::COMPONENT, component::SCHEDULER, labels::CLUSTER_NAME);
        self.follow::<Pod>(&selector, |event| {
            for pod in self.context.cache.schedulers.apply(map(event, Into::into)) {
                self.cluster_and_groups(&Key::new(&pod.meta().key.namespace, pod.parent()));
            }
        })
        .await;
    }

    async fn workers(self: Arc<Self>) {
        let selector = format!("{}={},{}", labels::COMPONENT, component::WORKER, labels::WORKER_GROUP_NAME);
        self.follow::<Pod>(&selector, |event| {
            for pod in self.context.cache.workers.apply(map(event, Into::into)) {
                self.triggers.group(&Key::new(&pod.meta().key.namespace, pod.parent()));
            }
        })
        .await;
    }

    async fn children<K>(self: Arc<Self>, index: Arc<Index<ChildRecord>>, selector: String)
    where
        K: Watched,
        ChildRecord: From<K>,
    {
        self.follow::<K>(&selector, |event| {
            for child in index.apply(map(event, Into::into)) {
                self.triggers.cluster(&Key::new(&child.meta().key.namespace, child.parent()));
            }
        })
        .await;
    }

    /// What the store shows before a list ends: what it shows no more afterwards is gone.
    fn known<K>(event: &Event<K>, store: &Store<K>) -> Vec<Arc<K>>
    where
        K: Resource<DynamicType = ()> + Clone + 'static,
    {
        if matches!(event, Event::InitDone) { store.state() } else { Vec::new() }
    }

    /// The objects to look at after an event; those that are gone are forgotten. During a list the store still shows
    /// the world before it, so that at its end everything is looked at.
    fn concerned<K>(
        &self,
        kind: Kind,
        event: &Event<K>,
        before: Vec<Arc<K>>,
        store: &Store<K>,
    ) -> Vec<(Key, Arc<K>)>
    where
        K: Resource<DynamicType = ()> + Clone + 'static,
    {
        let touched = match event {
            Event::Apply(object) | Event::Delete(object) => vec![Arc::new(object.clone())],
            Event::InitDone => store.state().into_iter().chain(before).collect(),
            Event::Init | Event::InitApply(_) => Vec::new(),
        };
        let keyed = touched.into_iter().map(|object| (Key::of(object.meta()), object));
        keyed.inspect(|(key, object)| self.forget_if_gone(kind, key, &**object, store)).collect()
    }

    fn forget_if_gone<K>(&self, kind: Kind, key: &Key, object: &K, store: &Store<K>)
    where
        K: Resource<DynamicType = ()> + Clone + 'static,
    {
        let uid = object.meta().uid.clone().unwrap_or_default();
        let now = store.get(&ObjectRef::new(&key.name).within(&key.namespace));
        if now.is_none_or(|now| now.meta().uid.as_ref() != Some(&uid)) {
            self.context.forget(&Reconciled { kind, key: key.clone(), uid });
        }
    }

    fn cluster_and_groups(&self, cluster: &Key) {
        self.triggers.cluster(cluster);
        for group in self.context.cache.groups_of_cluster.of_parent(cluster) {
            self.triggers.group(&group.meta.key);
        }
    }

    /// One watch, for ever, with back-off after errors.
    async fn follow<K: Watched>(&self, selector: &str, mut take: impl FnMut(Event<K>)) {
        let mut config = watcher::Config::default().timeout(WATCH_SECONDS);
        if !selector.is_empty() {
            config = config.labels(selector);
        }
        let mut events = watcher(self.api::<K>(), config).default_backoff().boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => take(event),
                Err(error) => {
                    self.context.writer.caller.metrics.watch_failed(&K::kind(&()));
                    tracing::warn!(kind = %K::kind(&()), %error, "watch failed; trying again");
                }
            }
        }
    }

    fn api<K: Watched>(&self) -> Api<K> {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }
}

/// What can be watched.
pub(crate) trait Watched:
    Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static
{
}

fn group_record(group: &Guarded<DaskWorkerGroup>) -> GroupRecord {
    let cluster = match group {
        Guarded::Good(group) => group.spec.cluster.clone(),
        Guarded::Bad { .. } => String::new(),
    };
    GroupRecord { meta: Meta::of(group.meta()), cluster }
}

/// Drops what nobody reads before it is stored.
fn trimmed<K: Resource>(event: Event<K>) -> Event<K> {
    map(event, |mut object| {
        object.meta_mut().managed_fields = None;
        if let Some(notes) = &mut object.meta_mut().annotations {
            notes.retain(|key, _| !labels::NOT_PROPAGATED.iter().any(|prefix| key.starts_with(prefix)));
        }
        object
    })
}

fn map<K, T>(event: Event<K>, convert: impl FnOnce(K) -> T) -> Event<T> {
    match event {
        Event::Apply(object) => Event::Apply(convert(object)),
        Event::Delete(object) => Event::Delete(convert(object)),
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(convert(object)),
        Event::InitDone => Event::InitDone,
    }
}
