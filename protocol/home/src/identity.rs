//! A device's lasting identity: an Ed25519 key, pinned at pairing and never rotated. It signs the keys and places that must
//! hold when MLS keys change: the leaf keys in MLS credentials, commits' and welcomes' places in the log, rejoin requests.

use std::fmt;

use privet_protocol::cbor;
use privet_protocol::id::DeviceId;
use serde::{Deserialize, Serialize};

use crate::crypto::{SIGNATURE, SigningKey, sha256, verify};

/// The hash of an identity key, as the QR code carries it and people may see it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The fingerprint of this identity key.
    pub fn of(identity: &[u8; 32]) -> Self {
        Self(sha256(&[FINGERPRINT_LABEL, identity]))
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fingerprint:{self}")
    }
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Role {
    Hub,
    Phone,
}

/// The content of an MLS BasicCredential: who a leaf belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credential {
    pub(crate) role: Role,
    pub(crate) device: DeviceId,
    pub(crate) name: String,
    #[serde(with = "serde_bytes")]
    pub(crate) identity: [u8; 32],
    #[serde(with = "serde_bytes")]
    signature: [u8; SIGNATURE],
}

impl Credential {
    /// The credential of a leaf whose signature key is `leaf`.
    pub(crate) fn sign(role: Role, device: DeviceId, name: &str, identity: &SigningKey, leaf: &[u8; 32]) -> Self {
        let input = signing_input(role, &device, name, leaf);
        Self { role, device, name: name.to_owned(), identity: identity.public(), signature: identity.sign(&input) }
    }

    /// The credential in `bytes`, if it is signed for the leaf key `leaf`.
    pub(crate) fn verify(bytes: &[u8], leaf: &[u8]) -> Result<Self, &'static str> {
        let credential: Self = cbor::decode(bytes, MAX_CREDENTIAL).map_err(|_| "not of this protocol")?;
        if credential.name.len() > MAX_NAME {
            return Err("its name is too long");
        }
        let input = signing_input(credential.role, &credential.device, &credential.name, leaf);
        if verify(&credential.identity, &input, &credential.signature) {
            Ok(credential)
        } else {
            Err("not signed by the identity it names")
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        cbor::encode(self)
    }
}

fn signing_input(role: Role, device: &DeviceId, name: &str, leaf: &[u8]) -> Vec<u8> {
    let role = match role {
        Role::Hub => b'H',
        Role::Phone => b'P',
    };
    [CREDENTIAL_LABEL, &[role], device.as_bytes(), leaf, name.as_bytes()].concat()
}

/// The longest name of a device, in bytes.
pub const MAX_NAME: usize = 64;
/// What stands before everything the hub's identity key signs for a notification (`docs/reference/notice.md`).
pub const NOTICE_LABEL: &[u8] = b"privet notice signature v1\0";
const MAX_CREDENTIAL: usize = 512;
const FINGERPRINT_LABEL: &[u8] = b"privet identity fingerprint v1\0";
const CREDENTIAL_LABEL: &[u8] = b"privet leaf credential v1\0";
