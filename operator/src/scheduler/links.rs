//! The sessions of all clusters that have one.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dask_operator_plan::{Ask, Link};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::ask::Schedulers;
use super::session::{Edges, Session};
use crate::cache::Key;
use crate::kubernetes::Tenure;
use crate::triggers::{Follower, Triggers};

/// Where a scheduler is, and which one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) pod_uid: String,
    pub(crate) address: SocketAddr,
    /// Where it listens to workers and clients.
    pub(crate) comm: SocketAddr,
    pub(crate) token: String,
}

/// What is known of a scheduler.
#[derive(Default)]
pub(crate) struct Known {
    /// By asking it.
    pub(crate) link: Link,
    /// How long ago it was answered.
    pub(crate) age: Duration,
    /// How long ago it answered with sense, or was asked for the first time.
    pub(crate) silence: Duration,
    /// When that was news.
    pub(crate) news: Option<Instant>,
    /// The pods of which it is still to tell what came of an order.
    pub(crate) unsettled: BTreeSet<String>,
    /// The pods of which it has just said that it does not know them.
    pub(crate) unknown: BTreeSet<String>,
}

/// By cluster.
pub(crate) struct Links {
    edges: Edges,
    sessions: Mutex<HashMap<Key, Entry>>,
}

/// A session and what goes on in it, which ends with the entry.
struct Entry {
    session: Arc<Session>,
    tasks: JoinSet<()>,
}

impl Links {
    pub(crate) fn new(schedulers: Arc<dyn Schedulers>, triggers: Arc<Triggers>, tenure: Tenure) -> Self {
        Self { edges: Edges { schedulers, triggers, tenure }, sessions: Mutex::default() }
    }

    /// What is known of the scheduler at this place.
    pub(crate) fn look(&self, cluster: &Key, place: &Place) -> Known {
        let sessions = self.sessions();
        let session = sessions.get(cluster).map(|entry| &entry.session).filter(|one| one.place == *place);
        session.map(|session| session.known()).unwrap_or_default()
    }

    /// Somebody needs the facts of a scheduler, and these orders to be given.
    pub(crate) fn need(&self, follower: &Follower, cluster: &Key, place: Place, asks: &[Ask]) {
        let mut sessions = self.sessions();
        let known = sessions.get(cluster).filter(|entry| entry.session.place == place);
        if known.is_none_or(|entry| !entry.session.need(follower)) {
            sessions.insert(cluster.clone(), self.begin(cluster, place, follower));
        }
        let Some(Entry { session, tasks }) = sessions.get_mut(cluster) else { return };
        while tasks.try_join_next().is_some() {}
        let due = session.due(asks);
        if !due.is_empty() {
            let (session, edges) = (Arc::clone(session), self.edges.clone());
            tasks.spawn(async move { session.order(&due, &edges).await });
        }
    }

    /// How old the facts are of schedulers that are followed and could tell some.
    pub(crate) fn ages(&self) -> Vec<(Key, Duration)> {
        let sessions = self.sessions();
        let told = |(key, entry): (&Key, &Entry)| Some((key.clone(), entry.session.age_of_facts()?));
        sessions.iter().filter_map(told).collect()
    }

    /// The cluster's scheduler is this pod, or none: whoever else was asked is on its way out, and its address may soon be
    /// somebody else's.
    pub(crate) fn keep(&self, cluster: &Key, scheduler: Option<&str>) {
        let mut sessions = self.sessions();
        let asked = sessions.get(cluster).map(|entry| entry.session.place.pod_uid.as_str());
        if asked.is_some() && asked != scheduler {
            sessions.remove(cluster);
        }
    }

    /// A cluster is gone.
    pub(crate) fn forget(&self, cluster: &Key) {
        self.sessions().remove(cluster);
    }

    fn begin(&self, cluster: &Key, place: Place, follower: &Follower) -> Entry {
        let (session, edges) = (Arc::new(Session::new(cluster.clone(), place)), self.edges.clone());
        session.need(follower);
        let mut tasks = JoinSet::new();
        let polled = Arc::clone(&session);
        tasks.spawn(async move { polled.follow(&edges).await });
        Entry { session, tasks }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
