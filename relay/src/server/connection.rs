//! One connection: its hello within the deadline, its home within another one, then its requests, each on a stream and a task of its own.
//! Where another node serves the home, `edge` leads there; and who came to another node comes here over a link (`behalf`), with the same
//! rights and bounds.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::relay::{
    CapabilityKey, Code, From as Start, Hello, HelloAnswer, MAX_MESSAGE, Principal, Refusal, Request, Response,
    Retention, VERSIONS, close, common_version, reset,
};
use quinn::{RecvStream, SendStream, VarInt};
use tokio::sync::watch;

use super::edge::{self, Link, Place};
use super::endpoint::Guest;
use super::home::Home;
use super::lived::Dates;
use super::quota::Requests;
use super::received::Received;
use super::role::Role;
use super::segments::Put;
use super::tally::Present;
use super::wake::{self, Wake};
use super::wasted::{Waste, Wasted};
use super::window::{Fitted, SEND_WINDOW};
use super::wire::{Answers, Failure, read_message};
use super::{Relay, capability, follow, inbox, log, mailbox, priority, segments};
use crate::nodes::link::{Behalf, Client, Head, MayFollow};

/// Requests under way at once, once the hello was accepted; one before.
const STREAMS: u32 = 16;
/// The same on a link, where questions of the node in between come in addition, and a node that pulls asks for all its clients.
const LINK_STREAMS: u32 = 256;
/// The longest word before a request on a link.
const MAX_HEAD: usize = 128;
/// The longest hello.
const MAX_HELLO: usize = 4096;
/// How long a request's own bytes may take, its body aside.
pub(crate) const REQUEST_PATIENCE: Duration = Duration::from_secs(20);
/// How long requests under way may take when the relay ends.
pub(crate) const DRAIN_PATIENCE: Duration = Duration::from_secs(3);

/// Whom a connection acts for, proven.
pub(crate) struct Session {
    relay: Arc<Relay>,
    connection: quinn::Connection,
    home: Arc<Home>,
    key: CapabilityKey,
    role: Role,
    /// Of the protocol, for both sides.
    version: u16,
    requests: Requests,
    wasted: Wasted,
    following: AtomicUsize,
    dates: Dates,
    /// Requests under way that end by themselves.
    working: watch::Sender<usize>,
    /// Whether it came over another node.
    linked: bool,
    _present: Option<Present>,
}

/// Where a client is served after its hello.
enum Greeted {
    Here(Arc<Session>),
    Elsewhere(Link, Role),
}

/// Serves a connection until it is over.
pub(crate) async fn serve(relay: Arc<Relay>, connection: quinn::Connection, mut guest: Guest) {
    let deadline = relay.limits.now().hello();
    let greeted = match tokio::time::timeout(deadline, hear(&relay, &connection)).await {
        Ok(Some(Heard { hello, answers, receive })) => {
            let admitted = match hello {
                Ok(hello) => admit(&relay, &connection, hello).await,
                Err(failure) => Err(failure),
            };
            let told = tokio::time::timeout(deadline, answer(&relay, &connection, admitted, answers)).await;
            drop(receive);
            told
        }
        Ok(None) => Ok(None),
        Err(late) => Err(late),
    };
    match greeted {
        Ok(Some(Greeted::Here(session))) => {
            guest.said_hello();
            session.serve().await;
        }
        Ok(Some(Greeted::Elsewhere(link, role))) => {
            guest.said_hello();
            widen(&connection, STREAMS, role.receive_window());
            edge::serve(relay, connection, link).await;
        }
        Ok(None) => {}
        Err(_) => relay.tally.close(&connection, close::LATE, b"no hello came in time"),
    }
}

/// Who is known may have more under way.
fn widen(connection: &quinn::Connection, streams: u32, receive_window: u32) {
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(streams));
    connection.set_receive_window(VarInt::from_u32(receive_window));
    connection.set_send_window(SEND_WINDOW);
}

/// What a client said first, and the way to answer.
struct Heard {
    hello: Result<Hello, Failure>,
    answers: Answers,
    /// Kept until it is answered: let go, it would tell the client to say no more.
    receive: Received,
}

