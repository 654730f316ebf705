//! What answers say. Whoever answers belongs to somebody else: nothing is kept but what is read here, and of all of it
//! no more than there can be.

mod lenient;

use std::collections::{BTreeMap, HashSet};

use dask_operator_plan::Worker;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use lenient::{Bounded, Counts, Entries, Number, Text};

/// Nothing that is read lies deeper, and little that is skipped.
const DEEPEST: usize = 40;
/// More is no answer that makes sense.
const MOST_ENTRIES: usize = 10_000;
/// What a scheduler says of an error is cut after so many characters.
const LONGEST_WORDS: usize = 200;

/// What a scheduler knows of one worker.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::scheduler) struct Told {
    /// As plans read it; which of its results are nowhere else is not known.
    pub(in crate::scheduler) worker: Worker,
    /// When the worker reported last, by the scheduler's clock.
    pub(in crate::scheduler) seen: f64,
    /// How many tasks it executed then; None if it has not said.
    pub(in crate::scheduler) executing: Option<u64>,
}

/// What a scheduler says of itself.
pub(in crate::scheduler) struct Identity {
    /// Another one has another; empty if it has not said.
    pub(in crate::scheduler) id: String,
    pub(in crate::scheduler) workers: Vec<Told>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    id: Text,
    workers: Entries<Info, MOST_ENTRIES>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    name: Text,
    status: Text,
    nthreads: Number,
    memory_limit: Number,
    resources: Resources,
    last_seen: Number,
    metrics: Metrics,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metrics {
    task_counts: Option<Counts>,
    managed_bytes: Number,
}

/// As many as the facts of other schedulers have.
type Resources = Entries<Number, 20>;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Failure {
    status: Text,
    exception_text: Text,
}

/// Which scheduler it is, and its workers, by the answer to `identity`.
pub(in crate::scheduler) fn identity(answer: &[u8]) -> Result<Identity, String> {
    let said: Said = read(answer)?;
    let workers = said.workers.0.into_iter().map(|(address, info)| told(address, info)).collect();
    Ok(Identity { id: said.id.0, workers })
}

/// How many workers Dask would have, by the answer to `adaptive_target`.
pub(in crate::scheduler) fn target(answer: &[u8]) -> Result<u64, String> {
    read::<Number>(answer).map(Number::whole)
}

/// Those that nothing forbids to close, by the answer to `workers_to_close`.
pub(in crate::scheduler) fn closable(answer: &[u8]) -> Result<HashSet<String>, String> {
    read::<Bounded<Text, MOST_ENTRIES>>(answer)
        .map(|workers| workers.0.into_iter().map(|one| one.0).collect())
}

/// How many tasks each of these workers has, by the answer to `processing`.
pub(in crate::scheduler) fn processing(answer: &[u8]) -> Result<BTreeMap<String, u64>, String> {
    let workers: Entries<lenient::Length, MOST_ENTRIES> = read(answer)?;
    Ok(workers.0.into_iter().map(|(address, tasks)| (address, tasks.0)).collect())
}

/// The workers whose data others have by now, by the answer to `retire_workers`.
pub(in crate::scheduler) fn retired(answer: &[u8]) -> Result<HashSet<String>, String> {
    let workers: Entries<IgnoredAny, MOST_ENTRIES> = read(answer)?;
    Ok(workers.0.into_iter().map(|(address, _)| address).collect())
}

/// Whether something was done that has no other answer.
pub(in crate::scheduler) fn is_done(answer: &[u8]) -> Result<(), String> {
    read::<IgnoredAny>(answer).map(drop)
}

fn told(address: String, info: Info) -> Told {
    let counts = info.metrics.task_counts;
    let Counts { executing, long_running, unstarted } = counts.unwrap_or_default();
    let bytes = info.metrics.managed_bytes.whole();
    let resources = info.resources.0.into_iter().map(|(name, amount)| (name, amount.0));
    let worker = Worker {
        name: info.name.0,
        address,
        status: info.status.0,
        threads: info.nthreads.whole(),
        resources: resources.collect(),
        memory_limit: info.memory_limit.whole(),
        bytes,
        processing: executing.saturating_add(long_running).saturating_add(unstarted),
        unique_bytes: bytes,
        long_running,
        ..Worker::default()
    };
    let executing = counts.map(|_| executing.saturating_add(long_running));
    Told { worker, seen: info.last_seen.0, executing }
}

fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, String> {
    if let Ok(failure) = unpacked::<Failure>(answer)
        && failure.status.0 == "uncaught-error"
    {
        return Err(cut(&format!("it fails with {}", failure.exception_text.0)));
    }
    unpacked(answer).map_err(|error| cut(&format!("its answer makes no sense: {error}")))
}

fn unpacked<T: DeserializeOwned>(answer: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(answer);
    reader.set_max_depth(DEEPEST);
    T::deserialize(&mut reader)
}

fn cut(words: &str) -> String {
    words.chars().take(LONGEST_WORDS).collect()
}
