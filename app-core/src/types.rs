//! The plain values that cross this library's border. Ids are hexadecimal text, times are milliseconds since 1970 UTC.

use privet_segment::GapReason;

use crate::events::TrustAlert;

/// How to open a [`crate::Client`].
#[derive(Debug, Clone)]
pub struct Config {
    /// A folder of the app's own; made when it is not there.
    pub storage_dir: String,
    /// What the other members see this phone as.
    pub device_name: String,
    /// How many MiB of (still sealed) clips are kept here; the longest unused go first.
    pub cache_limit_mib: u32,
    /// The host app's version, for logs.
    pub app_version: String,
}

/// What is known about who made something. Every picture and every event carries one; an interface must not hide it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The signature of a camera that this home's hub vouches for was checked, and the bytes are the signed ones.
    Verified {
        /// Fingerprint of the camera's evidence key.
        signer: String,
        /// Until when the key is leased; absent while there is no notary.
        lease_until_ms: Option<i64>,
    },
    /// Sealed by the home and unchanged, but its signature is still to come (live, before the segment's end).
    Pending,
    /// Verification failed. Nothing of it may be shown.
    Broken {
        /// What failed.
        why: String,
    },
}

/// A camera of the home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Camera {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether the hub gets pictures from it.
    pub online: bool,
    /// Picture width in pixels; 0 until known.
    pub width: u32,
    /// Picture height in pixels; 0 until known.
    pub height: u32,
    /// RFC 6381 codec name, as `avc1.64001f`.
    pub codec: String,
    /// Fingerprint of its evidence key.
    pub signer: String,
}

/// A member of the home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it is this phone.
    pub this_device: bool,
    /// When it joined.
    pub added_ms: i64,
    /// When it was last heard of, as far as this phone knows.
    pub last_seen_ms: Option<i64>,
    /// Fingerprint of its identity key.
    pub fingerprint: String,
}

/// A clip: a recording round an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipInfo {
    /// Its id.
    pub id: String,
    /// The camera that made it.
    pub camera_id: String,
    /// When it starts.
    pub start_ms: i64,
    /// How long it is; 0 while it is being recorded.
    pub duration_ms: u64,
    /// Its sealed size; 0 while it is being recorded.
    pub bytes: u64,
    /// Its number of segments, once finished.
    pub segments: Option<u64>,
    /// The first segment that this phone can open. Not 0 when the clip was being recorded as the phone joined, or joined again: what
    /// is before was sealed before, and newcomers are not given its keys. `bytes`, `start_ms` and `duration_ms` are the whole clip's.
    pub first_segment: u64,
    /// Whether it is finished.
    pub finished: bool,
    /// Whether all of it that this phone can open is here.
    pub local: bool,
    /// Verified once all of it that this phone can open was fetched and checked here; Pending before.
    pub trust: Trust,
    /// What it shows, as the hub said after its end.
    pub notes: Option<ClipNotes>,
}

/// What a clip shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClipNotes {
    /// Relative activity, 0 to 255, of 16 by 16 parts of the picture, row by row from the top left: 256 bytes.
    pub heat: Vec<u8>,
    /// The moment of most motion, by the hub's clock.
    pub peak_ms: i64,
    /// The camera's zones something moved in.
    pub zones: Vec<String>,
    /// Whether the hub keeps the clip until somebody unpins it.
    pub pinned: bool,
    /// Whether [`crate::Client::thumbnail`] has a picture of that moment; only the newest 2000 clips have theirs here.
    pub thumbnail: bool,
}

/// A small picture of a clip's moment of most motion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// What it is: `image/jpeg`.
    pub mime: String,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// The picture, at most 20 000 bytes. A decoder for untrusted bytes should show it: the hub took them from a camera.
    pub bytes: Vec<u8>,
    /// `Pending`: sent by the hub in the authenticated log, not signed by the camera.
    pub trust: Trust,
}

