//! The bytes between a camera's worker and the hub. The hub treats the worker as hostile: every length is capped before memory
//! is taken, every field is checked here, and what comes out are types. Page: `docs/reference/worker.md`.
//!
//! Frame = kind u8 | flags u8 | zero u16 | body length u32, big endian, then the body. A unit's body is 32 fixed bytes and the
//! unit; the other bodies are CBOR or fixed.

use std::time::Duration;

use bytes::Bytes;
use privet_protocol::cbor;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::sights::{self, MAX_JPEG, MAX_SMALL_JPEG};
use super::{Fault, Format, Health, MAX_ACCESS_UNIT, MotionSample, Phase, Picture, Tamper, Track};
use crate::motion::MotionSettings;

/// Bytes before every body.
pub const HEADER: usize = 8;
/// Bytes of a unit's body before the unit itself.
pub const UNIT_HEAD: usize = 32;
/// The largest body of a unit frame.
pub const MAX_UNIT_BODY: usize = UNIT_HEAD + MAX_ACCESS_UNIT;
/// The largest body of a picture frame.
pub const MAX_PICTURE_BODY: usize = 16 + MAX_JPEG + MAX_SMALL_JPEG;
/// The largest body of every other frame.
pub const MAX_BODY: usize = 16 << 10;
/// Version of these frames: hub and worker are the same binary, so a difference means that the binary was replaced under way.
pub const VERSION: u16 = 5;

const KEY: u8 = 1;
const AUDIO: u8 = 2;
const ACTIVE: u8 = 4;
const LAST: u8 = 8;
const SUBSTREAM: u8 = 16;
const MAX_NOTES: usize = 16;
const MAX_TEXT: usize = 400;
const MAX_SIDE: u32 = 16_384;
/// A presentation time beyond this is nonsense: a hundred years.
pub(super) const MAX_PTS_US: i64 = 100 * 366 * 86_400 * 1_000_000;

/// What a frame is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// [`FromWorker::Ready`].
    Ready = 1,
    /// [`FromWorker::Phase`].
    Phase = 2,
    /// [`FromWorker::Format`].
    Format = 3,
    /// [`FromWorker::Unit`].
    Unit = 4,
    /// [`FromWorker::Motion`].
    Motion = 5,
    /// [`FromWorker::Health`].
    Health = 6,
    /// [`FromWorker::Fault`].
    Fault = 7,
    /// [`FromWorker::Proof`].
    Proof = 8,
    /// [`FromWorker::Tampered`].
    Tampered = 9,
    /// [`FromWorker::Picture`].
    Picture = 10,
    /// [`FromWorker::Substream`].
    Substream = 11,
    /// [`FromWorker::SubFormat`].
    SubFormat = 12,
    /// [`ToWorker`], the first frame in the other direction.
    Settings = 16,
    /// [`Connection`], in the other direction, with its descriptor.
    Connection = 17,
    /// [`prompt`], in the other direction.
    Prompt = 18,
    /// [`sub_units`], in the other direction.
    SubUnits = 19,
}

impl Kind {
    fn parse(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Ready,
            2 => Self::Phase,
            3 => Self::Format,
            4 => Self::Unit,
            5 => Self::Motion,
            6 => Self::Health,
            7 => Self::Fault,
            8 => Self::Proof,
            9 => Self::Tampered,
            10 => Self::Picture,
            11 => Self::Substream,
            12 => Self::SubFormat,
            16 => Self::Settings,
            17 => Self::Connection,
            18 => Self::Prompt,
            19 => Self::SubUnits,
            _ => return None,
        })
    }

    fn limit(self) -> usize {
        match self {
            Self::Unit => MAX_UNIT_BODY,
            Self::Picture => MAX_PICTURE_BODY,
            _ => MAX_BODY,
        }
    }
}

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// No such kind.
    #[error("frame of unknown kind {0}")]
    Kind(u8),
    /// Longer than its kind may be.
    #[error("{kind:?} frame of {length} bytes; {limit} are allowed")]
    TooLong {
        /// The kind.
        kind: Kind,
        /// The length it claims.
        length: usize,
        /// The cap.
        limit: usize,
    },
    /// The body is not what its kind says.
    #[error("bad {kind:?} frame: {detail}")]
    Body {
        /// The kind.
        kind: Kind,
        /// What is wrong.
        detail: String,
    },
}

