//! Which of the camera's two streams the decoder looks at: the substream where it plays, else the main stream. Also keeps the
//! substream's pictures on the main stream's time, and has those that the hub wants to show.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::alignment::{Alignment, MainClock};
use super::depacketize::Picture;
use super::orders::SubConnection;
use super::passing::{Passed, Passing};
use super::substream::{FromSubstream, Substream};
use crate::motion::{Eyes, Portion, Sight, Trouble};
use crate::source::Format;
use crate::source::frames::{SubstreamNews, ToWorker};

/// How long after the main stream's first picture the substream is waited for before the main stream is looked at.
const GRACE: Duration = Duration::from_secs(6);

/// What came of looking.
#[derive(Debug)]
pub(super) enum Seen {
    /// The detector's word.
    Sight(Sight),
    /// Something for the hub about the substream.
    News(SubstreamNews),
    /// A picture of the substream, which the hub wants.
    Passed(Passed),
    /// Nothing that anybody has to know.
    Nothing,
}

/// Whose pictures go to the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    /// Nobody's, until then: the substream is expected.
    Nobody(Option<Instant>),
    Main,
    Substream,
}

/// Decoder, detector and what they look at.
pub(super) struct Gaze {
    eyes: Eyes,
    sights: Option<mpsc::Receiver<Sight>>,
    /// There may be sights.
    look: bool,
    view: View,
    main_format: Option<Format>,
    clock: MainClock,
    substream: Option<Substream>,
    alignment: Alignment,
    /// Whether the hub wants the substream's pictures.
    sub_units: Rc<Cell<bool>>,
    passing: Passing,
}

impl Gaze {
    pub(super) fn new(mut eyes: Eyes, settings: &ToWorker, sub_units: Rc<Cell<bool>>) -> Self {
        let view = if settings.substream { View::Nobody(None) } else { View::Main };
        let sights = eyes.sights();
        Self {
            eyes,
            sights,
            look: false,
            view,
            main_format: None,
            clock: MainClock::default(),
            substream: None,
            alignment: Alignment::default(),
            passing: Passing::new(sub_units.clone()),
            sub_units,
        }
    }

    /// The main stream's units that follow are in this format.
    pub(super) fn main_format(&mut self, format: &Format) {
        self.main_format = Some(format.clone());
        if self.view == View::Main {
            self.eyes.set_format(format, Portion::KeyFrames);
        }
    }

    /// A unit of the main stream; `unit` is its NAL units.
    pub(super) fn main_picture(&mut self, unit: &[u8], picture: &Picture, pts_us: i64, mono_us: u64) {
        self.clock.tick(pts_us, mono_us);
        if let View::Nobody(until) = &mut self.view
            && Instant::now() >= *until.get_or_insert_with(|| Instant::now() + GRACE)
        {
            self.look_at_main();
        }
        if self.view == View::Main {
            self.eyes.look(Bytes::copy_from_slice(unit), picture.key, picture.disposable, pts_us);
        }
    }

    /// The hub made a connection to the substream.
    pub(super) fn connected(&mut self, connection: SubConnection, settings: &ToWorker) {
        self.substream = Some(Substream::start(connection, settings, self.sub_units.clone()));
        self.alignment = Alignment::default();
    }

    /// What the substream's camera sent meanwhile is read now, and what the detector left is looked at.
    pub(super) fn fetch(&mut self) {
        self.look = true;
        if let Some(substream) = &self.substream {
            substream.fetch();
        }
    }

    /// What comes next; may be dropped while it waits.
    pub(super) async fn next(&mut self) -> Seen {
        let next = loop {
            if self.look {
                match self.sights.as_mut().and_then(|sights| sights.try_recv().ok()) {
                    Some(sight) => return self.think(sight),
                    None => self.look = false,
                }
            }
            tokio::select! {
                biased;
                () = self.eyes.news() => self.look = true,
                next = from(&mut self.substream) => break next,
            }
        };
        match next {
            FromSubstream::Format(format) => {
                self.passing.format(&format);
                self.eyes.look_elsewhere();
                self.eyes.set_format(&format, Portion::Whole);
                self.view = View::Substream;
                return Seen::News(SubstreamNews::Watched);
            }
            FromSubstream::Picture(picture) => {
                if self.view == View::Substream
                    && let Some(main_us) = self.clock.at(picture.mono_us)
                {
                    let pts_us = self.alignment.place(picture.ticks, picture.mono_us, main_us);
                    let passed = self.passing.picture(&picture, pts_us);
                    self.eyes.look(picture.data.into(), picture.key, picture.disposable, pts_us);
                    if let Some(passed) = passed {
                        return Seen::Passed(passed);
                    }
                }
            }
            FromSubstream::Ended(fault) => {
                self.substream = None;
                self.passing.ended();
                if self.view != View::Main {
                    self.look_at_main();
                }
                return Seen::News(SubstreamNews::Ended(fault));
            }
        }
        Seen::Nothing
    }

    /// Pictures that should have been looked at and were not.
    pub(super) fn undecoded(&self) -> u64 {
        self.eyes.undecoded()
    }

    /// What an owner should know about the decoder.
    pub(super) fn trouble(&mut self) -> Option<Trouble> {
        self.eyes.trouble(std::time::Instant::now())
    }

    fn think(&mut self, sight: Sight) -> Seen {
        match &sight {
            Sight::Suspicion { pts_us } => {
                self.eyes.suspect(*pts_us);
                return Seen::Nothing;
            }
            Sight::Sample(sample, motion) => self.eyes.saw(sample.pts_us, *motion),
            Sight::Tampered(_) | Sight::Picture(_) => {}
        }
        Seen::Sight(sight)
    }

    fn look_at_main(&mut self) {
        self.view = View::Main;
        self.eyes.look_elsewhere();
        if let Some(format) = &self.main_format {
            self.eyes.set_format(format, Portion::KeyFrames);
        }
    }
}

async fn from(substream: &mut Option<Substream>) -> FromSubstream {
    match substream {
        Some(substream) => substream.next().await,
        None => std::future::pending().await,
    }
}
