//! A client whose home another node serves. This node has seen that its key is there, leads a connection of its own to that node, and
//! carries everything between the two, streams and farewells alike. Only those who follow a live stream are served here: the stream
//! comes once for all of them (`pull`).

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use privet_protocol::cbor;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::relay::{From as Start, HelloAnswer, MAX_MESSAGE, Request, close, frame, frame_length, reset};
use quinn::{ConnectionError, RecvStream, SendStream, VarInt};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::budget::Budget;
use super::connection::{DRAIN_PATIENCE, REQUEST_PATIENCE, is_endless};
use super::quota::Requests;
use super::tally::Present;
use super::window::Fitted;
use super::wire::{Answers, Failure, Outgoing};
use super::{Relay, follow, pipe, priority};
use crate::nodes::link::{Behalf, Head, MAX_OPENING, MayFollow, Opened, Opening};
use crate::nodes::{Node, Nodes};

/// How long it is tried to find the node that serves a home.
pub(crate) const REACH_PATIENCE: Duration = Duration::from_secs(2);
/// How often it is tried, unless the nodes change.
const AGAIN: Duration = Duration::from_millis(100);
/// The longest answer about following.
const MAX_ANSWER: usize = 64;

/// A way to the node that serves a home.
pub(crate) struct Link {
    pub(crate) connection: quinn::Connection,
    pub(crate) home: HomeId,
    pub(crate) welcome: HelloAnswer,
}

/// Where a home is served.
pub(crate) enum Place {
    Here,
    At(Link),
    /// Nowhere, at the moment.
    Nowhere,
}

/// Finds out where a home is served, and goes there on this behalf. How long that node may take to read the home, whoever asks knows.
pub(crate) async fn reach(nodes: &Nodes, home: HomeId, behalf: &Behalf) -> Result<Place, Failure> {
    let mut views = nodes.views();
    let until = Instant::now() + REACH_PATIENCE;
    loop {
        views.borrow_and_update();
        match nodes.owner(home) {
            Some(node) if node.id == nodes.me.id => return Ok(Place::Here),
            Some(node) => {
                let opened = tokio::select! {
                    opened = open(nodes, &node, behalf, until) => opened,
                    // It may be this very node that is gone.
                    _ = views.changed() => None,
                };
                match opened {
                    Some((connection, Opened::Answer(welcome @ HelloAnswer::Welcome { .. }))) => {
                        return Ok(Place::At(Link { connection, home, welcome }));
                    }
                    Some((_, Opened::Answer(HelloAnswer::Refused(refusal)))) => return Err(Failure::Refused(refusal)),
                    // It knows of other nodes than this one, or is just going.
                    Some((_, Opened::Elsewhere)) | None => {}
                }
            }
            None => {}
        }
        tokio::select! {
            changed = views.changed() => if changed.is_err() { return Ok(Place::Nowhere) },
            () = tokio::time::sleep(AGAIN) => {}
        }
        if Instant::now() >= until {
            return Ok(Place::Nowhere);
        }
    }
}

/// A link to this node, if it is made by then, and what it answers.
async fn open(nodes: &Nodes, node: &Node, behalf: &Behalf, until: Instant) -> Option<(quinn::Connection, Opened)> {
    let connection = tokio::time::timeout_at(until, nodes.connect(node)).await.ok()??;
    let proof = nodes.secret.proof(&connection)?;
    let (mut send, mut receive) = connection.open_bi().await.ok()?;
    send.write_all(&frame(&Opening { proof, behalf: behalf.clone() })).await.ok()?;
    send.finish().ok()?;
    let answer = receive.read_to_end(MAX_OPENING).await.ok()?;
    let opened = cbor::decode(answer.get(4..)?, MAX_OPENING).ok()?;
    Some((connection, opened))
}

/// Shares of the memory for requests that are not whole, of the homes that other nodes serve and that have clients here.
#[derive(Default)]
pub(crate) struct Guests(Mutex<HashMap<HomeId, Weak<Budget>>>);

impl Guests {
    /// The home's share of this, one for all of its clients.
    pub(crate) fn share(&self, home: HomeId, half_sent: &Arc<Budget>) -> Arc<Budget> {
        let mut shares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&home).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let share = half_sent.share();
        shares.insert(home, Arc::downgrade(&share));
        share
    }
}

/// A client and the way to its home.
struct Edge {
    relay: Arc<Relay>,
    client: quinn::Connection,
    link: quinn::Connection,
    home: HomeId,
    /// Its home's share of the memory for requests of which not everything has come.
    half_sent: Arc<Budget>,
    requests: Requests,
    /// Streams of the client that bring it video.
    following: AtomicUsize,
    /// Those that take video to the link.
    sending: AtomicUsize,
    /// Requests under way that end by themselves.
    working: watch::Sender<usize>,
}

