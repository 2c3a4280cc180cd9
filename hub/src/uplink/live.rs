//! Live segments on their way: each goes to the relay as it is made, and old ones are dropped when the link can't keep up.
//!
//! [`Lane`] is the queue of one stream and decides what is dropped: pure. A task per stream writes what the lane gives; where
//! there is no connection, the lane keeps the newest segment from its key frame, so that a new connection shows a picture
//! at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use privet_protocol::id::StreamId;
use privet_relay_client::{Connection, Retention, SegmentWriter};
use tokio::sync::{Notify, watch};

use crate::recorder::{LivePart, LiveRecord};
use crate::status::Board;

/// The most that waits for one stream.
const MAX_WAITING: usize = 16 << 20;
/// How long a segment may go on being sent once a newer one waits.
const PATIENCE: Duration = Duration::from_millis(700);
/// The highest priority of a segment: what is not video goes before it.
const MOST_URGENT: i32 = i32::MAX - 1;

/// What the task is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Open this segment.
    Begin(u64),
    /// Send bytes of it.
    Bytes(Bytes, Option<u64>),
    /// Close it.
    End,
    /// The stream is over: it had so many segments.
    Over(u64),
    /// Wait.
    Nothing,
}

/// The queue of one live stream.
#[derive(Debug, Default)]
pub struct Lane {
    segments: VecDeque<Queued>,
    /// The segment whose `Begin` was handed out last.
    sending: Option<u64>,
    waiting: usize,
    over: Option<u64>,
    dropped: u64,
}

#[derive(Debug)]
struct Queued {
    index: u64,
    pieces: VecDeque<(Bytes, Option<u64>)>,
    ended: bool,
    /// Bytes of it were dropped: it is not sent at all.
    broken: bool,
}

impl Lane {
    /// Takes a record.
    pub fn push(&mut self, record: LiveRecord) {
        if record.part == LivePart::Begin {
            // Whole segments that nobody began to send are old news.
            let sending = self.sending;
            let (stale, rest) = self.segments.drain(..).partition::<VecDeque<_>, _>(|s| Some(s.index) != sending);
            self.segments = rest;
            self.forget(stale);
            let index = record.index;
            self.segments.push_back(Queued { index, pieces: VecDeque::new(), ended: false, broken: false });
        }
        let Some(segment) = self.segments.back_mut().filter(|s| s.index == record.index) else { return };
        if !record.bytes.is_empty() && !segment.broken {
            self.waiting += record.bytes.len();
            segment.pieces.push_back((record.bytes, record.received_mono_us));
            if self.waiting > MAX_WAITING {
                self.break_last();
            }
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.ended |= record.part == LivePart::End;
        }
    }

    /// The stream is over after what was pushed.
    pub fn end(&mut self, segments: u64) {
        self.over = Some(segments);
    }

    /// What to do next.
    pub fn step(&mut self) -> Step {
        loop {
            let Some(segment) = self.segments.front_mut() else {
                return self.over.map_or(Step::Nothing, Step::Over);
            };
            let open = self.sending == Some(segment.index);
            if segment.broken && (open || segment.ended) {
                self.segments.pop_front();
                self.sending = None;
                continue;
            }
            if segment.broken {
                return self.over.map_or(Step::Nothing, Step::Over);
            }
            if !open {
                self.sending = Some(segment.index);
                return Step::Begin(segment.index);
            }
            if let Some((bytes, received)) = segment.pieces.pop_front() {
                self.waiting -= bytes.len();
                return Step::Bytes(bytes, received);
            }
            if segment.ended {
                self.segments.pop_front();
                self.sending = None;
                return Step::End;
            }
            return match self.over {
                // Its last bytes never came.
                Some(segments) => Step::Over(segments),
                None => Step::Nothing,
            };
        }
    }

    /// Whether a newer segment than the one being sent waits.
    pub fn newer_waits(&self) -> bool {
        self.segments.back().is_some_and(|last| self.sending.is_some_and(|sending| last.index > sending))
    }

    /// Gives up the segment being sent.
    pub fn skip(&mut self) {
        let Some(sending) = self.sending.take() else { return };
        let (gone, rest) = self.segments.drain(..).partition(|s| s.index == sending && s.ended);
        self.segments = rest;
        self.forget(gone);
        // One that is still being made can't be begun in the middle.
        if let Some(open) = self.segments.iter_mut().find(|s| s.index == sending) {
            let pieces = std::mem::take(&mut open.pieces);
            open.broken = true;
            self.dropped += 1;
            self.waiting -= pieces.iter().map(|(b, _)| b.len()).sum::<usize>();
        }
    }

