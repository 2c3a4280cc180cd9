//! The messages between the relay and its clients. Page: `docs/reference/relay-protocol.md`.
//!
//! The story of a connection:
//!
//! 1. A client opens a QUIC connection with ALPN [`ALPN`] and checks the relay's certificate by pin or by WebPKI.
//! 2. On its first bidirectional stream it sends [`Hello`]: the protocol versions it speaks, whom it acts for
//!    ([`Principal`]) and a capability key, with a signature over the TLS exporter ([`hello_signing_input`]). A recorded hello
//!    is worthless on any other connection.
//! 3. The relay answers [`HelloAnswer`]: the version both speak and its limits, or the reason for the refusal.
//! 4. Every further request is a bidirectional stream of its own: one [`Request`], for some a body, then one or more
//!    [`Response`]s. A client may have as many under way as [`Limits::streams`] says.
//! 5. Segments that a follower follows come on unidirectional streams from the relay, each opened with a
//!    [`SegmentHead`], so that a lost packet of one never holds up another.
//! 6. A relay that ends closes the connection with [`close::SHUTDOWN`] and, where it knows, a [`Farewell`]: where to go on.
//!
//! A message on a stream is a `u32` big-endian length and that many bytes of CBOR ([`crate::cbor`]). Bodies are raw bytes up
//! to the end of the stream.

mod farewell;
mod refusal;
mod work;

use serde::{Deserialize, Serialize};

use crate::cbor::{self, DecodeError};
use crate::id::{HomeId, MailboxId, StreamId};
use crate::time::Timestamp;

pub use farewell::Farewell;
pub use refusal::{Code, Refusal, close, reset};
pub use work::{
    Challenge, MAX_WORK_BITS, NotASolution, Solution, SolveError, WORK_WINDOW_MS, WorkFault, WorkKey, solve,
};

/// The application protocol named in the TLS handshake.
pub const ALPN: &[u8] = b"privet/1";
/// The protocol versions this code speaks, best first.
pub const VERSIONS: &[u16] = &[1];

/// The version for two peers of which one `speaks` these, best first, and the other `offered` those: the first it speaks that was
/// offered. What either of them does not know yet, or no more, does no harm.
pub fn common_version(speaks: &[u16], offered: &[u16]) -> Option<u16> {
    speaks.iter().copied().find(|version| offered.contains(version))
}

/// The exporter label (RFC 5705, RFC 8446 section 7.5) a hello is signed over.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-privet-relay-hello-v1";
/// The longest entry of a log, inbox or mailbox, in bytes: a commit with its path for a hundred members fits.
pub const MAX_ENTRY: usize = 128 * 1024;
/// The longest payload of a wake, in bytes.
pub const MAX_WAKE: usize = 3584;
/// The longest sealed push target, in bytes.
pub const MAX_SEALED_TARGET: usize = 4096;
/// The longest message, in bytes: an entry and what names it.
pub const MAX_MESSAGE: usize = MAX_ENTRY + 1024;

/// A capability key: an Ed25519 public key. The relay knows keys, not people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct CapabilityKey(#[serde(with = "serde_bytes")] pub [u8; 32]);

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Signature(#[serde(with = "serde_bytes")] pub [u8; 64]);

/// On whose behalf a connection acts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Principal {
    /// A key that creates the home, or (again) is its owner.
    Founder {
        /// The home to create.
        home: HomeId,
        /// Where the relay asks for one: the operator's invite, one of its tokens, or a [`Solution`] of its challenge.
        invite: Option<String>,
    },
    /// A key that the home's owner granted rights.
    Member {
        /// The home.
        home: HomeId,
    },
    /// The key of a rendezvous mailbox.
    Mailbox {
        /// The mailbox.
        mailbox: MailboxId,
    },
}

/// The first message of a connection.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// Versions the client speaks, best first; at most 16 are read.
    pub versions: Vec<u16>,
    /// Whom it acts for.
    pub principal: Principal,
    /// Its capability key.
    pub key: CapabilityKey,
    /// The key's signature over [`hello_signing_input`].
    pub signature: Signature,
}

/// What a hello signs: a label, the connection's exporter value and the principal. Bound to one TLS connection.
pub fn hello_signing_input(exporter: &[u8; 32], principal: &Principal, key: &CapabilityKey) -> Vec<u8> {
    let mut input = b"privet relay hello v1\0".to_vec();
    input.extend_from_slice(exporter);
    input.extend_from_slice(&key.0);
    input.extend_from_slice(&cbor::encode(principal));
    input
}

