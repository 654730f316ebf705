//! Where pods are kept, and what their nodes say of their hooks.

use super::Follower;
use super::kinds::Follow;
use crate::cache::{HookEvent, Key, Pod, PodRecord, Record};

/// A scheduler's pod concerns its cluster and the groups whose workers wait for it.
pub(super) struct Schedulers;

impl Follow<Pod> for Schedulers {
    fn put(&self, follower: &Follower, pod: Pod) {
        let clusters = follower.context.cache.schedulers.put(pod.into());
        for cluster in &clusters {
            follower.cluster_and_groups(cluster);
        }
    }

    fn remove(&self, follower: &Follower, key: &Key) {
        let cluster = follower.context.cache.schedulers.remove(key);
        if let Some(cluster) = &cluster {
            follower.cluster_and_groups(cluster);
        }
    }

    fn keys(&self, follower: &Follower, namespace: Option<&str>) -> Vec<Key> {
        follower.context.cache.schedulers.keys(namespace)
    }
}

/// A worker's pod concerns its group.
pub(super) struct Workers;

impl Follow<Pod> for Workers {
    fn put(&self, follower: &Follower, pod: Pod) {
        let context = &follower.context;
        let record = PodRecord::from(pod);
        let before = context.cache.workers.get(&record.meta().key);
        let record = record.since(before.as_deref(), context.clock.now());
        let groups = context.cache.workers.put(record);
        for group in &groups {
            follower.triggers.group(group);
        }
    }

    fn remove(&self, follower: &Follower, key: &Key) {
        let group = follower.context.cache.workers.remove(key);
        if let Some(group) = &group {
            follower.triggers.group(group);
        }
    }

    fn keys(&self, follower: &Follower, namespace: Option<&str>) -> Vec<Key> {
        follower.context.cache.workers.keys(namespace)
    }
}

/// A hook that could not run concerns the group of its pod. That is still there unless its node was slow to tell.
pub(super) struct Hooks;

impl Follow<HookEvent> for Hooks {
    fn put(&self, follower: &Follower, event: HookEvent) {
        let cache = &follower.context.cache;
        let pod = cache.workers.get(&event.pod());
        if let Some(group) = pod.and_then(|pod| cache.hooks.put(&event, &pod)) {
            follower.triggers.group(&group);
        }
    }

    fn remove(&self, follower: &Follower, key: &Key) {
        if let Some(group) = follower.context.cache.hooks.remove(key) {
            follower.triggers.group(&group);
        }
    }

    fn keys(&self, follower: &Follower, namespace: Option<&str>) -> Vec<Key> {
        follower.context.cache.hooks.events(namespace)
    }
}
