//! One connection: its hello within the deadline, then its requests, each on a stream and a task of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use privet_protocol::id::MailboxId;
use privet_protocol::relay::{
    CapabilityKey, Code, Hello, HelloAnswer, MAX_MESSAGE, Principal, Refusal, Request, Response, Retention, Rights,
    VERSIONS, close, common_version,
};
use quinn::{RecvStream, SendStream, VarInt};
use tokio::sync::watch;

use super::home::Home;
use super::lived::Dates;
use super::quota::TokenBucket;
use super::received::Received;
use super::segments::Put;
use super::tally::{Kind, Present};
use super::wake::{self, Wake};
use super::wire::{Answers, Failure, read_message};
use super::{Relay, capability, follow, inbox, log, mailbox, priority, segments};

/// Requests under way at once, once the hello was accepted; one before.
const STREAMS: u32 = 16;
/// The longest hello.
const MAX_HELLO: usize = 4096;
/// How long a request's own bytes may take, its body aside.
const REQUEST_PATIENCE: Duration = Duration::from_secs(20);
/// How long requests under way may take when the relay ends.
const DRAIN_PATIENCE: Duration = Duration::from_secs(3);
/// Bytes on their way to one client that follows nothing.
const SEND_WINDOW: u64 = 1024 * 1024;
/// How often what may be on its way to a client that follows is fitted to its path.
const FIT: Duration = Duration::from_millis(200);
const RECEIVE_WINDOW: u32 = 8 * 1024 * 1024;

/// Whom a connection acts for, proven.
pub(crate) struct Session {
    relay: Arc<Relay>,
    connection: quinn::Connection,
    home: Arc<Home>,
    key: CapabilityKey,
    role: Role,
    /// Of the protocol, for both sides.
    version: u16,
    requests: Mutex<TokenBucket>,
    following: AtomicUsize,
    dates: Dates,
    /// Requests under way that end by themselves.
    working: watch::Sender<usize>,
    _present: Present,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Owner,
    Member,
    Mailbox(MailboxId),
}

/// Serves a connection until it is over.
pub(crate) async fn serve(relay: Arc<Relay>, connection: quinn::Connection) {
    let hello = tokio::time::timeout(relay.limits.now().hello(), greet(&relay, &connection)).await;
    let session = match hello {
        Ok(Some(session)) => Arc::new(session),
        Ok(None) => return,
        Err(_) => return relay.tally.close(&connection, close::LATE, b"no hello came in time"),
    };
    connection.set_max_concurrent_bi_streams(VarInt::from_u32(STREAMS));
    connection.set_receive_window(VarInt::from_u32(RECEIVE_WINDOW));
    connection.set_send_window(SEND_WINDOW);
    tracing::debug!("a client said hello");
    loop {
        let stream = tokio::select! {
            () = relay.draining.cancelled() => break,
            stream = connection.accept_bi() => stream,
        };
        let Ok((send, receive)) = stream else { break };
        let work = Work::begin(&session);
        relay.tasks.spawn(async move { Arc::clone(&work.0).request(work, send, receive).await });
    }
    if relay.draining.is_cancelled() {
        // What was begun is ended, so that hardly anything is asked for twice; who follows does not wait for an end.
        let _ = tokio::time::timeout(DRAIN_PATIENCE, session.idle()).await;
        relay.tally.close(&connection, close::SHUTDOWN, b"the relay ends: come again");
    }
    session.home.leave(&session.key, &connection);
    tracing::debug!("a client left");
}

