//! Being let in again: what a phone that lost its MLS state asks with, and what the hub answers. Both are sealed under the
//! key the two share since pairing, and signed by their identities.

use privet_protocol::cbor;
use privet_protocol::id::{DeviceId, HomeId};
use privet_protocol::random::Random;
use privet_protocol::relay::MAX_ENTRY;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::crypto::{SIGNATURE, SecretBytes, SigningKey, open, seal, sha256, verify};
use crate::message::Member;

/// What the phone asks with.
#[derive(Serialize, Deserialize)]
pub(crate) struct Request {
    #[serde(with = "serde_bytes")]
    pub(crate) nonce: [u8; 16],
    pub(crate) at: Timestamp,
    #[serde(with = "serde_bytes")]
    pub(crate) key_package: Vec<u8>,
    #[serde(with = "serde_bytes")]
    signature: [u8; SIGNATURE],
}

/// What the hub answers.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    /// The request's.
    #[serde(with = "serde_bytes")]
    pub(crate) nonce: [u8; 16],
    pub(crate) generation: u32,
    /// The log's hash before the answer's entry; with it the entry's signature can be checked, and the log followed.
    #[serde(with = "serde_bytes")]
    pub(crate) prev: [u8; 32],
    pub(crate) hub_name: String,
    /// The highest number of the phone's messages that was taken.
    pub(crate) heard: u64,
    pub(crate) members: Vec<Member>,
    #[serde(with = "serde_bytes")]
    pub(crate) welcome: Vec<u8>,
}

/// The two parties and the key they share.
pub(crate) struct Channel<'a> {
    pub(crate) home: &'a HomeId,
    pub(crate) device: &'a DeviceId,
    pub(crate) key: &'a SecretBytes,
}

impl Channel<'_> {
    pub(crate) fn ask(
        &self,
        identity: &SigningKey,
        nonce: [u8; 16],
        key_package: Vec<u8>,
        at: Timestamp,
        random: &dyn Random,
    ) -> Option<Vec<u8>> {
        let signature = identity.sign(&self.signing_input(&nonce, at, &key_package));
        let request = Request { nonce, at, key_package, signature };
        Some(seal(&*self.key.key()?, &self.aad(REQUEST), &cbor::encode(&request), random))
    }

    /// The request in `sealed`, if the device with this identity made it.
    pub(crate) fn asked(&self, identity: &[u8; 32], sealed: &[u8]) -> Result<Request, &'static str> {
        let plain = self.open(REQUEST, sealed).ok_or("it is not sealed under the device's key")?;
        let request: Request = cbor::decode(&plain, MAX_ENTRY).map_err(|_| "it can't be read")?;
        let input = self.signing_input(&request.nonce, request.at, &request.key_package);
        if verify(identity, &input, &request.signature) {
            Ok(request)
        } else {
            Err("it is not signed by the device's identity")
        }
    }

    pub(crate) fn answer(&self, answer: &Answer, random: &dyn Random) -> Option<Vec<u8>> {
        let plain = Zeroizing::new(cbor::encode(answer));
        Some(seal(&*self.key.key()?, &self.aad(ANSWER), &plain, random))
    }

    pub(crate) fn answered(&self, sealed: &[u8]) -> Option<Answer> {
        cbor::decode(&self.open(ANSWER, sealed)?, MAX_ENTRY).ok()
    }

    fn open(&self, label: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        open(&*self.key.key()?, &self.aad(label), sealed)
    }

    fn aad(&self, label: &[u8]) -> Vec<u8> {
        [label, self.home.as_bytes(), self.device.as_bytes()].concat()
    }

    fn signing_input(&self, nonce: &[u8; 16], at: Timestamp, key_package: &[u8]) -> Vec<u8> {
        let at = at.0.to_be_bytes();
        [SIGNED, self.home.as_bytes(), self.device.as_bytes(), nonce, &at, &sha256(&[key_package])].concat()
    }
}

const REQUEST: &[u8] = b"privet rejoin request v1\0";
const ANSWER: &[u8] = b"privet rejoin answer v1\0";
const SIGNED: &[u8] = b"privet rejoin signature v1\0";
