//! The two messages of a pairing: the phone's request and the hub's answer.

use privet_protocol::cbor;
use privet_protocol::id::{DeviceId, HomeId, PairingId};
use privet_protocol::random::Random;
use privet_protocol::relay::{CapabilityKey, MAX_ENTRY};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Keys;
use crate::crypto::{SIGNATURE, SecretBytes, SigningKey, open, seal, sha256, verify};
use crate::identity::MAX_NAME;
use crate::log::LogPosition;
use crate::message::Member;

/// What the phone asks with.
#[derive(Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) device: DeviceId,
    pub(crate) name: String,
    #[serde(with = "serde_bytes")]
    pub(crate) identity: [u8; 32],
    pub(crate) capability: CapabilityKey,
    #[serde(with = "serde_bytes")]
    pub(crate) key_package: Vec<u8>,
    /// The identity key's signature: whoever asks holds it.
    #[serde(with = "serde_bytes")]
    signature: [u8; SIGNATURE],
}

impl Request {
    pub(crate) fn sign(
        pairing: &PairingId,
        device: DeviceId,
        name: &str,
        identity: &SigningKey,
        capability: CapabilityKey,
        key_package: Vec<u8>,
    ) -> Self {
        let input = signing_input(pairing, &device, &capability, &key_package);
        Self {
            device,
            name: name.to_owned(),
            identity: identity.public(),
            capability,
            key_package,
            signature: identity.sign(&input),
        }
    }
}

fn signing_input(pairing: &PairingId, device: &DeviceId, capability: &CapabilityKey, key_package: &[u8]) -> Vec<u8> {
    [REQUEST_LABEL, pairing.as_bytes(), device.as_bytes(), &capability.0, &sha256(&[key_package])].concat()
}

/// What the hub answers.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) home: HomeId,
    pub(crate) generation: u32,
    pub(crate) hub: DeviceId,
    pub(crate) hub_name: String,
    #[serde(with = "serde_bytes")]
    pub(crate) hub_identity: [u8; 32],
    /// The Add commit's place: the phone's log begins after it.
    pub(crate) position: LogPosition,
    pub(crate) members: Vec<Member>,
    /// Seals a later request to be let in again, and its answer.
    pub(crate) rejoin_key: SecretBytes,
    #[serde(with = "serde_bytes")]
    pub(crate) welcome: Vec<u8>,
}

/// Why a request can't be taken.
pub(crate) enum RequestError {
    /// Not sealed under this pairing's key.
    Forged,
    /// Sealed under it, but wrong.
    Invalid(&'static str),
}

pub(crate) fn seal_request(keys: &Keys, pairing: &PairingId, request: &Request, random: &dyn Random) -> Vec<u8> {
    let plain = padded(request);
    [&[VERSION], seal(&keys.to_hub, &aad(TO_HUB, pairing), &plain, random).as_slice()].concat()
}

pub(crate) fn open_request(keys: &Keys, pairing: &PairingId, message: &[u8]) -> Result<Request, RequestError> {
    let sealed = match message.split_first() {
        Some((&VERSION, sealed)) if message.len() <= MAX_ENTRY => sealed,
        _ => return Err(RequestError::Forged),
    };
    let plain = open(&keys.to_hub, &aad(TO_HUB, pairing), sealed).ok_or(RequestError::Forged)?;
    let request: Request = cbor::decode(&plain, MAX_ENTRY).map_err(|_| RequestError::Invalid("it can't be read"))?;
    if request.name.is_empty() || request.name.len() > MAX_NAME {
        return Err(RequestError::Invalid("the device's name is empty or too long"));
    }
    let input = signing_input(pairing, &request.device, &request.capability, &request.key_package);
    if !verify(&request.identity, &input, &request.signature) {
        return Err(RequestError::Invalid("it is not signed by the identity it names"));
    }
    Ok(request)
}

pub(crate) fn seal_answer(keys: &Keys, pairing: &PairingId, answer: &Answer, random: &dyn Random) -> Vec<u8> {
    let plain = padded(answer);
    [&[VERSION], seal(&keys.to_phone, &aad(TO_PHONE, pairing), &plain, random).as_slice()].concat()
}

/// Why an answer can't be taken.
pub(crate) enum AnswerError {
    Version(u8),
    Forged,
    Unreadable(String),
}

pub(crate) fn open_answer(keys: &Keys, pairing: &PairingId, message: &[u8]) -> Result<Answer, AnswerError> {
    let (version, sealed) = message.split_first().ok_or(AnswerError::Forged)?;
    if message.len() > MAX_ENTRY {
        return Err(AnswerError::Forged);
    }
    if *version != VERSION {
        return Err(AnswerError::Version(*version));
    }
    let plain = open(&keys.to_phone, &aad(TO_PHONE, pairing), sealed).ok_or(AnswerError::Forged)?;
    cbor::decode(&plain, MAX_ENTRY).map_err(|e| AnswerError::Unreadable(e.to_string()))
}

/// The two messages are whole multiples of this, so that neither a device's name nor the number of members shows in a length, but
/// for steps.
const BLOCK: usize = 4096;
/// What a sealed message may hold.
const ROOM: usize = MAX_ENTRY - 64;

/// A message with a field that fills it up. Whoever reads it does not know the field and passes it over, as every other one.
#[derive(Serialize)]
struct Padded<'a, T> {
    #[serde(flatten)]
    message: &'a T,
    #[serde(with = "serde_bytes")]
    padding: Vec<u8>,
}