/// Reads the hello; `None` when the client is gone.
async fn hear(relay: &Relay, connection: &quinn::Connection) -> Option<Heard> {
    let (send, receive) = connection.accept_bi().await.ok()?;
    let mut receive = Received::new(receive, relay.config.log.received.as_deref(), Arc::clone(&relay.tally));
    let answers = Answers::new(send, Arc::clone(&relay.tally));
    let hello = read_message::<Hello>(&mut receive, MAX_HELLO, &relay.hellos.share()).await;
    Some(Heard { hello, answers, receive })
}

/// Answers the hello; `None` when the client is refused or gone.
async fn answer(
    relay: &Relay,
    connection: &quinn::Connection,
    admitted: Result<Option<Greeted>, Failure>,
    mut answers: Answers,
) -> Option<Greeted> {
    match admitted {
        Ok(Some(greeted)) => {
            let welcome = match &greeted {
                Greeted::Here(session) => session.welcome(),
                Greeted::Elsewhere(link, _) => link.welcome.clone(),
            };
            answers.send(&welcome).await.ok()?;
            answers.finish();
            Some(greeted)
        }
        Ok(None) => {
            let words = b"the relay that serves this home is gone: come again";
            relay.tally.close(connection, close::SHUTDOWN, words);
            None
        }
        Err(failure) => {
            if let Failure::Refused(refusal) = failure {
                relay.tally.refused.add(refusal.code);
                let code = if refusal.code == Code::Malformed { close::MALFORMED } else { close::REFUSED };
                // The class only: whoever can read the answer has the rest there.
                let words = refusal.code.to_string();
                if answers.send(&HelloAnswer::Refused(refusal)).await.is_ok() {
                    let told = answers.stopped();
                    answers.finish();
                    // The answer has to arrive before the connection goes; a client that waits is cut off by the deadline.
                    told.await;
                }
                relay.tally.close(connection, code, words.as_bytes());
            } else {
                relay.tally.close(connection, close::MALFORMED, b"");
            }
            None
        }
    }
}

/// Waits for the home as long as `limits.home_ms` says: what is read for it is read on, for when the client comes again. `None` when nobody
/// serves the home at the moment.
async fn admit(relay: &Arc<Relay>, connection: &quinn::Connection, hello: Hello) -> Result<Option<Greeted>, Failure> {
    let Some(version) = common_version(VERSIONS, &hello.versions) else {
        let next = if hello.versions.iter().max() > VERSIONS.iter().max() { "the relay" } else { "Privet" };
        let why =
            format!("this relay speaks {VERSIONS:?} of the protocol, and none of them was offered; update {next}");
        return Err(Failure::refuse(Code::Version, why));
    };
    if !capability::is_proven(connection, &hello) {
        return Err(Failure::denied());
    }
    let client = Client { principal: hello.principal, key: hello.key, version };
    let patience = relay.limits.now().home();
    // Where it is served elsewhere, that node says so by itself, if it has time to.
    let patience = if relay.nodes.is_some() { edge::REACH_PATIENCE + patience } else { patience };
    tokio::time::timeout(patience, lead(relay, connection, client)).await.unwrap_or_else(|_| Err(Failure::reading()))
}

/// Leads a client to its home.
async fn lead(relay: &Arc<Relay>, connection: &quinn::Connection, client: Client) -> Result<Option<Greeted>, Failure> {
    if let Some(nodes) = &relay.nodes {
        let home = home_of(relay, &client.principal, &client.key).await?;
        match edge::reach(nodes, home, &Behalf::Client(client.clone())).await? {
            Place::Here => {}
            Place::At(link) => {
                // A founder that is welcome there is the owner; of others only that node knows what they are.
                let role = match client.principal {
                    Principal::Founder { .. } => Role::Owner,
                    Principal::Member { .. } => Role::Member,
                    Principal::Mailbox { mailbox } => Role::Mailbox(mailbox),
                };
                return Ok(Some(Greeted::Elsewhere(link, role)));
            }
            Place::Nowhere => return Ok(None),
        }
    }
    open(relay, connection, client, false).await.map(|session| Some(Greeted::Here(Arc::new(session))))
}

/// The home that somebody with this key comes for. Nothing is said of what is not there.
pub(crate) async fn home_of(relay: &Relay, principal: &Principal, key: &CapabilityKey) -> Result<HomeId, Failure> {
    match principal {
        Principal::Founder { home, .. } | Principal::Member { home } => Ok(*home),
        Principal::Mailbox { mailbox } => {
            let record = mailbox::find(&*relay.storage, *mailbox, relay.now()).await?;
            Ok(record.filter(|record| record.key == *key).ok_or_else(Failure::denied)?.home)
        }
    }
}

