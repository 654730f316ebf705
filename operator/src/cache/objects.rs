//! Raw objects by name: kube's store, which its Controller reads, with the verbs of an index.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::Resource;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::Event;

use super::guard::Guarded;
use super::record::Key;

/// Objects of one raw kind.
pub(crate) struct Objects<K>
where
    Guarded<K>: Resource<DynamicType = ()> + Clone + 'static,
{
    store: Store<Guarded<K>>,
    writer: Mutex<Writer<Guarded<K>>>,
}

impl<K> Default for Objects<K>
where
    Guarded<K>: Resource<DynamicType = ()> + Clone + 'static,
{
    fn default() -> Self {
        let (store, writer) = reflector::store();
        Self { store, writer: Mutex::new(writer) }
    }
}

impl<K> Objects<K>
where
    Guarded<K>: Resource<DynamicType = ()> + Clone + 'static,
{
    /// One object.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Guarded<K>>> {
        self.store.get(&reference(key))
    }

    /// Every object.
    pub(crate) fn all(&self) -> Vec<Arc<Guarded<K>>> {
        self.store.state()
    }

    /// The names of all, or of one namespace, in order.
    pub(crate) fn keys(&self, namespace: Option<&str>) -> Vec<Key> {
        let keys = self.all().into_iter().map(|object| Key::of(object.meta()));
        let mut keys: Vec<_> =
            keys.filter(|key| namespace.is_none_or(|only| only == key.namespace)).collect();
        keys.sort();
        keys
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    /// Takes in an object; returns the one it replaces.
    pub(crate) fn put(&self, object: Guarded<K>) -> Option<Arc<Guarded<K>>> {
        let before = self.get(&Key::of(object.meta()));
        self.write(&Event::Apply(object));
        before
    }

    /// Drops an object.
    pub(crate) fn remove(&self, key: &Key) -> Option<Arc<Guarded<K>>> {
        let object = self.get(key)?;
        self.write(&Event::Delete((*object).clone()));
        Some(object)
    }

    /// Says that the first lists are complete. Kube's Controller waits for it, and its store takes it only as the end
    /// of a list.
    pub(super) fn complete(&self) {
        // Held all the time: what a watch brings meanwhile would be undone by what was there before.
        let mut writer = self.writer();
        writer.apply_watcher_event(&Event::Init);
        for object in self.all() {
            writer.apply_watcher_event(&Event::InitApply((*object).clone()));
        }
        writer.apply_watcher_event(&Event::InitDone);
    }

    /// For the Controller.
    pub(crate) fn store(&self) -> Store<Guarded<K>> {
        self.store.clone()
    }

    fn write(&self, event: &Event<Guarded<K>>) {
        self.writer().apply_watcher_event(event);
    }

    fn writer(&self) -> MutexGuard<'_, Writer<Guarded<K>>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reference<K>(key: &Key) -> ObjectRef<Guarded<K>>
where
    Guarded<K>: Resource<DynamicType = ()>,
{
    ObjectRef::new(&key.name).within(&key.namespace)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use dask_operator_api::DaskCluster;
    use dask_operator_testkit::a_cluster;

    use super::*;

    fn named(name: &str) -> Guarded<DaskCluster> {
        let mut cluster = a_cluster().build();
        cluster.metadata.name = Some(name.to_owned());
        Guarded::Good(cluster)
    }

    #[test]
    fn what_a_watch_brings_while_the_first_lists_become_complete_is_kept() {
        let objects = Objects::<DaskCluster>::default();
        thread::scope(|scope| {
            let watch =
                scope.spawn(|| (0..1000).for_each(|number| drop(objects.put(named(&number.to_string())))));
            while !watch.is_finished() {
                objects.complete();
            }
        });
        assert_eq!(objects.len(), 1000);
    }
}
