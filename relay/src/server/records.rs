//! What stands in the index, and under which keys. One table, so that no two kinds can ever collide.
//!
//! | key | value |
//! |---|---|
//! | `h/` home | [`HomeRecord`] |
//! | `g/` home, key | [`GrantRecord`] |
//! | `l/` home, number | [`EntryRecord`]: the log |
//! | `i/` home, number | [`EntryRecord`]: the inbox |
//! | `s/` home, stream | [`StreamRecord`] |
//! | `b/` home, stream, number | [`SegmentRecord`] |
//! | `f/` home, stream, number, number of the piece | a piece of a small segment's bytes (`storage/small.rs`) |
//! | `m/` mailbox | [`MailboxRecord`] |
//! | `n/` mailbox, side, number | [`EntryRecord`]: a mailbox's messages |
//! | `o/` home, mailbox | when that open mailbox closes by itself |
//! | `t/` home, key | [`PhoneRecord`]: where a member is woken, and the number of its last wake |
//! | `w/` home, key, number | [`EntryRecord`]: the payload of a wake that waits |
//! | `q/` home, key, number | [`WakeRecord`]: what is to be done with it |
//! | `x/` home, key, id of a wake | [`RememberedRecord`]: that there was one with this id |
//! | `v/` hash of an invite, or of a token and a number | the home that used it; nothing where the invite was taken back |
//! | `e/` hash of an invite | [`InviteRecord`]: one that was made, where relays share the store |
//! | `c/` name of the relay | [`TimeRecord`]: how far its own time has come; without a name in a store of one relay |
//! | `boot` | the run of the machine that partial bodies are of: those of another one may lack what the disk had not written |
//!
//! Numbers are big-endian, so that key order is number order. A body's name is made of home, stream and number.

use data_encoding::HEXLOWER;
use privet_protocol::cbor;
use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::relay::{CapabilityKey, Code, Rights, Side, Urgency};
use privet_protocol::storage::StoreError;
use privet_protocol::time::Timestamp;
use privet_store::BlobName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::wire::Failure;

pub(crate) const BOOT_KEY: &[u8] = b"boot";
pub(crate) const TIME_KEY: &[u8; 2] = b"c/";
pub(crate) const PIECE_KEY: &[u8; 2] = b"f/";
pub(crate) const INVITES_PREFIX: &[u8; 2] = b"e/";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HomeRecord {
    pub(crate) owner: CapabilityKey,
    pub(crate) created: Timestamp,
    pub(crate) log: Span,
    pub(crate) inbox: Span,
    /// What the entries of its log count as together, so that nobody has to read a large log to know. (Records of earlier versions have none.)
    #[serde(default)]
    pub(crate) log_bytes: Option<u64>,
}

impl HomeRecord {
    /// Of a home that begins now.
    pub(crate) fn new(owner: CapabilityKey, now: Timestamp) -> Self {
        Self { owner, created: now, log: Span::EMPTY, inbox: Span::EMPTY, log_bytes: Some(0) }
    }
}

/// Numbers from `first` to `head`; empty when `head` is one less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) first: u64,
    pub(crate) head: u64,
}

impl Span {
    pub(crate) const EMPTY: Self = Self { first: 1, head: 0 };

    pub(crate) fn count(self) -> u64 {
        (self.head + 1).saturating_sub(self.first)
    }
}

/// The highest number that an entry or a segment may have: with room above it, what counts on from any number never overflows.
pub(crate) const LAST_NUMBER: u64 = i64::MAX as u64;

