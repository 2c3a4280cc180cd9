//! Sealing a target to the relay: HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM, from
//! aws-lc. Every sealed target has the same length, so that the kind of phone does not show in it.

use std::fmt;

use aws_lc_rs::agreement::{PrivateKey, X25519};
use privet_protocol::cbor;
use privet_protocol::random::{Random, secret};
use privet_protocol::relay::CapabilityKey;
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke as _, HpkePrivateKey, HpkePublicKey};
use zeroize::Zeroizing;

use crate::target::{PushTarget, TargetError};

const INFO: &[u8] = b"privet push target v1";
/// What is sealed: a length (`u16`, big-endian), the target's CBOR, zeros.
const PLAIN: usize = 1536;
const ENCAPSULATED: usize = 32;
const TAG: usize = 16;

/// Why a target can't be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The relay's push key is none.
    #[error("the relay's push key is not a public key of 32 bytes")]
    Key,
    /// Not sealed to this key by this member, or changed since.
    #[error("the push target was not sealed to this relay's key for this member; ask for the relay's push key again")]
    Sealed,
    /// What was sealed is no target.
    #[error("the push target is not usable: {0}")]
    Target(#[from] TargetError),
    /// What was sealed is not the message it should be.
    #[error("the push target is malformed")]
    Malformed,
}

/// The relay's public push key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushKey([u8; 32]);

impl PushKey {
    /// The key that the relay told.
    ///
    /// # Errors
    /// [`SealError::Key`] when it is not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        bytes.try_into().map(Self).map_err(|_| SealError::Key)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `target` to the relay, for the member of the home that has the capability key `member`: nobody else can
    /// register it.
    ///
    /// # Errors
    /// [`SealError`] when the target is not well formed or the key is none.
    pub fn seal(&self, target: &PushTarget, member: &CapabilityKey) -> Result<Vec<u8>, SealError> {
        target.check()?;
        let text = Zeroizing::new(cbor::encode(target));
        let mut plain = Zeroizing::new(vec![0; PLAIN]);
        let length = u16::try_from(text.len()).map_err(|_| SealError::Malformed)?;
        plain[..2].copy_from_slice(&length.to_be_bytes());
        plain.get_mut(2..2 + text.len()).ok_or(SealError::Malformed)?.copy_from_slice(&text);
        let (encapsulated, sealed) =
            SUITE.seal(INFO, &member.0, &plain, &HpkePublicKey(self.0.to_vec())).map_err(|_| SealError::Key)?;
        Ok([encapsulated.0, sealed].concat())
    }
}

/// The relay's secret push key. Wiped when dropped, never shown.
pub struct PushSecret {
    secret: Zeroizing<[u8; 32]>,
    public: PushKey,
}

impl PushSecret {
    /// A new key.
    ///
    /// # Errors
    /// [`SealError::Key`] when the randomness gave none; then try again.
    pub fn generate(random: &dyn Random) -> Result<Self, SealError> {
        Self::from_bytes(&secret(random))
    }

    /// The key with these bytes.
    ///
    /// # Errors
    /// [`SealError::Key`] when they are none.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SealError> {
        let key = PrivateKey::from_private_key(&X25519, bytes).map_err(|_| SealError::Key)?;
        let public = key.compute_public_key().map_err(|_| SealError::Key)?;
        Ok(Self { secret: Zeroizing::new(*bytes), public: PushKey::from_bytes(public.as_ref())? })
    }

    /// Its bytes, to be kept.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.secret.clone()
    }

    /// What phones seal to.
    pub fn public(&self) -> PushKey {
        self.public
    }

    /// Opens what `member` sealed.
    ///
    /// # Errors
    /// [`SealError`] when it was not sealed to this key by this member, or is no target.
    pub fn open(&self, sealed: &[u8], member: &CapabilityKey) -> Result<PushTarget, SealError> {
        if sealed.len() != ENCAPSULATED + PLAIN + TAG {
            return Err(SealError::Sealed);
        }
        let (encapsulated, sealed) = sealed.split_at(ENCAPSULATED);
        let key = HpkePrivateKey::from(self.secret.to_vec());
        let plain = SUITE
            .open(&EncapsulatedSecret(encapsulated.to_vec()), INFO, &member.0, sealed, &key)
            .map(Zeroizing::new)
            .map_err(|_| SealError::Sealed)?;
        let (length, rest) = plain.split_first_chunk::<2>().ok_or(SealError::Malformed)?;
        let (text, padding) = rest.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(SealError::Malformed)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(SealError::Malformed);
        }
        let target: PushTarget = cbor::decode(text, PLAIN).map_err(|_| SealError::Malformed)?;
        target.check()?;
        Ok(target)
    }
}