/// A frame's header, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The kind.
    pub kind: Kind,
    /// Bits that mean something for some kinds.
    pub flags: u8,
    /// Bytes of body that follow; never more than the kind allows.
    pub length: usize,
}

impl Header {
    /// Reads a header; the only place where a length from the other side is believed, and only up to the cap.
    ///
    /// # Errors
    /// [`FrameError`] for an unknown kind, a length beyond the cap, or bits that must be zero.
    pub fn parse(bytes: [u8; HEADER]) -> Result<Self, FrameError> {
        let [kind_byte, flags, zero1, zero2, l0, l1, l2, l3] = bytes;
        let kind = Kind::parse(kind_byte).ok_or(FrameError::Kind(kind_byte))?;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let limit = kind.limit();
        if length > limit {
            return Err(FrameError::TooLong { kind, length, limit });
        }
        let known = match kind {
            Kind::Unit => KEY | AUDIO | SUBSTREAM,
            Kind::Motion => ACTIVE,
            Kind::Picture => LAST,
            _ => 0,
        };
        if zero1 != 0 || zero2 != 0 || flags & !known != 0 {
            return Err(FrameError::Body { kind, detail: "bits that must be zero are set".into() });
        }
        if kind == Kind::Unit && length < UNIT_HEAD {
            return Err(FrameError::Body { kind, detail: format!("a unit of {length} bytes has no head") });
        }
        Ok(Self { kind, flags, length })
    }
}

/// What a worker says once, when it has shut itself in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// [`VERSION`].
    pub version: u16,
    /// What the running kernel lacks of the protection that the worker asked for.
    pub lacking: Vec<String>,
}

/// How the substream is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SubstreamNews {
    /// Its first key frame is there: motion is found on it from now on.
    Watched,
    /// Its connection is over; motion is found on the main stream until there is another one.
    Ended(Fault),
}

/// A connection to the camera's substream, made by the hub. Its descriptor goes beside these bytes (`SCM_RIGHTS`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// With the address in place of the host's name.
    pub url: String,
}

impl Connection {
    /// The bytes of the frame that the descriptor goes with.
    pub fn to_frame(&self) -> Vec<u8> {
        message(Kind::Connection, self)
    }

    /// What a frame's body says.
    ///
    /// # Errors
    /// [`FrameError::Body`].
    pub fn parse(body: &[u8]) -> Result<Self, FrameError> {
        cbor::decode(body, MAX_BODY).map_err(|e| FrameError::Body { kind: Kind::Connection, detail: e.to_string() })
    }
}

/// The frame that tells a worker whether units are wanted at once; else they may come a few at a time, up to a fifth of a second
/// late. A worker begins with "at once".
pub fn prompt(prompt: bool) -> Vec<u8> {
    message(Kind::Prompt, &prompt)
}

/// What the body of such a frame says.
///
/// # Errors
/// [`FrameError::Body`].
pub fn parse_prompt(body: &[u8]) -> Result<bool, FrameError> {
    cbor::decode(body, MAX_BODY).map_err(|e| FrameError::Body { kind: Kind::Prompt, detail: e.to_string() })
}

/// The frame that tells a worker whether the hub wants the substream's units too. A worker begins with "no".
pub fn sub_units(wanted: bool) -> Vec<u8> {
    message(Kind::SubUnits, &wanted)
}

/// What the body of such a frame says.
///
/// # Errors
/// [`FrameError::Body`].
pub fn parse_sub_units(body: &[u8]) -> Result<bool, FrameError> {
    cbor::decode(body, MAX_BODY).map_err(|e| FrameError::Body { kind: Kind::SubUnits, detail: e.to_string() })
}

/// One thing a worker must not be able to do, tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What was tried.
    pub tried: String,
    /// It did not work, as it should be.
    pub refused: bool,
    /// What the kernel said.
    pub detail: String,
}

