//! The bounded queue between the network and a viewer: what is kept, what is dropped, and how a gap is told.
//!
//! Pure: time comes in. A viewer that is too slow loses whole runs up to a key frame, never a part of one; what it did not see
//! is told as a [`Gap`] before the next picture. A segment that fails verification loses what it still has queued here, and
//! nothing more is shown before the next key frame.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::Duration;

use super::{Gap, GapReason, LiveItem, LiveStats, SegmentSeen};
use crate::types::{Track, Trust};

/// Memory bound, whatever the buffer time.
pub(super) const MAX_BYTES: usize = 32 << 20;
/// Bound on small items.
const MAX_ITEMS: usize = 8192;
/// So long without a picture is told, even if the camera's count goes on where it was, in ms.
const PAUSE_MS: i64 = 1000;
/// How many buffer times an unfinished group of pictures may wait for its viewer before it is given up.
const PATIENCE: u32 = 4;

/// A queued item and where it came from.
struct Slot {
    segment: u64,
    arrived: Duration,
    item: LiveItem,
}

/// The queue.
pub(super) struct Ring {
    slots: VecDeque<Slot>,
    bytes: usize,
    buffer: Duration,
    max_bytes: usize,
    /// Set while pictures are dropped: the first frame not shown, and why.
    lost: Option<(u64, GapReason)>,
    /// Set while the first picture of another stream is waited for: why the one before ended.
    seam: Option<GapReason>,
    /// A picture came that could be shown.
    begun: bool,
    /// The frame that follows the last one that came.
    next_frame: Option<u64>,
    /// When that one is over: by the hub's clock in ms, and in the stream's time in us.
    shown_until: (i64, i64),
    /// The parameters a viewer needs for what comes next, unless it has them.
    format: Option<LiveItem>,
    ended: bool,
    stats: LiveStats,
}

impl Ring {
    /// A queue whose viewer may be `buffer` late.
    pub(super) fn new(buffer: Duration) -> Self {
        Self {
            slots: VecDeque::new(),
            bytes: 0,
            buffer: buffer.max(Duration::from_millis(50)),
            max_bytes: MAX_BYTES,
            lost: None,
            seam: None,
            begun: false,
            next_frame: None,
            shown_until: (0, 0),
            format: None,
            ended: false,
            stats: LiveStats::default(),
        }
    }

    /// New parameters: told before the next picture.
    pub(super) fn format(&mut self, format: LiveItem) {
        self.format = Some(format);
    }

    /// A piece of media of `segment`.
    pub(super) fn media(&mut self, segment: u64, now: Duration, item: LiveItem) {
        let LiveItem::Media { track, key, frame, capture_ms, pts_us, duration_us, ref data, .. } = item else { return };
        let size = data.len();
        if self.ended {
            return;
        }
        self.stats.received += 1;
        let video = track == Track::Video;
        let paused = capture_ms.saturating_sub(self.shown_until.0) > PAUSE_MS;
        // A camera whose network stalls sends everything late; its pictures are as close as ever.
        let apart = pts_us.saturating_sub(self.shown_until.1) > PAUSE_MS * 1000;
        if video {
            match self.next_frame {
                Some(due) if frame > due && self.lost.is_none() => self.lost = Some((due, GapReason::CameraRestart)),
                Some(due) if key && paused && apart && self.lost.is_none() => {
                    self.lost = Some((due, GapReason::CameraRestart))
                }
                None if !key && self.lost.is_none() => self.lost = Some((frame, GapReason::NetworkLoss)),
                _ => {}
            }
            self.next_frame = Some(frame + 1);
            self.shown_until = (
                capture_ms.saturating_add(i64::from(duration_us / 1000)),
                pts_us.saturating_add(i64::from(duration_us)),
            );
        }
        if let Some((from, reason)) = self.lost {
            if !(video && key) {
                self.stats.dropped += 1;
                return;
            }
            self.lost = None;
            let seam = self.seam.take();
            if let Some(gap) =
                between(from, frame, reason, seam, paused).filter(|gap| self.begun || gap.from_seq < frame)
            {
                self.push(segment, now, LiveItem::Gap(gap));
            }
        }
        self.begun |= video;
        if let Some(format) = self.format.take() {
            self.push(segment, now, format);
        }
        self.bytes += size;
        self.push(segment, now, item);
        self.enforce(now);
    }

