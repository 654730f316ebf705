//! What goes wrong between the operator and the API server, by chance from a seed.

use std::time::Duration;

use dask_operator_testkit::server::{Call, End, Fate, Faults, Verb};

use crate::chance::Chance;

/// The codes that an API server may answer with, whatever was asked.
const CODES: [u16; 7] = [409, 410, 422, 429, 500, 503, 504];

/// A script: the same seed gives the same faults to the same calls in the same order.
pub(crate) struct Script {
    chance: Chance,
    /// Of a thousand calls, how many meet with something.
    per_mille: u64,
    crashes: bool,
    slow: bool,
    /// Of a thousand changes, how many reach a watch late; with all of them, even a lost answer is forgotten first.
    late: u64,
}

impl Script {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::from_seed(seed ^ 0x5eed);
        let per_mille = chance.one_of(&[10, 50, 200]);
        let (crashes, slow) = (chance.happens(700), chance.happens(500));
        let late = chance.one_of(&[0, 100, 1000]);
        Self { chance, per_mille, crashes, slow, late }
    }

    fn end(&mut self, call: &Call) -> End {
        if !self.chance.happens(self.per_mille) {
            return End::Answered;
        }
        match self.chance.below(8) {
            0 if self.crashes => End::CrashBefore,
            1 if self.crashes && call.verb.writes() => End::CrashAfter,
            2 => End::AnswerLost,
            3 => End::NeverAnswered,
            4 => End::Lost,
            _ => self.refusal(call),
        }
    }

    /// What the server says to one verb alone it never says to another.
    fn refusal(&mut self, call: &Call) -> End {
        let code = self.chance.one_of(&CODES);
        match (code, call.verb) {
            (409, Verb::Create) | (409 | 422, Verb::Get | Verb::List | Verb::Watch) => End::Refused(500),
            (504, verb) if verb.writes() => End::GivenUp,
            (410, verb) if verb != Verb::Watch && verb != Verb::List => End::Refused(500),
            _ => End::Refused(code),
        }
    }
}

impl Faults for Script {
    fn fate(&mut self, call: &Call) -> Fate {
        // Two seconds: less than a process takes to come back, and than one leader takes to follow another.
        let longest = if self.slow && self.chance.happens(100) { 2000 } else { 10 };
        Fate { way: self.chance.millis(longest), end: self.end(call), way_back: self.chance.millis(longest) }
    }

    fn lag(&mut self, _: &str) -> Duration {
        let longest = if self.chance.happens(self.late) { 10_000 } else { 20 };
        self.chance.millis(longest)
    }

    fn cut(&mut self, _: &str) -> Option<bool> {
        self.chance.happens(self.per_mille / 4).then(|| self.chance.happens(300))
    }
}

/// Nothing goes wrong, but leases are answered late: they would be most of all calls of a long rest.
pub(crate) struct Calm;

impl Calm {
    /// Three answers and a pause are within the ten seconds for which a lease is held.
    const LEASE: Duration = Duration::from_millis(2500);
}

impl Faults for Calm {
    fn fate(&mut self, call: &Call) -> Fate {
        let is_lease = call.resource.plural == "leases";
        Fate { way_back: if is_lease { Self::LEASE } else { Duration::ZERO }, ..Fate::default() }
    }

    fn lag(&mut self, _: &str) -> Duration {
        Duration::ZERO
    }

    fn cut(&mut self, _: &str) -> Option<bool> {
        None
    }
}