/// A session for a client whose key is proven, with what the key may do here.
pub(crate) async fn open(
    relay: &Arc<Relay>,
    connection: &quinn::Connection,
    client: Client,
    linked: bool,
) -> Result<Session, Failure> {
    let Client { principal, key, version } = client;
    let (home, role) = match principal {
        Principal::Founder { home, invite } => (relay.found(home, key, invite).await?, Role::Owner),
        Principal::Member { home } => {
            let home = relay.home_of(home, &key).await?;
            let role = if home.owner == key { Role::Owner } else { Role::Member };
            (home, role)
        }
        Principal::Mailbox { mailbox } => {
            let record = mailbox::find(&*relay.storage, mailbox, relay.now()).await?.ok_or_else(Failure::denied)?;
            if record.key != key {
                return Err(Failure::denied());
            }
            if record.closed {
                return Err(Failure::refuse(Code::Gone, "the mailbox was closed"));
            }
            (relay.home(record.home).await?.ok_or_else(Failure::denied)?, Role::Mailbox(mailbox))
        }
    };
    home.enter(key, connection)?;
    // Taken in first and looked at again: a revocation in between found nothing to close.
    if role == Role::Member && home.rights(&key).is_none() {
        return Err(Failure::denied());
    }
    let present = Present::connection(&relay.tally, role.kind());
    Ok(Session { linked, _present: Some(present), ..Session::new(relay, connection, home, key, role, version) })
}

/// A session for another node, for whatever followers it has.
pub(crate) async fn open_for_node(
    relay: &Arc<Relay>,
    connection: &quinn::Connection,
    home: HomeId,
) -> Result<Session, Failure> {
    let home = relay.home(home).await?.ok_or_else(Failure::denied)?;
    home.enter_node(NODE, connection)?;
    let version = VERSIONS.first().copied().unwrap_or_default();
    Ok(Session { linked: true, ..Session::new(relay, connection, home, NODE, Role::Node, version) })
}

/// What nodes have in place of a key of their own.
const NODE: CapabilityKey = CapabilityKey([0; 32]);

impl Session {
    fn new(
        relay: &Arc<Relay>,
        connection: &quinn::Connection,
        home: Arc<Home>,
        key: CapabilityKey,
        role: Role,
        version: u16,
    ) -> Self {
        Self {
            relay: Arc::clone(relay),
            connection: connection.clone(),
            home,
            key,
            role,
            version,
            requests: Requests::new(relay.limits.now().requests_per_s, Instant::now()),
            wasted: Wasted::new(Instant::now()),
            following: AtomicUsize::new(0),
            dates: relay.dates(),
            working: watch::Sender::new(0),
            linked: false,
            _present: None,
        }
    }

    pub(crate) fn welcome(&self) -> HelloAnswer {
        let limits = self.relay.limits.now();
        HelloAnswer::Welcome {
            version: self.version,
            limits: privet_protocol::relay::Limits {
                streams: STREAMS,
                segment_bytes: limits.segment_bytes,
                stored_bytes: limits.stored_bytes,
                retention_s: limits.retention_s,
            },
            now: self.dates.told,
        }
    }

    /// Serves it until it is over.
    pub(crate) async fn serve(self: Arc<Self>) {
        let (relay, connection) = (&self.relay, &self.connection);
        widen(connection, if self.linked { LINK_STREAMS } else { STREAMS }, self.role.receive_window());
        tracing::debug!("a client said hello");
        loop {
            let stream = tokio::select! {
                () = relay.draining.cancelled() => break,
                () = self.home.gone.cancelled() => break,
                stream = connection.accept_bi() => stream,
            };
            let Ok((send, receive)) = stream else { break };
            // Counted when it is begun: one that is given up before it was read has cost something too. What comes over another
            // node says first what it is.
            let allowed = self.linked || self.may_ask_now();
            let work = Work::begin(&self);
            relay.tasks.spawn(async move { Arc::clone(&work.0).begin(work, allowed, send, receive).await });
        }
        if relay.draining.is_cancelled() {
            // What was begun is ended, so that hardly anything is asked for twice; who follows does not wait for an end.
            let _ = tokio::time::timeout(DRAIN_PATIENCE, self.idle()).await;
            relay.tally.close(connection, close::SHUTDOWN, relay.farewell(self.home.id).as_bytes());
        } else if self.home.gone.is_cancelled() {
            relay.tally.close(connection, close::SHUTDOWN, relay.moved(self.home.id).as_bytes());
        }
        self.home.leave(&self.key, connection);
        tracing::debug!("a client left");
    }

