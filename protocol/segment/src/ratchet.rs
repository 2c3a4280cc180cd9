//! Keys: a stream's chain key, its one-way steps, and the secrets of one segment.
//!
//! `chain[i+1] = HKDF-Expand(chain[i], CHAIN_NEXT)`; the secrets of segment `i` are `HKDF-Expand(chain[i], SECRETS || header)`.
//! A step is erased as soon as the next is made, so a key taken today opens nothing of yesterday.

use std::fmt;

use aws_lc_rs::hkdf;
use privet_protocol::random::Random;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::SegmentError;
use crate::header::Header;

/// Segments a stream may have; then a new stream starts. Bounds the work that a hostile index can cause.
pub const MAX_SEGMENTS: u64 = 1 << 20;

const CHAIN_NEXT: &[u8] = b"privet/1 segment chain next";
const SECRETS: &[u8] = b"privet/1 segment secrets";

/// A stream's chain key at one index: opens and seals that segment and all later ones, none before.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct StreamKey {
    #[zeroize(skip)]
    index: u64,
    chain: [u8; 32],
}

impl StreamKey {
    /// A new stream's key, at index 0.
    pub fn generate(random: &dyn Random) -> Self {
        let mut chain = [0; 32];
        random.fill(&mut chain);
        Self { index: 0, chain }
    }

    /// The key that was told.
    pub const fn from_secret(secret: &StreamSecret) -> Self {
        Self { index: secret.index, chain: secret.chain }
    }

    /// The key as a message to the home's members carries it.
    pub const fn to_secret(&self) -> StreamSecret {
        StreamSecret { index: self.index, chain: self.chain }
    }

    /// The oldest segment this key opens.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Steps forward to `index` and erases every step before it.
    ///
    /// # Errors
    /// [`SegmentError::KeyErased`] for a step back, [`SegmentError::StreamExhausted`] past the end of a stream.
    pub fn advance_to(&mut self, index: u64) -> Result<(), SegmentError> {
        if index < self.index {
            return Err(SegmentError::KeyErased { index, oldest: self.index });
        }
        if index > MAX_SEGMENTS {
            return Err(SegmentError::StreamExhausted { limit: MAX_SEGMENTS });
        }
        let mut next = Zeroizing::new([0; 32]);
        for _ in self.index..index {
            expand(&self.chain, &[CHAIN_NEXT], next.as_mut())?;
            self.chain.copy_from_slice(next.as_ref());
        }
        self.index = index;
        Ok(())
    }

    /// The secrets of one segment, without moving this key.
    pub(crate) fn segment(&self, header: Header) -> Result<SegmentSecrets, SegmentError> {
        if header.index >= MAX_SEGMENTS {
            return Err(SegmentError::StreamExhausted { limit: MAX_SEGMENTS });
        }
        let mut at = Self { index: self.index, chain: self.chain };
        at.advance_to(header.index)?;
        let mut bytes = Zeroizing::new([0; SegmentSecrets::LENGTH]);
        expand(&at.chain, &[SECRETS, &header.to_bytes()], bytes.as_mut())?;
        let mut secrets = SegmentSecrets { key: [0; 32], nonce_prefix: [0; 7], mask: [0; 32], commitment: [0; 32] };
        secrets.key.copy_from_slice(&bytes[..32]);
        secrets.nonce_prefix.copy_from_slice(&bytes[32..39]);
        secrets.mask.copy_from_slice(&bytes[39..71]);
        secrets.commitment.copy_from_slice(&bytes[71..]);
        Ok(secrets)
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamKey(from {})", self.index)
    }
}

/// A stream key on its way to a member, inside an end-to-end encrypted message.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct StreamSecret {
    /// The oldest segment it opens.
    #[serde(rename = "i")]
    #[zeroize(skip)]
    pub index: u64,
    #[serde(rename = "c", with = "serde_bytes")]
    chain: [u8; 32],
}

impl StreamSecret {
    /// Bytes of a secret: index u64 big-endian, chain key.
    pub const LENGTH: usize = 40;

    /// The secret's bytes.
    pub fn to_bytes(&self) -> Zeroizing<[u8; Self::LENGTH]> {
        let mut bytes = Zeroizing::new([0; Self::LENGTH]);
        bytes[..8].copy_from_slice(&self.index.to_be_bytes());
        bytes[8..].copy_from_slice(&self.chain);
        bytes
    }

    /// The secret that these bytes are; `None` when they are not [`Self::LENGTH`] long.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LENGTH] = bytes.try_into().ok()?;
        let index = u64::from_be_bytes(*bytes.first_chunk()?);
        Some(Self { index, chain: *bytes.last_chunk()? })
    }
}

impl fmt::Debug for StreamSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamSecret(from {})", self.index)
    }
}

/// What seals one segment.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct SegmentSecrets {
    pub(crate) key: [u8; 32],
    pub(crate) nonce_prefix: [u8; 7],
    pub(crate) mask: [u8; 32],
    pub(crate) commitment: [u8; 32],
}

impl SegmentSecrets {
    const LENGTH: usize = 32 + 7 + 32 + 32;
}

fn expand(chain: &[u8; 32], info: &[&[u8]], out: &mut [u8]) -> Result<(), SegmentError> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, chain)
        .expand(info, Length(out.len()))
        .and_then(|okm| okm.fill(out))
        .map_err(|_| SegmentError::Crypto)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use data_encoding::HEXLOWER;

    use super::*;

    #[test]
    fn rfc_5869_test_case_1() {
        let prk = HEXLOWER.decode(b"077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5").unwrap();
        let mut okm = [0; 42];
        expand(&prk.try_into().unwrap(), &[&[0xf0, 0xf1, 0xf2, 0xf3, 0xf4], &[0xf5, 0xf6, 0xf7, 0xf8, 0xf9]], &mut okm)
            .unwrap();
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
        assert_eq!(HEXLOWER.encode(&okm), expected);
    }

    #[test]
    fn keys_say_nothing_when_printed() {
        let key = StreamKey { index: 3, chain: [0xab; 32] };
        assert_eq!(format!("{key:?} {:?}", key.to_secret()), "StreamKey(from 3) StreamSecret(from 3)");
    }
}