impl fmt::Debug for PushSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushSecret").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_protocol::random::SeededRandom;

    use super::*;

    const MEMBER: CapabilityKey = CapabilityKey([7; 32]);

    fn targets() -> [PushTarget; 3] {
        [
            PushTarget::Fcm { token: "hunter2:APA91b".into() },
            PushTarget::WebPush {
                endpoint: "https://push.example/hunter2?up=1".into(),
                p256dh: [&[4][..], &[9; 64]].concat(),
                auth: vec![8; 16],
            },
            PushTarget::Apns { token: "00ff".repeat(16), topic: "org.example.app".into(), sandbox: true },
        ]
    }

    #[test]
    fn targets_are_opened_by_the_relay_and_all_look_alike() {
        let relay = PushSecret::generate(&SeededRandom::new(b"relay")).unwrap();
        let again = PushSecret::from_bytes(&relay.to_bytes()).unwrap();
        for target in targets() {
            let sealed = relay.public().seal(&target, &MEMBER).unwrap();
            assert_eq!(sealed.len(), ENCAPSULATED + PLAIN + TAG);
            assert_eq!(again.open(&sealed, &MEMBER).unwrap(), target);
            assert!(!format!("{target:?} {relay:?}").contains("hunter2"));
        }
    }

    #[test]
    fn nobody_else_opens_registers_or_changes_one() {
        let relay = PushSecret::generate(&SeededRandom::new(b"relay")).unwrap();
        let other = PushSecret::generate(&SeededRandom::new(b"other")).unwrap();
        let sealed = relay.public().seal(&targets()[0], &MEMBER).unwrap();
        assert_eq!(other.open(&sealed, &MEMBER), Err(SealError::Sealed));
        assert_eq!(relay.open(&sealed, &CapabilityKey([8; 32])), Err(SealError::Sealed));
        for at in [0, 31, 32, 500, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(relay.open(&changed, &MEMBER), Err(SealError::Sealed));
        }
        for length in [0, 31, 32, 48, sealed.len() - 1] {
            assert_eq!(relay.open(&sealed[..length], &MEMBER), Err(SealError::Sealed));
        }
    }

    #[test]
    fn what_is_no_target_is_not_sealed() {
        let key = PushSecret::generate(&SeededRandom::new(b"relay")).unwrap().public();
        let point = [&[4][..], &[9; 64]].concat();
        let web = |endpoint: &str, p256dh: &[u8], auth: &[u8]| PushTarget::WebPush {
            endpoint: endpoint.into(),
            p256dh: p256dh.to_vec(),
            auth: auth.to_vec(),
        };
        let apns =
            |token: &str, topic: &str| PushTarget::Apns { token: token.into(), topic: topic.into(), sandbox: false };
        for (target, error) in [
            (PushTarget::Fcm { token: String::new() }, TargetError::Token),
            (PushTarget::Fcm { token: "a\r\nb".into() }, TargetError::Token),
            (PushTarget::Fcm { token: "a".repeat(1001) }, TargetError::Token),
            (web("http://push.example/", &point, &[8; 16]), TargetError::Endpoint),
            (web("https:///x", &point, &[8; 16]), TargetError::Endpoint),
            (web("https://push.example/a b", &point, &[8; 16]), TargetError::Endpoint),
            (web("https://push.example/", &point[1..], &[8; 16]), TargetError::PublicKey),
            (web("https://push.example/", &[9; 65], &[8; 16]), TargetError::PublicKey),
            (web("https://push.example/", &point, &[8; 15]), TargetError::Auth),
            (apns("../v3", "org.example"), TargetError::Token),
            (apns("00ff", "org example"), TargetError::Topic),
        ] {
            assert_eq!(key.seal(&target, &MEMBER), Err(SealError::Target(error)));
        }
        assert_eq!(PushKey::from_bytes(&[1; 31]), Err(SealError::Key));
    }
}
