//! Following a stream: its segments come on QUIC streams of their own, and one task per connection hands them out.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use privet_protocol::relay::{Response, SegmentHead};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::ClientError;
use crate::frames::{FrameReader, FrameWriter};
use crate::segment::SegmentReader;

/// What following a stream gives.
#[derive(Debug)]
pub enum FollowEvent {
    /// A segment begins. Every number comes in order, as this or in [`FollowEvent::Skipped`]; one that was begun and then given
    /// up is both, and one whose writer started anew comes again.
    Segment(SegmentReader),
    /// These segments do not come: this follower is too slow for them, or came too late.
    Skipped {
        /// The first one.
        from: u64,
        /// One more than the last one.
        to: u64,
    },
    /// The stream is over and everything was sent.
    Ended {
        /// How many segments it has.
        segments: u64,
    },
}

/// A followed stream. Dropping it ends the request.
#[derive(Debug)]
pub struct Follower {
    answers: FrameReader,
    _request: FrameWriter,
    segments: mpsc::Receiver<SegmentReader>,
    routes: Routes,
    follow: u64,
    first: u64,
    /// The number that comes next, and segments that overtook it on the way.
    next: u64,
    early: BTreeMap<u64, SegmentReader>,
    ended: Option<u64>,
    over: bool,
}

impl Follower {
    /// The request is sent by the caller, after the route was made.
    pub(crate) fn new(
        request: FrameWriter,
        answers: FrameReader,
        segments: mpsc::Receiver<SegmentReader>,
        routes: Routes,
    ) -> Self {
        let follow = request.id();
        Self {
            answers,
            _request: request,
            segments,
            routes,
            follow,
            first: 0,
            next: 0,
            early: BTreeMap::new(),
            ended: None,
            over: false,
        }
    }

    pub(crate) async fn send(&mut self, request: &privet_protocol::relay::Request) -> Result<(), ClientError> {
        self._request.message(request).await?;
        match self.answers.answer().await? {
            Response::Following { follow, first } if follow == self.follow => {
                self.first = first;
                self.next = first;
                Ok(())
            }
            other => Err(ClientError::Protocol(format!("not an answer to following: {other:?}"))),
        }
    }

    /// The first segment that comes, or is told as skipped.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The next event; `None` after the stream's end was told. May be dropped and called again.
    ///
    /// # Errors
    /// [`ClientError`] when the connection is lost or the relay refuses, also later.
    pub async fn next(&mut self) -> Result<Option<FollowEvent>, ClientError> {
        loop {
            if self.over {
                return Ok(None);
            }
            if let Some(segment) = self.early.remove(&self.next) {
                self.next += 1;
                return Ok(Some(FollowEvent::Segment(segment)));
            }
            if let Some(segments) = self.ended
                && self.next >= segments
            {
                self.over = true;
                return Ok(Some(FollowEvent::Ended { segments }));
            }
            tokio::select! {
                biased;
                segment = self.segments.recv() => match segment {
                    Some(segment) if segment.index() < self.next => return Ok(Some(FollowEvent::Segment(segment))),
                    Some(segment) => drop(self.early.insert(segment.index(), segment)),
                    None => return Err(self.routes.why_closed()),
                },
                answer = self.answers.answer(), if self.ended.is_none() => match answer? {
                    Response::Skipped { from, to } if from <= to => {
                        self.next = self.next.max(to);
                        // What was given up before it was handed out is told once, as skipped.
                        self.early = self.early.split_off(&self.next);
                        return Ok(Some(FollowEvent::Skipped { from, to }));
                    }
                    Response::Ended { segments } => self.ended = Some(segments),
                    other => return Err(ClientError::Protocol(format!("not an answer to following: {other:?}"))),
                },
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.routes.remove(self.follow);
    }
}

/// Segments of one follower that were not asked for yet.
const WAITING_SEGMENTS: usize = 64;
/// How long the head of a segment may take once its stream was opened.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// Which follower gets the segments that carry which number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routes(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    followers: HashMap<u64, mpsc::Sender<SegmentReader>>,
    closed: Option<ClientError>,
}

impl Routes {
    pub(crate) fn add(&self, follow: u64) -> mpsc::Receiver<SegmentReader> {
        let (sender, receiver) = mpsc::channel(WAITING_SEGMENTS);
        let mut table = self.lock();
        if table.closed.is_none() {
            table.followers.insert(follow, sender);
        }
        receiver
    }

    /// Accepts segment streams until the connection is over.
    pub(crate) async fn run(self, connection: quinn::Connection) {
        let mut heads = JoinSet::new();
        loop {
            tokio::select! {
                accepted = connection.accept_uni() => match accepted {
                    Ok(stream) => {
                        heads.spawn(tokio::time::timeout(HEAD_PATIENCE, read_head(stream)));
                    }
                    Err(error) => {
                        let mut table = self.lock();
                        table.closed = Some(error.into());
                        table.followers.clear();
                        return;
                    }
                },
                Some(head) = heads.join_next() => {
                    if let Ok(Ok(Some((head, body)))) = head {
                        self.hand_out(head, body);
                    }
                }
            }
        }
    }

    /// A follower that is gone or does not ask drops the segment, which stops its stream.
    fn hand_out(&self, head: SegmentHead, body: FrameReader) {
        if let Some(follower) = self.lock().followers.get(&head.follow) {
            let _ = follower.try_send(SegmentReader::new(head.index, 0, None, body));
        }
    }

    fn remove(&self, follow: u64) {
        self.lock().followers.remove(&follow);
    }

    fn why_closed(&self) -> ClientError {
        self.lock().closed.clone().unwrap_or(ClientError::Closed { reason: "it is over".into(), revoked: false })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` for a stream that was given up before its head came.
async fn read_head(stream: quinn::RecvStream) -> Option<(SegmentHead, FrameReader)> {
    let mut reader = FrameReader::new(stream);
    let head = reader.message::<SegmentHead>().await.ok()??;
    Some((head, reader))
}
