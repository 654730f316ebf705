//! What a scheduler tells of itself, as far as decisions read it; `operator/preload/README.md` is the contract.

mod demand;
mod index;
mod stock;
mod versions;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

pub use demand::{Count, Demand, Tasks};
pub(crate) use index::{Hold, Index, Load};
pub use stock::StockFacts;
pub use versions::Versions;

/// The schemas that are understood.
const SCHEMAS: [u32; 1] = [1];
/// No more workers are told: of those beyond, nothing is known.
pub(crate) const MOST_WORKERS: usize = 10_000;
/// Nor is any list of theirs longer than this; one that is is meant to fill our memory.
const LONGEST_LIST: usize = 2 * MOST_WORKERS;
/// No more kinds of tasks are told, either.
const MOST_KINDS: usize = 100;
/// Words of a scheduler are cut after so many characters: they stand in a status.
const LONGEST_WORDS: usize = 200;

/// Facts are kept up to date for as long as somebody looks at them: so often, although nothing changes.
pub(crate) const FOLLOWED: SignedDuration = SignedDuration::from_secs(30);

/// Who follows a scheduler is told at least twice as often; what is older may be anything.
pub(crate) const STALE: SignedDuration = SignedDuration::from_secs(30);

/// What is known of a scheduler by asking it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Link {
    /// Nobody has asked, or there is no answer yet.
    #[default]
    Unasked,
    /// What it told last; whatever changes since is told at once.
    Preload(Arc<Facts>),
    /// It has not loaded what answers; this is what Dask's own protocol tells.
    Rpc(Arc<Facts>),
    /// It has not loaded what answers, and does not speak that protocol with us either.
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
    /// The time of day where the scheduler is, in seconds since 1970.
    #[serde(default)]
    time: f64,
    /// Since when it has had nothing to do, by the same clock, if that is so.
    #[serde(default)]
    idle_since: Option<f64>,
    /// Clients that are connected.
    #[serde(default)]
    pub(crate) clients: u64,
    /// Published datasets; None when the scheduler could not count them.
    #[serde(default)]
    pub(crate) datasets: Option<u64>,
    /// Bytes of results in memory.
    #[serde(default)]
    pub(crate) bytes: u64,
    #[serde(deserialize_with = "bounded")]
    pub(crate) workers: Vec<Worker>,
    #[serde(deserialize_with = "bounded")]
    drains: Vec<Drain>,
    /// Unfinished tasks; None when the scheduler could not count them.
    #[serde(default, deserialize_with = "demand::told")]
    pub(crate) demand: Option<Vec<Demand>>,
    /// The versions of all who work together, the scheduler's among them; None when it could not say.
    #[serde(default, deserialize_with = "versions::told")]
    pub(crate) versions: Option<Vec<Versions>>,
}

/// One worker process.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Worker {
    /// The pod's name, or that and the process's number; anything, if its command says so.
    pub name: String,
    /// Where it listens, as in `tcp://10.0.0.1:1234`.
    pub address: String,
    /// Whether it takes work, in Dask's words.
    pub status: String,
    /// How many tasks it can execute at once.
    pub threads: u64,
    /// Dask's abstract resources that it offers.
    pub resources: BTreeMap<String, f64>,
    /// How much memory it may use; 0 if nothing limits it.
    pub memory_limit: u64,
    /// Bytes of results that it holds.
    pub bytes: u64,
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
    /// Whether it would end without a word: its container's hook finds no interpreter.
    pub mute: bool,
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

impl Link {
    /// What it told last, in whichever way.
    pub(crate) fn facts(&self) -> Option<&Facts> {
        match self {
            Self::Preload(facts) | Self::Rpc(facts) => Some(facts),
            Self::Unasked | Self::Stock | Self::Unreachable(_) => None,
        }
    }
}

impl Facts {
    /// Reads what a scheduler, which belongs to somebody else, has answered; or says what is wrong with it.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        let mut facts: Self =
            serde_json::from_slice(text).map_err(|error| cut(&format!("its facts are none: {error}")))?;
        for drain in &mut facts.drains {
            drain.reason = cut(&drain.reason);
        }
        if let Some(demand) = &mut facts.demand {
            demand.truncate(MOST_KINDS);
        }
        if !SCHEMAS.contains(&facts.schema) {
            return Err(format!("its facts are of the unknown schema {}", facts.schema));
        }
        Ok(facts)
    }

    /// Since when the scheduler has had nothing to do, by its own clock, and how long ago that was when it said so;
    /// None while it is at work.
    pub(crate) fn idle(&self) -> Option<(Timestamp, SignedDuration)> {
        let since =
            Timestamp::from_duration(SignedDuration::try_from_secs_f64(self.idle_since?.floor()).ok()?)
                .ok()?;
        let ago = SignedDuration::try_from_secs_f64(self.time - self.idle_since?).ok()?;
        Some((since, ago.max(SignedDuration::ZERO)))
    }
}

/// A list of no more than [`LONGEST_LIST`].
fn bounded<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(Bounded(PhantomData))
}

struct Bounded<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Bounded<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {LONGEST_LIST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.len() == LONGEST_LIST {
                return Err(A::Error::invalid_length(LONGEST_LIST + 1, &self));
            }
            list.push(item);
        }
        Ok(list)
    }
}

pub(crate) fn cut(words: &str) -> String {
    words.chars().take(LONGEST_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: &str = include_str!("../../preload/tests/fixtures/facts-1.json");

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
    fn lists_without_an_end_and_words_without_an_end_are_refused_or_cut() {
        let text = |workers: &str, reason: &str| {
            let drains = format!(r#"[{{"name": "p", "state": "refused", "reason": "{reason}"}}]"#);
            format!(
                r#"{{"schema": 1, "revision": 1, "pod_uid": "", "workers": [{workers}], "drains": {drains}}}"#
            )
        };
        let many = vec!["{}"; LONGEST_LIST + 1].join(",");
        assert!(Facts::read(text(&many, "").as_bytes()).unwrap_err().contains("at most"));
        let long = Facts::read(text(&many[..3 * LONGEST_LIST - 1], &"x".repeat(5000)).as_bytes()).unwrap();
        assert_eq!((long.workers.len(), long.drains[0].reason.len()), (LONGEST_LIST, LONGEST_WORDS));
    }
}