/// The relay's answer to a hello.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum HelloAnswer {
    /// The connection is authenticated.
    Welcome {
        /// The version to speak.
        version: u16,
        /// What the relay allows.
        limits: Limits,
        /// The relay's clock.
        now: Timestamp,
    },
    /// It is not, and is closed.
    Refused(Refusal),
}

/// What the relay allows this connection and home.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Requests under way at once.
    pub streams: u32,
    /// Bytes of one segment.
    pub segment_bytes: u64,
    /// Bytes the home may keep stored.
    pub stored_bytes: u64,
    /// Longest time, in seconds, that anything is kept.
    pub retention_s: u64,
}

/// What a key may do in its home. The owner may do everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Rights {
    /// Read and acknowledge the log.
    pub log: bool,
    /// Read, follow and acknowledge segments.
    pub segments: bool,
    /// Put messages into the inbox.
    pub inbox: bool,
    /// Where reading the log ends: no later entry is given or told of, nor what the home uses. Absent: it does not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_upto: Option<u64>,
}

impl Rights {
    /// Whether all that `other` allows is allowed by these too.
    pub fn cover(&self, other: &Self) -> bool {
        let log = self.log >= other.log && self.log_upto.is_none_or(|end| other.log_upto.is_some_and(|o| o <= end));
        (log || !other.log) && self.segments >= other.segments && self.inbox >= other.inbox
    }

    /// What a phone needs.
    pub const PHONE: Self = Self { log: true, segments: true, inbox: true, log_upto: None };

    /// What a removed phone keeps for some days: to find the entry that removed it.
    pub const fn farewell(log_upto: u64) -> Self {
        Self { log: true, segments: false, inbox: false, log_upto: Some(log_upto) }
    }
}

/// How long the relay keeps a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Retention {
    /// On disk, until every reader acknowledged the stream or the time has come.
    Keep {
        /// When it may go unread.
        until: Timestamp,
    },
    /// In memory only, for those who follow now.
    Pass,
}

/// Where following starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum From {
    /// At the newest segment there is, from its first byte.
    Newest,
    /// At this segment.
    Index(u64),
}

