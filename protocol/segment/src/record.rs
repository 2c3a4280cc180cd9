//! One record: its plaintext form and its AES-256-GCM envelope under STREAM nonces.
//!
//! Nonce = 7-byte prefix, u32 record counter, final flag (Hoang, Reyhanitabar, Rogaway, Vizar 2015; as in Tink and age). A
//! record opens only at its own place in its own segment. Lengths are masked by XOR with a keyed BLAKE3 stream; they need no
//! tag of their own, because a changed length moves the record's end or its final flag, and the tag fails.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroize;

use crate::error::SegmentError;
use crate::ratchet::SegmentSecrets;

/// Content bytes of a full record.
pub(crate) const MAX_CONTENT: usize = MAX_PLAINTEXT - HEAD;
/// Kind and content length.
pub(crate) const HEAD: usize = 4;
/// The masked word before a record.
pub(crate) const WORD: usize = 4;
/// What a record on the wire has beside its content.
pub(crate) const OVERHEAD: usize = WORD + HEAD + TAG;
/// Longest record on the wire.
pub(crate) const MAX_WIRE: usize = WORD + MAX_PLAINTEXT + TAG;
/// Media records of one segment.
pub(crate) const MAX_RECORDS: u32 = 1 << 14;

const MAX_PLAINTEXT: usize = 1 << 16;
/// AES-GCM's tag.
pub(crate) const TAG: usize = 16;
const LAST: u32 = 1 << 31;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Starts the init segment.
    Init = 1,
    /// Starts a unit.
    Unit = 2,
    /// Goes on with what the record before it began.
    More = 3,
    /// A part of the trailer.
    Trailer = 4,
    /// Zeros.
    Padding = 5,
}

impl Kind {
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Init,
            2 => Self::Unit,
            3 => Self::More,
            4 => Self::Trailer,
            5 => Self::Padding,
            _ => return None,
        })
    }
}

/// Kind and content length as the plaintext starts with them.
pub(crate) fn head(kind: Kind, content: usize) -> [u8; HEAD] {
    debug_assert!(content <= MAX_CONTENT, "a record was given more than it can hold");
    let mut head = (content as u32).to_be_bytes();
    head[0] = kind as u8;
    head
}

/// A record's plaintext in its parts.
pub(crate) struct Plain<'a> {
    pub(crate) kind: Kind,
    /// Head and content: what the leaf hash covers.
    pub(crate) hashed: &'a [u8],
    pub(crate) content: &'a [u8],
    /// Zeros after the content; only the last record may have them.
    pub(crate) padding: &'a [u8],
}

impl<'a> Plain<'a> {
    pub(crate) fn parse(plaintext: &'a [u8]) -> Option<Self> {
        let &[kind, a, b, c] = plaintext.first_chunk()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let (hashed, padding) = plaintext.split_at_checked(HEAD + length)?;
        Some(Self { kind: Kind::from_byte(kind)?, hashed, content: hashed.get(HEAD..)?, padding })
    }

    pub(crate) fn leaf(&self) -> [u8; 32] {
        blake3::hash(self.hashed).into()
    }
}

/// Seals and opens the records of one segment.
pub(crate) struct RecordCipher {
    key: LessSafeKey,
    nonce_prefix: [u8; 7],
    mask: Mask,
}

impl RecordCipher {
    pub(crate) fn new(secrets: &SegmentSecrets) -> Result<Self, SegmentError> {
        let key = UnboundKey::new(&AES_256_GCM, &secrets.key).map_err(|_| SegmentError::Crypto)?;
        Ok(Self { key: LessSafeKey::new(key), nonce_prefix: secrets.nonce_prefix, mask: Mask::new(&secrets.mask) })
    }

    /// Seals in place what stands in `out` from `start`: four bytes for the word, then the plaintext.
    pub(crate) fn seal(
        &mut self,
        record: u32,
        last: bool,
        out: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), SegmentError> {
        let (word, plaintext) =
            out.get_mut(start..).and_then(|bytes| bytes.split_first_chunk_mut::<WORD>()).ok_or(SegmentError::Crypto)?;
        let length = (plaintext.len() + TAG) as u32 | if last { LAST } else { 0 };
        *word = (length ^ self.mask.of(record)).to_be_bytes();
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(record, last), Aad::empty(), plaintext)
            .map_err(|_| SegmentError::Crypto)?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Bytes of the ciphertext after this word, and whether it says to be the last record.
    pub(crate) fn unmask(&mut self, record: u32, word: [u8; WORD]) -> Result<(usize, bool), SegmentError> {
        let word = u32::from_be_bytes(word) ^ self.mask.of(record);
        let length = (word & !LAST) as usize;
        if !(HEAD + TAG..=MAX_PLAINTEXT + TAG).contains(&length) {
            return Err(SegmentError::Forged { record });
        }
        Ok((length, word & LAST != 0))
    }

