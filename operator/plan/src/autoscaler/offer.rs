//! What a worker of a group offers.

use std::collections::BTreeMap;

use dask_operator_api::worker_group::Offers;
use serde::{Deserialize, Serialize};

use super::observed::Group;
use crate::facts::{Demand, Index};
use crate::offers;

/// What one pod's workers offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// Worker processes in the pod.
    pub processes: f64,
    /// Threads of each.
    pub threads: f64,
    /// Dask's abstract resources of each.
    pub resources: BTreeMap<String, f64>,
    /// Bytes that each may hold; 0 if nothing limits it.
    pub memory: f64,
}

impl Default for Offer {
    fn default() -> Self {
        Self { processes: 1.0, threads: 1.0, resources: BTreeMap::new(), memory: 0.0 }
    }
}

impl Offer {
    /// By a worker that has registered, else by what is known without.
    pub(super) fn of(group: &Group, index: &Index<'_>) -> Self {
        let live = group.pods.iter().filter(|pod| pod.is_live());
        offers::seen(live, index).map_or_else(|| group.declared.clone(), |told| Self::from(&told))
    }

    /// Whether tasks of this kind can run here.
    pub(super) fn can_run(&self, demand: &Demand) -> bool {
        self.has(&demand.resources)
    }

    /// Whether whatever runs there can run here.
    pub(super) fn has_all_of(&self, other: &Self) -> bool {
        self.has(&other.resources)
    }

    fn has(&self, resources: &BTreeMap<String, f64>) -> bool {
        resources.iter().all(|(name, amount)| self.resources.get(name).is_some_and(|has| has >= amount))
    }

    /// How much of a resource a pod offers, threads if none is named.
    pub(super) fn amount(&self, resource: Option<&str>) -> f64 {
        let each = resource.map_or(self.threads, |name| self.resources.get(name).copied().unwrap_or(0.0));
        each * self.processes
    }
}

/// What is not known is one, or nothing.
impl From<&Offers> for Offer {
    fn from(told: &Offers) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "no decision depends on the last bits")]
        let memory = told.memory.unwrap_or(0).max(0) as f64;
        Self {
            processes: told.processes.unwrap_or(1).max(1).into(),
            threads: told.threads.unwrap_or(1).max(1).into(),
            resources: told.resources.clone().unwrap_or_default(),
            memory,
        }
    }
}