/// Refuses numbers that nothing could follow.
pub(crate) fn check_number(number: u64) -> Result<(), Failure> {
    if number > LAST_NUMBER {
        return Err(Failure::refuse(Code::Malformed, format!("numbers go up to {LAST_NUMBER}")));
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct GrantRecord {
    pub(crate) rights: Rights,
    /// The last log entry this reader needs no longer.
    pub(crate) acknowledged: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EntryRecord {
    pub(crate) at: Timestamp,
    pub(crate) from: Option<CapabilityKey>,
    #[serde(with = "serde_bytes")]
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamRecord {
    pub(crate) finished: Option<u64>,
    pub(crate) acknowledged: Vec<CapabilityKey>,
    /// Segments below this number were here and are not any more.
    pub(crate) gone_below: u64,
    pub(crate) touched: Timestamp,
    /// Uploads that were under way then. (Records of earlier versions have none.)
    #[serde(default)]
    pub(crate) unfinished: Vec<u64>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct SegmentRecord {
    pub(crate) length: u64,
    pub(crate) until: Timestamp,
    /// Its bytes are in the index beside it, and in no file. (Records of earlier versions say nothing, and mean a file.)
    #[serde(default)]
    pub(crate) small: bool,
}

/// What a segment counts as in the quota of its home, at least: however few bytes it has, it takes a file and its block on the disk or a page
/// of the index, a record and a place in memory.
pub(crate) const LEAST_COUNTED: u64 = 8 << 10;

/// What a segment of this length counts as in the quota of its home.
pub(crate) fn counts_as(length: u64) -> u64 {
    length.max(LEAST_COUNTED)
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MailboxRecord {
    pub(crate) home: HomeId,
    pub(crate) key: CapabilityKey,
    pub(crate) until: Timestamp,
    pub(crate) closed: bool,
    pub(crate) hub: u64,
    pub(crate) phone: u64,
}

/// Names a wake for its phone, as the home's owner chose it.
pub(crate) type WakeId = [u8; 16];

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct PhoneRecord {
    /// The number of the last wake there was.
    pub(crate) head: u64,
    /// The push target as the member sealed it; empty when it has none.
    #[serde(with = "serde_bytes")]
    pub(crate) target: Vec<u8>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct WakeRecord {
    pub(crate) at: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) urgency: Urgency,
    pub(crate) stage: Stage,
}

/// How far a wake has come that the phone has not got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// A gateway is to take it.
    Waiting,
    /// A gateway took an empty message in its place: the phone will fetch it.
    Called,
    /// The gateway of the phone's target will never take it: the phone fetches it, or says another target.
    Refused,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct RememberedRecord {
    pub(crate) seq: u64,
    pub(crate) until: Timestamp,
}

/// An invite. Its times are those of the wall clock: whoever made it has no other.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct InviteRecord {
    /// For whom it is.
    pub(crate) note: String,
    pub(crate) made: Timestamp,
    pub(crate) until: Timestamp,
}

/// Own time and the machine's clocks, at one moment. Times in all other records are own time, but for those of invites.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TimeRecord {
    pub(crate) own: Timestamp,
    pub(crate) wall: Timestamp,
    /// Of the machine, in its run `boot`.
    pub(crate) uptime_ms: u64,
    #[serde(with = "serde_bytes")]
    pub(crate) boot: Vec<u8>,
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    cbor::decode(bytes, usize::MAX).map_err(|e| StoreError::Damaged(format!("a record of the index: {e}")))
}

pub(crate) fn key(kind: &[u8; 2], parts: &[&[u8]]) -> Vec<u8> {
    let mut key = kind.to_vec();
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

pub(crate) fn home_key(home: HomeId) -> Vec<u8> {
    key(b"h/", &[home.as_bytes()])
}

pub(crate) fn grant_key(home: HomeId, who: &CapabilityKey) -> Vec<u8> {
    key(b"g/", &[home.as_bytes(), &who.0])
}

pub(crate) fn log_key(home: HomeId, seq: u64) -> Vec<u8> {
    key(b"l/", &[home.as_bytes(), &seq.to_be_bytes()])
}

pub(crate) fn inbox_key(home: HomeId, seq: u64) -> Vec<u8> {
    key(b"i/", &[home.as_bytes(), &seq.to_be_bytes()])
}

pub(crate) fn stream_key(home: HomeId, stream: StreamId) -> Vec<u8> {
    key(b"s/", &[home.as_bytes(), stream.as_bytes()])
}

pub(crate) fn segment_key(home: HomeId, stream: StreamId, index: u64) -> Vec<u8> {
    key(b"b/", &[home.as_bytes(), stream.as_bytes(), &index.to_be_bytes()])
}

/// The prefix of a small segment's bytes.
pub(crate) fn pieces_prefix(home: HomeId, stream: StreamId, index: u64) -> Vec<u8> {
    key(PIECE_KEY, &[home.as_bytes(), stream.as_bytes(), &index.to_be_bytes()])
}

pub(crate) fn piece_key(home: HomeId, stream: StreamId, index: u64, piece: u16) -> Vec<u8> {
    key(PIECE_KEY, &[home.as_bytes(), stream.as_bytes(), &index.to_be_bytes(), &piece.to_be_bytes()])
}

/// Home, stream and number of a small segment, and which piece of it this is; `None` for what is no piece's key.
pub(crate) fn parse_piece_key(key: &[u8]) -> Option<(HomeId, StreamId, u64, u16)> {
    let (segment, piece) = key.split_last_chunk::<2>()?;
    let [home, stream] = [id_at(segment, 2).ok()?, id_at(segment, 18).ok()?];
    let index = last_number(segment.get(34..)?).ok()?;
    let whole = segment.len() == 42;
    whole.then(|| (HomeId::from_bytes(home), StreamId::from_bytes(stream), index, u16::from_be_bytes(*piece)))
}

pub(crate) fn mailbox_key(mailbox: MailboxId) -> Vec<u8> {
    key(b"m/", &[mailbox.as_bytes()])
}

pub(crate) fn side_byte(side: Side) -> u8 {
    match side {
        Side::Hub => b'h',
        Side::Phone => b'p',
    }
}

pub(crate) fn message_key(mailbox: MailboxId, side: Side, seq: u64) -> Vec<u8> {
    key(b"n/", &[mailbox.as_bytes(), &[side_byte(side)], &seq.to_be_bytes()])
}

pub(crate) fn phone_key(home: HomeId, who: &CapabilityKey) -> Vec<u8> {
    key(b"t/", &[home.as_bytes(), &who.0])
}

/// The prefix of the payloads that wait for a member.
pub(crate) fn payloads_prefix(home: HomeId, who: &CapabilityKey) -> Vec<u8> {
    key(b"w/", &[home.as_bytes(), &who.0])
}

pub(crate) fn payload_key(home: HomeId, who: &CapabilityKey, seq: u64) -> Vec<u8> {
    key(b"w/", &[home.as_bytes(), &who.0, &seq.to_be_bytes()])
}

pub(crate) fn wake_key(home: HomeId, who: &CapabilityKey, seq: u64) -> Vec<u8> {
    key(b"q/", &[home.as_bytes(), &who.0, &seq.to_be_bytes()])
}

pub(crate) fn remembered_key(home: HomeId, who: &CapabilityKey, id: &WakeId) -> Vec<u8> {
    key(b"x/", &[home.as_bytes(), &who.0, id])
}

/// Of the relay of this name, where several share the store.
pub(crate) fn time_key(node: Option<&str>) -> Vec<u8> {
    key(TIME_KEY, &[node.unwrap_or_default().as_bytes()])
}

/// Where it is noted that an invite was made.
pub(crate) fn made_key(hash: &[u8; 32]) -> Vec<u8> {
    key(INVITES_PREFIX, &[hash])
}

/// Where it is noted that an invite, or one of a token's homes, was used.
pub(crate) fn invite_key(hash: &[u8; 32]) -> Vec<u8> {
    key(b"v/", &[hash])
}

/// The number at the end of a key.
pub(crate) fn last_number(key: &[u8]) -> Result<u64, StoreError> {
    key.last_chunk::<8>()
        .map(|bytes| u64::from_be_bytes(*bytes))
        .ok_or_else(|| StoreError::Damaged("a key of the index is too short".into()))
}

/// The 16 bytes at `at` in a key.
pub(crate) fn id_at(key: &[u8], at: usize) -> Result<[u8; 16], StoreError> {
    key.get(at..at + 16)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| StoreError::Damaged("a key of the index is too short".into()))
}

pub(crate) fn body_name(home: HomeId, stream: StreamId, index: u64) -> Result<BlobName, StoreError> {
    format!("{home}-{stream}-{index:016x}").parse().map_err(|_| StoreError::Io("a body has no name".into()))
}

/// Home, stream and number of a body; `None` for a file that is not a body.
pub(crate) fn parse_body_name(name: &BlobName) -> Option<(HomeId, StreamId, u64)> {
    let mut parts = name.as_str().split('-');
    let home = parts.next()?.parse().ok()?;
    let stream = parts.next()?.parse().ok()?;
    let number: [u8; 8] = HEXLOWER.decode(parts.next()?.as_bytes()).ok()?.try_into().ok()?;
    parts.next().is_none().then_some((home, stream, u64::from_be_bytes(number)))
}
