//! Following a camera's live streams: asks the hub, opens records as they arrive, judges each segment at its end, and goes on
//! with the next stream when one ends. `pump` opens one segment; here is their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use privet_home::{EndReason, Feed, PhoneMessage};
use privet_protocol::id::{CameraId, StreamId};
use privet_relay_client::{ClientError, FollowEvent, From};
use privet_segment::{
    EvidencePublicKey, InitInfo, Item, Statement, StreamKey, Track as SegmentTrack, UnitHead, Verified,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::late::Lateness;
use super::pace::Pace;
use super::pump::{self, Piece};
use super::stall::Stall;
use super::{GapReason, Live, LiveFormat, LiveItem, SegmentSeen, Shared};
use crate::clock;
use crate::error::{CoreError, Result};
use crate::events::TrustAlert;
use crate::mp4::decoder_config;
use crate::runtime;
use crate::state::Core;
use crate::types::{Track, Trust};

/// How long the hub streams without another word.
const LEASE: Duration = Duration::from_secs(30);
/// How long the hub may take to start.
const START: Duration = Duration::from_secs(10);
/// So many of the segments that came to their end are remembered.
const REMEMBERED: usize = 64;
/// Pictures that are older than this by both clocks are told as late.
const LATE_MS: i64 = 30_000;
/// How long until a stream that broke off is followed again.
const AGAIN: Duration = Duration::from_millis(200);
/// How much earlier than the hub the relay may say that a stream is over. Nothing more comes of it meanwhile.
const EARLIER: Duration = Duration::from_secs(2);

/// Opens a live view of `camera`.
pub(crate) async fn open(core: &Arc<Core>, camera: CameraId, format: LiveFormat, buffer: Duration) -> Result<Live> {
    if core.library().camera(&camera).is_none() {
        return Err(CoreError::NotFound { what: format!("camera {camera}") });
    }
    core.connection(START).await?;
    let stop = core.stop.child_token();
    let shared = Shared::new(buffer, stop.clone());
    let live = Live { shared: shared.clone() };
    let (asked, feed) = watch::channel(Feed::default());
    let watching = core.tasks.spawn_on(keep_watching(core.clone(), camera, feed, stop.clone()), &runtime::handle()?);

    let mut changes = core.changes();
    let first = tokio::time::timeout(START, async {
        loop {
            changes.borrow_and_update();
            if let Some((stream, _)) = core.library().live_of(&camera) {
                return Ok(stream);
            }
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| CoreError::Stopped)?,
                () = stop.cancelled() => return Err(CoreError::Stopped),
            }
        }
    })
    .await;
    let first = match first {
        Ok(first) => first?,
        Err(_) => {
            watching.abort();
            return Err(CoreError::timeout("the hub to start the live view; is the hub online?"));
        }
    };
    let follower = Following {
        core: core.clone(),
        shared,
        camera,
        format,
        stop,
        stream: first,
        due: 0,
        previous: None,
        late_told: false,
        parameters: None,
        pace: Pace::default(),
        lateness: Lateness::default(),
        asked,
    };
    core.tasks.spawn_on(follower.run(), &runtime::handle()?);
    Ok(live)
}

/// Asks the hub to watch, again before the lease is over and when another of its streams is wanted, and not any more at the end.
async fn keep_watching(core: Arc<Core>, camera: CameraId, mut wanted: watch::Receiver<Feed>, stop: CancellationToken) {
    let lease_ms = u32::try_from(LEASE.as_millis()).unwrap_or(u32::MAX);
    let view = core.views.join(camera);
    loop {
        let feed = *wanted.borrow_and_update();
        let feed = view.wants(feed);
        // Asking while offline would only pile up; the first word after reconnecting does.
        let asked = tokio::select! {
            connection = core.connection(LEASE) => match connection {
                Ok(_) => core.tell_hub(PhoneMessage::Watch { camera, lease_ms, feed }).await,
                Err(error) => Err(error),
            },
            () = stop.cancelled() => break,
        };
        if let Err(error) = asked {
            tracing::debug!(target: "privet::live", %error, "could not ask the hub to watch");
        }
        let mut links = core.links();
        tokio::select! {
            () = tokio::time::sleep(LEASE / 3) => {}
            _ = links.changed() => {}
            // Nothing changes any more once following has ended.
            Ok(()) = wanted.changed() => {}
            () = stop.cancelled() => break,
        }
    }
    if !view.leave() || core.stop.is_cancelled() {
        return;
    }
    let _ = core.tell_hub(PhoneMessage::Unwatch { camera }).await;
    // Opened meanwhile, and its word may stand before ours.
    if let Some(feed) = core.views.wanted(camera) {
        let _ = core.tell_hub(PhoneMessage::Watch { camera, lease_ms, feed }).await;
    }
}

