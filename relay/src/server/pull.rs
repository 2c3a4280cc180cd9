//! Live streams of homes that other nodes serve: each comes here once, as long as anybody here follows it, and those who do are served
//! from memory like the followers of this node's own homes, each at its own pace. What they may was asked where the home is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::relay::{From as Start, Request, Response, SegmentHead, close, frame, reset};
use quinn::{RecvStream, VarInt};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::edge::{self, Link, Place};
use super::growing::{Growing, State};
use super::home::Home;
use super::received::Received;
use super::stream::Stream;
use super::tally::Present;
use super::wire::{Failure, read_message};
use super::{Relay, priority};
use crate::nodes::link::{Behalf, Head};

/// What the request is known by on its link: it is the only one.
const NUMBER: u64 = 0;
/// The longest message about a followed stream.
const MAX_TOLD: usize = 4096;
/// Until a stream begins to come, beside the time that its home may take to be read.
const PATIENCE: Duration = Duration::from_secs(5);

/// The streams that come here.
#[derive(Default)]
pub(crate) struct Pulls {
    homes: Mutex<HashMap<HomeId, Weak<Home>>>,
    slots: Mutex<HashMap<(HomeId, StreamId), Slot>>,
}

/// What there is of one stream. Who follows it first makes it come, and the others wait for that; nobody waits for another stream,
/// whose node may be far away, or gone.
type Slot = Arc<tokio::sync::Mutex<Weak<Pull>>>;

/// A stream that comes here, until this is dropped.
pub(crate) struct Pull {
    /// What this node knows of its home: what is followed here, and how fast.
    pub(crate) home: Arc<Home>,
    /// Cancelled when it comes no more and its followers have to ask again.
    pub(crate) broken: CancellationToken,
    _until_dropped: DropGuard,
}

impl Pulls {
    /// The stream, which comes from now on if it did not yet.
    pub(crate) async fn join(&self, relay: &Arc<Relay>, home: HomeId, stream: StreamId) -> Result<Arc<Pull>, Failure> {
        let patience = PATIENCE + relay.limits.now().home();
        let joined = tokio::time::timeout(patience, self.join_in_turn(relay, home, stream)).await;
        joined.unwrap_or_else(|_| Err(Failure::elsewhere()))
    }

    async fn join_in_turn(&self, relay: &Arc<Relay>, home: HomeId, stream: StreamId) -> Result<Arc<Pull>, Failure> {
        let slot = self.slot(home, stream);
        let mut there = slot.lock().await;
        if let Some(pull) = there.upgrade()
            && !pull.broken.is_cancelled()
        {
            return Ok(pull);
        }
        let pull = Arc::new(begin(relay, self.home(relay, home), stream).await?);
        *there = Arc::downgrade(&pull);
        Ok(pull)
    }

    fn slot(&self, home: HomeId, stream: StreamId) -> Slot {
        let mut slots = self.slots();
        // One that nobody else has at hand is not locked.
        let is_left =
            |slot: &Slot| Arc::strong_count(slot) == 1 && slot.try_lock().is_ok_and(|pull| pull.strong_count() == 0);
        slots.retain(|_, slot| !is_left(slot));
        Arc::clone(slots.entry((home, stream)).or_default())
    }

