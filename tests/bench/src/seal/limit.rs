//! The limit: nothing but the primitives, in place, over one buffer.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest;

use super::timed;

pub(super) struct Limit {
    key: LessSafeKey,
    plain: Vec<u8>,
    work: Vec<u8>,
    together: Vec<u8>,
    record: usize,
}

impl Limit {
    pub(super) fn new(segment: usize, record: usize) -> Self {
        #[expect(clippy::expect_used, reason = "32 bytes are an AES-256 key")]
        let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).expect("a key");
        let plain: Vec<u8> = (0..segment).map(|at| ((at * 31) >> 3) as u8).collect();
        Self { key: LessSafeKey::new(key), work: plain.clone(), plain, together: Vec::new(), record }
    }

    /// BLAKE3 and encryption of each record, SHA-256 of the same bytes when asked.
    pub(super) fn seal(&mut self, sha256: bool) -> f64 {
        let Self { key, work, record, .. } = self;
        timed(|| {
            let mut hashes = digest::Context::new(&digest::SHA256);
            for (at, chunk) in work.chunks_mut(*record).enumerate() {
                if sha256 {
                    hashes.update(chunk);
                }
                std::hint::black_box(blake3::hash(chunk));
                std::hint::black_box(key.seal_in_place_separate_tag(nonce(at), Aad::empty(), chunk).ok());
            }
            hashes.finish()
        })
    }

    /// Decryption and BLAKE3 of each record. The ciphertext is made anew outside the measured time.
    pub(super) fn open(&mut self, sha256: bool) -> f64 {
        self.encrypt();
        let Self { key, work, record, plain, .. } = self;
        let seconds = timed(|| {
            let mut hashes = digest::Context::new(&digest::SHA256);
            for (at, chunk) in work.chunks_mut(*record + 16).enumerate() {
                let Ok(opened) = key.open_in_place(nonce(at), Aad::empty(), chunk) else { continue };
                std::hint::black_box(blake3::hash(opened));
                if sha256 {
                    hashes.update(opened);
                }
            }
            hashes.finish()
        });
        work.truncate(plain.len());
        seconds
    }

    /// The same when the ciphertext comes in pieces: a record must lie together before it can be decrypted.
    pub(super) fn open_pieces(&mut self, piece: usize) -> f64 {
        self.encrypt();
        let Self { key, work, together, record, plain } = self;
        let (mut at, mut missing) = (0, work.len());
        let seconds = timed(|| {
            for mut piece in work.chunks(piece) {
                while !piece.is_empty() {
                    let length = missing.min(*record + 16);
                    let (taken, rest) = piece.split_at(piece.len().min(length - together.len()));
                    together.extend_from_slice(taken);
                    piece = rest;
                    if together.len() == length {
                        missing -= length;
                        if let Ok(opened) = key.open_in_place(nonce(at), Aad::empty(), together) {
                            std::hint::black_box(blake3::hash(opened));
                        }
                        together.clear();
                        at += 1;
                    }
                }
            }
        });
        work.truncate(plain.len());
        seconds
    }

    /// Fills `work` with the records' ciphertexts and tags.
    fn encrypt(&mut self) {
        self.work.clear();
        for (at, chunk) in self.plain.chunks(self.record).enumerate() {
            let start = self.work.len();
            self.work.extend_from_slice(chunk);
            let tag = self.key.seal_in_place_separate_tag(nonce(at), Aad::empty(), &mut self.work[start..]);
            self.work.extend_from_slice(tag.as_ref().map(AsRef::as_ref).unwrap_or_default());
        }
    }

    /// One copy of the segment.
    pub(super) fn copy(&mut self) -> f64 {
        let Self { plain, work, .. } = self;
        timed(|| work.copy_from_slice(plain))
    }
}

fn nonce(at: usize) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[..8].copy_from_slice(&(at as u64).to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}
