//! Random numbers for names, from a seed that the caller draws: the same seed gives the same names.

/// A stream of numbers (`SplitMix64`, <https://prng.di.unimi.it/splitmix64.c>).
#[derive(Clone, Debug)]
pub struct Suffixes(u64);

impl Suffixes {
    /// The stream that starts at `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed)
    }
}

impl Iterator for Suffixes {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(mixed ^ (mixed >> 31))
    }
}