/// Carries between the two until one of them is gone.
pub(crate) async fn serve(relay: Arc<Relay>, client: quinn::Connection, link: Link) {
    let _present = Present::piped(&relay.tally);
    let edge = Arc::new(Edge {
        relay: Arc::clone(&relay),
        client: client.clone(),
        link: link.connection.clone(),
        home: link.home,
        half_sent: relay.guests.share(link.home, &relay.half_sent),
        requests: Requests::new(relay.limits.now().requests_per_s, Instant::now().into_std()),
        following: AtomicUsize::new(0),
        sending: AtomicUsize::new(0),
        working: watch::Sender::new(0),
    });
    let (client, link, carried) = (&edge.client, &edge.link, TaskTracker::new());
    loop {
        tokio::select! {
            () = relay.draining.cancelled() => break,
            asked = client.accept_bi() => match asked {
                Ok((send, receive)) => {
                    let edge = Arc::clone(&edge);
                    // Counted here too: one that is given up before it was read never comes to the other node.
                    let allowed = edge.requests.may_ask(relay.limits.now().requests_per_s, Instant::now().into_std());
                    relay.tasks.spawn(carried.track_future(async move { edge.request(allowed, send, receive).await }));
                }
                Err(_) => break,
            },
            segment = link.accept_uni() => match segment {
                Ok(segment) => {
                    let edge = Arc::clone(&edge);
                    relay.tasks.spawn(carried.track_future(async move { edge.segment(segment).await }));
                }
                Err(_) => break,
            },
        }
    }
    carried.close();
    edge.part(&carried).await;
}

impl Edge {
    /// Says farewell on one side as it was said on the other.
    async fn part(&self, carried: &TaskTracker) {
        match (self.client.close_reason(), self.link.close_reason()) {
            (Some(ConnectionError::ApplicationClosed(farewell)), _) => {
                self.link.close(farewell.error_code, &farewell.reason);
            }
            (Some(_), _) => self.link.close(close::DONE.into(), b""),
            (None, Some(ConnectionError::ApplicationClosed(farewell))) => {
                let code = u32::try_from(farewell.error_code.into_inner()).unwrap_or(close::SHUTDOWN);
                if code == close::SHUTDOWN {
                    // What was answered before arrives before.
                    let _ = tokio::time::timeout(DRAIN_PATIENCE, carried.wait()).await;
                }
                self.relay.tally.close(&self.client, code, &farewell.reason);
            }
            (None, Some(_)) => {
                let words = b"the relay that serves this home is gone: come again";
                self.relay.tally.close(&self.client, close::SHUTDOWN, words);
            }
            // This node ends.
            (None, None) => {
                let idle = async {
                    let _ = self.working.subscribe().wait_for(|working| *working == 0).await;
                };
                let _ = tokio::time::timeout(DRAIN_PATIENCE, idle).await;
                let farewell = self.relay.farewell(self.home);
                self.relay.tally.close(&self.client, close::SHUTDOWN, farewell.as_bytes());
                self.link.close(close::DONE.into(), b"");
            }
        }
    }

    async fn request(&self, allowed: bool, send: SendStream, mut receive: RecvStream) {
        // Half an answer, or none, must not look like a whole one: neither way, and however this ends.
        let send = Outgoing::from(send);
        let mut work = Some(Work::begin(&self.working));
        let looked = tokio::time::timeout(REQUEST_PATIENCE, look(&mut receive, &self.half_sent)).await;
        // Who does not finish its request in time is not answered: its stream is reset.
        let Ok(looked) = looked else { return };
        let looked = looked.and_then(|looked| if allowed { Ok(looked) } else { Err(Failure::too_many_requests()) });
        let Looked { bytes, ended, request } = match looked {
            Ok(looked) => looked,
            Err(failure) => {
                let _ = receive.stop(VarInt::from_u32(reset::ANSWERED));
                return Answers::new(send, Arc::clone(&self.relay.tally)).fail(failure).await;
            }
        };
        if request.as_ref().is_some_and(is_endless) {
            work = None;
        }
        if let Some(Request::Follow { stream, from: Start::Newest }) = request
            && self.may_follow(stream).await == Some(MayFollow::Live)
        {
            return self.follow(stream, send).await;
        }
        let first = if matches!(request, Some(Request::Get { .. })) { priority::BULK } else { priority::ANSWER };
        let _ = send.set_priority(first);
        let Ok((up, down)) = self.link.open_bi().await else { return };
        let mut up = Outgoing::from(up);
        let head = Head::Request { stream: VarInt::from(send.id()).into_inner() };
        if up.write_all(&frame(&head)).await.is_err() || up.write_chunk(bytes).await.is_err() {
            return;
        }
        let tally = &self.relay.tally;
        let upwards = async {
            if ended {
                up.finish();
                let _ = up.stopped().await;
            } else {
                pipe::carry(receive, up, |bytes| tally.carried.add(bytes)).await;
            }
        };
        let fitted = match &request {
            // Its segments come on streams of their own.
            Some(Request::Follow { .. }) => Some(Fitted::open(&self.client, &self.following)),
            Some(Request::Put { .. }) => Some(Fitted::open(&self.link, &self.sending)),
            _ => None,
        };
        let carried = async {
            tokio::join!(upwards, pipe::carry(down, send, |bytes| tally.carried.add(bytes)));
        };
        match &fitted {
            Some(window) => tokio::select! {
                () = carried => {}
                () = window.keep_fitting() => {}
            },
            None => carried.await,
        }
        drop(work);
    }

