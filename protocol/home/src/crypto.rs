//! The few primitives beside MLS: HKDF-SHA256, AES-256-GCM, Ed25519 (all aws-lc), and bytes that are wiped.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use privet_protocol::random::Random;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of an AES-GCM nonce.
pub(crate) const NONCE: usize = 12;
/// Bytes of an AES-GCM tag.
pub(crate) const TAG: usize = 16;
/// Bytes of an Ed25519 signature.
pub(crate) const SIGNATURE: usize = 64;

/// Bytes that are wiped when dropped and never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct SecretBytes(#[serde(with = "serde_bytes")] Vec<u8>);

impl SecretBytes {
    /// Takes these bytes over.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Thirty-two random bytes.
    pub(crate) fn generate(random: &dyn Random) -> Self {
        let mut bytes = vec![0; 32];
        random.fill(&mut bytes);
        Self(bytes)
    }

    /// The bytes; take care where they go.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as a key; a secret of another length is no key.
    pub(crate) fn key(&self) -> Option<Zeroizing<[u8; 32]>> {
        self.0.as_slice().try_into().ok().map(Zeroizing::new)
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

/// A signing key of this device: Ed25519 from a 32-byte seed.
pub(crate) struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// The key of this seed; other lengths make none.
    pub(crate) fn from_seed(seed: &SecretBytes) -> Option<Self> {
        Ed25519KeyPair::from_seed_unchecked(seed.expose()).ok().map(Self)
    }

    pub(crate) fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.0.public_key().as_ref());
        public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE] {
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(self.0.sign(message).as_ref());
        signature
    }
}

impl openmls_traits::signatures::Signer for SigningKey {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, openmls_traits::signatures::SignerError> {
        Ok(Self::sign(self, payload).to_vec())
    }

    fn signature_scheme(&self) -> openmls_traits::types::SignatureScheme {
        openmls_traits::types::SignatureScheme::ED25519
    }
}

/// Whether `signature` is `public`'s over `message`.
pub(crate) fn verify(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, &parts.concat()).as_ref());
    out
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// A pseudorandom key from which others are expanded.
pub(crate) struct Expander(Prk);

impl Expander {
    /// HKDF-Extract.
    pub(crate) fn extract(salt: &[u8], secret: &[u8]) -> Self {
        Self(Salt::new(HKDF_SHA256, salt).extract(secret))
    }

    /// HKDF-Expand; at most 255 times 32 bytes.
    #[expect(clippy::expect_used, reason = "the lengths are constants far below the limit")]
    pub(crate) fn expand<const N: usize>(&self, label: &str) -> Zeroizing<[u8; N]> {
        let mut out = Zeroizing::new([0; N]);
        self.0
            .expand(&[label.as_bytes()], Length(N))
            .and_then(|okm| okm.fill(out.as_mut()))
            .expect("HKDF gives this many bytes");
        out
    }
}

/// Seals `plaintext`: nonce, ciphertext, tag.
#[expect(clippy::expect_used, reason = "a 32-byte key is a key, and no message comes near the limit")]
pub(crate) fn seal(key: &[u8; 32], aad: &[u8], plaintext: &[u8], random: &dyn Random) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    random.fill(&mut nonce);
    let mut out = Vec::with_capacity(NONCE + plaintext.len() + TAG);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plaintext);
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key"));
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut out[NONCE..])
        .expect("sealed");
    out.extend_from_slice(tag.as_ref());
    out
}

/// Opens what [`seal`] made; anything else is `None`.
pub(crate) fn open(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE>()?;
    if body.len() < TAG {
        return None;
    }
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let mut bytes = Zeroizing::new(body.to_vec());
    let length = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut bytes).ok()?.len();
    bytes.truncate(length);
    Some(bytes)
}
