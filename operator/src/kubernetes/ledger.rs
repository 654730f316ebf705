//! Writes that the caches have not shown yet. Nobody decides on a world older than their own last write.
//!
//! A create whose answer was lost stays here under its name until the watch shows it or a GET says 404, so that it
//! never leads to a second object; a delete until the watch shows it or a GET says that it never came, so that no other
//! is deleted in its stead; and of a pod whose change was not answered a GET says which version has it, if any, so that
//! no other one is told to leave. (The same idea in Kubernetes' own controllers: KEP-5647.)

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dask_operator_plan::Kind;
use dask_operator_plan::sabotage::{self, Bug};
use tokio::time::Instant;

use super::call::{CallError, Written};
use crate::cache::{Cache, Key};

/// After this long without a sign of a write in the watch, the API server is asked.
const OVERDUE: Duration = Duration::from_secs(5);
/// Whoever needs something again so soon after something was made for it has had it taken away, or is not there itself.
const AGAIN: Duration = Duration::from_secs(10);

/// An object that is reconciled. By its UID, so that nothing is carried over to another one of its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reconciled {
    pub(crate) kind: Kind,
    pub(crate) key: Key,
    pub(crate) uid: String,
}

/// What is awaited of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// It appears.
    Created,
    /// It has at least this resource version.
    Changed(u64),
    /// It was changed or not: the version is to be asked for that would have it.
    Perhaps,
    /// It, with this UID, goes or is terminating.
    Deleted(String),
}

#[derive(Clone, Debug)]
struct Entry {
    kind: Kind,
    key: Key,
    awaited: Awaited,
    since: Instant,
}

impl Entry {
    fn is_late(&self) -> bool {
        self.awaited == Awaited::Perhaps || self.since.elapsed() >= OVERDUE
    }
}

/// Whether the cache shows all of an object's own writes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It does.
    Yes,
    /// It does not yet.
    NotYet,
    /// It should by now: these are to be asked for.
    Overdue(Vec<(Kind, Key, Awaited)>),
}

/// The writes of every reconciled object.
#[derive(Default)]
pub(crate) struct Ledger {
    awaited: Mutex<HashMap<Reconciled, Vec<Entry>>>,
    /// For whom something was made just before.
    made: Mutex<HashMap<Reconciled, Made>>,
}

/// What is known of an object for which something was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// When that was, last.
    At(Instant),
    /// It has gone itself since, said the API server.
    ForNobody,
}

impl Made {
    fn counts(&self) -> bool {
        match self {
            Self::At(at) => at.elapsed() < AGAIN,
            Self::ForNobody => true,
        }
    }
}

impl Ledger {
    /// Notes a write, before it is sent.
    pub(crate) fn note(&self, by: &Reconciled, kind: Kind, key: Key, awaited: Awaited) {
        let entry = Entry { kind, key, awaited, since: Instant::now() };
        if entry.awaited == Awaited::Created {
            self.note_made(by);
        }
        self.with(|entries| entries.entry(by.clone()).or_default().push(entry));
    }

    /// Notes a change, as far as its answer tells of it.
    pub(super) fn note_change(
        &self,
        by: &Reconciled,
        kind: Kind,
        key: Key,
        answer: &Result<Written, CallError>,
    ) {
        let awaited = match answer {
            Ok(written) => written.version().map(Awaited::Changed),
            Err(error) if error.is_undecided() && !sabotage::is(Bug::LostChangeForgotten) => {
                Some(Awaited::Perhaps)
            }
            Err(_) => None,
        };
        if let Some(awaited) = awaited {
            self.note(by, kind, key, awaited);
        }
    }

    /// Forgets whatever was made too long ago to matter.
    fn note_made(&self, by: &Reconciled) {
        let mut made = lock(&self.made);
        made.retain(|_, made| made.counts());
        made.insert(by.clone(), Made::At(Instant::now()));
    }

