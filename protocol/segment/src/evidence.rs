//! Evidence keys: one ECDSA P-256 key per camera signs for what that camera saw, through short sessions. Whoever knows its
//! public key can check a statement; no relay, vendor or member key is involved.

use std::collections::HashMap;
use std::fmt;

use aws_lc_rs::agreement;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
};
use privet_protocol::id::CameraId;
use privet_protocol::random::{self, Random};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::SegmentError;
use crate::session::SessionCache;
use crate::statement::sha256;

/// A P-256 signing key.
pub(crate) struct SigningKey(EcdsaKeyPair);

impl SigningKey {
    pub(crate) fn generate(random: &dyn Random) -> Result<Self, SegmentError> {
        // A random number is a P-256 scalar but for one chance in 2^32; a source that fails eight times is broken.
        for _ in 0..8 {
            let scalar = random::secret(random);
            let Ok(private) = agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, scalar.as_ref()) else {
                continue;
            };
            let public = private.compute_public_key().map_err(|_| SegmentError::Crypto)?;
            return EcdsaKeyPair::from_private_key_and_public_key(
                &ECDSA_P256_SHA256_FIXED_SIGNING,
                scalar.as_ref(),
                public.as_ref(),
            )
            .map(Self)
            .map_err(|_| SegmentError::Crypto);
        }
        Err(SegmentError::Crypto)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SegmentError> {
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(|_| SegmentError::Crypto)?;
        Ok(signature.as_ref().to_vec())
    }

    pub(crate) fn public(&self) -> Result<EvidencePublicKey, SegmentError> {
        EvidencePublicKey::from_bytes(self.0.public_key().as_ref())
    }
}

/// A camera's evidence key.
pub struct EvidenceKey(SigningKey);

impl EvidenceKey {
    /// A new key.
    ///
    /// # Errors
    /// [`SegmentError::Crypto`] when the library or the source of randomness fails.
    pub fn generate(random: &dyn Random) -> Result<Self, SegmentError> {
        SigningKey::generate(random).map(Self)
    }

    /// The key that was kept.
    ///
    /// # Errors
    /// [`SegmentError::BadKey`] when it is not a P-256 key.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, SegmentError> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes)
            .map(|key| Self(SigningKey(key)))
            .map_err(|_| SegmentError::BadKey)
    }

    /// The key for keeping; wiped when dropped.
    ///
    /// # Errors
    /// [`SegmentError::Crypto`] when the library fails.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, SegmentError> {
        let document = self.0.0.to_pkcs8v1().map_err(|_| SegmentError::Crypto)?;
        Ok(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// What the members of the home and strangers check with.
    ///
    /// # Errors
    /// [`SegmentError::Crypto`] when the library fails.
    pub fn public(&self) -> Result<EvidencePublicKey, SegmentError> {
        self.0.public()
    }

    pub(crate) const fn signing(&self) -> &SigningKey {
        &self.0
    }
}

impl fmt::Debug for EvidenceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EvidenceKey")
    }
}

/// The public half of an evidence key: an uncompressed P-256 point.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EvidencePublicKey(#[serde(with = "serde_bytes")] [u8; 65]);

impl EvidencePublicKey {
    /// The key with these bytes: 0x04, x, y.
    ///
    /// # Errors
    /// [`SegmentError::BadKey`] for anything else. Whether the point is on the curve is found before a signature is checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SegmentError> {
        match <[u8; 65]>::try_from(bytes) {
            Ok(bytes) if bytes[0] == 4 => Ok(Self(bytes)),
            _ => Err(SegmentError::BadKey),
        }
    }

    /// The key's bytes.
    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }

    /// A short name that people can compare: the first 20 bytes of the key's SHA-256 in groups of four.
    pub fn fingerprint(&self) -> String {
        let text = data_encoding::BASE32_NOPAD.encode(&sha256(&self.0)[..20]);
        let groups: Vec<&str> = (0..text.len()).step_by(4).filter_map(|at| text.get(at..at + 4)).collect();
        groups.join("-")
    }

    /// The point, ready for checking signatures.
    ///
    /// # Errors
    /// [`SegmentError::BadKey`] when it is not on the curve.
    pub(crate) fn verifier(&self) -> Result<Verifier, SegmentError> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.0).map(Verifier).map_err(|_| SegmentError::BadKey)
    }
}

/// A P-256 point that was found to be on the curve.
pub(crate) struct Verifier(ParsedPublicKey);

impl Verifier {
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl fmt::Debug for EvidencePublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evidence:{}", self.fingerprint())
    }
}

/// Which evidence keys are trusted for a camera.
pub trait EvidenceKeys {
    /// The keys trusted for `camera`, newest first; none when it is unknown.
    fn evidence_keys(&self, camera: &CameraId) -> Vec<EvidencePublicKey>;

    /// Where session certificates that were already checked are remembered, so that each is checked once.
    fn sessions(&self) -> Option<&SessionCache> {
        None
    }
}

/// A list of trusted keys by camera, with a memory for session certificates.
#[derive(Debug, Default)]
pub struct KnownCameras {
    keys: HashMap<CameraId, Vec<EvidencePublicKey>>,
    sessions: SessionCache,
}

impl KnownCameras {
    /// Trusts `keys` for `camera`, and no other keys.
    pub fn set(&mut self, camera: CameraId, keys: Vec<EvidencePublicKey>) {
        self.keys.insert(camera, keys);
    }
}

impl EvidenceKeys for KnownCameras {
    fn evidence_keys(&self, camera: &CameraId) -> Vec<EvidencePublicKey> {
        self.keys.get(camera).cloned().unwrap_or_default()
    }

    fn sessions(&self) -> Option<&SessionCache> {
        Some(&self.sessions)
    }
}
