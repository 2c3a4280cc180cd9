//! The key that notifications to a phone are sealed to.

use std::fmt;

use hpke_rs::hpke_types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hpke_rs::rustcrypto::HpkeRustCrypto;
use hpke_rs::{Hpke, HpkePrivateKey, HpkePublicKey, Mode};
use privet_protocol::random::Random;
use zeroize::Zeroizing;

use crate::NoticeError;

/// Bytes of an X-Wing public key.
const PUBLIC: usize = 1216;

/// X-Wing, HKDF-SHA256, AES-256-GCM.
pub(crate) fn hpke() -> Hpke<HpkeRustCrypto> {
    Hpke::new(Mode::Base, KemAlgorithm::XWingDraft06, KdfAlgorithm::HkdfSha256, AeadAlgorithm::Aes256Gcm)
}

/// The phone's half: 32 bytes that its notification extension keeps. Wiped when dropped, never shown.
#[derive(Clone)]
pub struct NotificationSecret(Zeroizing<[u8; 32]>);

impl NotificationSecret {
    /// A new one.
    pub fn generate(random: &dyn Random) -> Self {
        Self(privet_protocol::random::secret(random))
    }

    /// The one with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes; take care where they go.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public half, for the hub.
    ///
    /// # Errors
    /// [`NoticeError::Key`], which no 32 bytes are known to cause.
    pub fn public(&self) -> Result<NotificationKey, NoticeError> {
        let (_, public) = self.pair()?;
        NotificationKey::from_bytes(public.as_slice())
    }

    pub(crate) fn pair(&self) -> Result<(HpkePrivateKey, HpkePublicKey), NoticeError> {
        hpke().derive_key_pair(self.0.as_slice()).map(|pair| pair.into_keys()).map_err(|_| NoticeError::Key)
    }
}

impl fmt::Debug for NotificationSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotificationSecret")
    }
}

/// The hub's half.
#[derive(Clone, PartialEq, Eq)]
pub struct NotificationKey(Vec<u8>);

impl NotificationKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// [`NoticeError::Key`] when their number is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoticeError> {
        if bytes.len() == PUBLIC { Ok(Self(bytes.to_vec())) } else { Err(NoticeError::Key) }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for NotificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotificationKey({} bytes)", self.0.len())
    }
}