    async fn begin(&self, work: Work, mut allowed: bool, send: SendStream, receive: RecvStream) {
        let tally = &self.relay.tally;
        let mut receive = Received::new(receive, self.relay.config.log.received.as_deref(), Arc::clone(tally));
        let mut answers = Answers::new(send, Arc::clone(tally));
        answers.set_priority(priority::ANSWER);
        if self.linked {
            let head = read_message::<Head>(&mut receive, MAX_HEAD, &self.home.half_sent);
            match tokio::time::timeout(REQUEST_PATIENCE, head).await {
                Ok(Ok(Head::Request { stream })) => {
                    allowed = self.may_ask_now();
                    answers = answers.for_request(stream);
                }
                Ok(Ok(Head::MayFollow { stream })) => {
                    if answers.send(&self.may_follow(stream)).await.is_ok() {
                        answers.finish();
                    }
                    return;
                }
                _ => return,
            }
        }
        self.request(work, allowed, receive, answers).await;
    }

    /// Whether the client's node may serve it this stream from its newest segment on.
    fn may_follow(&self, stream: StreamId) -> MayFollow {
        let wanted = Request::Follow { stream, from: Start::Newest };
        // Whoever may not is told so when it is asked for here.
        let live = self.authorize(&wanted).is_ok()
            && self.may_ask_now()
            && self.home.stream(stream).is_none_or(|stream| stream.contents().is_live());
        if live { MayFollow::Live } else { MayFollow::Ask }
    }

    async fn request(&self, work: Work, allowed: bool, mut receive: Received, mut answers: Answers) {
        self.relay.tally.requests.add(1);
        let mut work = Some(work);
        let reading = read_message::<Request>(&mut receive, MAX_MESSAGE, &self.home.half_sent);
        let read = tokio::time::timeout(REQUEST_PATIENCE, reading).await;
        // Of what comes after a request without a body nothing is held, however long that is answered.
        if !matches!(read, Ok(Ok(Request::Put { .. }))) {
            receive.stop(VarInt::from_u32(reset::ANSWERED));
        }
        let put = match &read {
            Ok(Ok(Request::Put { retention, .. })) => Some(*retention),
            _ => None,
        };
        let was_read = matches!(read, Ok(Ok(_)));
        let outcome = match read {
            Err(_) => Err(Failure::refuse(Code::Malformed, "the request did not come in time")),
            Ok(Err(failure)) => Err(failure),
            Ok(Ok(_)) if !allowed => Err(Failure::too_many_requests()),
            Ok(Ok(request)) => {
                if is_endless(&request) {
                    work = None;
                }
                // In memory of its own: who sends half a request has what reading it takes, and no more.
                Box::pin(self.answer(request, &mut receive, &mut answers)).await
            }
        };
        if let Err(failure) = &outcome
            && let Some(waste) = Waste::of(failure, was_read, allowed, put)
        {
            receive.stop(VarInt::from_u32(reset::ANSWERED));
            self.hold_back(waste).await;
        }
        let told = answers.stopped();
        match outcome {
            Ok(()) => answers.finish(),
            Err(failure) => {
                receive.stop(VarInt::from_u32(reset::ANSWERED));
                answers.fail(failure).await;
            }
        }
        if self.relay.draining.is_cancelled() {
            // The answer has to arrive before the connection goes.
            told.await;
        }
        drop(work);
    }

