//! Chance from a seed.

use std::time::Duration;

use dask_operator_plan::Suffixes;

/// A stream of choices.
pub(crate) struct Chance(Suffixes);

impl Chance {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(Suffixes::from_seed(seed))
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0.next().unwrap() % limit.max(1)
    }

    /// Whether something of so many in a thousand happens.
    pub(crate) fn happens(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// One of these.
    pub(crate) fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()].clone()
    }

    /// A time of at most so many milliseconds.
    pub(crate) fn millis(&mut self, longest: u64) -> Duration {
        Duration::from_millis(self.below(longest + 1))
    }
}