/// What there is to say of the rest of a segment.
enum Rest {
    /// It is still to come.
    Comes,
    /// There is none: the segment was judged.
    Judged,
    /// It is not shown, or does not come.
    Lost,
}

/// How following one stream ended.
enum Ended {
    /// The stream is over: another one may follow.
    Stream,
    /// The connection is lost, or the relay does not have the stream.
    Link(ClientError),
    /// Nothing more is wanted, or possible.
    View(String),
}

struct Following {
    core: Arc<Core>,
    shared: Arc<Shared>,
    camera: CameraId,
    format: LiveFormat,
    stop: CancellationToken,
    stream: StreamId,
    /// The next segment to show.
    due: u64,
    /// The number and digest of the last verified segment.
    previous: Option<(u64, [u8; 32])>,
    late_told: bool,
    /// The init segment, and whether it is the substream's.
    parameters: Option<(bytes::Bytes, bool)>,
    pace: Pace,
    lateness: Lateness,
    /// Which of the camera's streams the hub is asked for.
    asked: watch::Sender<Feed>,
}

impl Following {
    async fn run(mut self) {
        let reason = loop {
            let (before, mut over) = (self.stream, false);
            match self.stream_to_its_end().await {
                Ended::View(reason) => break reason,
                Ended::Link(error) => {
                    tracing::debug!(target: "privet::live", %error, "the live stream broke off");
                    self.lost();
                    tokio::select! {
                        () = tokio::time::sleep(AGAIN) => {}
                        () = self.stop.cancelled() => break "stopped".into(),
                    }
                }
                Ended::Stream => {
                    over = true;
                    self.hub_says_so().await;
                }
            }
            if let Err(reason) = self.next_stream().await {
                break reason;
            }
            if self.stream != before {
                self.changed_over(before);
            } else if over {
                // Only the relay says so. Whether something is missing by that is seen by the count; it is not the link's speed.
                self.shared.with(|ring, _| ring.gap(GapReason::NetworkLoss));
            }
        };
        self.shared.with(|ring, now| ring.end(now, reason));
    }

