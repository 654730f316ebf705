//! Chance that can be repeated.

use jiff::Timestamp;

/// Numbers that follow from a seed (`SplitMix64`).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Those of this seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one, below a bound.
    pub fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((bits ^ (bits >> 31)) % u64::from(bound.max(1))).unwrap_or_default()
    }

    /// One of these.
    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(u32::try_from(all.len()).unwrap_or(u32::MAX)) as usize)
    }
}

/// The seed that `E2E_SEED` names, else a new one.
pub fn seed() -> u64 {
    let named = std::env::var("E2E_SEED").ok().and_then(|text| text.parse().ok());
    named.unwrap_or_else(|| Timestamp::now().as_microsecond().unsigned_abs())
}
