//! Cells of a carrier: a home at a constant rate sends nothing but these, one after the other, all of one size. What is in them
//! is a run of bytes that was sealed already, or nothing; who has not the carrier's key can't tell which.
//!
//! Layout: `docs/reference/segment.md`, "A carrier".

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use privet_protocol::random::Random;
use zeroize::Zeroizing;

/// Bytes by which a cell is longer than what it holds.
pub const CELL_TAG: usize = 16;

/// The key of one carrier. A carrier has one key, and each of its cells is sealed once.
#[derive(Clone)]
pub struct CarrierKey(Zeroizing<[u8; 32]>);

impl CarrierKey {
    /// A new one.
    pub fn generate(random: &dyn Random) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        random.fill(&mut *key);
        Self(key)
    }

    /// The key that these bytes are; nothing when they are not 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// Its bytes; take care where they go.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Cell `index`, which holds `content` and zeros up to `size` bytes; `None` when the content is longer. Never seal two
    /// contents for one place.
    pub fn seal(&self, index: u64, content: &[u8], size: usize) -> Option<Vec<u8>> {
        if content.len() > size {
            return None;
        }
        let mut cell = Vec::with_capacity(size + CELL_TAG);
        cell.extend_from_slice(content);
        cell.resize(size, 0);
        self.aead()?.seal_in_place_append_tag(nonce(index), Aad::empty(), &mut cell).ok()?;
        Some(cell)
    }

    /// What cell `index` holds, with its zeros; `None` when it is not what was sealed for this place.
    pub fn open(&self, index: u64, mut cell: Vec<u8>) -> Option<Vec<u8>> {
        let length = self.aead()?.open_in_place(nonce(index), Aad::empty(), &mut cell).ok()?.len();
        cell.truncate(length);
        Some(cell)
    }

    fn aead(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &*self.0).ok().map(LessSafeKey::new)
    }
}

impl std::fmt::Debug for CarrierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CarrierKey")
    }
}

/// Four zeros and the cell's place.
fn nonce(index: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - 8..].copy_from_slice(&index.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_protocol::random::SystemRandom;

    use super::*;

    #[test]
    fn a_cell_opens_at_its_place_only_and_whole_only() {
        let key = CarrierKey::generate(&SystemRandom);
        let cell = key.seal(7, b"sealed already", 64).unwrap();
        assert_eq!(cell.len(), 64 + CELL_TAG);
        let opened = key.open(7, cell.clone()).unwrap();
        assert_eq!((&opened[..14], &opened[14..]), (&b"sealed already"[..], &[0; 50][..]));
        assert!(key.open(8, cell.clone()).is_none());
        assert!(CarrierKey::generate(&SystemRandom).open(7, cell.clone()).is_none());
        assert!(key.open(7, cell[..79].to_vec()).is_none() && key.open(7, Vec::new()).is_none());
        for at in 0..cell.len() {
            let mut other = cell.clone();
            other[at] ^= 1;
            assert!(key.open(7, other).is_none());
        }
    }

    #[test]
    fn a_cover_has_the_size_of_any_other_and_too_much_has_none() {
        let key = CarrierKey::generate(&SystemRandom);
        assert_eq!(key.seal(0, b"", 100).unwrap().len(), key.seal(1, &[9; 100], 100).unwrap().len());
        assert!(key.seal(2, &[9; 101], 100).is_none());
        assert!(CarrierKey::from_bytes(&[1; 31]).is_none());
        assert_eq!(CarrierKey::from_bytes(&[1; 32]).unwrap().expose(), &[1; 32]);
    }
}
