//! Chance that can be had again: who knows the seed gets the same throws.

use std::time::{SystemTime, UNIX_EPOCH};

/// xorshift64.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The dice of this seed.
    pub fn new(seed: u64) -> Self {
        // Seeds that are neighbours must not begin alike, and from zero nothing comes.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// The seed that `PRIVET_SEED` says, otherwise another one each time.
pub fn seed() -> u64 {
    let said = std::env::var("PRIVET_SEED").ok().and_then(|seed| seed.parse().ok());
    said.unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64)
}