/// A request: the first message of a bidirectional stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Request {
    // --- log: numbered messages from the hub to its phones ---
    /// Appends entry `seq`, which must follow the head; the same entry again is answered like the first time, another one
    /// under a number already taken is [`Code::Conflict`]. Answer: [`Response::Appended`] once durable. Owner.
    Append {
        /// The entry's number, from 1.
        seq: u64,
        /// The entry.
        #[serde(with = "serde_bytes")]
        entry: Vec<u8>,
    },
    /// Entries from `from` on. Answers: [`Response::Entry`] each, [`Response::CaughtUp`] at the head; then, with `follow`,
    /// entries as they come, without end. Right: log.
    ReadLog {
        /// The first number wanted. Entries that are gone are answered [`Code::Gone`].
        from: u64,
        /// Whether to wait for more.
        follow: bool,
    },
    /// This reader has what is up to and including `upto`. Answer: [`Response::Done`]. Right: log.
    AckLog {
        /// The last number no longer needed.
        upto: u64,
    },

    // --- inbox: messages from phones to the hub ---
    /// Puts a message into the inbox. Answer: [`Response::Appended`] once durable. Right: inbox.
    Send {
        /// The message.
        #[serde(with = "serde_bytes")]
        message: Vec<u8>,
    },
    /// Messages from `from` on, answered like [`Request::ReadLog`]. Owner.
    ReadInbox {
        /// The first number wanted.
        from: u64,
        /// Whether to wait for more.
        follow: bool,
    },
    /// Forgets messages up to and including `upto`. Answer: [`Response::Done`]. Owner.
    AckInbox {
        /// The last number no longer needed.
        upto: u64,
    },

    // --- segments ---
    /// Writes a segment; its bytes follow up to the end of the stream, and followers get them as they come. With `resume`, the
    /// relay first answers [`Response::Resume`] and the client sends from there. Last answer: [`Response::Stored`], for kept
    /// segments once durable. A whole segment that is there already is answered at once. Owner.
    Put {
        /// The stream.
        stream: StreamId,
        /// The segment's number in it.
        index: u64,
        /// How long to keep it.
        retention: Retention,
        /// Whether to go on where an earlier try broke off. Only kept segments can.
        resume: bool,
    },
    /// No more segments follow in this stream; there are `segments` of them. Answer: [`Response::Done`]. Owner.
    Finish {
        /// The stream.
        stream: StreamId,
        /// One more than the last segment's number.
        segments: u64,
    },
    /// A segment's bytes from `offset` on. Answer: [`Response::Body`], then bytes to the end of the stream; what is still
    /// being written is followed. Right: segments.
    Get {
        /// The stream.
        stream: StreamId,
        /// The segment.
        index: u64,
        /// The first byte wanted.
        offset: u64,
    },
    /// Follows a stream: answers are [`Response::Following`], then [`Response::Skipped`] as they happen and
    /// [`Response::Ended`]; the segments come on unidirectional streams. The client stops by stopping this stream.
    /// Right: segments.
    Follow {
        /// The stream.
        stream: StreamId,
        /// Where to start.
        from: From,
    },
    /// What the relay has of a stream. Answer: [`Response::Stream`]. Right: segments.
    Stat {
        /// The stream.
        stream: StreamId,
    },
    /// This reader needs the stream no longer. Answer: [`Response::Done`]. Right: segments.
    AckStream {
        /// The stream.
        stream: StreamId,
    },
    /// Forgets a stream for everyone. Answer: [`Response::Done`]. Owner.
    DropStream {
        /// The stream.
        stream: StreamId,
    },

    // --- capabilities ---
    /// Gives `key` these rights from now on. Answer: [`Response::Done`] once durable. Owner.
    Grant {
        /// The key.
        key: CapabilityKey,
        /// What it may do.
        rights: Rights,
    },
    /// Takes all rights from `key` and closes its connections. Answer: [`Response::Done`] once durable. Owner.
    Revoke {
        /// The key.
        key: CapabilityKey,
    },

    // --- rendezvous ---
    /// Opens a mailbox for one pairing. Answer: [`Response::Done`]. Owner.
    OpenMailbox {
        /// Its id.
        mailbox: MailboxId,
        /// The key that may use it besides the owner.
        key: CapabilityKey,
        /// When it closes by itself.
        until: Timestamp,
    },
    /// Closes it: whoever comes with its key is answered [`Code::Gone`] until its time is over. Answer:
    /// [`Response::Done`]. Owner.
    CloseMailbox {
        /// The mailbox.
        mailbox: MailboxId,
    },
    /// Leaves a message on one side of the mailbox. Answer: [`Response::Appended`]. Owner or mailbox key.
    Post {
        /// The mailbox.
        mailbox: MailboxId,
        /// Whom it is for.
        to: Side,
        /// The message.
        #[serde(with = "serde_bytes")]
        message: Vec<u8>,
    },
    /// Messages left for a side, from number `from` on, as they come. Answers like [`Request::ReadLog`] with `follow`.
    /// Owner or mailbox key.
    Collect {
        /// The mailbox.
        mailbox: MailboxId,
        /// Whose messages.
        side: Side,
        /// The first number wanted, from 1.
        from: u64,
    },

    // --- waking phones ---
    /// The key that push targets are sealed to. Answer: [`Response::PushKey`]. Any member.
    PushKey,
    /// Says where the asking member is woken from now on; empty means nowhere. `sealed` is a target of the crate `privet-push`,
    /// sealed to the relay's push key for this member. Answer: [`Response::Done`] once durable. A member, about itself.
    SetPush {
        /// At most [`MAX_SEALED_TARGET`] bytes.
        #[serde(with = "serde_bytes")]
        sealed: Vec<u8>,
    },
    /// Brings a payload to a phone, connected or not: [`Response::Done`] once durable. An id again brings nothing twice. Owner.
    Wake {
        /// The phone's key.
        key: CapabilityKey,
        /// Names this wake for this key.
        #[serde(with = "serde_bytes")]
        id: [u8; 16],
        /// What the phone gets, opaque: at most [`MAX_WAKE`] bytes.
        #[serde(with = "serde_bytes")]
        payload: Vec<u8>,
        /// How soon.
        urgency: Urgency,
        /// When it is worth nothing any more and is dropped.
        until: Timestamp,
    },
    /// Payloads for the asking member that no gateway has taken whole, from number `from` on, answered like
    /// [`Request::ReadLog`]; while it follows, each goes to a gateway only if it is not acknowledged soon. A member, itself.
    ReadWakes {
        /// The first number wanted.
        from: u64,
        /// Whether to wait for more.
        follow: bool,
    },
    /// The asking member has its wakes up to and including `upto`. Answer: [`Response::Done`] once durable.
    AckWakes {
        /// The last number no longer needed.
        upto: u64,
    },

    /// What the home uses. Answer: [`Response::Usage`]. Any member.
    Usage,
}