/// A unit as the worker describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Picture or sound.
    pub track: Track,
    /// It is a picture of the substream.
    pub substream: bool,
    /// A decoder can start here.
    pub key: bool,
    /// Presentation time in microseconds since the connection's first unit.
    pub pts_us: i64,
    /// When it was received, in microseconds of CLOCK_MONOTONIC.
    pub received_mono_us: u64,
    /// Counts the connection's video units, dropped ones included; the substream's by themselves.
    pub frame: u64,
    /// Packets lost before or in it.
    pub loss: u16,
    /// The unit.
    pub data: Bytes,
}

/// What a worker tells the hub.
#[derive(Clone, Debug, PartialEq)]
pub enum FromWorker {
    /// It is shut in.
    Ready(Ready),
    /// It begins a phase.
    Phase(Phase),
    /// The camera's parameters.
    Format(Format),
    /// A unit.
    Unit(Unit),
    /// The detector looked at a picture.
    Motion(MotionSample),
    /// The camera's view was taken away.
    Tampered(Tamper),
    /// A picture of an activity.
    Picture(Picture),
    /// How the substream is doing.
    Substream(SubstreamNews),
    /// The substream's units that follow are in this format; the next one is a key frame.
    SubFormat(Format),
    /// How it is doing.
    Health(Health),
    /// It ends, and why.
    Fault(Fault),
    /// Outcome of the attempts to break out.
    Proof(Vec<Proof>),
}

/// What the hub tells a worker, once. Holds the camera's password: no `Debug`, wiped when dropped.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct ToWorker {
    /// [`VERSION`].
    pub version: u16,
    /// With the address in place of the host's name: the worker can't resolve names.
    pub url: String,
    /// User name.
    pub username: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// Pass AAC on.
    pub audio: bool,
    /// Look for motion.
    #[zeroize(skip)]
    pub motion: Option<MotionSettings>,
    /// A connection to a substream comes later: motion is looked for there.
    pub substream: bool,
    /// No packet for so long: frozen.
    pub frozen_ms: u32,
    /// No key frame for so long: give up this attempt.
    pub first_key_ms: u32,
    /// No answer to a request for so long: give up this attempt.
    pub answer_ms: u32,
    /// Try to break out, report, and end.
    pub prove: bool,
}

impl ToWorker {
    /// The settings as one frame; wipe it when sent.
    pub fn to_frame(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let body = zeroize::Zeroizing::new(cbor::encode(self));
        let mut frame = zeroize::Zeroizing::new(Vec::with_capacity(HEADER + body.len()));
        frame.extend_from_slice(&header(Kind::Settings, 0, body.len()));
        frame.extend_from_slice(&body);
        frame
    }

    /// The settings in a frame's body.
    ///
    /// # Errors
    /// [`FrameError::Body`] when it is not this worker's version of them.
    pub fn parse(body: &[u8]) -> Result<Self, FrameError> {
        let bad = |detail: String| FrameError::Body { kind: Kind::Settings, detail };
        let settings: Self = cbor::decode(body, MAX_BODY).map_err(|e| bad(e.to_string()))?;
        if settings.version != VERSION {
            return Err(bad(format!("version {} where {VERSION} was expected", settings.version)));
        }
        Ok(settings)
    }

    /// [`Self::frozen_ms`] as a duration.
    pub fn frozen_after(&self) -> Duration {
        Duration::from_millis(self.frozen_ms.into())
    }
}

