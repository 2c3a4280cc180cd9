//! What a segment's records carry: how the video starts (its init segment) and its units (one fMP4 chunk each), each with a
//! small head that is sealed and signed with it.

use privet_protocol::time::Timestamp;

use crate::cbor::{Reader, Writer};
use crate::header::array;

/// A fragment longer than this is refused; a camera's access unit may have 4 MiB.
pub const MAX_UNIT: usize = 6 << 20;
/// An init segment longer than this is refused.
pub const MAX_INIT: usize = 1 << 20;
const MAX_CODEC: usize = 64;

/// Which track a unit belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// What is known about a unit beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitHead {
    /// Its track.
    pub track: Track,
    /// Can be decoded without those before it.
    pub key: bool,
    /// The camera's frame number, counted over all its streams; 0 for sound.
    pub frame: u64,
    /// Presentation time in the stream, microseconds.
    pub pts_us: i64,
    /// Duration, microseconds.
    pub duration_us: u32,
    /// When the hub received it.
    pub captured: Timestamp,
    /// The same on the hub's monotonic clock in microseconds: for measuring delay on one machine; 0 when not told.
    pub captured_us: u64,
    /// Bytes of the chunk before the sample: `moof` and the header of `mdat`.
    pub header_len: u32,
    /// Bytes of the whole chunk.
    pub length: u32,
}

impl UnitHead {
    pub(crate) const LENGTH: usize = 46;

    pub(crate) fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[0] = match self.track {
            Track::Video => 0,
            Track::Audio => 1,
        };
        bytes[1] = u8::from(self.key);
        bytes[2..10].copy_from_slice(&self.frame.to_be_bytes());
        bytes[10..18].copy_from_slice(&self.pts_us.to_be_bytes());
        bytes[18..22].copy_from_slice(&self.duration_us.to_be_bytes());
        bytes[22..30].copy_from_slice(&self.captured.0.to_be_bytes());
        bytes[30..38].copy_from_slice(&self.captured_us.to_be_bytes());
        bytes[38..42].copy_from_slice(&self.header_len.to_be_bytes());
        bytes[42..46].copy_from_slice(&self.length.to_be_bytes());
        bytes
    }

    /// The head that `bytes` start with, if they are one in its only form.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let track = match bytes.first()? {
            0 => Track::Video,
            1 => Track::Audio,
            _ => return None,
        };
        let key = match bytes.get(1)? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let head = Self {
            track,
            key,
            frame: u64::from_be_bytes(array(bytes, 2)?),
            pts_us: i64::from_be_bytes(array(bytes, 10)?),
            duration_us: u32::from_be_bytes(array(bytes, 18)?),
            captured: Timestamp(i64::from_be_bytes(array(bytes, 22)?)),
            captured_us: u64::from_be_bytes(array(bytes, 30)?),
            header_len: u32::from_be_bytes(array(bytes, 38)?),
            length: u32::from_be_bytes(array(bytes, 42)?),
        };
        head.fits().then_some(head)
    }

    /// Lengths agree with each other and with the format's limit.
    pub(crate) const fn fits(&self) -> bool {
        self.header_len <= self.length && self.length as usize <= MAX_UNIT
    }
}

/// What a player needs to know before the first unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitInfo {
    /// The video codec by RFC 6381, for example `avc1.64001f`.
    pub codec: String,
    /// Picture width.
    pub width: u32,
    /// Picture height.
    pub height: u32,
    /// Ticks a second of the video track.
    pub timescale: u32,
    /// The audio codec, where there is sound.
    pub audio_codec: Option<String>,
    /// Ticks a second of the audio track, where there is sound.
    pub audio_timescale: Option<u32>,
    /// The pictures are those of the camera's substream. Here and not in the statement, because a viewer must know it before the
    /// first picture; the statement signs it with the record's leaf.
    pub substream: bool,
}