    /// Segments dropped since the last call.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn forget(&mut self, segments: VecDeque<Queued>) {
        for segment in segments {
            self.waiting -= segment.pieces.iter().map(|(b, _)| b.len()).sum::<usize>();
            self.dropped += u64::from(!segment.broken);
        }
    }

    /// Too much waits: the newest segment is given up as well, the next one starts afresh.
    fn break_last(&mut self) {
        if let Some(last) = self.segments.back_mut() {
            let pieces = std::mem::take(&mut last.pieces);
            last.broken = true;
            self.dropped += 1;
            self.waiting -= pieces.iter().map(|(b, _)| b.len()).sum::<usize>();
        }
    }
}

/// Where recorders hand in live records. Never blocks. Clones share it.
#[derive(Clone, Debug)]
pub struct LiveSender {
    lanes: Arc<Mutex<BTreeMap<StreamId, Arc<Shared>>>>,
    connection: watch::Receiver<Option<Connection>>,
    board: Board,
    /// Segments begun so far, of all streams: the newest goes first.
    begun: Arc<AtomicU32>,
}

#[derive(Debug, Default)]
struct Shared {
    lane: Mutex<Lane>,
    changed: Notify,
    /// The newest segment there is.
    newest: watch::Sender<Option<u64>>,
}

impl Shared {
    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveSender {
    /// Sends over whatever connection there is.
    pub fn new(connection: watch::Receiver<Option<Connection>>, board: Board) -> Self {
        Self { lanes: Arc::default(), connection, board, begun: Arc::default() }
    }

    /// Takes a record. Must be called within a tokio runtime.
    pub fn send(&self, record: LiveRecord) {
        let stream = record.stream;
        let shared = {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lanes.entry(stream).or_insert_with(|| {
                let shared = Arc::new(Shared::default());
                tokio::spawn(self.clone().run(stream, Arc::clone(&shared)));
                shared
            }))
        };
        if record.part == LivePart::Begin {
            shared.newest.send_replace(Some(record.index));
        }
        let dropped = {
            let mut lane = shared.lane();
            lane.push(record);
            lane.take_dropped()
        };
        if dropped > 0 {
            self.board.dropped_segments(dropped);
        }
        shared.changed.notify_one();
    }

    /// The stream is over.
    pub fn end(&self, stream: StreamId, segments: u64) {
        let shared = self.lanes.lock().unwrap_or_else(PoisonError::into_inner).remove(&stream);
        if let Some(shared) = shared {
            shared.lane().end(segments);
            shared.changed.notify_one();
        }
    }

    async fn run(mut self, stream: StreamId, shared: Arc<Shared>) {
        loop {
            let Some(connection) = self.connection.borrow_and_update().clone() else {
                tokio::select! {
                    changed = self.connection.changed() => if changed.is_err() { return },
                    () = shared.changed.notified() => {
                        // Nobody can be told of the end without a connection; the relay notices by itself.
                        if shared.lane().over.is_some() { return }
                    }
                }
                continue;
            };
            tokio::select! {
                over = self.send_on(&connection, stream, &shared) => if over { return },
                _ = connection.closed() => {}
            }
            shared.lane().skip();
            if self.connection.changed().await.is_err() {
                return;
            }
        }
    }

    /// Higher for each segment that begins, in whichever stream; above what is not live.
    fn next_priority(&self) -> i32 {
        i32::try_from(self.begun.fetch_add(1, Ordering::Relaxed)).unwrap_or(i32::MAX).saturating_add(1).min(MOST_URGENT)
    }

    /// Sends until the stream is over (true) or the connection fails.
    async fn send_on(&self, connection: &Connection, stream: StreamId, shared: &Arc<Shared>) -> bool {
        let board = &self.board;
        let mut open: Option<(u64, SegmentWriter)> = None;
        loop {
            let changed = shared.changed.notified();
            let (step, dropped) = {
                let mut lane = shared.lane();
                let step = lane.step();
                (step, lane.take_dropped())
            };
            if dropped > 0 {
                board.dropped_segments(dropped);
            }
            match step {
                Step::Begin(index) => match connection.put(stream, index, Retention::Pass, false).await {
                    Ok(writer) => {
                        writer.set_priority(self.next_priority());
                        open = Some((index, writer));
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a live segment could not be begun");
                        if !error.is_retryable() {
                            return false;
                        }
                        shared.lane().skip();
                    }
                },
                Step::Bytes(bytes, received) => {
                    let Some((_, writer)) = open.as_mut() else {
                        shared.lane().skip();
                        continue;
                    };
                    let written = tokio::select! {
                        biased;
                        written = writer.write(bytes) => Some(written),
                        () = outdated(shared) => None,
                    };
                    match written {
                        Some(Ok(())) => board.handed_over(received),
                        Some(Err(error)) => {
                            tracing::debug!(%error, "a live segment broke off");
                            open = None;
                            shared.lane().skip();
                        }
                        None => {
                            open = None;
                            shared.lane().skip();
                        }
                    }
                }
                Step::End => {
                    if let Some((index, writer)) = open.take() {
                        // The answer takes a round trip; the next segment must not wait for it.
                        tokio::spawn(finish(index, writer, Arc::clone(shared), board.clone()));
                    }
                }
                Step::Over(segments) => {
                    drop(open);
                    if let Err(error) = connection.finish_stream(stream, segments).await {
                        tracing::debug!(%error, "the relay was not told that a live stream is over");
                    }
                    return true;
                }
                Step::Nothing => changed.await,
            }
        }
    }
}

