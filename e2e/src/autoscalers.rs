//! What is asked of autoscalers, and of the groups that they scale.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use dask_operator_api::{DaskAutoscaler, DaskWorkerGroup};
use futures::StreamExt;
use kube::ResourceExt;
use kube::runtime::{WatchStreamExt, watcher};
use tokio::task::JoinHandle;

use crate::bed::Bed;

const SOON: Duration = Duration::from_mins(4);

/// Returns all of them once one has a condition of this reason.
pub async fn until_told(bed: &Bed, autoscaler: &str, reason: &str) -> Result<Vec<Arc<DaskAutoscaler>>> {
    until_told_in_words(bed, autoscaler, reason, "", SOON).await
}

/// The same of a condition that has these words, too.
pub async fn until_told_in_words(
    bed: &Bed,
    autoscaler: &str,
    reason: &str,
    words: &str,
    within: Duration,
) -> Result<Vec<Arc<DaskAutoscaler>>> {
    let told = |all: &[Arc<DaskAutoscaler>]| {
        let named = all.iter().filter(|one| one.name_any() == autoscaler);
        let mut conditions =
            named.filter_map(|one| one.status.as_ref()).flat_map(|status| &status.conditions);
        conditions.any(|condition| condition.reason == reason && condition.message.contains(words))
    };
    bed.until("", &format!("{autoscaler} tells {reason} {words}"), within, told).await
}

/// Returns when an autoscaler has looked at its present spec.
pub async fn until_observed(bed: &Bed, autoscaler: &str) -> Result<()> {
    let observed = |all: &[Arc<DaskAutoscaler>]| {
        let mut named = all.iter().filter(|one| one.name_any() == autoscaler);
        named.any(|one| {
            one.status.as_ref().and_then(|status| status.observed_generation) == one.metadata.generation
        })
    };
    bed.until("", &format!("{autoscaler} has looked at its spec"), SOON, observed).await.map(drop)
}

/// Returns when a group is to have so many workers.
pub async fn until_replicas(bed: &Bed, group: &str, wanted: i32, within: Duration) -> Result<()> {
    let has = |groups: &[Arc<DaskWorkerGroup>]| {
        let mut named = groups.iter().filter(|one| one.name_any() == group);
        named.any(|group| group.spec.worker.replicas == wanted)
    };
    bed.until("", &format!("{group} has {wanted} workers"), within, has).await.map(drop)
}

/// How many workers a group is to have now.
pub async fn replicas(bed: &Bed, group: &str) -> Result<i32> {
    Ok(bed.api::<DaskWorkerGroup>().get(group).await?.spec.worker.replicas)
}

/// What was decided, the oldest first.
pub fn decisions(all: &[Arc<DaskAutoscaler>]) -> Vec<(i32, i32, String)> {
    let told = all.iter().filter_map(|one| one.status.as_ref()).flat_map(|status| &status.last_decisions);
    let mut told: Vec<_> = told.map(|one| (one.from, one.to, one.reason.clone())).collect();
    told.reverse();
    told
}

type Numbers = BTreeMap<String, Vec<i32>>;

/// How many workers each group of a namespace is to have, one number after the other, from now on.
pub struct Course {
    numbers: Arc<Mutex<Numbers>>,
    watching: JoinHandle<()>,
}

impl Course {
    /// Of all that are there, or come.
    pub fn of(bed: &Bed) -> Self {
        let numbers = Arc::<Mutex<Numbers>>::default();
        let changes = watcher(bed.api::<DaskWorkerGroup>(), watcher::Config::default());
        let seen = numbers.clone();
        let mut changes = changes.default_backoff().applied_objects().boxed();
        let watching = tokio::spawn(async move {
            while let Some(change) = changes.next().await {
                if let Ok(group) = change {
                    note(&mut seen.lock().unwrap_or_else(PoisonError::into_inner), &group);
                }
            }
        });
        Self { numbers, watching }
    }

    /// The numbers by group, each as often as it was another than the one before.
    pub fn numbers(&self) -> Numbers {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often the numbers went up after they had gone down, or down after up, in all groups.
    pub fn turns(&self) -> usize {
        self.numbers().values().map(|numbers| turns(numbers)).sum()
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

fn note(numbers: &mut Numbers, group: &DaskWorkerGroup) {
    let numbers = numbers.entry(group.name_any()).or_default();
    let now = group.spec.worker.replicas;
    if numbers.last() != Some(&now) {
        numbers.push(now);
    }
}

fn turns(numbers: &[i32]) -> usize {
    let ups: Vec<_> = numbers.windows(2).map(|pair| pair[1] > pair[0]).collect();
    ups.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_a_change_of_direction() {
        assert_eq!(turns(&[]), 0);
        assert_eq!(turns(&[0, 2, 4]), 0);
        assert_eq!(turns(&[0, 2, 4, 1, 0, 3]), 2);
    }
}