impl InitInfo {
    /// u16 length, CBOR map, u32 length of the init segment that follows.
    pub(crate) fn head(&self, init_length: u32) -> Option<Vec<u8>> {
        let mut info = Writer::default();
        if self.codec.len() > MAX_CODEC || self.audio_codec.as_ref().is_some_and(|codec| codec.len() > MAX_CODEC) {
            return None;
        }
        let optional = [self.audio_codec.is_some(), self.audio_timescale.is_some(), self.substream];
        info.map(4 + optional.into_iter().map(u64::from).sum::<u64>());
        info.key(1).text(&self.codec);
        info.key(2).uint(self.width.into());
        info.key(3).uint(self.height.into());
        info.key(4).uint(self.timescale.into());
        if let Some(codec) = &self.audio_codec {
            info.key(5).text(codec);
        }
        if let Some(timescale) = self.audio_timescale {
            info.key(6).uint(timescale.into());
        }
        if self.substream {
            info.key(7).bool(true);
        }
        let info = info.finish();
        let mut head = u16::try_from(info.len()).ok()?.to_be_bytes().to_vec();
        head.extend_from_slice(&info);
        head.extend_from_slice(&init_length.to_be_bytes());
        Some(head)
    }

    /// The info, the head's length and the init segment's length, if `bytes` start with a head in its only form.
    pub(crate) fn parse(bytes: &[u8]) -> Option<(Self, usize, usize)> {
        let info_length = usize::from(u16::from_be_bytes(array(bytes, 0)?));
        let mut info = Reader::new(bytes.get(2..2 + info_length)?);
        let fields = info.map()?;
        let mut expect = |key: u64| (info.uint()? == key).then_some(());
        expect(1)?;
        let codec = info.text(MAX_CODEC)?.to_owned();
        let mut number = |key: u64| {
            (info.uint()? == key).then_some(())?;
            u32::try_from(info.uint()?).ok()
        };
        let (width, height, timescale) = (number(2)?, number(3)?, number(4)?);
        let (mut audio_codec, mut audio_timescale, mut substream) = (None, None, false);
        let mut last = 4;
        for _ in 4..fields {
            let key = info.uint()?;
            if key <= last {
                return None;
            }
            last = key;
            match key {
                5 => audio_codec = Some(info.text(MAX_CODEC)?.to_owned()),
                6 => audio_timescale = Some(u32::try_from(info.uint()?).ok()?),
                // There is no other way to say that it is not.
                7 => {
                    info.bool()?.then_some(())?;
                    substream = true;
                }
                _ => return None,
            }
        }
        if fields < 4 || !info.is_empty() {
            return None;
        }
        let init_length = u32::from_be_bytes(array(bytes, 2 + info_length)?) as usize;
        let info = Self { codec, width, height, timescale, audio_codec, audio_timescale, substream };
        (init_length <= MAX_INIT).then_some((info, 2 + info_length + 4, init_length))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn info(substream: bool) -> InitInfo {
        InitInfo {
            codec: "avc1.42c01e".into(),
            width: 640,
            height: 360,
            timescale: 90_000,
            audio_codec: Some("mp4a.40.2".into()),
            audio_timescale: Some(16_000),
            substream,
        }
    }

    #[test]
    fn the_mark_of_a_substream_comes_back_and_has_one_form() {
        for substream in [false, true] {
            let head = info(substream).head(7).unwrap();
            assert_eq!(InitInfo::parse(&head), Some((info(substream), head.len(), 7)));
        }
        let (main, mut sub) = (info(false).head(7).unwrap(), info(true).head(7).unwrap());
        assert_eq!(sub.len(), main.len() + 2, "nothing is said of the main stream");
        let mark = sub.len() - 5;
        assert_eq!(sub[mark], 0xf5);
        sub[mark] = 0xf4;
        assert_eq!(InitInfo::parse(&sub), None, "a second way to say main");
    }
}
