//! What hub and phones say to each other inside the group. CBOR maps with text keys: a newer peer may add fields and kinds;
//! an older one ignores the fields and reports the kinds as `Unknown`.

use privet_protocol::cbor::{self, DecodeError};
use privet_protocol::id::{CameraId, DeviceId, PairingId, StreamId};
use privet_protocol::relay::CapabilityKey;
use privet_protocol::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::carried::Carried;
use crate::clip_notes::ClipNotes;
use crate::crypto::SecretBytes;
use crate::happening::HomeEvent;
use crate::pairing::RelayAddress;
use crate::wishes::{PhoneWishes, PushSetup, Wishes};

/// The longest message of either side, in bytes of CBOR.
pub const MAX_MESSAGE: usize = 96 * 1024;

/// What the hub tells its phones, one log entry each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum HubMessage {
    /// The key that the next commit mixes in. Sent by [`crate::HubHome::admit`] itself; phones keep it and do not show it.
    PskDelivery {
        /// The pairing it belongs to.
        pairing: PairingId,
        /// The key.
        key: SecretBytes,
    },
    /// All cameras as they are now; replaces what was known.
    Cameras(Vec<CameraInfo>),
    /// A stream began; its segments can be opened from now on.
    StreamStarted(StreamStarted),
    /// A stream is whole.
    StreamEnded(StreamEnded),
    /// A camera came or went.
    CameraState {
        /// Which.
        camera: CameraId,
        /// What it is now.
        state: CameraState,
    },
    /// A device joined. Shown to every member.
    Joined(Member),
    /// A device was removed.
    Left {
        /// Which.
        device: DeviceId,
        /// Its name.
        name: String,
        /// Who asked for it; absent when it was done at the hub.
        by: Option<DeviceId>,
    },
    /// A device lost its state and was let in again with the same identity.
    Rejoined {
        /// Which.
        device: DeviceId,
    },
    /// A device has a new name.
    Renamed {
        /// Which.
        device: DeviceId,
        /// The new name.
        name: String,
    },
    /// Nothing new: the log's head is this entry. Its number and the hash before it stand in every message.
    Heartbeat {
        /// The next entry comes within so many seconds while the hub has a relay.
        every_s: u32,
    },
    /// The home's relay is another one from now on.
    RelayMoved(RelayAddress),
    /// Something happened.
    Event(HomeEvent),
    /// What a clip shows; the last one about a clip counts.
    ClipNotes(Box<ClipNotes>),
    /// What the hub keeps of a phone's wishes, after each change.
    Wishes(PhoneWishes),
    /// These clips are no more.
    Forgotten {
        /// Which.
        streams: Vec<StreamId>,
    },
    /// Where in a carrier segments of clips lie that are at the relay in no other form; the last one about a segment counts.
    Carried(Box<Carried>),
    /// A kind this version does not know. Never sent.
    #[serde(skip)]
    Unknown {
        /// Its name.
        kind: String,
    },
}

/// A camera, as phones show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameraInfo {
    /// Its id.
    pub id: CameraId,
    /// Its name.
    pub name: String,
    /// Whether pictures come from it now.
    pub online: bool,
    /// Width of its pictures, in pixels; 0 while unknown.
    pub width: u32,
    /// Height of its pictures, in pixels; 0 while unknown.
    pub height: u32,
    /// Its video codec (RFC 6381); empty while unknown.
    pub codec: String,
    /// Its evidence public keys that are still needed, newest first.
    pub evidence: Vec<serde_bytes::ByteBuf>,
}

/// What a camera does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CameraState {
    /// Pictures come.
    Online,
    /// None come.
    Offline {
        /// Why, in words.
        reason: String,
    },
}

/// Whether a stream is watched now or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamKind {
    /// Passed on to those who watch, not kept.
    Live,
    /// Kept until fetched.
    Clip,
}

/// A stream began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamStarted {
    /// The stream.
    pub stream: StreamId,
    /// Its camera.
    pub camera: CameraId,
    /// Live or clip.
    pub kind: StreamKind,
    /// The stream's secret, opaque here: the CBOR of the sealing crate's `StreamSecret`.
    pub secret: SecretBytes,
    /// When its first picture was taken.
    pub started: Timestamp,
}

/// A stream is whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamEnded {
    /// The stream.
    pub stream: StreamId,
    /// How many segments it has.
    pub segments: u64,
    /// When its first picture was taken.
    pub started: Timestamp,
    /// When its last one ended.
    pub ended: Timestamp,
    /// Why it ended.
    pub reason: EndReason,
    /// The digest of its last statement.
    #[serde(with = "serde_bytes")]
    pub last_statement: [u8; 32],
    /// Its sealed size, in bytes.
    pub bytes: u64,
}

