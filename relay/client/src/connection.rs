//! An authenticated connection and every verb of the protocol.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use privet_protocol::id::{MailboxId, StreamId};
use privet_protocol::relay::{
    CapabilityKey, Farewell, From, Limits, Request, Response, Retention, Rights, Side, StreamState, Urgency, Usage,
    close,
};
use privet_protocol::time::Timestamp;
use quinn::{ConnectionError, Endpoint, VarInt};

use crate::error::ClientError;
use crate::follow::{Follower, Routes};
use crate::frames::{FrameReader, FrameWriter};
use crate::log::LogReader;
use crate::segment::{SegmentReader, SegmentWriter};

/// The priorities of what goes to the relay: requests go before all segments, and a kept segment after those that pass.
const REQUEST: i32 = i32::MAX;
const KEPT: i32 = -1;
/// For how long a client that leaves stays to say so.
const FAREWELL: Duration = Duration::from_millis(100);

/// A connection; clones share it. It closes when the last clone, and all that was made from it, is dropped.
#[derive(Debug, Clone)]
pub struct Connection {
    inner: Arc<Inner>,
}

/// What a phone needs to be woken by this relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushKey {
    /// What push targets are sealed to: `privet_push::PushKey`.
    pub key: Vec<u8>,
    /// The VAPID public key to subscribe to Web Push with (an uncompressed P-256 point); none where this relay has no Web Push.
    pub vapid: Option<Vec<u8>>,
}

#[derive(Debug)]
struct Inner {
    connection: quinn::Connection,
    endpoint: Endpoint,
    routes: Routes,
    router: tokio::task::JoinHandle<()>,
    key: CapabilityKey,
    limits: Limits,
    clock: RelayClock,
}

/// The relay's clock, which goes on while the connection lasts, whatever is done to this machine's.
#[derive(Debug, Clone, Copy)]
struct RelayClock {
    hello: Timestamp,
    began: Instant,
}

impl RelayClock {
    fn at(self, now: Instant) -> Timestamp {
        self.hello.after(now.saturating_duration_since(self.began))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.connection.close(VarInt::from_u32(close::DONE), b"");
        self.router.abort();
    }
}

impl Connection {
    pub(crate) fn new(
        endpoint: Endpoint,
        connection: quinn::Connection,
        key: CapabilityKey,
        limits: Limits,
        server_time: Timestamp,
    ) -> Self {
        let clock = RelayClock { hello: server_time, began: Instant::now() };
        let routes = Routes::default();
        let router = tokio::spawn(routes.clone().run(connection.clone()));
        Self { inner: Arc::new(Inner { connection, endpoint, routes, router, key, limits, clock }) }
    }

    /// The key that the relay knows this connection by.
    pub fn key(&self) -> CapabilityKey {
        self.inner.key
    }

    /// What the relay allows.
    pub fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    /// The relay's clock as it is now: what it said at the hello, and the time since, by a clock that nobody sets. Times that the
    /// relay keeps (how long a segment stays, when a wake is given up) are compared with this one only.
    pub fn server_time(&self) -> Timestamp {
        self.inner.clock.at(Instant::now())
    }

    /// The address at which the relay is reached.
    pub fn peer(&self) -> SocketAddr {
        self.inner.connection.remote_address()
    }

    /// The round trip to the relay as QUIC estimates it.
    pub fn round_trip(&self) -> Duration {
        self.inner.connection.rtt()
    }

    /// Waits until the connection is over, and says why.
    pub async fn closed(&self) -> ClientError {
        self.inner.connection.closed().await.into()
    }

    /// Where the relay that ended this connection said that it goes on; nothing before that, and none where this side ended it.
    pub(crate) fn farewell(&self) -> Option<Farewell> {
        match self.inner.connection.close_reason()? {
            ConnectionError::ApplicationClosed(closed) if closed.error_code == VarInt::from_u32(close::SHUTDOWN) => {
                Farewell::parse(&closed.reason)
            }
            _ => None,
        }
    }

    /// Closes the connection; everything under way on it fails.
    pub fn close(&self) {
        self.inner.connection.close(VarInt::from_u32(close::DONE), b"");
    }

    /// Closes the connection, and stays for the moment that telling the relay takes. To be called before the program ends: the relay
    /// takes a client that it has not heard leave for connected for half a minute, and tells it what it would wake a sleeping one for.
    pub async fn leave(&self) {
        self.close();
        let _ = tokio::time::timeout(FAREWELL, self.inner.endpoint.wait_idle()).await;
    }

    // --- log ---

    /// Appends entry `seq`, durably. Repeating it is harmless. Owner.
    ///
    /// # Errors
    /// [`ClientError`]; code `Conflict` when another entry has this number or it does not follow the head.
    pub async fn append(&self, seq: u64, entry: Vec<u8>) -> Result<u64, ClientError> {
        self.appended(Request::Append { seq, entry }).await
    }