/// The body of a frame from a worker, checked. `body` has the length that the header says.
///
/// # Errors
/// [`FrameError`] when a worker must not say this.
pub fn parse(header: Header, body: Bytes) -> Result<FromWorker, FrameError> {
    let kind = header.kind;
    let bad = |detail: &str| FrameError::Body { kind, detail: detail.to_owned() };
    let malformed = |e: cbor::DecodeError| FrameError::Body { kind, detail: e.to_string() };
    if body.len() != header.length {
        return Err(bad("body of another length than its header says"));
    }
    Ok(match kind {
        Kind::Ready => {
            let mut ready: Ready = cbor::decode(&body, MAX_BODY).map_err(malformed)?;
            if ready.version != VERSION {
                return Err(bad("another version: the hub's program was replaced while it ran; restart it"));
            }
            tame_all(&mut ready.lacking);
            FromWorker::Ready(ready)
        }
        Kind::Phase => FromWorker::Phase(cbor::decode(&body, MAX_BODY).map_err(malformed)?),
        Kind::Format => FromWorker::Format(parse_format(kind, &body)?),
        Kind::SubFormat => FromWorker::SubFormat(parse_format(kind, &body)?),
        Kind::Unit => parse_unit(header, body)?,
        Kind::Motion => FromWorker::Motion(sights::parse_sample(&body, header.flags & ACTIVE != 0)?),
        Kind::Tampered => FromWorker::Tampered(sights::parse_tamper(&body)?),
        Kind::Picture => FromWorker::Picture(sights::parse_picture(body, header.flags & LAST != 0)?),
        Kind::Health => {
            let mut health: Health = cbor::decode(&body, MAX_BODY).map_err(malformed)?;
            tame_all(&mut health.notes);
            FromWorker::Health(health)
        }
        Kind::Fault => {
            let mut fault: Fault = cbor::decode(&body, MAX_BODY).map_err(malformed)?;
            tame_fault(&mut fault);
            FromWorker::Fault(fault)
        }
        Kind::Proof => {
            let mut proofs: Vec<Proof> = cbor::decode(&body, MAX_BODY).map_err(malformed)?;
            for proof in &mut proofs {
                proof.tried = tame(&proof.tried);
                proof.detail = tame(&proof.detail);
            }
            FromWorker::Proof(proofs)
        }
        Kind::Substream => {
            let mut news: SubstreamNews = cbor::decode(&body, MAX_BODY).map_err(malformed)?;
            if let SubstreamNews::Ended(fault) = &mut news {
                tame_fault(fault);
            }
            FromWorker::Substream(news)
        }
        Kind::Settings | Kind::Connection | Kind::Prompt | Kind::SubUnits => {
            return Err(bad("a worker does not send this"));
        }
    })
}

fn parse_format(kind: Kind, body: &[u8]) -> Result<Format, FrameError> {
    let bad = |detail: &str| FrameError::Body { kind, detail: detail.to_owned() };
    let mut format: Format =
        cbor::decode(body, MAX_BODY).map_err(|e| FrameError::Body { kind, detail: e.to_string() })?;
    let side = 1..=MAX_SIDE;
    if !side.contains(&format.width) || !side.contains(&format.height) {
        return Err(bad("a picture of impossible size"));
    }
    if format.nominal_millifps.is_some_and(|fps| !(1..=1_000_000).contains(&fps)) {
        format.nominal_millifps = None;
    }
    let codec_fits = |codec: &str| codec.len() <= 64 && codec.bytes().all(|b| b.is_ascii_graphic());
    let audio_fits = |a: &super::AudioFormat| {
        codec_fits(&a.codec) && (1..=384_000).contains(&a.sample_rate) && (1..=32).contains(&a.channels)
    };
    if !codec_fits(&format.codec) || !format.audio.as_ref().is_none_or(audio_fits) {
        return Err(bad("an impossible codec"));
    }
    Ok(format)
}

fn parse_unit(header: Header, body: Bytes) -> Result<FromWorker, FrameError> {
    let bad = |detail: &str| FrameError::Body { kind: Kind::Unit, detail: detail.to_owned() };
    let head: &[u8; UNIT_HEAD] = body.first_chunk().ok_or_else(|| bad("no head"))?;
    let track = if header.flags & AUDIO == 0 { Track::Video } else { Track::Audio };
    let substream = header.flags & SUBSTREAM != 0;
    if substream && track == Track::Audio {
        return Err(bad("sound of the substream, which is not taken"));
    }
    let pts_us = i64::from_be_bytes(part(head, 0));
    if pts_us.unsigned_abs() > MAX_PTS_US as u64 {
        return Err(bad("a presentation time out of range"));
    }
    let unit = Unit {
        track,
        substream,
        key: track == Track::Audio || header.flags & KEY != 0,
        pts_us,
        received_mono_us: u64::from_be_bytes(part(head, 8)),
        frame: u64::from_be_bytes(part(head, 16)),
        loss: u16::from_be_bytes(part(head, 24)),
        data: body.slice(UNIT_HEAD..),
    };
    if unit.data.is_empty() {
        return Err(bad("no data"));
    }
    if head[26..].iter().any(|&byte| byte != 0) || unit.frame > 1 << 62 {
        return Err(bad("a value out of range"));
    }
    if track == Track::Video && !whole_nals(&unit.data) {
        return Err(bad("lengths inside do not add up"));
    }
    Ok(FromWorker::Unit(unit))
}