    /// Opens a record in place.
    pub(crate) fn open<'a>(
        &self,
        record: u32,
        last: bool,
        ciphertext: &'a mut [u8],
    ) -> Result<Plain<'a>, SegmentError> {
        let plaintext = self
            .key
            .open_in_place(self.nonce(record, last), Aad::empty(), ciphertext)
            .map_err(|_| SegmentError::Forged { record })?;
        Plain::parse(plaintext).ok_or(SegmentError::Malformed { record, what: "lengths that don't fit" })
    }

    /// Opens a record into `plaintext`, which is as long as the ciphertext without its tag.
    pub(crate) fn open_into<'a>(
        &self,
        record: u32,
        last: bool,
        ciphertext: &[u8],
        plaintext: &'a mut [u8],
    ) -> Result<Plain<'a>, SegmentError> {
        let forged = SegmentError::Forged { record };
        let (body, tag) = ciphertext.split_at_checked(plaintext.len()).ok_or(forged.clone())?;
        self.key
            .open_separate_gather(self.nonce(record, last), Aad::empty(), body, tag, plaintext)
            .map_err(|_| forged)?;
        Plain::parse(plaintext).ok_or(SegmentError::Malformed { record, what: "lengths that don't fit" })
    }

    fn nonce(&self, record: u32, last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[..7].copy_from_slice(&self.nonce_prefix);
        nonce[7..11].copy_from_slice(&record.to_be_bytes());
        nonce[11] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Drop for RecordCipher {
    fn drop(&mut self) {
        self.nonce_prefix.zeroize();
    }
}

/// The stream that lengths are masked with. One block of it is words for sixteen records, so the last block is kept.
struct Mask {
    stream: blake3::OutputReader,
    block: [u8; Self::BLOCK],
    /// Which block of the stream `block` is.
    number: Option<u64>,
}

impl Mask {
    const BLOCK: usize = blake3::BLOCK_LEN;

    fn new(key: &[u8; 32]) -> Self {
        let stream = blake3::Hasher::new_keyed(key).finalize_xof();
        Self { stream, block: [0; Self::BLOCK], number: None }
    }

    fn of(&mut self, record: u32) -> u32 {
        let number = u64::from(record) * WORD as u64 / Self::BLOCK as u64;
        if self.number != Some(number) {
            self.stream.set_position(number * Self::BLOCK as u64);
            self.stream.fill(&mut self.block);
            self.number = Some(number);
        }
        let (words, _) = self.block.as_chunks::<WORD>();
        u32::from_be_bytes(words[record as usize % words.len()])
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        self.stream.zeroize();
        self.block.zeroize();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use data_encoding::HEXLOWER;

    use super::*;

    fn cipher(nonce_prefix: [u8; 7]) -> RecordCipher {
        let secrets = SegmentSecrets { key: [0; 32], nonce_prefix, mask: [0; 32], commitment: [0; 32] };
        RecordCipher::new(&secrets).unwrap()
    }

    /// Test case 14 of the GCM specification (McGrew, Viega).
    #[test]
    fn the_first_record_of_zero_keys_is_gcm_test_case_14() {
        let mut out = vec![0; WORD + 16];
        cipher([0; 7]).seal(0, false, &mut out, 0).unwrap();
        let expected = "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919";
        assert_eq!(HEXLOWER.encode(&out[WORD..]), expected);
    }

    #[test]
    fn nonces_are_prefix_counter_and_final_flag() {
        let nonce = cipher([1, 2, 3, 4, 5, 6, 7]).nonce(0x0809_0a0b, true);
        assert_eq!(nonce.as_ref(), &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1]);
    }

    #[test]
    fn a_record_opens_only_at_its_place() {
        let mut cipher = cipher([9; 7]);
        let mut out = vec![0; WORD];
        out.extend_from_slice(&head(Kind::Unit, 5));
        out.extend_from_slice(b"hello");
        cipher.seal(3, false, &mut out, 0).unwrap();
        let (word, ciphertext) = out.split_first_chunk().unwrap();
        assert_eq!(cipher.unmask(3, *word), Ok((ciphertext.len(), false)));
        for (record, last) in [(2, false), (4, false), (3, true)] {
            assert!(cipher.open(record, last, &mut ciphertext.to_vec()).is_err());
        }
        let mut ciphertext = ciphertext.to_vec();
        let plain = cipher.open(3, false, &mut ciphertext).unwrap();
        assert_eq!((plain.kind, plain.content), (Kind::Unit, &b"hello"[..]));
    }

    #[test]
    fn a_length_is_masked_by_its_own_word_of_the_stream_in_whatever_order() {
        let mut stream = blake3::Hasher::new_keyed(&[5; 32]).finalize_xof();
        let mut expected = vec![0; 64 * WORD];
        stream.fill(&mut expected);
        let mut mask = Mask::new(&[5; 32]);
        for record in (0..64).chain((0..64).rev()) {
            let word = &expected[record as usize * WORD..][..WORD];
            assert_eq!(mask.of(record).to_be_bytes(), word);
        }
    }
}