    /// The log's entries from `from` on; with `follow` also those to come.
    ///
    /// # Errors
    /// [`ClientError`] when the request can't be sent; refusals come from [`LogReader::next`].
    pub async fn read_log(&self, from: u64, follow: bool) -> Result<LogReader, ClientError> {
        self.reader(Request::ReadLog { from, follow }).await
    }

    /// This reader needs entries up to and including `upto` no longer.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn ack_log(&self, upto: u64) -> Result<(), ClientError> {
        self.done(Request::AckLog { upto }).await
    }

    // --- inbox ---

    /// Puts a message into the hub's inbox, durably: its number.
    ///
    /// # Errors
    /// [`ClientError`]; code `Quota` when too many of this sender wait already.
    pub async fn send(&self, message: Vec<u8>) -> Result<u64, ClientError> {
        self.appended(Request::Send { message }).await
    }

    /// The inbox's messages from `from` on; with `follow` also those to come. Owner.
    ///
    /// # Errors
    /// [`ClientError`] when the request can't be sent; refusals come from [`LogReader::next`].
    pub async fn read_inbox(&self, from: u64, follow: bool) -> Result<LogReader, ClientError> {
        self.reader(Request::ReadInbox { from, follow }).await
    }

    /// Forgets inbox messages up to and including `upto`. Owner.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn ack_inbox(&self, upto: u64) -> Result<(), ClientError> {
        self.done(Request::AckInbox { upto }).await
    }

    // --- segments ---

    /// Begins to write a segment. With `resume`, waits for the relay to say from which byte on. Owner.
    ///
    /// # Errors
    /// [`ClientError`] when the request can't be sent; without `resume`, refusals come from the writer.
    pub async fn put(
        &self,
        stream: StreamId,
        index: u64,
        retention: Retention,
        resume: bool,
    ) -> Result<SegmentWriter, ClientError> {
        let (mut body, answers) = self.open().await?;
        body.set_priority(if retention == Retention::Pass { 0 } else { KEPT });
        body.message(&Request::Put { stream, index, retention, resume }).await?;
        SegmentWriter::begin(body, answers, resume).await
    }

    /// No more segments follow in this stream. Owner.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn finish_stream(&self, stream: StreamId, segments: u64) -> Result<(), ClientError> {
        self.done(Request::Finish { stream, segments }).await
    }

    /// One segment from byte `offset` on; what is still being written is followed.
    ///
    /// # Errors
    /// [`ClientError`]; code `NotFound` when it never was there, `Gone` when it is not any more.
    pub async fn get(&self, stream: StreamId, index: u64, offset: u64) -> Result<SegmentReader, ClientError> {
        let mut answers = self.begin(Request::Get { stream, index, offset }).await?;
        match answers.answer().await? {
            Response::Body { length } => Ok(SegmentReader::new(index, offset, length, answers)),
            other => Err(ClientError::Protocol(format!("not an answer to a get: {other:?}"))),
        }
    }

    /// Follows a stream, which may not have begun yet.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn follow(&self, stream: StreamId, from: From) -> Result<Follower, ClientError> {
        let (request, answers) = self.open().await?;
        let segments = self.inner.routes.add(request.id());
        let mut follower = Follower::new(request, answers, segments, self.inner.routes.clone());
        follower.send(&Request::Follow { stream, from }).await?;
        Ok(follower)
    }

    /// What the relay has of a stream.
    ///
    /// # Errors
    /// [`ClientError`]; code `NotFound` when it has nothing of it.
    pub async fn stat(&self, stream: StreamId) -> Result<StreamState, ClientError> {
        match self.ask(Request::Stat { stream }).await? {
            Response::Stream(state) => Ok(state),
            other => Err(unexpected(&other)),
        }
    }

    /// This reader needs the stream no longer.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn ack_stream(&self, stream: StreamId) -> Result<(), ClientError> {
        self.done(Request::AckStream { stream }).await
    }

    /// Forgets a stream for everyone. Owner.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn drop_stream(&self, stream: StreamId) -> Result<(), ClientError> {
        self.done(Request::DropStream { stream }).await
    }

    // --- capabilities ---

    /// Gives `key` these rights. Owner.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn grant(&self, key: CapabilityKey, rights: Rights) -> Result<(), ClientError> {
        self.done(Request::Grant { key, rights }).await
    }

    /// Takes all rights from `key` and closes its connections. Owner.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn revoke(&self, key: CapabilityKey) -> Result<(), ClientError> {
        self.done(Request::Revoke { key }).await
    }

    // --- rendezvous ---

    /// Opens a mailbox for one pairing. Owner.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn open_mailbox(
        &self,
        mailbox: MailboxId,
        key: CapabilityKey,
        until: Timestamp,
    ) -> Result<(), ClientError> {
        self.done(Request::OpenMailbox { mailbox, key, until }).await
    }

    /// Closes a mailbox: its key is answered `Gone` until its time is over. Owner.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn close_mailbox(&self, mailbox: MailboxId) -> Result<(), ClientError> {
        self.done(Request::CloseMailbox { mailbox }).await
    }

    /// Leaves a message on one side of a mailbox: its number. Owner or mailbox key.
    ///
    /// # Errors
    /// [`ClientError`]; code `Gone` when the mailbox was closed.
    pub async fn post(&self, mailbox: MailboxId, to: Side, message: Vec<u8>) -> Result<u64, ClientError> {
        self.appended(Request::Post { mailbox, to, message }).await
    }

    /// Messages left for `side`, from number `from` (1 is the first) on, as they come. Owner or mailbox key.
    ///
    /// # Errors
    /// [`ClientError`] when the request can't be sent; refusals come from [`LogReader::next`].
    pub async fn collect(&self, mailbox: MailboxId, side: Side, from: u64) -> Result<LogReader, ClientError> {
        self.reader(Request::Collect { mailbox, side, from }).await
    }

    // --- waking phones ---

    /// The key that push targets are sealed to. Any member.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn push_key(&self) -> Result<PushKey, ClientError> {
        match self.ask(Request::PushKey).await? {
            Response::PushKey { key, vapid } => Ok(PushKey { key, vapid }),
            other => Err(unexpected(&other)),
        }
    }

    /// Says where this member is woken from now on, durably: a target sealed to the relay's push key; empty for nowhere.
    ///
    /// # Errors
    /// [`ClientError`]; code `Malformed` when it was not sealed to this relay's key for this member.
    pub async fn set_push(&self, sealed: Vec<u8>) -> Result<(), ClientError> {
        self.done(Request::SetPush { sealed }).await
    }

    /// Brings a payload to a phone, durably. Repeating it with the same id is harmless. Owner.
    ///
    /// # Errors
    /// [`ClientError`]; codes `Quota` when too many wait for this phone or came within an hour, and `Busy` when too many came at
    /// once: try again later.
    pub async fn wake(
        &self,
        key: CapabilityKey,
        id: [u8; 16],
        payload: Vec<u8>,
        urgency: Urgency,
        until: Timestamp,
    ) -> Result<(), ClientError> {
        self.done(Request::Wake { key, id, payload, urgency, until }).await
    }

    /// Payloads for this member that no gateway has taken whole, from number `from` on; with `follow` also those to come.
    /// Each is to be acknowledged, or it comes through a gateway too.
    ///
    /// # Errors
    /// [`ClientError`] when the request can't be sent; refusals come from [`LogReader::next`].
    pub async fn read_wakes(&self, from: u64, follow: bool) -> Result<LogReader, ClientError> {
        self.reader(Request::ReadWakes { from, follow }).await
    }

    /// This member has its wakes up to and including `upto`, durably.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn ack_wakes(&self, upto: u64) -> Result<(), ClientError> {
        self.done(Request::AckWakes { upto }).await
    }

    /// What the home uses.
    ///
    /// # Errors
    /// [`ClientError`] when refused or lost.
    pub async fn usage(&self) -> Result<Usage, ClientError> {
        match self.ask(Request::Usage).await? {
            Response::Usage(usage) => Ok(usage),
            other => Err(unexpected(&other)),
        }
    }

    // --- how ---

    async fn open(&self) -> Result<(FrameWriter, FrameReader), ClientError> {
        let (send, receive) = self.inner.connection.open_bi().await?;
        let writer = FrameWriter::new(send);
        writer.set_priority(REQUEST);
        Ok((writer, FrameReader::new(receive)))
    }

    /// Sends a request without a body; its answers come from the reader.
    async fn begin(&self, request: Request) -> Result<FrameReader, ClientError> {
        let (mut writer, reader) = self.open().await?;
        match writer.message(&request).await {
            Ok(()) => writer.finish().await?,
            // The relay answered before it read everything: the answer says why.
            Err(ClientError::GaveUp { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(reader)
    }

    async fn ask(&self, request: Request) -> Result<Response, ClientError> {
        self.begin(request).await?.answer().await
    }

    async fn done(&self, request: Request) -> Result<(), ClientError> {
        match self.ask(request).await? {
            Response::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn appended(&self, request: Request) -> Result<u64, ClientError> {
        match self.ask(request).await? {
            Response::Appended { seq } => Ok(seq),
            other => Err(unexpected(&other)),
        }
    }

    async fn reader(&self, request: Request) -> Result<LogReader, ClientError> {
        Ok(LogReader::new(self.begin(request).await?))
    }
}

fn unexpected(response: &Response) -> ClientError {
    let text = format!("{response:?}");
    ClientError::Protocol(format!("not an answer to this request: {}", text.chars().take(80).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_relay_s_clock_goes_on_during_a_long_connection() {
        let began = Instant::now();
        let clock = RelayClock { hello: Timestamp(1_000), began };
        let week = Duration::from_secs(7 * 86_400);
        assert_eq!([clock.at(began), clock.at(began + week)], [Timestamp(1_000), Timestamp(1_000 + 7 * 86_400_000)]);
    }
}