/// Whether `data` is NAL units with 4-byte lengths, none empty, and nothing else: what the segmenter builds upon.
fn whole_nals(data: &[u8]) -> bool {
    let mut rest = data;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if length == 0 || length > after.len() {
            return false;
        }
        rest = &after[length..];
    }
    rest.is_empty()
}

/// Writes a unit's header and head into the room left for them at the front of `frame`.
pub(crate) fn fill_unit_head(
    frame: &mut [u8],
    track: Track,
    key: bool,
    pts_us: i64,
    mono_us: u64,
    number: u64,
    loss: u16,
) {
    let flags = (u8::from(key) * KEY) | if track == Track::Audio { AUDIO } else { 0 };
    let body = frame.len() - HEADER;
    frame[..HEADER].copy_from_slice(&header(Kind::Unit, flags, body));
    let head = &mut frame[HEADER..HEADER + UNIT_HEAD];
    head.fill(0);
    head[..8].copy_from_slice(&pts_us.to_be_bytes());
    head[8..16].copy_from_slice(&mono_us.to_be_bytes());
    head[16..24].copy_from_slice(&number.to_be_bytes());
    head[24..26].copy_from_slice(&loss.to_be_bytes());
}

/// Says of a filled unit frame that it is the substream's.
pub(crate) fn mark_substream(frame: &mut [u8]) {
    if let Some(flags) = frame.get_mut(1) {
        *flags |= SUBSTREAM;
    }
}

/// A motion frame.
pub(crate) fn motion(sample: &MotionSample) -> Vec<u8> {
    sights::sample_frame(sample, ACTIVE)
}

/// A frame that tells of tampering.
pub(crate) fn tampered(tamper: Tamper) -> Vec<u8> {
    sights::tamper_frame(tamper)
}

/// A picture frame; nothing if the picture is larger than the hub takes.
pub(crate) fn picture(picture: &Picture) -> Option<Vec<u8>> {
    sights::picture_frame(picture, LAST)
}

/// A frame whose body is the message in CBOR.
pub(crate) fn message<T: Serialize>(kind: Kind, message: &T) -> Vec<u8> {
    let body = cbor::encode(message);
    let mut frame = Vec::with_capacity(HEADER + body.len());
    frame.extend_from_slice(&header(kind, 0, body.len()));
    frame.extend_from_slice(&body);
    frame
}

/// One line of printable text of bounded length, whatever the other side said.
pub(crate) fn tame(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect::<String>().trim().to_owned()
}

fn tame_fault(fault: &mut Fault) {
    match fault {
        Fault::Unauthorized { detail }
        | Fault::Garbage { detail, .. }
        | Fault::Broken { detail, .. }
        | Fault::Sandbox { detail }
        | Fault::Decoder { detail }
        | Fault::NoVideo { offered: detail }
        | Fault::TooBig { what: detail, .. } => *detail = tame(detail),
        _ => {}
    }
}

fn tame_all(texts: &mut Vec<String>) {
    texts.truncate(MAX_NOTES);
    for text in texts {
        *text = tame(text);
    }
}

pub(super) fn header(kind: Kind, flags: u8, body: usize) -> [u8; HEADER] {
    let [l0, l1, l2, l3] = u32::try_from(body).unwrap_or(u32::MAX).to_be_bytes();
    [kind as u8, flags, 0, 0, l0, l1, l2, l3]
}

pub(super) fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
