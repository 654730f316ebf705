//! A scheduler that has loaded nothing of ours, as far as the operator speaks Dask's own protocol with it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::work::{Work, Worker};

/// What it was told of workers, by the names of their pods.
pub(super) struct Stock {
    began: Instant,
    paused: BTreeMap<String, Paused>,
    /// Whether they executed something when they were removed.
    removed: BTreeMap<String, bool>,
}

struct Paused {
    uid: String,
    /// When what it executes ends.
    done: Instant,
}

impl Default for Stock {
    fn default() -> Self {
        Self { began: Instant::now(), paused: BTreeMap::new(), removed: BTreeMap::new() }
    }
}

impl Stock {
    /// Whether a pod's worker was paused, and has ended what it executed; or was removed when it executed nothing.
    pub(super) fn may_go(&self, pod: &str) -> bool {
        let done = self.paused.get(pod).is_some_and(|paused| paused.done <= Instant::now());
        done || self.removed.get(pod) == Some(&false)
    }

    pub(super) fn is_paused(&self, pod: &str) -> bool {
        self.paused.contains_key(pod) && !self.removed.contains_key(pod)
    }

    pub(super) fn paused(&self) -> impl Iterator<Item = &String> {
        self.paused.keys()
    }

    /// The worker of the pod with this UID takes work again.
    pub(super) fn go_on(&mut self, uid: &str) {
        self.paused.retain(|_, paused| paused.uid != uid);
    }

    /// One that lies has nothing to do, and takes everything from everybody.
    pub(super) fn answer(&mut self, id: &str, message: &Value, workers: &[Worker], lies: bool) -> Value {
        self.paused.retain(|name, _| workers.iter().any(|worker| worker.name == *name));
        let workers = workers.iter().filter(|worker| !self.removed.contains_key(&worker.name));
        let workers: BTreeMap<_, _> =
            workers.map(|worker| (format!("tcp://{}:1", worker.ip), worker)).collect();
        let named = message["workers"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let named = named.filter_map(|address| Some((address, *workers.get(address)?)));
        match message["op"].as_str().unwrap() {
            "identity" => {
                let workers: Map<_, _> =
                    workers.iter().map(|(address, worker)| (address.clone(), self.info(worker))).collect();
                json!({"id": id, "workers": workers})
            }
            "adaptive_target" => json!(1),
            "workers_to_close" => json!(workers.keys().collect::<Vec<_>>()),
            "processing" => named
                .map(|(address, worker)| {
                    let executes = !lies && self.executes(worker);
                    (address.to_owned(), json!(vec!["task"; usize::from(executes)]))
                })
                .collect(),
            "retire_workers" => {
                let goes = |worker: &Worker| lies || Work::of(&worker.uid).actors == 0;
                let retired: Vec<_> = named.filter(|(_, worker)| goes(worker)).collect();
                for (_, Worker { name, uid, .. }) in &retired {
                    let done = Instant::now() + Work::of(uid).time;
                    self.paused.entry(name.clone()).or_insert(Paused { uid: uid.clone(), done });
                }
                retired.into_iter().map(|(address, _)| (address.to_owned(), json!({}))).collect()
            }
            "unregister" => {
                let address = message["address"].as_str().unwrap_or_default();
                let removed = workers.get(address).map(|worker| (worker.name.clone(), self.executes(worker)));
                self.removed.extend(removed);
                json!("OK")
            }
            other => panic!("nobody says {other} to a scheduler"),
        }
    }

    fn info(&self, worker: &Worker) -> Value {
        let status = if self.paused.contains_key(&worker.name) { "closing_gracefully" } else { "running" };
        let Work { bytes, .. } = Work::of(&worker.uid);
        json!({"name": worker.name, "status": status, "nthreads": 1, "last_seen": self.began.elapsed().as_secs_f64(),
            "metrics": {"task_counts": {"executing": u64::from(self.executes(worker))}, "managed_bytes": bytes}})
    }

    fn executes(&self, worker: &Worker) -> bool {
        match self.paused.get(&worker.name) {
            Some(paused) => paused.done > Instant::now(),
            None => !Work::of(&worker.uid).time.is_zero(),
        }
    }
}

/// The pods of the workers that a message names.
pub(super) fn asked_about<'a>(
    message: &'a Value,
    workers: &'a [Worker],
) -> impl Iterator<Item = String> + 'a {
    let named = message["workers"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let of = move |address: &str| workers.iter().find(|worker| address == format!("tcp://{}:1", worker.ip));
    named.filter_map(of).map(|worker| worker.name.clone())
}
