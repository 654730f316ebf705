//! What a worker of a group offers.

use std::collections::BTreeMap;

use dask_operator_api::parts::WorkerSpec;
use dask_operator_api::{RawJson, labels};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::assign::whole;
use super::observed::Group;
use crate::command;
use crate::facts::{Demand, Index, Worker};
use crate::pod_spec::PodSpec;

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
    /// By what the group's pods are made from: flags win over fields, as they do there. Dask itself takes as many
    /// threads as the container may use processors.
    pub fn declared(worker: &WorkerSpec) -> Self {
        let pod = PodSpec::check(worker.spec.as_ref(), labels::component::WORKER).ok();
        let container = pod.as_ref().map(PodSpec::main).cloned().unwrap_or_default();
        let flag = |name| command::flag_value(&container, name);
        let number = |name| flag(name).and_then(|text| text.parse().ok()).filter(|number| *number > 0);
        let resources = worker.resources.as_ref().map(RawJson::value);
        let processes = number("--nworkers").or(worker.processes).unwrap_or(1);
        let cpus = || cpus(container.get("resources")).or_else(|| cpus(resources.as_ref()));
        let share = || Some((cpus()? / processes).max(1));
        let threads = number("--nthreads").or(worker.threads).or_else(share);
        let offers = flag("--resources").map(amounts).or_else(|| worker.dask_resources.clone());
        Self {
            processes: processes.into(),
            threads: threads.unwrap_or(1).into(),
            resources: offers.unwrap_or_default(),
            memory: 0.0,
        }
    }

    /// By a worker that has registered, else by what was declared.
    pub(super) fn of(group: &Group, index: &Index<'_>) -> Self {
        let mut live = group.pods.iter().filter(|pod| pod.is_live());
        let known =
            live.find_map(|pod| Some((index.worker(&pod.name, pod.ip)?, index.load(&pod.name, pod.ip)?)));
        known
            .map_or_else(|| group.declared.clone(), |(worker, load)| Self::registered(worker, load.processes))
    }

    fn registered(worker: &Worker, processes: u32) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "no decision depends on the last bits")]
        let (threads, memory) = (worker.threads as f64, worker.memory_limit as f64);
        Self {
            processes: processes.max(1).into(),
            threads: threads.max(1.0),
            resources: worker.resources.clone(),
            memory,
        }
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

/// As `dask worker --resources "GPU=1 MEM=2"` has them.
fn amounts(text: &str) -> BTreeMap<String, f64> {
    let pairs = text.split([' ', ',']).filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(name, amount)| Some((name.to_owned(), amount.parse().ok()?))).collect()
}

/// The limit in whole processors, rounded up, of `1500m`, `1.5` or `2`.
fn cpus(resources: Option<&Value>) -> Option<u32> {
    let text = match &resources?["limits"]["cpu"] {
        Value::String(text) => text.clone(),
        other => other.as_f64()?.to_string(),
    };
    let (number, unit) = text.strip_suffix('m').map_or((text.as_str(), 1.0), |number| (number, 1000.0));
    let count = number.parse::<f64>().ok()? / unit;
    u32::try_from(whole(count.ceil())).ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declared(worker: Value) -> Offer {
        Offer::declared(&serde_json::from_value(worker).unwrap())
    }

    #[test]
    fn what_a_worker_will_offer_is_known_before_there_is_one() {
        let offer = declared(json!({"threads": 4, "processes": 2, "daskResources": {"GPU": 1}}));
        let gpus = BTreeMap::from([("GPU".to_owned(), 1.0)]);
        assert_eq!(offer, Offer { processes: 2.0, threads: 4.0, resources: gpus.clone(), memory: 0.0 });
        let args = ["dask", "worker", "--nthreads=3", "--resources", "GPU=1 X=y"];
        let offer =
            declared(json!({"threads": 9, "spec": {"containers": [{"name": "worker", "args": args}]}}));
        assert_eq!((offer.threads, offer.resources), (3.0, gpus));
    }

    #[test]
    fn without_a_word_on_threads_the_processors_of_the_container_count() {
        let limited = |cpu: Value| declared(json!({"resources": {"limits": {"cpu": cpu}}})).threads;
        let counted = [json!("1500m"), json!("1.5"), json!(3), json!("4")].map(limited);
        assert_eq!(format!("{counted:?}"), "[2.0, 2.0, 3.0, 4.0]");
        let shared = declared(json!({"processes": 4, "resources": {"limits": {"cpu": "4"}}}));
        assert_eq!((shared.processes, shared.threads), (4.0, 1.0));
        assert_eq!(declared(json!({})), Offer::default());
        assert_eq!(declared(json!({"spec": 7})), Offer::default());
    }
}