    /// A segment ended well.
    pub(super) fn verified(&mut self, now: Duration, seen: SegmentSeen) {
        self.stats.verified += 1;
        let segment = seen.index;
        self.push(segment, now, LiveItem::Segment(seen));
        self.enforce(now);
    }

    /// A segment failed: what is still queued of it is not shown, and nothing is until the next key frame.
    pub(super) fn broken(&mut self, now: Duration, seen: SegmentSeen) {
        self.stats.broken += 1;
        let segment = seen.index;
        let mut first = None;
        let (mut bytes, mut dropped) = (0, 0);
        self.slots.retain(|slot| match &slot.item {
            LiveItem::Media { track, frame, data, .. } if slot.segment == segment => {
                if *track == Track::Video {
                    first.get_or_insert(*frame);
                }
                bytes += data.len();
                dropped += 1;
                false
            }
            _ => true,
        });
        self.bytes -= bytes;
        self.stats.dropped += dropped;
        self.push(segment, now, LiveItem::Segment(seen));
        self.lose(first, GapReason::FailedVerification);
    }

    /// Pictures were lost before they reached this phone.
    pub(super) fn gap(&mut self, reason: GapReason) {
        if reason == GapReason::NetworkLoss {
            self.stats.lost += 1;
        }
        self.lose(None, reason);
    }

    /// What comes next is of another stream, because of `reason`; nothing may be missing.
    pub(super) fn seam(&mut self, reason: GapReason) {
        if self.next_frame.is_some() {
            self.seam = self.seam.max(Some(reason));
            self.lose(None, reason);
        }
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self, now: Duration, reason: String) {
        if !self.ended {
            self.push(u64::MAX, now, LiveItem::End { reason });
            self.ended = true;
        }
    }

    /// The next item for the viewer.
    pub(super) fn take(&mut self) -> Option<LiveItem> {
        let slot = self.slots.pop_front()?;
        if let LiveItem::Media { data, .. } = &slot.item {
            self.bytes -= data.len();
        }
        Some(slot.item)
    }

    /// Whether the end was queued.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// What happened so far.
    pub(super) fn stats(&self) -> LiveStats {
        LiveStats { queued: self.slots.len() as u64, ..self.stats }
    }

    /// For the latency in [`Ring::stats`].
    pub(super) fn measured(&mut self, latency_ms: u32) {
        self.stats.latency_ms = latency_ms;
    }

    /// Nothing is shown before the next key frame: `from` this frame on, which was queued, or from the one that is due.
    fn lose(&mut self, from: Option<u64>, reason: GapReason) {
        self.lost = match (self.lost, from.or(self.next_frame)) {
            // One gap may have several causes: the gravest is told. It begins where the first one did: what came since may be counted otherwise.
            (Some((due, old)), _) => Some((from.map_or(due, |from| from.min(due)), old.max(reason))),
            (None, Some(due)) => Some((due, reason)),
            (None, None) => None,
        };
    }

    fn push(&mut self, segment: u64, arrived: Duration, item: LiveItem) {
        self.slots.push_back(Slot { segment, arrived, item });
    }

    fn enforce(&mut self, now: Duration) {
        let waited = self
            .slots
            .iter()
            .find(|slot| matches!(slot.item, LiveItem::Media { .. }))
            .map_or(Duration::ZERO, |slot| now.saturating_sub(slot.arrived));
        let full = self.bytes > self.max_bytes || self.slots.len() > MAX_ITEMS;
        if waited <= self.buffer && !full {
            return;
        }
        let is_key = |slot: &Slot| matches!(slot.item, LiveItem::Media { track: Track::Video, key: true, .. });
        let is_video = |slot: &Slot| matches!(slot.item, LiveItem::Media { track: Track::Video, .. });
        let resume = self.slots.iter().rposition(is_key).filter(|at| self.slots.iter().take(*at).any(is_video));
        match resume {
            Some(at) => self.drop_before(at),
            None if full || waited > self.buffer * PATIENCE => self.drop_before(self.slots.len()),
            None => {}
        }
    }