fn padded<T: Serialize>(message: &T) -> Zeroizing<Vec<u8>> {
    let with = |padding| Zeroizing::new(cbor::encode(&Padded { message, padding: vec![0; padding] }));
    let bare = with(0).len();
    let blocks = (1..=2).map(|blocks| (bare.div_ceil(BLOCK) + blocks - 1) * BLOCK).filter(|length| *length <= ROOM);
    for length in blocks {
        // The head of a longer byte string is longer by up to four bytes, and there are lengths that so can't be had.
        let most = length - bare;
        let fitting = (most.saturating_sub(4)..=most).map(with).find(|plain| plain.len() == length);
        if let Some(plain) = fitting {
            return plain;
        }
    }
    // There is hardly any room left. It goes as it is.
    Zeroizing::new(cbor::encode(message))
}

fn aad(label: &[u8], pairing: &PairingId) -> Vec<u8> {
    [label, &[VERSION], pairing.as_bytes().as_slice()].concat()
}

const VERSION: u8 = 1;
const TO_HUB: &[u8] = b"privet pairing request\0";
const TO_PHONE: &[u8] = b"privet pairing answer\0";
const REQUEST_LABEL: &[u8] = b"privet pairing request signature v1\0";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_protocol::random::SeededRandom;

    use super::*;

    fn request(name: &str, package: usize) -> Request {
        let identity = SigningKey::from_seed(&SecretBytes::new([1; 32])).unwrap();
        let device = DeviceId::from_bytes([3; 16]);
        let pairing = PairingId::from_bytes([2; 16]);
        Request::sign(&pairing, device, name, &identity, CapabilityKey([4; 32]), vec![5; package])
    }

    #[test]
    fn a_length_says_nothing_of_names_and_never_more_than_its_blocks() {
        let (pairing, random) = (PairingId::from_bytes([2; 16]), SeededRandom::new(b"padding"));
        let keys = Keys::derive(&pairing, &[7; 32]);
        let seal = |request: &Request| seal_request(&keys, &pairing, request, &random);
        let overhead = 1 + 12 + 16;
        let names: Vec<_> = (1..=MAX_NAME).map(|length| seal(&request(&"x".repeat(length), 2000)).len()).collect();
        assert!(names.iter().all(|length| *length == BLOCK + overhead), "{names:?}");
        // Every length in and around a block, and the longest.
        for package in (3700..4300).chain([ROOM - 5000, ROOM - BLOCK, ROOM - 400]) {
            let sealed = seal(&request("Ann", package));
            assert!((sealed.len() - overhead).is_multiple_of(BLOCK) || sealed.len() > ROOM - BLOCK, "{package}");
            assert!(sealed.len() <= MAX_ENTRY);
            assert_eq!(open_request(&keys, &pairing, &sealed).ok().unwrap().key_package.len(), package);
        }
    }

    #[test]
    fn messages_of_before_without_padding_are_read() {
        let (pairing, random) = (PairingId::from_bytes([2; 16]), SeededRandom::new(b"old"));
        let keys = Keys::derive(&pairing, &[7; 32]);
        let plain = cbor::encode(&request("Ann", 2000));
        let sealed = seal(&keys.to_hub, &aad(TO_HUB, &pairing), &plain, &random);
        let old = [&[VERSION], sealed.as_slice()].concat();
        assert_eq!(open_request(&keys, &pairing, &old).ok().unwrap().name, "Ann");
    }
}