/// Why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EndReason {
    /// It was over.
    Finished,
    /// Its key was replaced because the members changed; another stream goes on.
    Rekeyed,
    /// The camera was lost.
    CameraLost,
    /// Nobody watched any more.
    NobodyWatching,
    /// The hub stopped or started again.
    HubStopped,
    /// There was no room for more.
    NoRoom,
}

/// A device of the home.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its id.
    pub device: DeviceId,
    /// Its name.
    pub name: String,
    /// Its identity key (Ed25519), pinned when it joined.
    #[serde(with = "serde_bytes")]
    pub identity: [u8; 32],
    /// When it joined.
    pub joined: Timestamp,
    /// When the hub last heard of it.
    pub last_seen: Timestamp,
}

/// Which of a camera's two streams a phone wants to see live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Feed {
    /// The one that is recorded.
    #[default]
    Main,
    /// The smaller one, for a link that is too slow for the other. Where the hub has none, it goes on with the main one.
    Substream,
}

impl Feed {
    fn is_main(&self) -> bool {
        *self == Self::Main
    }
}

/// What a phone tells the hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PhoneMessage {
    /// The phone is in and follows the log.
    Paired,
    /// It wants to see this camera live.
    Watch {
        /// Which.
        camera: CameraId,
        /// For how long without another word.
        lease_ms: u32,
        /// Which of its streams; not sent for the main one, so nothing changes for those who know no other.
        #[serde(default, skip_serializing_if = "Feed::is_main")]
        feed: Feed,
    },
    /// It does not any more.
    Unwatch {
        /// Which.
        camera: CameraId,
    },
    /// This device shall be removed.
    RemoveDevice {
        /// Which.
        device: DeviceId,
    },
    /// The sender has a new name.
    Rename {
        /// The new name.
        name: String,
    },
    /// Another device of the home has a new name. A kind of its own: a hub that does not know it must not name the sender so.
    RenameDevice {
        /// Which.
        device: DeviceId,
        /// The new name.
        name: String,
    },
    /// The sender has the log up to here; the hub compares the hash with its own.
    Receipt {
        /// The number.
        seq: u64,
        /// The hash.
        #[serde(with = "serde_bytes")]
        hash: [u8; 32],
    },
    /// Replaces the sender's wishes.
    SetWishes(Wishes),
    /// How the sender is woken.
    SetPush(PushSetup),
    /// This clip shall be kept, or need not be any more.
    PinClip {
        /// Which.
        stream: StreamId,
        /// Whether it shall be kept.
        pinned: bool,
    },
    /// The sender made another key for the relay: let it in beside the one it has, which goes on.
    NewRelayKey {
        /// The key.
        key: CapabilityKey,
    },
    /// From now on the sender comes to the relay under this key; the one before has no use any more.
    UsesRelayKey {
        /// The key.
        key: CapabilityKey,
    },
    /// A kind this version does not know. Never sent.
    #[serde(skip)]
    Unknown {
        /// Its name.
        kind: String,
    },
}

const HUB_KINDS: &[&str] = &[
    "PskDelivery",
    "Cameras",
    "StreamStarted",
    "StreamEnded",
    "CameraState",
    "Joined",
    "Left",
    "Rejoined",
    "Renamed",
    "Heartbeat",
    "RelayMoved",
    "Event",
    "ClipNotes",
    "Wishes",
    "Forgotten",
    "Carried",
];
const PHONE_KINDS: &[&str] = &[
    "Paired",
    "Watch",
    "Unwatch",
    "RemoveDevice",
    "Rename",
    "RenameDevice",
    "Receipt",
    "SetWishes",
    "SetPush",
    "PinClip",
    "NewRelayKey",
    "UsesRelayKey",
];

impl HubMessage {
    /// The message that `bytes` hold; a kind unknown here is `Unknown`.
    ///
    /// # Errors
    /// [`DecodeError`] when they hold none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::decode(bytes, MAX_MESSAGE)
            .or_else(|cause| Ok(Self::Unknown { kind: unknown_kind(bytes, HUB_KINDS).ok_or(cause)? }))
    }
}

impl PhoneMessage {
    /// The message that `bytes` hold; a kind unknown here is `Unknown`.
    ///
    /// # Errors
    /// [`DecodeError`] when they hold none.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::decode(bytes, MAX_MESSAGE)
            .or_else(|cause| Ok(Self::Unknown { kind: unknown_kind(bytes, PHONE_KINDS).ok_or(cause)? }))
    }
}

/// The kind of a well-formed message whose kind is not among `known`.
fn unknown_kind(bytes: &[u8], known: &[&str]) -> Option<String> {
    let kind = match cbor::decode(bytes, MAX_MESSAGE).ok()? {
        ciborium::Value::Text(kind) => kind,
        ciborium::Value::Map(fields) => match fields.as_slice() {
            [(ciborium::Value::Text(kind), _)] => kind.clone(),
            _ => return None,
        },
        _ => return None,
    };
    (!known.contains(&kind.as_str()) && kind.len() <= 64).then_some(kind)
}