    /// Drops the media before position `at`, keeps what a viewer must know, and tells the gap in front of what follows.
    fn drop_before(&mut self, at: usize) {
        let rest = self.slots.split_off(at);
        let mut from = None;
        let mut format = None;
        let mut reason = GapReason::SlowViewer;
        let mut verdicts = VecDeque::new();
        let mut last = (0, Duration::ZERO);
        for slot in self.slots.drain(..) {
            last = (slot.segment, slot.arrived);
            match slot.item {
                LiveItem::Media { track, frame, ref data, .. } => {
                    self.bytes -= data.len();
                    self.stats.dropped += 1;
                    if track == Track::Video {
                        from.get_or_insert(frame);
                    }
                }
                LiveItem::Gap(gap) => {
                    from.get_or_insert(gap.from_seq);
                    reason = reason.max(gap.reason);
                }
                LiveItem::Format { .. } => format = Some(slot.item),
                LiveItem::Segment(SegmentSeen { trust: Trust::Broken { .. }, .. }) if verdicts.len() < 64 => {
                    verdicts.push_back(slot);
                }
                LiveItem::Segment(_) | LiveItem::Idle | LiveItem::End { .. } => {}
            }
        }
        self.slots = verdicts;
        let resumes_with = rest.front().and_then(|slot| match slot.item {
            LiveItem::Media { frame, .. } => Some(frame),
            _ => None,
        });
        match (from, resumes_with) {
            (Some(from_seq), Some(to_seq)) => {
                // What a stream repeats has lower numbers than what was dropped.
                let from_seq = from_seq.min(to_seq);
                self.push(last.0, last.1, LiveItem::Gap(Gap { from_seq, to_seq, reason }));
            }
            (Some(from), None) => self.lose(Some(from), reason),
            (None, _) => {}
        }
        match (format, resumes_with) {
            (Some(format), Some(_)) => self.push(last.0, last.1, format),
            (Some(format), None) => {
                self.format.get_or_insert(format);
            }
            (None, _) => {}
        }
        self.slots.extend(rest);
    }
}

