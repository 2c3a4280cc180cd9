//! What a segment's media amount to: hashes, counts, lengths. Sealer, opener and proof all keep this one tally, so what is
//! signed and what is checked can't differ.

use aws_lc_rs::digest;

use crate::error::SegmentError;
use crate::media::{Track, UnitHead};
use crate::statement::{Statement, finish_sha256, sha256};

pub(crate) struct Tally {
    access_units: digest::Context,
    pub(crate) parameters: Option<[u8; 32]>,
    pub(crate) frames: u64,
    pub(crate) first_frame: Option<u64>,
    pub(crate) last_frame: Option<u64>,
    pub(crate) starts_with_key: Option<bool>,
    pub(crate) mp4_length: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            access_units: digest::Context::new(&digest::SHA256),
            parameters: None,
            frames: 0,
            first_frame: None,
            last_frame: None,
            starts_with_key: None,
            mp4_length: 0,
        }
    }

    pub(crate) fn init(&mut self, segment: &[u8]) {
        self.parameters = Some(sha256(segment));
        self.mp4_length += segment.len() as u64;
    }

    /// Counts a unit; says what is wrong with it.
    pub(crate) fn unit(&mut self, head: &UnitHead, chunk: &[u8]) -> Result<(), &'static str> {
        if head.length as usize != chunk.len() {
            return Err("a unit's length is not its chunk's");
        }
        self.mp4_length += u64::from(head.length);
        if head.track == Track::Audio {
            return Ok(());
        }
        if self.last_frame.is_some_and(|last| head.frame <= last) {
            return Err("frame numbers must rise");
        }
        let sample = chunk.get(head.header_len as usize..).ok_or("a unit's header is longer than its chunk")?;
        self.access_units.update(&(sample.len() as u32).to_be_bytes());
        self.access_units.update(sample);
        self.first_frame.get_or_insert(head.frame);
        self.starts_with_key.get_or_insert(head.key);
        self.last_frame = Some(head.frame);
        self.frames += 1;
        Ok(())
    }

    pub(crate) fn access_units(&self) -> [u8; 32] {
        finish_sha256(self.access_units.clone(), &[])
    }

    /// The media are what was signed.
    pub(crate) fn check(&self, statement: &Statement) -> Result<(), SegmentError> {
        let first_frame = self.first_frame.unwrap_or(statement.first_frame);
        let starts_with_key = self.starts_with_key.unwrap_or(statement.starts_with_key);
        for (same, what) in [
            (self.access_units() == statement.access_units, "hash of the access units"),
            (self.parameters == Some(statement.parameters), "hash of the codec's parameters"),
            (self.frames == statement.frames, "number of frames"),
            (first_frame == statement.first_frame, "first frame's number"),
            (self.last_frame.unwrap_or(first_frame) == statement.last_frame, "last frame's number"),
            (starts_with_key == statement.starts_with_key, "kind of the first frame"),
            (self.mp4_length == statement.mp4_length, "length of the video"),
        ] {
            if !same {
                return Err(SegmentError::HashMismatch { what });
            }
        }
        Ok(())
    }
}
