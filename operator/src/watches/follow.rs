//! One watch, for ever: what it shows is put, what goes or is not in a new list is removed.

use std::collections::HashSet;
use std::fmt::Debug;

use dask_operator_plan::sabotage::{self, Bug};
use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::kinds::Follow;
use super::{Follower, kind_of};
use crate::cache::Key;

/// A dead connection is noticed after this many seconds and five more.
const WATCH_SECONDS: u32 = 60;

/// What can be watched.
pub(super) trait Watched:
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

/// Follows with back-off after errors; `listed` is called once, when the first list is complete.
pub(super) async fn follow<K: Watched, F: Follow<K>>(
    api: Api<K>,
    namespace: Option<String>,
    selector: String,
    follower: Follower,
    role: F,
    listed: impl FnOnce(),
) {
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    let config = if selector.is_empty() { config } else { config.labels(&selector) };
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut listing = Listing { namespace, shown: None };
    let mut listed = Some(listed);
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                let complete = matches!(event, Event::InitDone);
                listing.take(event, &follower, &role);
                if complete && let Some(listed) = listed.take() {
                    listed();
                }
            }
            Err(error) => {
                follower.context.writer.caller.metrics.watch_failed(&kind_of::<K>());
                tracing::warn!(kind = kind_of::<K>(), %error, "watch failed; trying again");
            }
        }
    }
}

impl Follower {
    /// A watch of all namespaces shows those as well that no pattern means.
    fn acts_on(&self, object: &ObjectMeta) -> bool {
        sabotage::is(Bug::EveryNamespace)
            || self.scope.includes(object.namespace.as_deref().unwrap_or_default())
    }
}

struct Listing {
    namespace: Option<String>,
    /// The names shown since a (re-)list began; what is not among them at its end is gone.
    shown: Option<HashSet<Key>>,
}

impl Listing {
    fn take<K: Watched>(&mut self, event: Event<K>, follower: &Follower, role: &impl Follow<K>) {
        match event {
            Event::InitApply(object) | Event::Apply(object) | Event::Delete(object)
                if !follower.acts_on(object.meta()) => {}
            Event::Init => self.shown = Some(HashSet::new()),
            Event::InitApply(object) => {
                let shown = self.shown.get_or_insert_default();
                shown.insert(Key::of(object.meta()));
                role.put(follower, object);
            }
            Event::Apply(object) => role.put(follower, object),
            Event::Delete(object) => role.remove(follower, &Key::of(object.meta())),
            Event::InitDone if sabotage::is(Bug::GhostsStay) => {}
            Event::InitDone => {
                let shown = self.shown.take().unwrap_or_default();
                let known = role.keys(follower, self.namespace.as_deref());
                known.iter().filter(|key| !shown.contains(*key)).for_each(|key| role.remove(follower, key));
            }
        }
    }
}
