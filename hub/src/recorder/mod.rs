//! A camera's recorder: what is kept, what is shown live, and how both are cut into signed, sealed segments.
//!
//! [`Recorder`] is a state machine without I/O: [`Recorder::handle`] takes an [`Input`] and the time and appends
//! [`Output`]s. The task beside it ([`task`]) only moves them. One group of pictures is one segment:
//!
//! 1. Units join the pre-roll [`ring`]; a key frame (or a cut, in a group without end) is a border.
//! 2. At a border every open stream's segment is finished and signed, and the next one begun with its own init segment.
//! 3. Motion starts a clip with the whole pre-roll ([`clip`] says when it ends); a phone's lease ([`lease`]) starts a live
//!    stream with the current group from its key frame.
//! 4. While all who watch want the camera's substream, the live stream shows that (`feed`).
//! 5. What somebody may have to be told of comes out as a [`sighting`].
//! 6. Frame and statement numbers come from the [`chain`], outages become gap statements, a clock set back is noted.

pub mod chain;
pub mod clip;
pub mod event;
mod feed;
pub mod lease;
mod notes;
mod outage;
mod recording;
pub mod ring;
pub mod sighting;
pub mod task;
mod watching;
pub mod writer;

use std::sync::Arc;
use std::time::Duration;

use privet_home::{EndReason, Feed, SecretBytes, StreamEnded, StreamStarted};
use privet_protocol::id::CameraId;
use privet_protocol::random::Random;
use privet_protocol::time::Timestamp;
use privet_segment::{EvidenceKey, GapReason, SegmentError, Session};

use self::chain::Chain;
pub use self::clip::Record;
use self::clip::{ClipPlan, ClipTimes, Verdict};
pub use self::event::{CameraNews, ClipSegment, Input, LivePart, LiveRecord, Moment, Output};
use self::feed::Changeover;
use self::lease::Leases;
pub use self::lease::Watching;
use self::notes::{Instant, NoteTaker};
use self::outage::{Outages, WallClock};
use self::recording::Clip;
use self::ring::{Pushed, Ring, TimedUnit};
use self::sighting::Lookout;
pub use self::sighting::Sighting;
use self::writer::StreamWriter;
use crate::media::timing::DecodeClock;
use crate::source::{AccessUnit, Format, SourceEvent, Track};

/// How long a session key signs before it is replaced.
const SESSION: Duration = Duration::from_secs(24 * 3600);
/// How far before now a session may have begun: the pre-roll is older than the clip.
const SESSION_MARGIN_MS: i64 = 3_600_000;

/// How a camera is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is kept.
    pub record: Record,
    /// Video kept before a motion.
    pub pre_roll: Duration,
    /// The most memory it may take.
    pub pre_roll_bytes: usize,
    /// After the last motion.
    pub post_roll: Duration,
    /// The longest clip.
    pub max_clip: Duration,
    /// Names of the camera's zones, sorted; bit `n` of a verdict is the `n`-th. Empty when it has none.
    pub zones: Vec<String>,
    /// A clip's picture that has more bytes is not told.
    pub picture_bytes: usize,
}

/// The state of one camera's recording.
pub struct Recorder {
    camera: CameraId,
    evidence: EvidenceKey,
    random: Arc<dyn Random>,
    session: Option<Session>,
    chain: Chain,
    next_frame: u64,
    next_live: u64,
    last_source_frame: Option<u64>,
    format: Option<Arc<Format>>,
    clock: DecodeClock,
    /// The substream's, with the main stream's sound; none while it does not come.
    sub_format: Option<Arc<Format>>,
    sub_clock: DecodeClock,
    changeover: Changeover,
    wall: WallClock,
    /// How often the wall clock had been set back at the end of the last live statement.
    live_set_backs: Option<u64>,
    /// The same for the last recorded one; not known when that was made by another run, or is not durable.
    recorded_set_backs: Option<u64>,
    /// What turns the connection's presentation times into the camera's; known from its first unit on.
    offset_us: Option<i64>,
    last_us: i64,
    /// CLOCK_MONOTONIC at the last input.
    now_us: u64,
    ring: Ring,
    outages: Outages,
    plan: ClipPlan,
    lookout: Lookout,
    notes: NoteTaker,
    /// The connection's presentation time of the last picture, and when it came.
    shown: Option<(i64, Timestamp)>,
    leases: Leases,
    may_record: bool,
    stopped: bool,
    live: Option<StreamWriter>,
    clip: Option<Clip>,
    /// Frames up to this one are in a clip already.
    recorded_frame: Option<u64>,
}

