//! What a worker's detector tells: samples, signs of tampering, pictures; and how their frames are read and written.

use bytes::Bytes;

use super::frames::{FrameError, HEADER, Kind, MAX_PTS_US, header, part};

/// Fields of a heat map: 16 rows of 16.
pub const HEAT_FIELDS: usize = 256;
/// The largest picture of an activity.
pub const MAX_JPEG: usize = 20_000;
/// The largest small picture, the one that fits a notification (`docs/reference/notice.md`) beside the names in it.
pub const MAX_SMALL_JPEG: usize = 1_250;

const SAMPLE_BYTES: usize = 20;
const PICTURE_HEAD: usize = 16;

/// What the detector saw in one picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MotionSample {
    /// The picture's presentation time: an access unit with the same `pts_us` was or will be delivered. With a substream of its
    /// own, the time of the main stream at which the picture was seen.
    pub pts_us: i64,
    /// Strength from 0 to 1: the size of the largest moving thing, as the square root of its part of the picture.
    pub score: f32,
    /// The verdict, with hysteresis: something moves.
    pub active: bool,
    /// Part of the picture that moves, 0 to 1.
    pub area: f32,
    /// The zones in which something moves, with hysteresis: bit `n` is the `n`-th zone of the camera's settings, which are sorted
    /// by name. Without zones the whole frame is bit 0.
    pub zones: u32,
    /// Where it moves, 16 rows of 16 fields from the upper left: 0 nothing to 255 the whole field. Only while something moves.
    pub heat: Option<Box<[u8; HEAT_FIELDS]>>,
}

/// What was done to a camera's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tamper {
    /// Something lies over the lens.
    Covered,
    /// The picture lost its edges: out of focus, sprayed or fogged.
    Defocused,
    /// The camera looks elsewhere.
    Moved,
}

/// A picture of an activity: first one of its beginning, then, when it has ended, one of the moment with most motion.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// The picture's presentation time, as in [`MotionSample::pts_us`].
    pub pts_us: i64,
    /// The activity is over, and this is its best picture.
    pub last: bool,
    /// Width of `jpeg` in pixels.
    pub width: u16,
    /// Height of `jpeg` in pixels.
    pub height: u16,
    /// At most [`MAX_JPEG`] bytes; not checked to be a JPEG, which a worker could forge anyway.
    pub jpeg: Bytes,
    /// The same, at most [`MAX_SMALL_JPEG`] bytes; empty when it can't be made so small.
    pub small_jpeg: Bytes,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} us, {}x{}, {} bytes)", self.pts_us, self.width, self.height, self.jpeg.len())
    }
}

impl Tamper {
    fn code(self) -> u8 {
        match self {
            Self::Covered => 1,
            Self::Defocused => 2,
            Self::Moved => 3,
        }
    }

    fn of(code: u8) -> Option<Self> {
        [Self::Covered, Self::Defocused, Self::Moved].into_iter().find(|tamper| tamper.code() == code)
    }
}

pub(super) fn sample_frame(sample: &MotionSample, active: u8) -> Vec<u8> {
    let heat = sample.heat.as_ref().map_or(&[][..], |heat| &heat[..]);
    let body = SAMPLE_BYTES + heat.len();
    let mut frame = Vec::with_capacity(HEADER + body);
    frame.extend_from_slice(&header(Kind::Motion, if sample.active { active } else { 0 }, body));
    frame.extend_from_slice(&sample.pts_us.to_be_bytes());
    frame.extend_from_slice(&sample.score.to_be_bytes());
    frame.extend_from_slice(&sample.area.to_be_bytes());
    frame.extend_from_slice(&sample.zones.to_be_bytes());
    frame.extend_from_slice(heat);
    frame
}

pub(super) fn parse_sample(body: &[u8], active: bool) -> Result<MotionSample, FrameError> {
    let bad = |detail: &str| FrameError::Body { kind: Kind::Motion, detail: detail.to_owned() };
    let (fields, heat) = body.split_first_chunk::<SAMPLE_BYTES>().ok_or_else(|| bad("too short"))?;
    let heat = match heat.len() {
        0 => None,
        _ => Some(Box::new(<[u8; HEAT_FIELDS]>::try_from(heat).map_err(|_| bad("a heat map of another size"))?)),
    };
    let pts_us = i64::from_be_bytes(part(fields, 0));
    let score = f32::from_be_bytes(part(fields, 8));
    let area = f32::from_be_bytes(part(fields, 12));
    let unit = 0.0..=1.0;
    if !unit.contains(&score) || !unit.contains(&area) || !is_time(pts_us) {
        return Err(bad("a value out of range"));
    }
    Ok(MotionSample { pts_us, score, active, area, zones: u32::from_be_bytes(part(fields, 16)), heat })
}

pub(super) fn tamper_frame(tamper: Tamper) -> Vec<u8> {
    let mut frame = header(Kind::Tampered, 0, 1).to_vec();
    frame.push(tamper.code());
    frame
}

pub(super) fn parse_tamper(body: &[u8]) -> Result<Tamper, FrameError> {
    let bad = || FrameError::Body { kind: Kind::Tampered, detail: "no known kind of tampering".into() };
    let &[code] = body else { return Err(bad()) };
    Tamper::of(code).ok_or_else(bad)
}

/// `None` when the picture is larger than the hub would take.
pub(super) fn picture_frame(picture: &Picture, last: u8) -> Option<Vec<u8>> {
    if picture.jpeg.is_empty() || picture.jpeg.len() > MAX_JPEG || picture.small_jpeg.len() > MAX_SMALL_JPEG {
        return None;
    }
    let body = PICTURE_HEAD + picture.jpeg.len() + picture.small_jpeg.len();
    let mut frame = Vec::with_capacity(HEADER + body);
    frame.extend_from_slice(&header(Kind::Picture, if picture.last { last } else { 0 }, body));
    frame.extend_from_slice(&picture.pts_us.to_be_bytes());
    frame.extend_from_slice(&picture.width.to_be_bytes());
    frame.extend_from_slice(&picture.height.to_be_bytes());
    frame.extend_from_slice(&u32::try_from(picture.jpeg.len()).ok()?.to_be_bytes());
    frame.extend_from_slice(&picture.jpeg);
    frame.extend_from_slice(&picture.small_jpeg);
    Some(frame)
}

pub(super) fn parse_picture(body: Bytes, last: bool) -> Result<Picture, FrameError> {
    let bad = |detail: &str| FrameError::Body { kind: Kind::Picture, detail: detail.to_owned() };
    let head: &[u8; PICTURE_HEAD] = body.first_chunk().ok_or_else(|| bad("no head"))?;
    let pts_us = i64::from_be_bytes(part(head, 0));
    let (width, height) = (u16::from_be_bytes(part(head, 8)), u16::from_be_bytes(part(head, 10)));
    let length = u32::from_be_bytes(part(head, 12)) as usize;
    let pictures = body.slice(PICTURE_HEAD..);
    if length == 0 || length > MAX_JPEG.min(pictures.len()) || pictures.len() - length > MAX_SMALL_JPEG {
        return Err(bad("pictures of impossible length"));
    }
    if width == 0 || height == 0 || !is_time(pts_us) {
        return Err(bad("a value out of range"));
    }
    let (jpeg, small_jpeg) = (pictures.slice(..length), pictures.slice(length..));
    Ok(Picture { pts_us, last, width, height, jpeg, small_jpeg })
}

fn is_time(pts_us: i64) -> bool {
    pts_us.unsigned_abs() <= MAX_PTS_US.unsigned_abs()
}
