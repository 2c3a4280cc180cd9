//! A camera's substream, as the hub sees it: a connection is made while the main stream plays, handed to the camera's worker, and
//! made again when it is lost, with pauses of its own. Whatever happens to it, the main stream goes on.

use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::time::Duration;

use privet_protocol::random::{Random, SystemRandom};
use tokio::time::{Instant, Sleep, sleep};

use super::backoff::Backoff;
use super::connect::Target;
use super::frames::{SubstreamNews, Unit};
use super::supervisor::MAX_HOLE;
use super::{OfflineReason, WorkerOptions};

/// Motion found on it for so long makes it a good one again. Long, because each time it comes or goes the detector starts anew: one
/// that plays for a minute now and then costs more than it gives.
const GOOD: Duration = Duration::from_secs(600);

/// A connection for the worker.
#[derive(Debug)]
pub(super) struct HandedConnection {
    /// To the camera; nothing was read or written.
    pub(super) socket: OwnedFd,
    /// With the address in place of the host's name.
    pub(super) url: String,
}

type Connecting = Pin<Box<dyn Future<Output = Result<HandedConnection, OfflineReason>> + Send>>;

enum State {
    /// There is no substream, it can never be had, or the main stream does not play yet.
    Idle,
    Pausing(Pin<Box<Sleep>>),
    Connecting(Connecting),
    /// The worker has a connection; since when motion is found on it.
    Handed(Option<Instant>),
}

/// Keeps one connection to the substream during one connection to the main stream.
pub(super) struct Substream {
    target: Option<Target>,
    backoff: Backoff,
    state: State,
    /// Why there is none.
    trouble: Option<OfflineReason>,
}

impl Substream {
    /// `url` is `None` where none is configured or motion is not looked for.
    pub(super) fn new(url: Option<&str>, options: &WorkerOptions) -> Self {
        let (target, trouble) = match url.map(Target::parse) {
            None => (None, None),
            Some(Ok(target)) => (Some(target), None),
            Some(Err(reason)) => (None, Some(reason)),
        };
        let backoff = Backoff::new(options.shortest_pause, options.longest_pause, GOOD);
        Self { target, backoff, state: State::Idle, trouble }
    }

    /// The main stream plays: connect.
    pub(super) fn begin(&mut self) {
        self.connect();
    }

    /// The next connection to hand over; waits for ever where there is none. May be dropped while it waits.
    pub(super) async fn next(&mut self) -> HandedConnection {
        loop {
            match &mut self.state {
                State::Idle | State::Handed(_) => return std::future::pending().await,
                State::Pausing(pause) => {
                    pause.await;
                    self.connect();
                }
                State::Connecting(connecting) => match connecting.await {
                    Ok(connection) => {
                        self.state = State::Handed(None);
                        return connection;
                    }
                    Err(reason) => self.failed(reason, Duration::ZERO),
                },
            }
        }
    }

    /// What the worker says of the connection that it was handed.
    pub(super) fn heard(&mut self, news: SubstreamNews) {
        let State::Handed(since) = &mut self.state else { return };
        match news {
            SubstreamNews::Watched => {
                since.get_or_insert_with(Instant::now);
                self.trouble = None;
            }
            SubstreamNews::Ended(fault) => {
                let good = since.map_or(Duration::ZERO, |since| since.elapsed());
                self.failed(fault.into(), good);
            }
        }
    }

    /// What an owner should know.
    pub(super) fn note(&self) -> Option<String> {
        let reason = self.trouble.as_ref()?;
        let again = if self.target.is_some() { "; the hub goes on trying" } else { "" };
        Some(format!("the substream can't be had, so motion is found on the main stream: {reason}{again}"))
    }

    fn connect(&mut self) {
        let Some(target) = self.target.clone() else { return };
        self.state = State::Connecting(Box::pin(async move {
            let (socket, address) = target.connect().await?;
            Ok(HandedConnection { socket, url: target.url_at(address.ip()) })
        }));
    }

    fn failed(&mut self, reason: OfflineReason, good: Duration) {
        let mut random = [0; 2];
        SystemRandom.fill(&mut random);
        let pause = self.backoff.pause(good, reason.is_credentials(), u16::from_be_bytes(random));
        tracing::debug!(%reason, ?pause, "no substream");
        self.trouble = Some(reason);
        self.state = State::Pausing(Box::pin(sleep(pause)));
    }
}