    fn home(&self, relay: &Arc<Relay>, id: HomeId) -> Arc<Home> {
        let mut homes = self.homes();
        homes.retain(|_, home| home.strong_count() > 0);
        if let Some(home) = homes.get(&id).and_then(Weak::upgrade) {
            return home;
        }
        let home = relay.guest(id);
        homes.insert(id, Arc::downgrade(&home));
        home
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<(HomeId, StreamId), Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn homes(&self) -> MutexGuard<'_, HashMap<HomeId, Weak<Home>>> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn begin(relay: &Arc<Relay>, home: Arc<Home>, id: StreamId) -> Result<Pull, Failure> {
    let nodes = relay.nodes.as_ref().ok_or(Failure::Lost)?;
    let Place::At(Link { connection, .. }) = edge::reach(nodes, home.id, &Behalf::Puller { home: home.id }).await?
    else {
        return Err(Failure::elsewhere());
    };
    let (mut send, receive) = connection.open_bi().await.map_err(|_| Failure::elsewhere())?;
    send.write_all(&frame(&Head::Request { stream: NUMBER })).await?;
    send.write_all(&frame(&Request::Follow { stream: id, from: Start::Newest })).await?;
    let mut answers = Received::new(receive, None, Arc::clone(&relay.tally));
    let first = match read_message::<Response>(&mut answers, MAX_TOLD, &home.half_sent).await? {
        Response::Following { first, .. } => first,
        Response::Refused(refusal) => return Err(Failure::Refused(refusal)),
        _ => return Err(Failure::elsewhere()),
    };
    let stream = Stream::new(id, relay.now());
    stream.contents().gone_below = first;
    home.streams().insert(id, Arc::clone(&stream));
    let (broken, dropped) = (CancellationToken::new(), CancellationToken::new());
    let coming = Coming { home: Arc::clone(&home), stream, connection };
    let (over, ended) = (broken.clone(), dropped.clone());
    let present = Present::pulled(&relay.tally);
    relay.tasks.spawn(async move {
        tokio::select! {
            () = ended.cancelled() => {}
            () = coming.take(answers) => {}
        }
        over.cancel();
        coming.end();
        // The other node sees that nobody follows.
        drop((send, present));
    });
    Ok(Pull { home, broken, _until_dropped: dropped.drop_guard() })
}

struct Coming {
    home: Arc<Home>,
    stream: Arc<Stream>,
    connection: quinn::Connection,
}

impl Coming {
    /// Takes what comes until nothing more can.
    async fn take(&self, mut answers: Received) {
        // Counts as a follower, so that nobody takes the stream for idle.
        let _changes = self.stream.changes();
        let told = async {
            while let Ok(told) = read_message::<Response>(&mut answers, MAX_TOLD, &self.home.half_sent).await {
                match told {
                    Response::Skipped { to, .. } => self.stream.change(|contents| {
                        contents.gone_below = contents.gone_below.max(to);
                    }),
                    Response::Ended { segments } => {
                        self.stream.change(|contents| contents.finished = Some(segments));
                        // Those who follow get the rest from memory.
                        return std::future::pending().await;
                    }
                    _ => return,
                }
            }
        };
        let segments = async {
            let mut segments = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    segment = self.connection.accept_uni() => {
                        let Ok(segment) = segment else { return };
                        let (home, stream) = (Arc::clone(&self.home), Arc::clone(&self.stream));
                        segments.spawn(async move { take_segment(&home, &stream, segment).await });
                    }
                    Some(taken) = segments.join_next() => if matches!(taken, Ok(Taken::Kept)) { return },
                }
            }
        };
        tokio::select! {
            () = told => {}
            () = segments => {}
        }
    }

    fn end(&self) {
        self.connection.close(VarInt::from_u32(close::DONE), b"");
        let mut streams = self.home.streams();
        if streams.get(&self.stream.id).is_some_and(|stream| Arc::ptr_eq(stream, &self.stream)) {
            streams.remove(&self.stream.id);
        }
    }
}

enum Taken {
    Live,
    /// It is on the other node's disk: nothing to be held in memory here, and never skipped there.
    Kept,
}

async fn take_segment(home: &Home, stream: &Stream, segment: RecvStream) -> Taken {
    let mut segment = Received::new(segment, None, Arc::clone(&home.tally));
    let mut first = [0; 4];
    if segment.read_exact(&mut first).await.is_err() {
        return Taken::Live;
    }
    if i32::from_be_bytes(first) <= priority::KEPT {
        return Taken::Kept;
    }
    let head = read_message(&mut segment, MAX_TOLD, &home.half_sent).await;
    let Ok(SegmentHead { index, .. }) = head else { return Taken::Live };
    let growing = Growing::in_memory(index, home.next_priority(), Arc::clone(&home.budget));
    let late = stream.change(|contents| {
        let late = contents.newest().is_some_and(|newest| index < newest);
        if !late {
            contents.pass(Arc::clone(&growing));
        }
        late
    });
    if late {
        segment.stop(VarInt::from_u32(reset::SKIPPED));
        return Taken::Live;
    }
    let whole = loop {
        match segment.read_waiting().await {
            Ok(Some(bytes)) => {
                if !growing.push(&bytes) {
                    // No memory is left for it.
                    break false;
                }
            }
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    if whole {
        growing.end(State::Whole);
    } else {
        growing.end(State::Broken);
        segment.stop(VarInt::from_u32(reset::SKIPPED));
        stream.change(|contents| contents.passing.retain(|other| !Arc::ptr_eq(other, &growing)));
    }
    Taken::Live
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_another_stream_and_nothing_is_left_of_one_that_is_over() {
        let (pulls, home) = (Pulls::default(), HomeId::from_bytes([1; 16]));
        let (one, other) = (StreamId::from_bytes([2; 16]), StreamId::from_bytes([3; 16]));
        let slot = pulls.slot(home, one);
        let beginning = slot.try_lock();
        assert!(pulls.slot(home, one).try_lock().is_err(), "who comes second waits for the first");
        assert!(pulls.slot(home, other).try_lock().is_ok());
        drop(beginning);
        drop(slot);
        drop(pulls.slot(home, other));
        assert_eq!(pulls.slots().len(), 1);
    }
}