/// Reads and answers the hello; `None` when the client was refused or is gone.
async fn greet(relay: &Arc<Relay>, connection: &quinn::Connection) -> Option<Session> {
    let (send, receive) = connection.accept_bi().await.ok()?;
    let mut receive = Received::new(receive, relay.config.log.received.as_deref(), Arc::clone(&relay.tally));
    let mut answers = Answers::new(send, Arc::clone(&relay.tally));
    let outcome = match read_message::<Hello>(&mut receive, MAX_HELLO).await {
        Ok(hello) => admit(relay, connection, hello).await,
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(session) => {
            let limits = relay.limits.now();
            let welcome = HelloAnswer::Welcome {
                version: session.version,
                limits: privet_protocol::relay::Limits {
                    streams: STREAMS,
                    segment_bytes: limits.segment_bytes,
                    stored_bytes: limits.stored_bytes,
                    retention_s: limits.retention_s,
                },
                now: session.dates.told,
            };
            answers.send(&welcome).await.ok()?;
            answers.finish();
            Some(session)
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

async fn admit(relay: &Arc<Relay>, connection: &quinn::Connection, hello: Hello) -> Result<Session, Failure> {
    let Some(version) = common_version(VERSIONS, &hello.versions) else {
        let next = if hello.versions.iter().max() > VERSIONS.iter().max() { "the relay" } else { "Privet" };
        let why =
            format!("this relay speaks {VERSIONS:?} of the protocol, and none of them was offered; update {next}");
        return Err(Failure::refuse(Code::Version, why));
    };
    if !capability::is_proven(connection, &hello) {
        return Err(Failure::denied());
    }
    let (home, role) = match hello.principal {
        Principal::Founder { home, invite } => (relay.found(home, hello.key, invite).await?, Role::Owner),
        Principal::Member { home } => {
            let home = relay.home_of(home, &hello.key).await?;
            let role = if home.owner == hello.key { Role::Owner } else { Role::Member };
            (home, role)
        }
        Principal::Mailbox { mailbox } => {
            let record = mailbox::find(&*relay.storage, mailbox, relay.now()).await?.ok_or_else(Failure::denied)?;
            if record.key != hello.key {
                return Err(Failure::denied());
            }
            if record.closed {
                return Err(Failure::refuse(Code::Gone, "the mailbox was closed"));
            }
            (relay.home(record.home).await?.ok_or_else(Failure::denied)?, Role::Mailbox(mailbox))
        }
    };
    home.enter(hello.key, connection)?;
    let dates = relay.dates();
    // Taken in first and looked at again: a revocation in between found nothing to close.
    if role == Role::Member && home.rights(&hello.key).is_none() {
        return Err(Failure::denied());
    }
    let rate = relay.limits.now().requests_per_s;
    let kind = match role {
        Role::Owner => Kind::Owner,
        Role::Member => Kind::Member,
        Role::Mailbox(_) => Kind::Mailbox,
    };
    Ok(Session {
        relay: Arc::clone(relay),
        connection: connection.clone(),
        home,
        key: hello.key,
        role,
        version,
        requests: Mutex::new(TokenBucket::new(rate, rate.saturating_mul(10), Instant::now())),
        following: AtomicUsize::new(0),
        dates,
        working: watch::Sender::new(0),
        _present: Present::connection(&relay.tally, kind),
    })
}

impl Session {
    async fn request(&self, work: Work, send: SendStream, receive: RecvStream) {
        let tally = &self.relay.tally;
        tally.requests.add(1);
        let mut work = Some(work);
        let mut receive = Received::new(receive, self.relay.config.log.received.as_deref(), Arc::clone(tally));
        let mut answers = Answers::new(send, Arc::clone(tally));
        answers.set_priority(priority::ANSWER);
        let read = tokio::time::timeout(REQUEST_PATIENCE, read_message::<Request>(&mut receive, MAX_MESSAGE)).await;
        let outcome = match read {
            Err(_) => Err(Failure::refuse(Code::Malformed, "the request did not come in time")),
            Ok(Err(failure)) => Err(failure),
            Ok(Ok(_)) if !self.may_ask_now() => Err(Failure::refuse(Code::Busy, "too many requests: ask more slowly")),
            Ok(Ok(request)) => {
                if is_endless(&request) {
                    work = None;
                }
                self.answer(request, &mut receive, &mut answers).await
            }
        };
        let told = answers.stopped();
        match outcome {
            Ok(()) => answers.finish(),
            Err(failure) => answers.fail(failure).await,
        }
        if self.relay.draining.is_cancelled() {
            // The answer has to arrive before the connection goes.
            told.await;
        }
        drop(work);
    }

    /// Resolves when no request is under way that ends by itself.
    async fn idle(&self) {
        let _ = self.working.subscribe().wait_for(|working| *working == 0).await;
    }

    fn may_ask_now(&self) -> bool {
        let rate = self.relay.limits.now().requests_per_s;
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.set_rate(rate, rate.saturating_mul(10));
        requests.take(Instant::now())
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
                let window = FollowWindow::open(self);
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
        let rights = match self.role {
            Role::Owner => return Ok(()),
            Role::Member => self.home.rights(&self.key).unwrap_or_default(),
            Role::Mailbox(own) => {
                return match request {
                    Request::Post { mailbox, .. } | Request::Collect { mailbox, .. } if *mailbox == own => Ok(()),
                    _ => Err(Failure::denied()),
                };
            }
        };
        let allowed = match request {
            Request::ReadLog { .. } | Request::AckLog { .. } => rights.log,
            Request::Send { .. } => rights.inbox,
            Request::Get { .. } | Request::Follow { .. } | Request::Stat { .. } | Request::AckStream { .. } => {
                rights.segments
            }
            Request::Usage => rights != Rights::default() && rights.log_upto.is_none(),
            Request::PushKey | Request::SetPush { .. } | Request::ReadWakes { .. } | Request::AckWakes { .. } => {
                wake::may_be_woken(&rights)
            }
            Request::Append { .. }
            | Request::ReadInbox { .. }
            | Request::AckInbox { .. }
            | Request::Put { .. }
            | Request::Finish { .. }
            | Request::DropStream { .. }
            | Request::Grant { .. }
            | Request::Revoke { .. }
            | Request::OpenMailbox { .. }
            | Request::CloseMailbox { .. }
            | Request::Post { .. }
            | Request::Collect { .. }
            | Request::Wake { .. } => false,
        };
        if allowed { Ok(()) } else { Err(Failure::denied()) }
    }
}

/// Whether a request goes on until its client wants no more.
fn is_endless(request: &Request) -> bool {
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

/// While a client follows, no more is on its way to it than its path holds.
struct FollowWindow<'a>(&'a Session);

impl<'a> FollowWindow<'a> {
    fn open(session: &'a Session) -> Self {
        session.following.fetch_add(1, Ordering::Relaxed);
        let window = Self(session);
        window.fit();
        window
    }

    fn fit(&self) {
        let connection = &self.0.connection;
        connection.set_send_window(priority::send_window(connection.stats().path.cwnd));
    }

    /// Never ends.
    async fn keep_fitting(&self) {
        loop {
            tokio::time::sleep(FIT).await;
            self.fit();
        }
    }
}

impl Drop for FollowWindow<'_> {
    fn drop(&mut self) {
        if self.0.following.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.connection.set_send_window(SEND_WINDOW);
        }
    }
}

/// What a refused newcomer is told, whichever of many reasons it has.
pub(crate) fn over_limit(what: &str) -> Failure {
    Failure::Refused(Refusal::new(Code::Quota, format!("the relay has no room for more {what}")))
}
