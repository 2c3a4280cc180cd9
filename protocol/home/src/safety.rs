//! The safety number: sixty digits over both identity keys, the same on both sides when nobody stands between them. It
//! stays the same as long as neither device pairs anew.

use std::fmt;

use aws_lc_rs::digest::{SHA512, digest};

/// Sixty digits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SafetyNumber(String);

impl SafetyNumber {
    /// The number of two devices, in whichever order.
    pub fn between(one: &[u8; 32], other: &[u8; 32]) -> Self {
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        let mut hash = [LABEL, low, high].concat();
        for _ in 0..ROUNDS {
            hash = [LABEL, digest(&SHA512, &hash).as_ref(), low, high].concat();
        }
        let hash = digest(&SHA512, &hash);
        // Twelve groups of five digits from five bytes each; the excess of 2^40 over a multiple of 10^5 is negligible.
        let digits = hash.as_ref().chunks_exact(5).take(12).map(|group| {
            let number = group.iter().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
            format!("{:05}", number % 100_000)
        });
        Self(digits.collect())
    }

    /// The digits, without spaces.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

/// Twelve groups of five, as people read them out.
impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, group) in self.0.as_bytes().chunks(5).enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(std::str::from_utf8(group).unwrap_or_default())?;
        }
        Ok(())
    }
}

const LABEL: &[u8] = b"privet safety number v1\0";
/// Makes a search for a key with a similar number costlier, as Signal does.
const ROUNDS: usize = 5200;