    /// A segment on its way to the client.
    async fn segment(&self, mut segment: RecvStream) {
        let mut first = [0; 4];
        if segment.read_exact(&mut first).await.is_err() {
            return;
        }
        let Ok(out) = self.client.open_uni().await else { return };
        let out = Outgoing::from(out);
        let _ = out.set_priority(i32::from_be_bytes(first));
        pipe::carry(segment, out, |bytes| self.relay.tally.carried.add(bytes)).await;
    }

    /// Asks the node that serves the home whether this client may follow here. Nothing if that node does not say: then the request is
    /// carried there like any other.
    async fn may_follow(&self, stream: StreamId) -> Option<MayFollow> {
        let asked = async {
            let (mut send, mut receive) = self.link.open_bi().await.ok()?;
            send.write_all(&frame(&Head::MayFollow { stream })).await.ok()?;
            send.finish().ok()?;
            let answer = receive.read_to_end(MAX_ANSWER).await.ok()?;
            cbor::decode(answer.get(4..)?, MAX_ANSWER).ok()
        };
        tokio::time::timeout(REQUEST_PATIENCE, asked).await.ok().flatten()
    }

    /// Serves a follower here.
    async fn follow(&self, stream: StreamId, send: Outgoing) {
        let mut answers = Answers::new(send, Arc::clone(&self.relay.tally));
        answers.set_priority(priority::ANSWER);
        let outcome = match self.relay.pulls.join(&self.relay, self.home, stream).await {
            Ok(pull) => {
                let window = Fitted::open(&self.client, &self.following);
                let now = self.relay.now();
                tokio::select! {
                    outcome = follow::follow(&pull.home, &self.client, stream, Start::Newest, &mut answers, now) => outcome,
                    () = pull.broken.cancelled() => Err(Failure::elsewhere()),
                    () = window.keep_fitting() => Ok(()),
                }
            }
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(()) => answers.finish(),
            Err(failure) => answers.fail(failure).await,
        }
    }
}

/// What a stream of a client began with.
struct Looked {
    bytes: Bytes,
    /// Nothing follows.
    ended: bool,
    /// What it is, as far as this node can say: the one that answers says what is wrong with it otherwise.
    request: Option<Request>,
}

/// Reads a request and not a byte more, unless the client gives it up, or others need the memory that it takes.
async fn look(receive: &mut RecvStream, half_sent: &Arc<Budget>) -> Result<Looked, Failure> {
    let mut bytes = Vec::new();
    let mut held = half_sent.hold();
    let mut wanted = 4;
    while bytes.len() < wanted {
        let chunk = tokio::select! {
            biased;
            () = held.lost() => return Err(Failure::too_much_half_sent()),
            chunk = receive.read_chunk(wanted - bytes.len(), true) => chunk.map_err(|_| Failure::Lost)?,
        };
        match chunk {
            Some(chunk) if !held.more(chunk.bytes.len() as u64) => return Err(Failure::too_much_half_sent()),
            Some(chunk) => bytes.extend_from_slice(&chunk.bytes),
            None => return Ok(Looked { bytes: bytes.into(), ended: true, request: None }),
        }
        if let (4, Some(prefix)) = (bytes.len(), bytes.first_chunk::<4>()) {
            match frame_length(*prefix) {
                Ok(length) => wanted = 4 + length,
                Err(_) => break,
            }
        }
    }
    let request = bytes.get(4..).and_then(|body| cbor::decode(body, MAX_MESSAGE).ok());
    Ok(Looked { bytes: bytes.into(), ended: false, request })
}

/// A request under way, until it is dropped.
struct Work<'a>(&'a watch::Sender<usize>);

impl<'a> Work<'a> {
    fn begin(working: &'a watch::Sender<usize>) -> Self {
        working.send_modify(|working| *working += 1);
        Self(working)
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|working| *working -= 1);
    }
}