    /// A request led nowhere: its place is free again when as many of them are paid for as may be made.
    async fn hold_back(&self, waste: Waste) {
        let wait = self.wasted.add(waste, Instant::now());
        if wait.is_zero() {
            return;
        }
        self.relay.tally.held_back.add(1);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = self.connection.closed() => {}
            () = self.relay.draining.cancelled() => {}
            () = self.home.gone.cancelled() => {}
        }
    }

    /// Resolves when no request is under way that ends by itself.
    async fn idle(&self) {
        let _ = self.working.subscribe().wait_for(|working| *working == 0).await;
    }

    fn may_ask_now(&self) -> bool {
        self.requests.may_ask(self.relay.limits.now().requests_per_s, Instant::now())
    }

    async fn answer(&self, request: Request, body: &mut Received, answers: &mut Answers) -> Result<(), Failure> {
        self.authorize(&request)?;
        let home = &*self.home;
        let now = self.relay.now();
        let response = match request {
            Request::Append { seq, entry } => log::append(home, seq, entry, now).await?,
            Request::ReadLog { from, follow } => return log::read(home, from, self.log_end(), follow, answers).await,
            Request::AckLog { upto } => log::acknowledge(home, &self.key, upto).await?,
            Request::Send { message } => inbox::send(home, self.key, message, now).await?,
            Request::ReadInbox { from, follow } => return inbox::read(home, from, follow, answers).await,
            Request::AckInbox { upto } => inbox::acknowledge(home, upto).await?,
            Request::Put { stream, index, retention, resume } => {
                let retention = match retention {
                    Retention::Keep { until } => Retention::Keep { until: self.dates.own(until) },
                    Retention::Pass => Retention::Pass,
                };
                let put = Put { stream, index, retention, resume };
                return segments::put(home, put, body, answers, now).await;
            }
            Request::Finish { stream, segments } => segments::finish(home, stream, segments, now).await?,
            Request::Get { stream, index, offset } => {
                return segments::get(home, stream, index, offset, answers).await;
            }
            Request::Follow { stream, from } => {
                let window = Fitted::open(&self.connection, &self.following);
                return tokio::select! {
                    outcome = follow::follow(home, &self.connection, stream, from, answers, now) => outcome,
                    () = window.keep_fitting() => Ok(()),
                };
            }
            Request::Stat { stream } => segments::stat(home, stream)?,
            Request::AckStream { stream } => segments::acknowledge(home, self.key, stream).await?,
            Request::DropStream { stream } => segments::drop_stream(home, stream).await?,
            Request::Grant { key, rights } => capability::grant(home, key, rights).await?,
            Request::Revoke { key } => capability::revoke(home, key).await?,
            Request::OpenMailbox { mailbox, key, until } => {
                mailbox::open(home, mailbox, key, self.dates.own(until), now).await?
            }
            Request::CloseMailbox { mailbox } => mailbox::close(home, mailbox, now).await?,
            Request::Post { mailbox, to, message } => mailbox::post(home, mailbox, to, message, now).await?,
            Request::Collect { mailbox, side, from } => {
                return mailbox::collect(home, mailbox, side, from, || self.relay.now(), answers).await;
            }
            Request::Usage => Response::Usage(home.usage()),
            Request::PushKey => wake::push_key(home),
            Request::SetPush { sealed } => wake::set_push(&self.home, self.key, sealed).await?,
            Request::Wake { key, id, payload, urgency, until } => {
                let until = self.dates.own(until);
                wake::wake(&self.home, Wake { key, id, payload, urgency, until }, now).await?
            }
            Request::ReadWakes { from, follow } => {
                return wake::read(&self.home, self.key, from, follow, answers, now).await;
            }
            Request::AckWakes { upto } => wake::acknowledge(home, &self.key, upto).await?,
        };
        answers.send(&response).await
    }

    /// Where this session's right to read the log ends.
    fn log_end(&self) -> Option<u64> {
        match self.role {
            Role::Owner => None,
            _ => self.home.rights(&self.key).map_or(Some(0), |rights| rights.log_upto),
        }
    }

    /// Whether this session may make this request, as of now.
    fn authorize(&self, request: &Request) -> Result<(), Failure> {
        let rights = || self.home.rights(&self.key).unwrap_or_default();
        if self.role.may(request, rights) { Ok(()) } else { Err(Failure::denied()) }
    }
}

/// Whether a request goes on until its client wants no more.
pub(crate) fn is_endless(request: &Request) -> bool {
    match request {
        Request::Follow { .. } | Request::Collect { .. } => true,
        Request::ReadLog { follow, .. } | Request::ReadInbox { follow, .. } | Request::ReadWakes { follow, .. } => {
            *follow
        }
        _ => false,
    }
}

/// A request under way, until it is dropped.
struct Work(Arc<Session>);

impl Work {
    fn begin(session: &Arc<Session>) -> Self {
        session.working.send_modify(|working| *working += 1);
        Self(Arc::clone(session))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.working.send_modify(|working| *working -= 1);
    }
}

/// What a refused newcomer is told, whichever of many reasons it has.
pub(crate) fn over_limit(what: &str) -> Failure {
    Failure::Refused(Refusal::new(Code::Quota, format!("the relay has no room for more {what}")))
}