/// Which of the substream's units may go on: those in order, from the key frame after their format on. The format's own key frame may
/// have been dropped on the way.
#[derive(Debug, Default)]
pub(super) struct Passage {
    open: bool,
    awaits_key: bool,
    next_frame: u64,
}

impl Passage {
    /// A format was told.
    pub(super) fn begin(&mut self) {
        (self.open, self.awaits_key) = (true, true);
    }

    /// The session is over; whether anybody was told of it.
    pub(super) fn end(&mut self) -> bool {
        std::mem::take(&mut self.open)
    }

    /// Whether the unit goes on, or what is wrong with a worker that sends it.
    pub(super) fn unit(&mut self, unit: &Unit) -> Result<bool, &'static str> {
        if !self.open {
            return Err("a unit of the substream before its format");
        }
        if !(self.next_frame..self.next_frame.saturating_add(MAX_HOLE)).contains(&unit.frame) {
            return Err("frame numbers of the substream that go back or leap");
        }
        self.next_frame = unit.frame + 1;
        self.awaits_key &= !unit.key;
        Ok(!self.awaits_key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{Fault, Phase, Track};
    use super::*;

    #[test]
    fn units_go_on_from_a_key_frame_after_their_format_and_in_order() {
        let unit = |frame, key| Unit {
            track: Track::Video,
            substream: true,
            key,
            pts_us: 0,
            received_mono_us: 0,
            frame,
            loss: 0,
            data: bytes::Bytes::new(),
        };
        let mut passage = Passage::default();
        assert!(passage.unit(&unit(0, true)).is_err(), "before its format");
        assert!(!passage.end());
        passage.begin();
        assert_eq!(passage.unit(&unit(1, false)), Ok(false), "its key frame was dropped");
        assert_eq!(passage.unit(&unit(5, true)), Ok(true));
        assert_eq!(passage.unit(&unit(6, false)), Ok(true));
        assert!(passage.unit(&unit(6, false)).is_err());
        assert!(passage.unit(&unit(u64::MAX, false)).is_err());
        assert!(passage.end() && !passage.end());
        assert!(passage.unit(&unit(7, true)).is_err());
    }

    fn options() -> WorkerOptions {
        WorkerOptions {
            shortest_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(2),
            ..WorkerOptions::default()
        }
    }

    #[tokio::test]
    async fn a_lost_connection_is_made_again_and_the_reason_is_kept_until_there_are_pictures() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rtsp://{}/sub", listener.local_addr().unwrap());
        let mut substream = Substream::new(Some(&url), &options());
        let waits = tokio::time::timeout(Duration::from_millis(20), substream.next()).await;
        assert!(waits.is_err(), "not before the main stream plays");
        substream.begin();
        assert_eq!(substream.next().await.url, url);
        assert_eq!(substream.note(), None);
        substream.heard(SubstreamNews::Ended(Fault::Closed { phase: Phase::Play }));
        assert!(substream.note().unwrap().contains("closed the connection"), "{:?}", substream.note());
        substream.next().await;
        assert!(substream.note().is_some(), "a connection alone shows nothing");
        substream.heard(SubstreamNews::Watched);
        assert_eq!(substream.note(), None);
    }

    #[tokio::test]
    async fn one_that_plays_for_a_minute_now_and_then_is_asked_ever_less_often() {
        let options = WorkerOptions {
            shortest_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            ..WorkerOptions::default()
        };
        let mut substream = Substream::new(Some("rtsp://192.0.2.1/sub"), &options);
        let next = |substream: &Substream| substream.backoff.clone().pause(Duration::ZERO, false, u16::MAX).as_secs();
        let closed = || OfflineReason::from(Fault::Closed { phase: Phase::Streaming });
        for _ in 0..4 {
            substream.failed(closed(), Duration::from_secs(60));
        }
        assert_eq!(next(&substream), 16);
        substream.failed(closed(), Duration::from_secs(600));
        assert_eq!(next(&substream), 2, "ten good minutes");
    }

    #[tokio::test]
    async fn a_url_that_is_none_is_told_and_not_tried() {
        let mut substream = Substream::new(Some("http://192.0.2.1/"), &options());
        substream.begin();
        assert!(tokio::time::timeout(Duration::from_millis(20), substream.next()).await.is_err());
        let note = substream.note().unwrap();
        assert!(note.contains("scheme") && !note.contains("goes on trying"), "{note}");
    }
}