    /// Waits until the stream that is over is so for the hub, too, which says it in the log; for a relay's word alone not long.
    async fn hub_says_so(&self) {
        let mut changes = self.core.changes();
        let said = async {
            loop {
                changes.borrow_and_update();
                if !self.is_current() || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = said => {}
            () = tokio::time::sleep(EARLIER) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Whether the stream is the camera's, as far as this phone was told.
    fn is_current(&self) -> bool {
        let library = self.core.library();
        let current = library.live_of(&self.camera).map(|(stream, _)| stream);
        current == Some(self.stream) && library.camera(&self.camera).is_some()
    }

    /// Another stream follows `before`: whatever is missing between them is so for the reason why that one ended.
    fn changed_over(&mut self, before: StreamId) {
        let reason = match self.core.library().live_end(&before) {
            Some(EndReason::NobodyWatching | EndReason::Rekeyed) => GapReason::NewStream,
            _ => GapReason::CameraRestart,
        };
        self.shared.with(|ring, _| ring.seam(reason));
    }

    /// Waits for a stream that may be followed: the same one while it lasts, else the next.
    async fn next_stream(&mut self) -> std::result::Result<(), String> {
        let mut changes = self.core.changes();
        loop {
            changes.borrow_and_update();
            {
                let library = self.core.library();
                if library.camera(&self.camera).is_none() {
                    return Err(self
                        .core
                        .no_home_error()
                        .map_or_else(|| "the camera was taken away".into(), |error| error.to_string()));
                }
                if let Some((stream, _)) = library.live_of(&self.camera) {
                    if stream != self.stream {
                        self.stream = stream;
                        self.due = 0;
                        self.previous = None;
                        self.pace.starts_anew();
                        self.lateness = Lateness::default();
                    }
                    return Ok(());
                }
            }
            tokio::select! {
                changed = changes.changed() => changed.map_err(|_| "shut down".to_owned())?,
                () = self.stop.cancelled() => return Err("stopped".into()),
            }
        }
    }

    async fn stream_to_its_end(&mut self) -> Ended {
        let (key, first) = {
            let library = self.core.library();
            match library.stream(&self.stream).map(|record| (record.key(), record.first_segment())) {
                Some((Ok(key), first)) => (Arc::new(key), first),
                Some((Err(error), _)) => return Ended::View(error.to_string()),
                None => return Ended::Stream,
            }
        };
        let connection = tokio::select! {
            connection = self.core.connection(LEASE) => match connection {
                Ok(connection) => connection,
                Err(CoreError::Network { .. }) => return Ended::Link(ClientError::Timeout),
                Err(error) => return Ended::View(error.to_string()),
            },
            () = self.stop.cancelled() => return Ended::View("stopped".into()),
        };
        let follower = tokio::select! {
            follower = connection.follow(self.stream, From::Newest) => follower,
            () = self.stop.cancelled() => return Ended::View("stopped".into()),
        };
        match follower {
            Ok(follower) => self.follow(follower, key, first).await,
            Err(error) => Ended::Link(error),
        }
    }

    /// `first` is the first segment that this phone has a key for: a stream that it joined has earlier ones.
    async fn follow(&mut self, mut follower: privet_relay_client::Follower, key: Arc<StreamKey>, first: u64) -> Ended {
        let mut open: BTreeMap<u64, mpsc::Receiver<Piece>> = BTreeMap::new();
        // What this follower brought to its end. Only that can't come again: a segment whose writer broke off may, and so may the newest
        // one, which was shown whole already, after the connection was lost.
        let mut judged = BTreeSet::new();
        let mut stall = Stall::default();
        let mut ended = false;
        let mut changes = self.core.changes();
        loop {
            // The oldest segment under way is the one being shown.
            let newer = open.len() > 1;
            let current = open.first_entry();
            if current.is_none() && ended {
                return Ended::Stream;
            }
            let now = self.shared.started.elapsed();
            let shown = current.as_ref().map(|entry| *entry.key());
            let left = stall.ends(shown, newer, now).map(|ends| ends.saturating_sub(now));
            let stalled = async {
                match left {
                    // A timer takes a moment also for this, and within it the next event may come, for ever.
                    Some(left) if left.is_zero() => {}
                    Some(left) => tokio::time::sleep(left).await,
                    None => std::future::pending().await,
                }
            };
            let next_piece = async {
                match current {
                    Some(mut entry) => (*entry.key(), entry.get_mut().recv().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ended::View("stopped".into()),
                (index, piece) = next_piece => {
                    stall.moves();
                    match self.piece(index, piece) {
                        Rest::Comes => continue,
                        Rest::Judged => {
                            judged.insert(index);
                            if judged.len() > REMEMBERED {
                                judged.pop_first();
                            }
                        }
                        Rest::Lost => {}
                    }
                    open.remove(&index);
                    self.due = self.due.max(index + 1);
                }
                () = stalled => {
                    if let Some((index, _)) = open.pop_first() {
                        tracing::debug!(target: "privet::live", index, "a stalled segment is left behind");
                        self.due = self.due.max(index + 1);
                        self.previous = None;
                        self.lost();
                    }
                }
                event = follower.next(), if !ended => match event {
                    Ok(Some(FollowEvent::Segment(reader))) => {
                        let index = reader.index();
                        if index < first {
                            continue;
                        }
                        if judged.contains(&index) {
                            self.core.alert(TrustAlert::BrokenMedia {
                                stream: self.stream.to_string(),
                                segment: index,
                                why: "the relay sent it again".into(),
                            });
                        }
                        // What was shown of it, or given up, is not shown again.
                        if index < self.due || open.contains_key(&index) {
                            continue;
                        }
                        open.insert(index, pump::start(&self.core, self.stream, key.clone(), reader, &self.stop));
                    }
                    Ok(Some(FollowEvent::Skipped { from, to })) => {
                        tracing::debug!(target: "privet::live", from, to, "segments skipped");
                        self.lost();
                    }
                    Ok(Some(FollowEvent::Ended { .. }) | None) => ended = true,
                    Err(error) => return Ended::Link(error),
                },
                _ = changes.changed() => {
                    // A relay that hides the end of a stream can't keep a view in the past.
                    let current = self.core.library().live_of(&self.camera).map(|(stream, _)| stream);
                    if self.core.library().camera(&self.camera).is_none()
                        || current.is_some_and(|current| current != self.stream) {
                        return Ended::Stream;
                    }
                    if current.is_none() {
                        ended = true;
                    }
                }
            }
        }
    }

    /// Takes a piece of segment `index`.
    fn piece(&mut self, index: u64, piece: Option<Piece>) -> Rest {
        match piece {
            Some(Piece::Item(Item::Init { info, segment })) => {
                let feed = if info.substream { Feed::Substream } else { Feed::Main };
                self.pace.shows(self.shared.started.elapsed(), feed);
                self.ask();
                let parameters = (segment, info.substream);
                if self.parameters.as_ref() != Some(&parameters) {
                    let item = format_item(self.format, &info, parameters.0.clone());
                    self.parameters = Some(parameters);
                    self.shared.with(|ring, _| ring.format(item));
                }
                Rest::Comes
            }
            Some(Piece::Item(Item::Unit { head, chunk })) => match self.unit(index, &head, chunk) {
                true => Rest::Comes,
                false => Rest::Lost,
            },
            Some(Piece::End(Ok(signed))) => {
                let (statement, signer) = *signed;
                match self.chain(index, &statement) {
                    Ok(()) => self.verified(index, &statement, &signer),
                    Err(why) => self.broken(index, why),
                }
                Rest::Judged
            }
            Some(Piece::End(Err(error))) => {
                self.broken(index, error.to_string());
                Rest::Judged
            }
            Some(Piece::Lost(error)) => {
                tracing::debug!(target: "privet::live", index, %error, "a segment broke off");
                self.previous = None;
                self.lost();
                Rest::Lost
            }
            None => Rest::Lost,
        }
    }

    /// False when this and the rest of the segment come too late: the relay is told to stop.
    fn unit(&mut self, index: u64, head: &UnitHead, chunk: bytes::Bytes) -> bool {
        let age = clock::now().0 - head.captured.0;
        if age > LATE_MS && !self.late_told {
            self.late_told = true;
            self.core.alert(TrustAlert::Late { stream: self.stream.to_string(), by_s: age / 1000 });
        }
        if head.track == SegmentTrack::Video {
            let captured_us = match head.captured_us {
                0 => head.captured.0.saturating_mul(1000),
                told => i64::try_from(told).unwrap_or(i64::MAX),
            };
            let now = self.shared.started.elapsed();
            let late_us = self.pace.picture(now, captured_us);
            if self.lateness.too_late(index, now, late_us) {
                tracing::debug!(target: "privet::live", index, late_us, "a segment that is late is left behind");
                self.previous = None;
                self.lost();
                return false;
            }
            self.ask();
        }
        let data = match self.format {
            LiveFormat::Fmp4 => chunk,
            LiveFormat::AccessUnits => chunk.slice((head.header_len as usize).min(chunk.len())..),
        };
        let item = LiveItem::Media {
            track: match head.track {
                SegmentTrack::Video => Track::Video,
                SegmentTrack::Audio => Track::Audio,
            },
            pts_us: head.pts_us,
            duration_us: head.duration_us,
            capture_ms: head.captured.0,
            capture_us: head.captured_us,
            frame: head.frame,
            key: head.key,
            trust: Trust::Pending,
            data,
        };
        self.shared.with(|ring, now| {
            ring.measured(u32::try_from(age.max(0)).unwrap_or(u32::MAX));
            ring.media(index, now, item);
        });
        true
    }

    /// Pictures did not come.
    fn lost(&mut self) {
        self.pace.lost(self.shared.started.elapsed());
        self.ask();
        self.shared.with(|ring, _| ring.gap(GapReason::NetworkLoss));
    }

    /// Lets the hub know when another of the camera's streams is wanted.
    fn ask(&self) {
        let feed = self.pace.feed();
        self.asked.send_if_modified(|asked| std::mem::replace(asked, feed) != feed);
    }

    /// What the signed statement must say beside what the opener checked.
    fn chain(&self, index: u64, statement: &Verified<Statement>) -> std::result::Result<(), String> {
        if statement.camera != self.camera {
            return Err("it was made by another camera".into());
        }
        match self.previous {
            Some((before, digest)) if before + 1 == index && statement.previous != digest => {
                Err("it does not follow the segment before it".into())
            }
            None if index == 0 && statement.previous != [0; 32] => Err("a live stream can't follow another".into()),
            _ => Ok(()),
        }
    }

    fn verified(&mut self, index: u64, statement: &Verified<Statement>, signer: &EvidencePublicKey) {
        self.previous = Some((index, statement.digest()));
        let seen = SegmentSeen {
            stream: self.stream.to_string(),
            index,
            first_frame: statement.first_frame,
            last_frame: statement.last_frame,
            trust: Trust::Verified { signer: signer.fingerprint(), lease_until_ms: None },
        };
        self.shared.with(|ring, now| ring.verified(now, seen));
    }

    fn broken(&mut self, index: u64, why: String) {
        self.previous = None;
        let stream = self.stream.to_string();
        self.core.alert(TrustAlert::BrokenMedia { stream: stream.clone(), segment: index, why: why.clone() });
        let seen = SegmentSeen { stream, index, first_frame: 0, last_frame: 0, trust: Trust::Broken { why } };
        self.shared.with(|ring, now| ring.broken(now, seen));
    }
}

fn format_item(format: LiveFormat, info: &InitInfo, segment: bytes::Bytes) -> LiveItem {
    let header = match format {
        LiveFormat::Fmp4 => segment,
        LiveFormat::AccessUnits => decoder_config(&segment).unwrap_or_default(),
    };
    LiveItem::Format {
        codec: info.codec.clone(),
        width: info.width,
        height: info.height,
        audio_codec: info.audio_codec.clone(),
        substream: info.substream,
        header,
    }
}
