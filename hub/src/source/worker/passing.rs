//! Which of the substream's pictures the hub gets: while it wants them, from a key frame on, after their format. Pure.

use std::cell::Cell;
use std::rc::Rc;

use super::substream::SubPicture;
use crate::source::frames::{self, HEADER, UNIT_HEAD};
use crate::source::{Format, Track};

/// Bytes before a unit in its frame.
const HEAD: usize = HEADER + UNIT_HEAD;

/// A picture on its way to the hub.
#[derive(Debug)]
pub(super) struct Passed {
    /// What it is in, where the hub has to be told.
    pub(super) format: Option<Format>,
    /// The frame around it.
    pub(super) frame: Vec<u8>,
    pub(super) key: bool,
}

/// What the hub has of the substream.
#[derive(Debug, Default)]
pub(super) struct Passing {
    wanted: Rc<Cell<bool>>,
    format: Option<Format>,
    /// The hub has the format and the key frame after it.
    begun: bool,
    next_frame: u64,
}

impl Passing {
    /// `wanted` says whether the hub wants pictures; it may change at any time.
    pub(super) fn new(wanted: Rc<Cell<bool>>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// The pictures that follow are in this format.
    pub(super) fn format(&mut self, format: &Format) {
        self.format = Some(format.clone());
        self.begun = false;
    }

    /// The session is over. Pictures are missing before the next one's, and the numbers show it.
    pub(super) fn ended(&mut self) {
        self.format = None;
        self.begun = false;
        self.next_frame += 1;
    }

    /// What the hub gets of a picture that the main stream shows at `pts_us`.
    pub(super) fn picture(&mut self, picture: &SubPicture, pts_us: i64) -> Option<Passed> {
        if !self.wanted.get() {
            self.begun = false;
            return None;
        }
        let mut format = None;
        if !self.begun {
            format = Some(self.format.clone().filter(|_| picture.key)?);
            self.begun = true;
        }
        let mut frame = Vec::with_capacity(HEAD + picture.data.len());
        frame.resize(HEAD, 0);
        frame.extend_from_slice(&picture.data);
        frames::fill_unit_head(&mut frame, Track::Video, picture.key, pts_us, picture.mono_us, self.next_frame, 0);
        frames::mark_substream(&mut frame);
        self.next_frame += 1;
        Some(Passed { format, frame, key: picture.key })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn format() -> Format {
        Format {
            codec: "avc1.42001e".into(),
            width: 640,
            height: 360,
            video_sample_entry: Bytes::new(),
            avcc: Bytes::new(),
            audio: None,
            nominal_millifps: None,
        }
    }

    fn picture(key: bool) -> SubPicture {
        SubPicture { data: vec![0, 0, 0, 1, 0x65], key, disposable: false, ticks: 0, mono_us: 5 }
    }

    /// Whether a picture is passed on, and whether its format comes before it.
    fn pass(passing: &mut Passing, key: bool) -> Option<bool> {
        passing.picture(&picture(key), 7).map(|passed| passed.format.is_some())
    }

    #[test]
    fn pictures_are_passed_on_from_a_key_frame_on_while_they_are_wanted() {
        let wanted = Rc::new(Cell::new(false));
        let mut passing = Passing::new(wanted.clone());
        assert_eq!(pass(&mut passing, true), None);
        passing.format(&format());
        assert_eq!(pass(&mut passing, true), None, "nobody wants it");
        wanted.set(true);
        assert_eq!(pass(&mut passing, false), None, "nobody could decode it");
        assert_eq!(pass(&mut passing, true), Some(true));
        assert_eq!(pass(&mut passing, false), Some(false));
        assert_eq!(pass(&mut passing, true), Some(false), "the format is told once");
        wanted.set(false);
        assert_eq!(pass(&mut passing, false), None);
        wanted.set(true);
        assert_eq!(pass(&mut passing, false), None, "one is missing");
        assert_eq!(pass(&mut passing, true), Some(true));
        passing.ended();
        assert_eq!(pass(&mut passing, true), None, "of which format?");
        passing.format(&format());
        assert_eq!(pass(&mut passing, true), Some(true));
        assert_eq!(passing.next_frame, 6, "five, and a hole");
    }
}