impl Recorder {
    /// A recorder that goes on after `chain`, which must be durable with its reservation already.
    pub fn new(
        camera: CameraId,
        evidence: EvidenceKey,
        chain: Chain,
        settings: Settings,
        random: Arc<dyn Random>,
    ) -> Self {
        let us = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let times = ClipTimes { post_roll_us: us(settings.post_roll), max_us: us(settings.max_clip) };
        let keep = i64::try_from(us(settings.pre_roll)).unwrap_or(i64::MAX);
        Self {
            camera,
            evidence,
            random,
            session: None,
            next_frame: chain.frames_reserved.saturating_sub(chain::BLOCK),
            next_live: chain.live_reserved.saturating_sub(chain::BLOCK),
            outages: Outages::after_restart(chain.recorded_until),
            chain,
            last_source_frame: None,
            format: None,
            clock: DecodeClock::new(None),
            sub_format: None,
            sub_clock: DecodeClock::new(None),
            changeover: Changeover::default(),
            wall: WallClock::default(),
            live_set_backs: None,
            recorded_set_backs: None,
            offset_us: None,
            last_us: 0,
            now_us: 0,
            ring: Ring::new(keep, settings.pre_roll_bytes),
            plan: ClipPlan::new(times, settings.record),
            notes: NoteTaker::new(settings.zones.clone(), settings.picture_bytes),
            shown: None,
            lookout: Lookout::new(settings.zones, times.post_roll_us),
            leases: Leases::default(),
            may_record: true,
            stopped: false,
            live: None,
            clip: None,
            recorded_frame: None,
        }
    }

    /// Takes what happened and appends what is to be done about it.
    pub fn handle(&mut self, input: Input, now: Moment, out: &mut Vec<Output>) {
        if self.stopped {
            return;
        }
        self.now_us = now.mono_us;
        match input {
            Input::Source(event) => self.source(event, now, out),
            Input::Watch { viewer, lease, feed } => {
                self.leases.renew(viewer, lease, feed, now.mono_us);
                self.start_live(out);
            }
            Input::Unwatch { viewer } => self.leases.end(viewer, now.mono_us),
            Input::Rekey { removed } => self.rekey(removed, out),
            Input::Room { chain } => self.room(chain, now, out),
            Input::NoRoom { chain } => self.no_room(chain, now, out),
            Input::Tick => {}
            Input::Stop => {
                self.lookout.stop(out);
                self.end_live(EndReason::HubStopped, out);
                self.end_clip(EndReason::HubStopped, out);
                self.notes.lost(out);
                self.stopped = true;
            }
        }
        self.lookout.pass(now, out);
        self.notes.pass(now.mono_us, out);
        self.leases.expire(now.mono_us);
        self.end_unwatched(out);
        if self.plan.overdue(now.mono_us, self.format.is_none()) {
            let reason = if self.format.is_none() { EndReason::CameraLost } else { EndReason::Finished };
            self.end_clip(reason, out);
        }
        self.seal_backlog(recording::AT_ONCE, out);
        self.reserve(out);
    }

    /// The streams that are open, with the keys of their next segments: what a new member is told.
    pub fn open_streams(&self) -> Vec<StreamStarted> {
        let clip = self.clip.as_ref().map(|c| &c.writer);
        self.live.iter().chain(clip).map(|writer| started(self.camera, writer)).collect()
    }

    /// When it must be told at the latest that time passed, in microseconds of the monotonic clock; `None` when there is no hurry.
    pub fn due_us(&self) -> Option<u64> {
        self.lookout.due_us()
    }

    /// Who watches live, and what they see.
    pub fn watching(&self) -> Watching {
        Watching {
            viewers: self.leases.viewers(),
            want_substream: self.leases.want_substream(),
            substream: self.live.is_some() && self.changeover.shows(Feed::Substream),
        }
    }

    /// Whether the camera's substream is needed: it is to be shown, or still is.
    pub fn wants_substream(&self) -> bool {
        self.live.is_some() && (self.leases.feed() == Feed::Substream || self.changeover.shows(Feed::Substream))
    }

    /// Whether a clip is being recorded.
    pub fn recording(&self) -> bool {
        self.clip.is_some()
    }

    /// Bytes that the pre-roll holds.
    pub fn pre_roll_bytes(&self) -> usize {
        self.ring.bytes()
    }

    // --- the camera ---