/// What is told where frame `from` was due and `frame` came, `paused` or not, of another stream if there is a `seam`.
fn between(from: u64, frame: u64, reason: GapReason, seam: Option<GapReason>, paused: bool) -> Option<Gap> {
    let (from_seq, reason) = match from.cmp(&frame) {
        Ordering::Less => (from, reason),
        // By the count nothing is missing: the camera was away.
        Ordering::Equal if paused => (frame, GapReason::CameraRestart),
        Ordering::Equal => return None,
        // The count says nothing about what is missing, but time does.
        Ordering::Greater if paused => (frame, reason),
        // Shown again: what became of the link or the viewer meanwhile took nothing away.
        Ordering::Greater => (frame, seam.unwrap_or(reason)),
    };
    Some(Gap { from_seq, to_seq: frame, reason })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn media(frame: u64, key: bool) -> LiveItem {
        media_at(frame as i64 * 40, frame, key)
    }

    fn media_at(capture_ms: i64, frame: u64, key: bool) -> LiveItem {
        LiveItem::Media {
            track: Track::Video,
            pts_us: capture_ms * 1000,
            duration_us: 40_000,
            capture_ms,
            capture_us: 0,
            frame,
            key,
            trust: Trust::Pending,
            data: Bytes::from_static(&[0; 100]),
        }
    }

    fn format() -> LiveItem {
        let codec = "avc1".into();
        LiveItem::Format { codec, width: 1, height: 1, audio_codec: None, substream: false, header: Bytes::new() }
    }

    fn seen(index: u64, trust: Trust) -> SegmentSeen {
        SegmentSeen { stream: String::new(), index, first_frame: 0, last_frame: 0, trust }
    }

    /// Short names: F format, kN key, dN delta, gA-B gap, v verified, x broken, e end.
    fn drain(ring: &mut Ring) -> Vec<String> {
        std::iter::from_fn(|| ring.take())
            .map(|item| match item {
                LiveItem::Format { .. } => "F".into(),
                LiveItem::Media { key: true, frame, .. } => format!("k{frame}"),
                LiveItem::Media { frame, .. } => format!("d{frame}"),
                LiveItem::Gap(g) => format!("g{}-{} {:?}", g.from_seq, g.to_seq, g.reason),
                LiveItem::Segment(SegmentSeen { trust: Trust::Broken { .. }, .. }) => "x".into(),
                LiveItem::Segment(_) => "v".into(),
                LiveItem::End { .. } => "e".into(),
                LiveItem::Idle => "i".into(),
            })
            .collect()
    }

    #[test]
    fn format_comes_first_and_the_end_last() {
        let mut ring = Ring::new(500 * MS);
        ring.format(format());
        ring.media(0, MS, media(0, true));
        ring.media(0, MS, media(1, false));
        ring.verified(MS, seen(0, Trust::Pending));
        ring.end(MS, "over".into());
        ring.media(1, MS, media(2, true));
        assert_eq!(drain(&mut ring), ["F", "k0", "d1", "v", "e"]);
    }

    #[test]
    fn a_slow_viewer_resumes_at_the_newest_key_frame() {
        let mut ring = Ring::new(100 * MS);
        ring.format(format());
        for frame in 0..6 {
            ring.media(frame / 3, 40 * MS * frame as u32, media(frame, frame % 3 == 0));
        }
        assert_eq!(drain(&mut ring), ["g0-3 SlowViewer", "F", "k3", "d4", "d5"]);
    }

    #[test]
    fn a_burst_at_the_start_is_not_a_slow_viewer() {
        let mut ring = Ring::new(100 * MS);
        for frame in 0..200 {
            ring.media(0, MS, media(frame, frame == 0));
        }
        assert_eq!(drain(&mut ring).len(), 200);
    }

    #[test]
    fn an_endless_group_is_given_up_after_some_patience() {
        let mut ring = Ring::new(100 * MS);
        ring.format(format());
        for frame in 0..100 {
            ring.media(0, 10 * MS * frame as u32, media(frame, frame == 0));
        }
        assert_eq!(drain(&mut ring), [] as [&str; 0]);
        ring.media(1, 1001 * MS, media(100, true));
        assert_eq!(drain(&mut ring), ["g0-100 SlowViewer", "F", "k100"]);
    }

    #[test]
    fn a_broken_segment_yields_nothing_more() {
        let mut ring = Ring::new(500 * MS);
        ring.media(0, MS, media(0, true));
        ring.verified(MS, seen(0, Trust::Pending));
        ring.media(1, MS, media(1, true));
        ring.media(1, MS, media(2, false));
        ring.broken(MS, seen(1, Trust::Broken { why: "bit flip".into() }));
        ring.media(1, MS, media(3, false));
        ring.media(2, MS, media(4, true));
        assert_eq!(drain(&mut ring), ["k0", "v", "x", "g1-4 FailedVerification", "k4"]);
    }

    #[test]
    fn joining_in_the_middle_waits_for_a_key_frame() {
        let mut ring = Ring::new(500 * MS);
        ring.media(0, MS, media(7, false));
        ring.media(0, MS, media(8, true));
        assert_eq!(drain(&mut ring), ["g7-8 NetworkLoss", "k8"]);
        // The segment's beginning came after all.
        let mut ring = Ring::new(500 * MS);
        ring.media(0, MS, media(7, false));
        ring.media(0, MS, media(5, true));
        assert_eq!(drain(&mut ring), ["k5"]);
    }

    #[test]
    fn a_pause_of_the_camera_is_told_even_if_its_count_goes_on() {
        let mut ring = Ring::new(500 * MS);
        for (frame, late) in [(0, 0), (1, 0), (2, 10_000), (1, 10_040), (9, 10_040)] {
            ring.gap(GapReason::CameraRestart);
            ring.media(frame, MS, media_at(frame as i64 * 40 + late, frame, true));
        }
        let told = ["k0", "k1", "g2-2 CameraRestart", "k2", "g1-1 CameraRestart", "k1", "g2-9 CameraRestart", "k9"];
        assert_eq!(
            drain(&mut ring),
            told,
            "one stream ended where the next began; a pause; a count begun anew; a jump"
        );
        // The same stream: away, and back with the next frame; and a network that stalled and lost nothing.
        ring.media(9, MS, media_at(20_000, 10, true));
        let mut late = media_at(20_040, 11, true);
        if let LiveItem::Media { capture_ms, .. } = &mut late {
            *capture_ms += 5000;
        }
        ring.media(9, MS, late);
        assert_eq!(drain(&mut ring), ["g10-10 CameraRestart", "k10", "k11"]);
        // A link that broke and lost nothing.
        ring.gap(GapReason::NetworkLoss);
        ring.media(12, 9000 * MS, media_at(25_080, 12, true));
        assert_eq!(drain(&mut ring), ["k12"]);
    }

    #[test]
    fn another_stream_of_the_hub_is_not_a_camera_that_was_away() {
        let mut ring = Ring::new(500 * MS);
        for (frame, late) in [(0, 0), (7, 0), (5, 0), (6, 0), (7, 10_000), (3, 20_000)] {
            ring.seam(GapReason::NewStream);
            ring.media(frame, MS, media_at(frame as i64 * 40 + late, frame, true));
        }
        let told = ["k0", "g1-7 NewStream", "k7", "g5-5 NewStream", "k5", "k6", "g7-7 CameraRestart", "k7"];
        assert_eq!(
            drain(&mut ring),
            [&told[..], &["g3-3 NewStream", "k3"]].concat(),
            "some missing; shown again; none missing; the camera was away; counted otherwise"
        );
    }

    #[test]
    fn a_seam_is_told_whatever_else_happened_there() {
        // Each time: a loss, why the stream before ended, the next stream's first frame after 9, how late it is, and what is told.
        let cases = [
            (GapReason::NetworkLoss, GapReason::NewStream, 12, 0, "g10-12 NetworkLoss"),
            (GapReason::NetworkLoss, GapReason::NewStream, 8, 0, "g8-8 NewStream"),
            (GapReason::NetworkLoss, GapReason::CameraRestart, 8, 0, "g8-8 CameraRestart"),
            (GapReason::NetworkLoss, GapReason::NewStream, 8, 10_000, "g8-8 NetworkLoss"),
            (GapReason::SlowViewer, GapReason::NewStream, 12, 0, "g10-12 SlowViewer"),
            (GapReason::SlowViewer, GapReason::CameraRestart, 12, 0, "g10-12 CameraRestart"),
        ];
        for (loss, seam, frame, late, told) in cases {
            for loss_first in [true, false] {
                let mut ring = Ring::new(500 * MS);
                ring.media(0, MS, media(9, true));
                if loss_first {
                    ring.gap(loss);
                }
                ring.seam(seam);
                if !loss_first {
                    ring.gap(loss);
                }
                ring.media(0, MS, media_at(frame as i64 * 40 + late, frame, true));
                assert_eq!(drain(&mut ring), ["k9".to_owned(), told.into(), format!("k{frame}")]);
                // It is told once.
                ring.gap(GapReason::NetworkLoss);
                ring.media(0, MS, media_at((frame as i64 + 2) * 40 + late, frame + 2, true));
                assert_eq!(drain(&mut ring)[0], format!("g{}-{} NetworkLoss", frame + 1, frame + 2));
            }
        }
    }

    #[test]
    fn a_slow_viewer_is_told_so_over_a_seam_too() {
        let mut ring = Ring::new(100 * MS);
        ring.media(0, MS, media(18, true));
        ring.media(0, MS, media(19, false));
        ring.seam(GapReason::NewStream);
        ring.media(0, MS, media(15, true));
        ring.media(0, 150 * MS, media(16, false));
        assert_eq!(
            drain(&mut ring),
            ["g15-15 SlowViewer", "k15", "d16"],
            "nothing is missing, but it is another stream"
        );
        ring.media(0, 200 * MS, media(17, true));
        ring.seam(GapReason::NewStream);
        ring.media(0, 200 * MS, media(16, true));
        ring.media(0, 200 * MS, media(17, false));
        ring.media(1, 400 * MS, media(18, true));
        assert_eq!(drain(&mut ring), ["g17-18 SlowViewer", "k18"]);
    }

    #[test]
    fn a_gap_over_a_seam_begins_where_the_viewer_was() {
        let mut ring = Ring::new(500 * MS);
        ring.media(0, MS, media(0, true));
        ring.media(0, MS, media(1, true));
        ring.seam(GapReason::NewStream);
        // Joined within a group, whose segment then breaks.
        ring.media(1, MS, media(0, false));
        ring.broken(MS, seen(1, Trust::Broken { why: String::new() }));
        ring.media(2, MS, media(1, true));
        assert_eq!(drain(&mut ring), ["k0", "k1", "x", "g1-1 NewStream", "k1"]);
    }

    proptest! {
        /// Whatever happens: pictures come in order, every hole is told by exactly one gap, a run starts with a key frame,
        /// memory stays bounded, and nothing of a broken segment comes after its verdict.
        #[test]
        fn what_a_viewer_sees_is_whole(script in prop::collection::vec((0u8..20, 0u32..120), 1..400)) {
            let mut ring = Ring::new(100 * MS);
            ring.max_bytes = 3_000;
            let (mut frame, mut segment, mut now, mut away) = (0, 0, Duration::ZERO, 0);
            let mut shown = Vec::new();
            let mut broken = std::collections::HashSet::new();
            for (what, wait) in script {
                match what {
                    0 => { segment += 1; ring.broken(now, seen(segment - 1, Trust::Broken { why: String::new() })); broken.insert(segment - 1); }
                    1 => { ring.gap(GapReason::NetworkLoss); frame += 3; segment += 1; }
                    9 if wait % 2 == 0 => {
                        // Another stream, which may repeat some.
                        ring.seam(GapReason::NewStream);
                        frame -= u64::from(wait % 5).min(frame);
                        segment += 1;
                    }
                    9 => { ring.gap(GapReason::CameraRestart); away += i64::from(wait) * 20; segment += 1; }
                    2 => { ring.verified(now, seen(segment, Trust::Pending)); segment += 1; }
                    3..=6 => { now += MS * wait; while let Some(item) = ring.take() { shown.push(item); } }
                    7 | 8 => { ring.media(segment, now, media_at(frame as i64 * 40 + away, frame, true)); frame += 1; }
                    _ => { now += MS * (wait / 20); ring.media(segment, now, media_at(frame as i64 * 40 + away, frame, false)); frame += 1; }
                }
                prop_assert!(ring.bytes <= ring.max_bytes);
            }
            while let Some(item) = ring.take() { shown.push(item); }
            let mut due: Option<u64> = None;
            let mut fresh = true;
            for item in shown {
                match item {
                    LiveItem::Media { frame, key, .. } => {
                        prop_assert!(due.is_none_or(|d| d == frame), "{due:?} {frame}");
                        prop_assert!(!fresh || key);
                        fresh = false;
                        due = Some(frame + 1);
                    }
                    LiveItem::Gap(gap) => {
                        prop_assert!(gap.from_seq <= gap.to_seq);
                        if let Some(d) = due { prop_assert!(gap.from_seq <= d); }
                        due = Some(gap.to_seq);
                        fresh = true;
                    }
                    _ => {}
                }
            }
        }
    }
}