    /// Takes back the notes on one object: the write did not happen, or nothing is known to await.
    pub(crate) fn strike(&self, by: &Reconciled, kind: Kind, key: &Key) {
        self.with(|all| {
            if let Some(entries) = all.get_mut(by) {
                entries.retain(|entry| entry.kind != kind || entry.key != *key);
            }
        });
    }

    /// Puts what is known by now in the place of what was awaited, if that still is; nothing, if nothing is to come.
    pub(crate) fn replace(
        &self,
        by: &Reconciled,
        kind: Kind,
        key: &Key,
        old: &Awaited,
        new: Option<Awaited>,
    ) {
        self.with(|all| {
            let Some(entries) = all.get_mut(by) else { return };
            entries.retain(|entry| entry.kind != kind || entry.key != *key || entry.awaited != *old);
            let entry = |awaited| Entry { kind, key: key.clone(), awaited, since: Instant::now() };
            entries.extend(new.map(entry));
        });
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget(&self, by: &Reconciled) {
        self.with(|all| all.remove(by));
        lock(&self.made).remove(by);
    }

    /// Whether something was made for it just before, or when it had gone: if it needs that again, it may not be there.
    pub(crate) fn made_in_vain(&self, by: &Reconciled) -> bool {
        lock(&self.made).get(by).is_some_and(Made::counts)
    }

    /// It is gone, which the caches do not show yet.
    pub(crate) fn note_gone(&self, by: &Reconciled) {
        lock(&self.made).insert(by.clone(), Made::ForNobody);
    }

    /// Drops what the cache shows by now, and tells about the rest.
    pub(crate) fn settled(&self, by: &Reconciled, cache: &Cache) -> Settled {
        self.with(|all| {
            let known = all.get_mut(by).filter(|_| !sabotage::is(Bug::NoLedger));
            let Some(entries) = known else { return Settled::Yes };
            entries.retain(|entry| !is_shown(entry, cache));
            if entries.is_empty() {
                all.remove(by);
                return Settled::Yes;
            }
            let late = entries.iter().filter(|entry| entry.is_late());
            let late: Vec<_> =
                late.map(|entry| (entry.kind, entry.key.clone(), entry.awaited.clone())).collect();
            if late.is_empty() { Settled::NotYet } else { Settled::Overdue(late) }
        })
    }

    fn with<R>(&self, act: impl FnOnce(&mut HashMap<Reconciled, Vec<Entry>>) -> R) -> R {
        act(&mut lock(&self.awaited))
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_shown(entry: &Entry, cache: &Cache) -> bool {
    let seen = cache.seen(entry.kind, &entry.key);
    match (&entry.awaited, seen) {
        (Awaited::Created, seen) => seen.is_some(),
        (Awaited::Changed(_) | Awaited::Perhaps | Awaited::Deleted(_), None) => true,
        (Awaited::Changed(version), Some(seen)) => seen.version >= *version,
        (Awaited::Perhaps, Some(_)) => false,
        (Awaited::Deleted(uid), Some(seen)) => seen.terminating || seen.uid != *uid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_something(ledger: &Ledger, uid: &str) -> Reconciled {
        let by = Reconciled { kind: Kind::DaskCluster, key: Key::new("team", "demo"), uid: uid.to_owned() };
        ledger.note(&by, Kind::Service, by.key.clone(), Awaited::Created);
        by
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_made_long_ago_raises_no_doubt() {
        let ledger = Ledger::default();
        let by = made_something(&ledger, "1");
        assert!(ledger.made_in_vain(&by));
        tokio::time::advance(AGAIN).await;
        assert!(!ledger.made_in_vain(&by));
        made_something(&ledger, "2");
        assert_eq!(lock(&ledger.made).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_gone_is_doubted_until_the_caches_show_it() {
        let ledger = Ledger::default();
        let by = made_something(&ledger, "1");
        ledger.note_gone(&by);
        tokio::time::advance(AGAIN).await;
        made_something(&ledger, "2");
        assert!(ledger.made_in_vain(&by));
        ledger.forget(&by);
        assert!(!ledger.made_in_vain(&by));
    }
}