/// Waits for the relay to have all of segment `index`. What of it waits before a slow link is dropped once it is late: QUIC
/// sends newer segments first, and it would only take their place in memory.
async fn finish(index: u64, writer: SegmentWriter, shared: Arc<Shared>, board: Board) {
    let mut newest = shared.newest.subscribe();
    let late = async {
        if newest.wait_for(|newest| newest.is_some_and(|newest| newest > index)).await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        biased;
        finished = writer.finish() => if let Err(error) = finished {
            tracing::debug!(%error, "a live segment was not taken");
        },
        () = late => {
            tracing::debug!(index, "a live segment was late and is not sent to its end");
            board.dropped_segments(1);
        }
    }
}

/// Resolves when a newer segment has waited for so long that the one being sent is not worth it any more.
async fn outdated(shared: &Shared) {
    while !shared.lane().newer_waits() {
        shared.changed.notified().await;
    }
    tokio::time::sleep(PATIENCE).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: StreamId = StreamId::from_bytes([7; 16]);

    fn record(index: u64, part: LivePart, length: usize) -> LiveRecord {
        LiveRecord { stream: STREAM, index, part, bytes: Bytes::from(vec![0; length]), received_mono_us: None }
    }

    fn push(lane: &mut Lane, index: u64, part: LivePart, length: usize) {
        lane.push(record(index, part, length));
    }

    #[test]
    fn records_come_out_in_order_while_the_link_keeps_up() {
        let mut lane = Lane::default();
        push(&mut lane, 0, LivePart::Begin, 0);
        push(&mut lane, 0, LivePart::More, 5);
        assert_eq!(lane.step(), Step::Begin(0));
        assert!(matches!(lane.step(), Step::Bytes(b, _) if b.len() == 5));
        assert_eq!(lane.step(), Step::Nothing);
        push(&mut lane, 0, LivePart::End, 2);
        push(&mut lane, 1, LivePart::Begin, 0);
        assert!(matches!(lane.step(), Step::Bytes(b, _) if b.len() == 2));
        assert_eq!(lane.step(), Step::End);
        assert_eq!(lane.step(), Step::Begin(1));
        lane.end(2);
        assert_eq!(lane.step(), Step::Over(2));
        assert_eq!(lane.take_dropped(), 0);
    }

    #[test]
    fn without_a_link_only_the_newest_segment_waits() {
        let mut lane = Lane::default();
        for index in 0..100 {
            push(&mut lane, index, LivePart::Begin, 0);
            push(&mut lane, index, LivePart::More, 1000);
            push(&mut lane, index, LivePart::End, 10);
        }
        assert_eq!(lane.waiting, 1010);
        assert_eq!(lane.take_dropped(), 99);
        assert_eq!(lane.step(), Step::Begin(99));
    }

    #[test]
    fn a_slow_segment_is_skipped_whole_and_the_newest_begun() {
        let mut lane = Lane::default();
        push(&mut lane, 0, LivePart::Begin, 0);
        push(&mut lane, 0, LivePart::More, 1000);
        assert_eq!(lane.step(), Step::Begin(0));
        push(&mut lane, 0, LivePart::End, 10);
        assert!(!lane.newer_waits());
        push(&mut lane, 1, LivePart::Begin, 0);
        push(&mut lane, 1, LivePart::End, 10);
        push(&mut lane, 2, LivePart::Begin, 0);
        assert!(lane.newer_waits());
        lane.skip();
        assert_eq!(lane.step(), Step::Begin(2));
        assert_eq!(lane.take_dropped(), 2);
        assert_eq!(lane.waiting, 0);
    }

    #[test]
    fn a_segment_skipped_while_it_is_made_is_never_begun_again() {
        let mut lane = Lane::default();
        push(&mut lane, 0, LivePart::Begin, 0);
        assert_eq!(lane.step(), Step::Begin(0));
        lane.skip();
        push(&mut lane, 0, LivePart::More, 1000);
        assert_eq!(lane.step(), Step::Nothing);
        assert_eq!(lane.waiting, 0);
        push(&mut lane, 0, LivePart::End, 10);
        push(&mut lane, 1, LivePart::Begin, 0);
        assert_eq!(lane.step(), Step::Begin(1));
    }

    #[test]
    fn memory_is_bounded_even_for_one_endless_segment() {
        let mut lane = Lane::default();
        push(&mut lane, 0, LivePart::Begin, 0);
        for _ in 0..100 {
            push(&mut lane, 0, LivePart::More, 1 << 20);
            assert!(lane.waiting <= MAX_WAITING);
        }
        push(&mut lane, 1, LivePart::Begin, 0);
        assert_eq!(lane.step(), Step::Begin(1));
    }
}
