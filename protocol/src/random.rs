//! Where randomness comes from: the operating system in the programs, a seeded source in tests.

use zeroize::Zeroizing;

/// A source of random bytes fit for keys.
pub trait Random: Send + Sync {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);
}

/// Thirty-two random bytes, wiped when dropped.
pub fn secret(random: &dyn Random) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(bytes.as_mut());
    bytes
}

/// The operating system's generator, through aws-lc.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::expect_used, reason = "a machine without randomness can't go on safely")]
    fn fill(&self, out: &mut [u8]) {
        aws_lc_rs::rand::fill(out).expect("the operating system's random generator works");
    }
}

/// A reproducible source for tests and test vectors: BLAKE3 in output mode over a seed. Never for real keys.
#[derive(Debug)]
pub struct SeededRandom(std::sync::Mutex<blake3::OutputReader>);

impl SeededRandom {
    /// The source that this seed stands for.
    pub fn new(seed: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("privet 2026 seeded random for tests");
        hasher.update(seed);
        Self(std::sync::Mutex::new(hasher.finalize_xof()))
    }
}

impl Random for SeededRandom {
    fn fill(&self, out: &mut [u8]) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).fill(out);
    }
}