    fn source(&mut self, event: SourceEvent, now: Moment, out: &mut Vec<Output>) {
        match event {
            SourceEvent::Online { format } => {
                (self.offset_us, self.shown) = (None, None);
                self.clock.reconnect(format.nominal_fps());
                self.set_format(format, out);
                self.lookout.online(now, out);
            }
            SourceEvent::Format(format) => self.set_format(format, out),
            SourceEvent::Unit(unit) => self.unit(unit, now, out),
            SourceEvent::Motion(sample) => {
                let had_clip = self.clip.is_some();
                let started = self.plan.motion(sample.active, now.mono_us);
                if started && !self.start_clip(out) {
                    self.plan.abort();
                }
                let clip = self.clip.as_ref().map(|clip| (clip.writer.stream(), !had_clip));
                self.lookout.sample(&sample, clip, now, &*self.random, out);
                let at = self.instant(sample.pts_us, now);
                self.notes.sample(&sample, at);
            }
            SourceEvent::Picture(picture) => {
                self.lookout.picture(&picture, now, out);
                let at = self.instant(picture.pts_us, now);
                self.notes.picture(picture, at, out);
            }
            SourceEvent::Tampered { how } => self.lookout.tampered(how, now, &*self.random, out),
            SourceEvent::Offline { reason, .. } => self.offline(&reason, now, out),
            SourceEvent::Blind { .. } => self.plan.blind(),
            SourceEvent::Substream(event) => self.substream(event, out),
            SourceEvent::Health(_) => {}
        }
    }

    fn set_format(&mut self, format: Format, out: &mut Vec<Output>) {
        if self.changeover.shows(Feed::Main) {
            self.finish_live_segment(out);
        }
        self.finish_recorded(out);
        self.sub_sound(format.audio.as_ref(), out);
        let format = Arc::new(format);
        self.ring.set_format(Arc::clone(&format));
        self.format = Some(Arc::clone(&format));
        out.push(Output::Camera(CameraNews::Online { format }));
    }

    fn offline(&mut self, reason: &crate::source::OfflineReason, now: Moment, out: &mut Vec<Output>) {
        if self.format.take().is_some() {
            self.finish_live_segment(out);
            self.finish_recorded(out);
            self.sub_gone(out);
            self.ring.clear();
            self.outages.begin(now.wall, GapReason::CameraLost);
        }
        self.plan.camera_lost(now.mono_us);
        self.notes.lost(out);
        let reason = reason.to_string();
        self.lookout.offline(&reason, now, out);
        out.push(Output::Camera(CameraNews::Offline { reason }));
    }

    fn unit(&mut self, unit: AccessUnit, now: Moment, out: &mut Vec<Output>) {
        let video = unit.track == Track::Video;
        if self.offset_us.is_none() && !video {
            return;
        }
        let mono = i64::try_from(unit.received_mono_us).unwrap_or(i64::MAX);
        let after = self.last_us;
        // The first picture of a connection is put where the hub's clock says, so an outage stays as long as it was.
        let offset = *self.offset_us.get_or_insert_with(|| mono.max(after).saturating_sub(unit.pts_us));
        let pts_us = unit.pts_us.saturating_add(offset);
        let timing = if video {
            self.clock.next(pts_us, unit.key)
        } else {
            crate::media::timing::Timing { dts_us: pts_us, pts_us, duration_us: 0 }
        };
        let frame = if video { self.number_frame(unit.frame) } else { self.next_frame.saturating_sub(1) };
        if video {
            self.shown = Some((unit.pts_us, unit.received));
            self.last_us = timing.dts_us.max(self.last_us);
        }
        let set_backs = self.wall.set_backs(Moment { wall: unit.received, mono_us: unit.received_mono_us });
        let timed = TimedUnit { unit, timing, frame, set_backs };
        match self.ring.push(timed.clone(), video) {
            Pushed::Dropped => {}
            Pushed::Opened => {
                self.outages.end(timed.unit.received);
                if self.changeover.main_opens(self.leases.feed(), timed.unit.key, now.mono_us) {
                    self.finish_live_segment(out);
                }
                if timed.unit.key {
                    self.border(now, out);
                }
                self.feed(&timed, true, out);
            }
            Pushed::Joined => self.feed(&timed, false, out),
        }
    }

    /// Where a picture stands that the worker names by its time in the connection.
    fn instant(&self, pts_us: i64, now: Moment) -> Instant {
        let line_us = pts_us.saturating_add(self.offset_us.unwrap_or(0));
        let wall = self.shown.map_or(now.wall, |(shown_us, came)| {
            Timestamp(came.0.saturating_sub(shown_us.saturating_sub(pts_us) / 1000))
        });
        Instant { line_us, wall }
    }

    /// The frame's number: holes in the source's count stay visible.
    fn number_frame(&mut self, source: u64) -> u64 {
        let step = match self.last_source_frame.replace(source) {
            Some(last) if (2..10_000).contains(&source.saturating_sub(last)) => source - last,
            _ => 1,
        };
        let number = self.next_frame.saturating_add(step - 1);
        self.next_frame = number.saturating_add(1);
        number
    }

