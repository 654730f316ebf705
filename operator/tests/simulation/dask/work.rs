//! What workers have to do, and what schedulers are: their pods' UIDs decide.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// A worker that has registered.
pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) ip: String,
}

/// What a worker has to do.
pub(crate) struct Work {
    pub(crate) time: Duration,
    pub(crate) bytes: u64,
    pub(crate) actors: u64,
}

/// What a scheduler has loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What answers.
    Ours,
    /// Nothing of ours: it speaks Dask's own protocol.
    Speaks,
    /// Nothing of ours, and it listens to TLS alone.
    Mute,
}

impl Kind {
    pub(crate) fn of(scheduler: &str) -> Self {
        match number(scheduler) % 16 {
            0 => Self::Mute,
            1..=3 => Self::Speaks,
            _ => Self::Ours,
        }
    }
}

impl Work {
    pub(crate) fn of(uid: &str) -> Self {
        let number = number(uid);
        let time = [0, 0, 1, 5, 40, 300][usize::try_from(number % 6).unwrap()];
        Self {
            time: Duration::from_secs(time),
            bytes: number % 1000,
            actors: u64::from(number.is_multiple_of(11)),
        }
    }
}

fn number(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish()
}
