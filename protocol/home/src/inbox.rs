//! The messages from phones to the hub, as the relay's inbox carries them. Layout: `docs/reference/home.md`.

use privet_protocol::cbor;
use privet_protocol::id::DeviceId;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crypto::SecretBytes;

/// An inbox message taken apart; every field still untrusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbox<'a> {
    /// An MLS application message.
    Message(&'a [u8]),
    /// An MLS proposal to renew the sender's keys.
    Update(&'a [u8]),
    /// A sealed request to be let in again.
    Rejoin {
        /// Who asks.
        device: DeviceId,
        /// What, sealed.
        sealed: &'a [u8],
    },
}

impl<'a> Inbox<'a> {
    /// Takes `bytes` apart; `None` when they are no inbox message of this version.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let ([version, kind], rest) = bytes.split_first_chunk()?;
        match (*version, *kind) {
            (VERSION, KIND_MESSAGE) => Some(Self::Message(rest)),
            (VERSION, KIND_UPDATE) => Some(Self::Update(rest)),
            (VERSION, KIND_REJOIN) => {
                let (device, sealed) = rest.split_first_chunk()?;
                Some(Self::Rejoin { device: DeviceId::from_bytes(*device), sealed })
            }
            _ => None,
        }
    }

    /// The message's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Message(mls) => [&[VERSION, KIND_MESSAGE], *mls].concat(),
            Self::Update(mls) => [&[VERSION, KIND_UPDATE], *mls].concat(),
            Self::Rejoin { device, sealed } => [&[VERSION, KIND_REJOIN], device.as_bytes().as_slice(), sealed].concat(),
        }
    }
}

/// The content of a message: signed by MLS, encrypted, and numbered, because MLS' signature does not cover its place.
#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    /// From 1, for as long as the phone is a member; the hub takes each number once.
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) body: SecretBytes,
}

impl Payload {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, cbor::DecodeError> {
        cbor::decode(bytes, crate::message::MAX_MESSAGE + 256)
    }
}

const VERSION: u8 = 1;
const KIND_MESSAGE: u8 = 1;
const KIND_UPDATE: u8 = 2;
const KIND_REJOIN: u8 = 3;