    /// A group begins with a key frame: the moment for clips to end or be renewed.
    fn border(&mut self, now: Moment, out: &mut Vec<Output>) {
        match self.plan.at_border(now.mono_us) {
            Verdict::Stay => {}
            Verdict::Begin => self.open_clip(out),
            Verdict::End => self.end_clip(EndReason::Finished, out),
            Verdict::Renew => {
                self.end_clip(EndReason::Finished, out);
                self.open_clip(out);
            }
        }
    }

    fn feed(&mut self, unit: &TimedUnit, opens: bool, out: &mut Vec<Output>) {
        if self.live.is_none() && self.leases.viewers() > 0 {
            // What starts now replays the group with this unit in it.
            self.start_live(out);
        } else if self.changeover.shows(Feed::Main) || unit.unit.track == Track::Audio {
            self.live_unit(unit, Some(unit.unit.received_mono_us), out);
        }
        self.clip_unit(unit, opens, out);
    }

    // --- both ---

    fn finish_recorded(&mut self, out: &mut Vec<Output>) {
        self.seal_backlog(usize::MAX, out);
        self.finish_clip_segment(out);
    }

    /// The members changed: what is sealed from now on, nobody who left can open. The current group is told again from its
    /// key frame, so that no picture is missing.
    fn rekey(&mut self, removed: Option<privet_protocol::id::DeviceId>, out: &mut Vec<Output>) {
        if let Some(removed) = removed {
            self.leases.remove(removed);
        }
        if self.live.is_some() {
            self.end_live(EndReason::Rekeyed, out);
            self.start_live(out);
        }
        if self.clip.is_some() {
            self.end_clip(EndReason::Rekeyed, out);
            let groups: Vec<_> = self.ring.from_last_key().cloned().collect();
            if let Some(first) = groups.first().and_then(|g| g.units.first()) {
                self.new_clip(first, out);
                self.take_in(&groups);
            }
        }
    }

    /// Clips can't be kept: the one under way is given up (what is durable of it stays), the chain goes back to what is durable.
    fn no_room(&mut self, durable: Chain, now: Moment, out: &mut Vec<Output>) {
        out.push(Output::Stopped);
        self.may_record = false;
        if self.clip.take().is_some() {
            self.notes.end(Instant { line_us: self.last_us, wall: now.wall }, now.mono_us, out);
        }
        self.outages.begin_recorded(now.wall, GapReason::StorageFull);
        self.adopt(durable);
    }

    fn room(&mut self, durable: Chain, now: Moment, out: &mut Vec<Output>) {
        if self.may_record {
            return;
        }
        self.may_record = true;
        self.outages.end_recorded(now.wall);
        self.adopt(durable);
        if self.plan.running() && !self.start_clip(out) {
            self.plan.abort();
        }
    }

    fn adopt(&mut self, durable: Chain) {
        self.chain.recorded = durable.recorded;
        self.chain.previous = durable.previous;
        self.chain.recorded_until = durable.recorded_until;
        self.recorded_set_backs = None;
    }

    fn reserve(&mut self, out: &mut Vec<Output>) {
        let near = |next: u64, reserved: u64| reserved.saturating_sub(next) < chain::BLOCK / 2;
        if near(self.next_frame, self.chain.frames_reserved) || near(self.next_live, self.chain.live_reserved) {
            self.chain = self.chain.reserve();
            out.push(Output::Reserve(self.chain.clone()));
        }
    }

    fn session(&mut self, at: Timestamp) -> Result<Session, SegmentError> {
        if let Some(session) = self.session.as_ref().filter(|s| s.covers(at)) {
            return Ok(session.clone());
        }
        let from = Timestamp(at.0.saturating_sub(SESSION_MARGIN_MS));
        let session = Session::certify(&self.evidence, self.camera, from, at.after(SESSION), &*self.random)?;
        self.session = Some(session.clone());
        Ok(session)
    }
}

fn started(camera: CameraId, writer: &StreamWriter) -> StreamStarted {
    StreamStarted {
        stream: writer.stream(),
        camera,
        kind: writer.kind(),
        secret: SecretBytes::new(writer.secret().to_bytes().as_slice()),
        started: writer.started(),
    }
}

fn ended(writer: &StreamWriter, reason: EndReason) -> StreamEnded {
    StreamEnded {
        stream: writer.stream(),
        segments: writer.segments(),
        started: writer.started(),
        ended: writer.ended(),
        reason,
        last_statement: writer.last_statement(),
        bytes: writer.bytes(),
    }
}

#[cfg(test)]
mod tests;
