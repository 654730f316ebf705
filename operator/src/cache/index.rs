//! Records by name and by parent.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use super::record::{Key, Record};

/// Records of one kind.
pub(crate) struct Index<T>(RwLock<Content<T>>);

struct Content<T> {
    records: HashMap<Key, Arc<T>>,
    children: HashMap<Key, BTreeSet<String>>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self(RwLock::new(Content { records: HashMap::new(), children: HashMap::new() }))
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

    /// The names of all, or of one namespace, in order.
    pub(crate) fn keys(&self, namespace: Option<&str>) -> Vec<Key> {
        let mut keys: Vec<_> = self.read(|content| {
            let all = content.records.keys();
            all.filter(|key| namespace.is_none_or(|only| only == key.namespace)).cloned().collect()
        });
        keys.sort();
        keys
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.read(|content| content.records.len())
    }

    /// Takes in a record; returns the parents it concerns: its own, and the one it had before.
    pub(crate) fn put(&self, record: T) -> Vec<Key> {
        let mut content = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let before = content.remove(&record.meta().key);
        let now = parent(&record);
        content.insert(record);
        before.filter(|before| *before != now).into_iter().chain([now]).collect()
    }

    /// Drops a record; returns the parent it had.
    pub(crate) fn remove(&self, key: &Key) -> Option<Key> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(key)
    }

    fn read<R>(&self, look: impl FnOnce(&Content<T>) -> R) -> R {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: Record> Content<T> {
    fn insert(&mut self, record: T) {
        let key = record.meta().key.clone();
        self.children.entry(parent(&record)).or_default().insert(key.name.clone());
        self.records.insert(key, Arc::new(record));
    }

    fn remove(&mut self, key: &Key) -> Option<Key> {
        let record = self.records.remove(key)?;
        let parent = parent(&*record);
        if let Some(names) = self.children.get_mut(&parent) {
            names.remove(&key.name);
            if names.is_empty() {
                self.children.remove(&parent);
            }
        }
        Some(parent)
    }
}

fn parent(record: &impl Record) -> Key {
    Key::new(&record.meta().key.namespace, record.parent())
}

#[cfg(test)]
mod tests {
    use super::super::record::{Meta, OfCluster};
    use super::*;

    fn group(name: &str, cluster: &str) -> OfCluster {
        OfCluster {
            meta: Meta { key: Key::new("team", name), ..Meta::default() },
            cluster: cluster.to_owned(),
        }
    }

    fn names(index: &Index<OfCluster>, cluster: &str) -> Vec<String> {
        index.of_parent(&Key::new("team", cluster)).iter().map(|group| group.meta.key.name.clone()).collect()
    }

    #[test]
    fn a_record_that_changes_its_parent_concerns_both() {
        let index = Index::default();
        index.put(group("a", "one"));
        assert_eq!(index.put(group("a", "two")), [Key::new("team", "one"), Key::new("team", "two")]);
        assert_eq!(names(&index, "one"), Vec::<String>::new());
        assert_eq!(names(&index, "two"), ["a"]);
    }

    #[test]
    fn what_is_removed_is_found_no_more() {
        let index = Index::default();
        index.put(group("a", "one"));
        assert_eq!(index.remove(&Key::new("team", "a")), Some(Key::new("team", "one")));
        assert_eq!(index.keys(None), []);
    }
}