/// How soon a phone should be woken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Urgency {
    /// At once, out of its sleep.
    High,
    /// When it wakes by itself.
    Normal,
}

/// A side of a rendezvous mailbox.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Side {
    /// The hub's.
    Hub,
    /// The phone's.
    Phone,
}

/// An answer of the relay.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Response {
    /// Done, and durable where that was promised.
    Done,
    /// The entry has this number.
    Appended {
        /// Its number.
        seq: u64,
    },
    /// An entry of a log, inbox or mailbox.
    Entry {
        /// Its number.
        seq: u64,
        /// The entry.
        #[serde(with = "serde_bytes")]
        entry: Vec<u8>,
    },
    /// Everything up to `head` was sent; what follows is new.
    CaughtUp {
        /// The last number there is; 0 when there is none.
        head: u64,
    },
    /// Send the segment from this byte on.
    Resume {
        /// The first byte wanted.
        offset: u64,
    },
    /// The segment is whole and, if kept, durable.
    Stored {
        /// Its length in bytes.
        length: u64,
    },
    /// The segment's bytes follow.
    Body {
        /// Its length in bytes; absent while it is being written.
        length: Option<u64>,
    },
    /// Segments of the stream come on unidirectional streams that carry this number.
    Following {
        /// The number: the QUIC stream id of the request, so that the client knows it beforehand.
        follow: u64,
        /// The first segment that comes, or is told [`Response::Skipped`].
        first: u64,
    },
    /// The follower was too slow, or asked too late: these segments do not come.
    Skipped {
        /// The first one.
        from: u64,
        /// One more than the last one.
        to: u64,
    },
    /// The stream is finished and all of it was sent.
    Ended {
        /// How many segments it has.
        segments: u64,
    },
    /// A stream's state.
    Stream(StreamState),
    /// What the home uses.
    Usage(Usage),
    /// What push targets are sealed to.
    PushKey {
        /// The relay's push key.
        #[serde(with = "serde_bytes")]
        key: Vec<u8>,
        /// The VAPID key that phones subscribe to Web Push with, where this relay has one.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
        vapid: Option<Vec<u8>>,
    },
    /// The request was refused or failed; nothing was done.
    Refused(Refusal),
}

/// What the relay has of a stream.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StreamState {
    /// The lowest segment number there is.
    pub first: u64,
    /// One more than the highest.
    pub next: u64,
    /// The number of segments, once finished.
    pub finished: Option<u64>,
    /// Bytes stored.
    pub bytes: u64,
}

/// What a home uses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes stored.
    pub stored_bytes: u64,
    /// The lowest log number there is.
    pub log_first: u64,
    /// The log's last number.
    pub log_head: u64,
    /// The inbox's last number.
    pub inbox_head: u64,
    /// Streams kept.
    pub streams: u64,
    /// Bytes that may be stored. Older relays say neither this nor what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_limit: Option<u64>,
    /// Entries that the log may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_limit: Option<u64>,
    /// Wakes that the relay takes within an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wakes_limit: Option<u64>,
    /// How many of them are left now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wakes_left: Option<u64>,
}

impl Usage {
    /// Entries that the log has.
    pub fn log_entries(&self) -> u64 {
        self.log_head.saturating_add(1).saturating_sub(self.log_first)
    }
}

/// Opens a unidirectional stream of a followed stream; the segment's bytes come after it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SegmentHead {
    /// Which [`Response::Following`] this belongs to.
    pub follow: u64,
    /// The segment.
    pub index: u64,
}

/// A message as it stands on a stream: its length, then its bytes.
pub fn frame<T: Serialize>(message: &T) -> Vec<u8> {
    let body = cbor::encode(message);
    let mut out = Vec::with_capacity(4 + body.len());
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&body);
    out
}

/// The length that a frame's first four bytes announce.
///
/// # Errors
/// [`DecodeError::TooLong`] above [`MAX_MESSAGE`]: nothing is allocated for it.
pub fn frame_length(prefix: [u8; 4]) -> Result<usize, DecodeError> {
    let length = u32::from_be_bytes(prefix) as usize;
    if length > MAX_MESSAGE { Err(DecodeError::TooLong { length, limit: MAX_MESSAGE }) } else { Ok(length) }
}
