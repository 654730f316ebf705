//! What a scheduler tells of itself, as far as decisions read it; `operator/preload/README.md` is the contract.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

/// The schemas that are understood.
const SCHEMAS: [u32; 1] = [1];
/// No more workers are told: of those beyond, nothing is known.
const MOST_WORKERS: usize = 10_000;

/// What is known of a scheduler by asking it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Link {
    /// Nobody has asked, or there is no answer yet.
    #[default]
    Unasked,
    /// What it told last; whatever changes since is told at once.
    Preload(Arc<Facts>),
    /// It has not loaded what answers.
    Stock,
    /// It does not answer, or not with sense, for this reason.
    Unreachable(String),
}

/// Facts about one scheduler.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Facts {
    schema: u32,
    /// Which facts these are.
    pub revision: u64,
    /// The UID of the scheduler's pod.
    pub pod_uid: String,
    workers: Vec<Worker>,
    drains: Vec<Drain>,
}

/// One worker process.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Worker {
    /// The pod's name, or that and the process's number.
    pub name: String,
    /// Tasks that it executes or that wait there.
    pub processing: u64,
    /// Bytes that only this worker holds.
    pub unique_bytes: u64,
    /// Tasks that gave their thread back and go on.
    pub long_running: u64,
    /// Actors, which cannot be moved.
    pub actors: u64,
    /// Whether a running shuffle, say, forbids to take it away.
    pub vetoed: bool,
}

/// One pod's drain, under way or over.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Drain {
    /// The pod.
    pub name: String,
    /// How far it has come.
    pub state: DrainState,
    /// Why it was refused, or failed.
    pub reason: String,
    /// Unfinished tasks on the pod.
    pub tasks: u64,
    /// Results that only this pod holds.
    pub keys: u64,
    /// Their size.
    pub bytes: u64,
    /// Bytes that others hold now.
    pub moved_bytes: u64,
    /// Results that were lost.
    pub lost_keys: u64,
    /// Their size.
    pub lost_bytes: u64,
    /// How long it took.
    pub seconds: f64,
}

/// How far a drain has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DrainState {
    /// It is under way.
    Waiting,
    /// Nothing would be lost.
    Ready,
    /// Its deadline came.
    Interrupted,
    /// It cannot be, now.
    Refused,
    /// Its workers died meanwhile.
    Lost,
    /// Its workers were removed on our order.
    Forgotten,
    /// Anything else that leaves the workers as they were.
    #[default]
    #[serde(other)]
    Other,
}

impl Facts {
    /// Reads what a scheduler, which belongs to somebody else, has answered; or says what is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let facts: Self =
            serde_json::from_slice(text).map_err(|error| format!("its facts are none: {error}"))?;
        if !SCHEMAS.contains(&facts.schema) {
            return Err(format!("its facts are of the unknown schema {}", facts.schema));
        }
        Ok(facts)
    }

    /// What is known of the drain of each pod, and of its workers.
    pub(crate) fn index(&self) -> Index<'_> {
        Index {
            workers: self.workers.iter().map(|worker| (worker.name.as_str(), worker)).collect(),
            drains: self.drains.iter().map(|drain| (drain.name.as_str(), drain)).collect(),
            is_whole: self.workers.len() < MOST_WORKERS,
        }
    }
}

/// Facts by the names of pods.
pub(crate) struct Index<'a> {
    workers: HashMap<&'a str, &'a Worker>,
    drains: HashMap<&'a str, &'a Drain>,
    is_whole: bool,
}

/// What would be lost with a pod, what is least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load {
    /// It cannot be drained now.
    held: bool,
    busy: bool,
    unique_bytes: u64,
    tasks: u64,
}

impl<'a> Index<'a> {
    /// How far a pod's drain has come, if one was begun.
    pub(crate) fn drain(&self, pod: &str) -> Option<&'a Drain> {
        self.drains.get(pod).copied()
    }

    /// What a pod's workers have; None when none has registered.
    pub(crate) fn load(&self, pod: &str) -> Option<Load> {
        let mut workers = self.workers_of(pod).peekable();
        if workers.peek().is_none() {
            return (!self.is_whole).then(Load::default);
        }
        Some(workers.fold(Load::default(), Load::with))
    }

    /// A pod's one worker has its name; of several, each has a number behind it.
    fn workers_of(&self, pod: &str) -> impl Iterator<Item = &'a Worker> {
        let numbered =
            (0..).map_while(move |number: u32| self.workers.get(format!("{pod}-{number}").as_str()));
        self.workers.get(pod).into_iter().chain(numbered).copied()
    }
}

impl Load {
    fn with(self, worker: &Worker) -> Self {
        Self {
            held: self.held || worker.actors > 0 || worker.long_running > 0 || worker.vetoed,
            busy: self.busy || worker.processing > 0,
            unique_bytes: self.unique_bytes.saturating_add(worker.unique_bytes),
            tasks: self.tasks.saturating_add(worker.processing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: &str = include_str!("../../preload/tests/fixtures/facts-1.json");

    fn facts(workers: &str) -> Facts {
        let text =
            format!(r#"{{"schema": 1, "revision": 2, "pod_uid": "u", "workers": {workers}, "drains": []}}"#);
        Facts::read(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_schema_ever_published_is_read() {
        let facts = Facts::read(PUBLISHED.as_bytes()).unwrap();
        assert!(!facts.workers.is_empty() && !facts.drains.is_empty());
        assert!(facts.workers.iter().any(|worker| worker.unique_bytes > 0));
        assert!(facts.drains.iter().all(|drain| drain.state == DrainState::Waiting));
    }

    #[test]
    fn what_is_no_facts_is_told_and_never_taken_for_nothing() {
        let told = |text: &str| Facts::read(text.as_bytes()).unwrap_err();
        assert!(told("<html>").contains("none"));
        assert!(told(&PUBLISHED.replace("\"schema\": 1", "\"schema\": 9")).contains("unknown schema 9"));
        assert!(told(r#"{"schema": 1, "revision": 1, "pod_uid": "", "drains": []}"#).contains("workers"));
        assert!(
            told(r#"{"schema": 1, "revision": -1, "pod_uid": "", "drains": [], "workers": []}"#)
                .contains("-1")
        );
        let absurd = r#"[{"name": "a", "unique_bytes": 1e999}]"#;
        assert!(
            told(&format!(r#"{{"schema": 1, "revision": 1, "pod_uid": "", "workers": {absurd}}}"#))
                .contains("none")
        );
    }

    #[test]
    fn what_a_pod_holds_is_the_sum_of_its_processes() {
        let facts = facts(
            r#"[{"name": "p-0", "unique_bytes": 3}, {"name": "p-1", "unique_bytes": 4, "processing": 1}, {"name": "q"}]"#,
        );
        let index = facts.index();
        let both = index.load("p").unwrap();
        assert_eq!((both.unique_bytes, both.busy, both.held), (7, true, false));
        assert_eq!(index.load("q"), Some(Load::default()));
        assert_eq!(index.load("p-worker"), None);
    }
}
