//! Records by name and by parent, kept current by one watch.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use kube::runtime::watcher::Event;
use tokio::sync::watch;

use super::record::{Key, Record};

/// Records of one kind.
pub(crate) struct Index<T> {
    content: RwLock<Content<T>>,
    synced: watch::Sender<bool>,
}

struct Content<T> {
    records: HashMap<Key, Arc<T>>,
    children: HashMap<Key, BTreeSet<String>>,
    /// The names shown since a (re-)list began; what is not among them at its end is gone.
    listing: Option<HashSet<Key>>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        let content = Content { records: HashMap::new(), children: HashMap::new(), listing: None };
        Self { content: RwLock::new(content), synced: watch::Sender::new(false) }
    }
}

impl<T: Record> Index<T> {
    /// One record.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<T>> {
        self.read(|content| content.records.get(key).cloned())
    }

    /// All records of one parent, in the order of their names.
    pub(crate) fn of_parent(&self, parent: &Key) -> Vec<Arc<T>> {
        self.read(|content| {
            let names = content.children.get(parent).into_iter().flatten();
            names
                .filter_map(|name| content.records.get(&Key::new(&parent.namespace, name)).cloned())
                .collect()
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.read(|content| content.records.len())
    }

    /// Returns once the first list is complete.
    pub(crate) async fn synced(&self) {
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    /// Takes in one event of the watch; returns the records it concerns, before and after.
    pub(crate) fn apply(&self, event: Event<T>) -> Vec<Arc<T>> {
        let done = matches!(event, Event::InitDone);
        let mut content = self.content.write().unwrap_or_else(PoisonError::into_inner);
        let touched = match event {
            Event::Apply(record) | Event::InitApply(record) => content.insert(record),
            Event::Delete(record) => content.remove(&record.meta().key).into_iter().collect(),
            Event::Init => {
                content.listing = Some(HashSet::new());
                Vec::new()
            }
            Event::InitDone => content.remove_unlisted(),
        };
        drop(content);
        if done {
            self.synced.send_replace(true);
        }
        touched
    }

    fn read<R>(&self, look: impl FnOnce(&Content<T>) -> R) -> R {
        look(&self.content.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: Record> Content<T> {
    fn insert(&mut self, record: T) -> Vec<Arc<T>> {
        let record = Arc::new(record);
        let key = record.meta().key.clone();
        let before = self.records.get(&key).filter(|old| old.parent() != record.parent()).cloned();
        if before.is_some() {
            self.remove(&key);
        }
        if let Some(listing) = &mut self.listing {
            listing.insert(key.clone());
        }
        let parent = Key::new(&key.namespace, record.parent());
        self.children.entry(parent).or_default().insert(key.name.clone());
        self.records.insert(key, Arc::clone(&record));
        before.into_iter().chain([record]).collect()
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<T>> {
        let record = self.records.remove(key)?;
        let parent = Key::new(&key.namespace, record.parent());
        if let Some(names) = self.children.get_mut(&parent) {
            names.remove(&key.name);
            if names.is_empty() {
                self.children.remove(&parent);
            }
        }
        Some(record)
    }

    fn remove_unlisted(&mut self) -> Vec<Arc<T>> {
        let Some(listed) = self.listing.take() else { return Vec::new() };
        let gone: Vec<_> = self.records.keys().filter(|key| !listed.contains(*key)).cloned().collect();
        gone.iter().filter_map(|key| self.remove(key)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{GroupRecord, Meta};
    use super::*;

    fn group(name: &str, cluster: &str) -> GroupRecord {
        GroupRecord {
            meta: Meta { key: Key::new("team", name), ..Meta::default() },
            cluster: cluster.to_owned(),
        }
    }

    fn names(index: &Index<GroupRecord>, cluster: &str) -> Vec<String> {
        index.of_parent(&Key::new("team", cluster)).iter().map(|group| group.meta.key.name.clone()).collect()
    }

    #[test]
    fn what_a_new_list_does_not_show_is_gone_and_told() {
        let index = Index::default();
        index.apply(Event::Apply(group("a", "demo")));
        index.apply(Event::Apply(group("b", "demo")));
        index.apply(Event::Init);
        index.apply(Event::InitApply(group("b", "demo")));
        let gone = index.apply(Event::InitDone);
        assert_eq!(gone.len(), 1);
        assert_eq!(names(&index, "demo"), ["b"]);
    }

    #[test]
    fn a_record_that_changes_its_parent_concerns_both() {
        let index = Index::default();
        index.apply(Event::Apply(group("a", "one")));
        assert_eq!(index.apply(Event::Apply(group("a", "two"))).len(), 2);
        assert_eq!(names(&index, "one"), Vec::<String>::new());
        assert_eq!(names(&index, "two"), ["a"]);
    }
}