/// A page of clips, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The clips.
    pub clips: Vec<ClipInfo>,
    /// Pass it to get the next page; absent on the last one.
    pub next: Option<String>,
}

/// What verification of a clip or an exported file found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifyReport {
    /// Whether everything held.
    pub ok: bool,
    /// Fingerprint of the camera's evidence key; empty when there was none to be found.
    pub signer: String,
    /// Whether that key is one of the trust roots (or, for a clip of this home, the camera's key).
    pub signer_known: bool,
    /// The statements' digests in order, hexadecimal.
    pub chain: Vec<String>,
    /// How many segments were checked.
    pub segments: u64,
    /// For a clip of this home, the first one that was: those before it were recorded before this phone joined, or
    /// joined again.
    pub first_segment: u64,
    /// How many video frames were checked.
    pub frames_checked: u64,
    /// The outages that the signed statements declare, in order.
    pub gaps: Vec<Outage>,
    /// How many segments say that the hub's clock was set back since the one before: times do not rise over them.
    pub clock_set_back: u32,
    /// When the first frame was made, as the hub's clock said.
    pub time_claim_ms: i64,
    /// When the last frame was made.
    pub time_end_ms: i64,
    /// What did not hold, in words.
    pub problems: Vec<String>,
}

/// A time of which a camera's pictures are missing, as the hub says and the camera's statement signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outage {
    /// Its beginning, by the hub's clock.
    pub from_ms: i64,
    /// Its end.
    pub until_ms: i64,
    /// Its cause.
    pub reason: OutageReason,
}

/// Why pictures are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OutageReason {
    /// The hub was off or restarted.
    HubOff,
    /// The camera was unreachable or sent nothing.
    CameraLost,
    /// What the camera sent was damaged, or lost on the way to the hub.
    Damaged,
    /// The hub had no room.
    StorageFull,
    /// Recording was not wanted then.
    NotRecorded,
}

impl From<privet_segment::Gap> for Outage {
    fn from(gap: privet_segment::Gap) -> Self {
        let reason = match gap.reason {
            GapReason::HubOff => OutageReason::HubOff,
            GapReason::CameraLost => OutageReason::CameraLost,
            GapReason::Damaged => OutageReason::Damaged,
            GapReason::StorageFull => OutageReason::StorageFull,
            GapReason::NotRecorded => OutageReason::NotRecorded,
        };
        Self { from_ms: gap.from.0, until_ms: gap.until.0, reason }
    }
}

/// How this phone reaches its home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkState {
    /// No connection; the next try comes by itself.
    Offline,
    /// Trying.
    Connecting,
    /// Through the relay.
    Relay,
    /// The relay answers, but does not let this phone in: it was removed, or the relay withholds the home.
    Refused,
}

/// Everything that a status page shows.
#[derive(Debug, Clone)]
pub struct Status {
    /// Whether the phone belongs to a home.
    pub paired: bool,
    /// Whether it was removed from its last one.
    pub removed: bool,
    /// The hub's name.
    pub hub_name: String,
    /// The home's id at the relay.
    pub home_id: String,
    /// The relay's address.
    pub relay: String,
    /// The connection.
    pub link: LinkState,
    /// Why the link is down, when it is.
    pub link_reason: Option<String>,
    /// Whether the log was followed to its end since the connection was made.
    pub caught_up: bool,
    /// The last log entry that was processed.
    pub position: u64,
    /// The last one that the relay says there is.
    pub relay_head: u64,
    /// When the hub was last heard of, by its own clock.
    pub hub_seen_ms: Option<i64>,
    /// How many messages to the hub wait to be sent.
    pub outbox: u64,
    /// What could not be trusted, newest last; at most 64.
    pub alerts: Vec<(i64, TrustAlert)>,
    /// Bytes of sealed clips on this phone.
    pub cache_bytes: u64,
    /// Why no notifications come, or only over the connection, when that is so.
    pub notifications: Option<String>,
}

/// Which track a piece of media belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}
