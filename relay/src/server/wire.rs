//! Messages on QUIC streams, from the relay's side: nothing is allocated for a length that is not allowed, and a stream that
//! is not ended on purpose is reset, so that half an answer is never taken for a whole one.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bytes::Bytes;
use privet_protocol::cbor;
use privet_protocol::relay::{Code, MAX_MESSAGE, Refusal, Response, frame, frame_length, reset};
use privet_protocol::storage::StoreError;
use quinn::{SendStream, VarInt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::budget::Budget;
use super::received::Received;
use super::tally::Tally;
use super::told::told;

/// Why a request ends early.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The client is told.
    Refused(Refusal),
    /// The stream is reset with this code: an answer was begun already.
    Reset(u32),
    /// The client is gone.
    Lost,
}

impl Failure {
    pub(crate) fn refuse(code: Code, reason: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(code, reason))
    }

    /// The home is another node's: its connections are closed, and who comes again is led there.
    pub(crate) fn elsewhere() -> Self {
        Self::refuse(Code::Busy, "the home is read anew or at another relay now: come again")
    }

    /// Others need the memory that a request takes which does not come whole.
    pub(crate) fn too_much_half_sent() -> Self {
        Self::refuse(Code::Busy, "too much of other requests is half sent: ask again later")
    }

    /// More than one connection may ask.
    pub(crate) fn too_many_requests() -> Self {
        Self::refuse(Code::Busy, "too many requests: ask more slowly")
    }

    /// It takes longer than anybody wants to wait; it goes on, for when the client comes again.
    pub(crate) fn reading() -> Self {
        Self::refuse(Code::Busy, "the home is being read: come again in a moment")
    }

    /// The same words whether a thing is not there or not this client's.
    pub(crate) fn denied() -> Self {
        Self::refuse(Code::Denied, "this key may not do that here")
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if let StoreError::Moved(_) = error {
            tracing::debug!(error = told(&error), "a home is not served from here any more");
            return Self::elsewhere();
        }
        tracing::error!(error = told(&error), "storage failed");
        let reason = match error {
            StoreError::Full(_) => "the relay's disk is full; its operator has to make room",
            _ => "the relay's storage failed; its log says why",
        };
        Self::refuse(Code::Storage, reason)
    }
}

impl From<quinn::WriteError> for Failure {
    fn from(_: quinn::WriteError) -> Self {
        Self::Lost
    }
}

/// Reads one message of at most `limit` bytes; memory grows with what arrived, not with what was announced, and `half_sent` bounds what
/// has arrived of all that are not whole: at its bound whoever has most of it makes way.
pub(crate) async fn read_message<T: DeserializeOwned>(
    stream: &mut Received,
    limit: usize,
    half_sent: &Arc<Budget>,
) -> Result<T, Failure> {
    let malformed = |reason: String| Failure::refuse(Code::Malformed, reason);
    let mut prefix = [0; 4];
    read_exact(stream, &mut prefix).await?;
    let length = frame_length(prefix).map_err(|e| Failure::refuse(Code::TooLarge, e.to_string()))?;
    if length > limit {
        return Err(Failure::refuse(Code::TooLarge, format!("a message of {length} bytes, {limit} are allowed here")));
    }
    let mut body = Vec::new();
    let mut held = half_sent.hold();
    while body.len() < length {
        let chunk = tokio::select! {
            biased;
            () = held.lost() => return Err(Failure::too_much_half_sent()),
            chunk = stream.read_chunk(length - body.len()) => chunk,
        };
        match chunk {
            Ok(Some(chunk)) if !held.more(chunk.bytes.len() as u64) => return Err(Failure::too_much_half_sent()),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk.bytes),
            Ok(None) => return Err(malformed("the stream ended inside a message".into())),
            Err(_) => return Err(Failure::Lost),
        }
    }
    cbor::decode(&body, MAX_MESSAGE).map_err(|e| malformed(e.to_string()))
}

async fn read_exact(stream: &mut Received, out: &mut [u8]) -> Result<(), Failure> {
    stream.read_exact(out).await.map_err(|e| match e {
        quinn::ReadExactError::FinishedEarly(_) => {
            Failure::refuse(Code::Malformed, "the stream ended before a message")
        }
        quinn::ReadExactError::ReadError(_) => Failure::Lost,
    })
}

/// A stream towards somebody. Dropped before it was ended on purpose, by a panic too, it is reset: QUIC's own would end as if there were
/// nothing more.
#[derive(Debug)]
pub(crate) struct Outgoing {
    stream: SendStream,
    /// What it is reset with.
    unended: Option<VarInt>,
}

impl Outgoing {
    /// Ends it after everything that was written.
    pub(crate) fn finish(&mut self) {
        self.unended = None;
        let _ = self.stream.finish();
    }

    /// It will not come whole, for this reason.
    pub(crate) fn give_up(&mut self, code: VarInt) {
        self.unended = Some(code);
    }
}

impl From<SendStream> for Outgoing {
    fn from(stream: SendStream) -> Self {
        Self { stream, unended: Some(VarInt::from_u32(reset::CANCELLED)) }
    }
}

impl Deref for Outgoing {
    type Target = SendStream;

    fn deref(&self) -> &SendStream {
        &self.stream
    }
}

impl DerefMut for Outgoing {
    fn deref_mut(&mut self) -> &mut SendStream {
        &mut self.stream
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if let Some(code) = self.unended {
            let _ = self.stream.reset(code);
        }
    }
}

/// The answering half of a stream.
#[derive(Debug)]
pub(crate) struct Answers {
    stream: Outgoing,
    tally: Arc<Tally>,
    begun: bool,
    /// The number that its client knows it by, where another node is in between.
    number: Option<u64>,
}

impl Answers {
    pub(crate) fn new(stream: impl Into<Outgoing>, tally: Arc<Tally>) -> Self {
        Self { stream: stream.into(), tally, begun: false, number: None }
    }

    /// Answers on a link: the client knows its request by this number.
    pub(crate) fn for_request(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }

    /// Whether its client is at another node.
    pub(crate) fn is_linked(&self) -> bool {
        self.number.is_some()
    }

    /// Tells the node in between which of its client's streams go first; before anything else.
    pub(crate) async fn announce_priority(&mut self, priority: i32) -> Result<(), Failure> {
        Ok(self.stream.write_all(&priority.to_be_bytes()).await?)
    }

    /// Sends one message.
    pub(crate) async fn send<T: Serialize>(&mut self, message: &T) -> Result<(), Failure> {
        self.begun = true;
        let message = frame(message);
        self.stream.write_all(&message).await?;
        self.tally.sent.add(message.len() as u64);
        Ok(())
    }

    /// Sends raw bytes.
    pub(crate) async fn bytes(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.begun = true;
        let length = bytes.len() as u64;
        self.stream.write_chunk(bytes).await?;
        self.tally.sent.add(length);
        Ok(())
    }

    /// Higher goes first among the streams of a connection.
    pub(crate) fn set_priority(&self, priority: i32) {
        let _ = self.stream.set_priority(priority);
    }

    /// The number a client knows this request by.
    pub(crate) fn id(&self) -> u64 {
        self.number.unwrap_or_else(|| VarInt::from(self.stream.id()).into_inner())
    }

    /// Resolves when the client wants no more.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let stopped = self.stream.stopped();
        async move { drop(stopped.await) }
    }

    /// Ends the stream after everything sent.
    pub(crate) fn finish(mut self) {
        self.stream.finish();
    }

    /// Ends the stream after everything sent. What of it is still here, or on its way, when `late` resolves is given up.
    pub(crate) fn finish_in_time<F>(mut self, late: F, code: u32) -> impl Future<Output = ()> + Send + use<F>
    where
        F: Future<Output = ()> + Send,
    {
        self.stream.finish();
        let left = self.stopped();
        async move {
            tokio::select! {
                biased;
                () = left => {}
                () = late => self.reset(code),
            }
        }
    }

    /// Ends the stream so that the client sees that something is missing.
    pub(crate) fn reset(mut self, code: u32) {
        self.stream.give_up(VarInt::from_u32(code));
    }

    /// Ends a request that failed.
    pub(crate) async fn fail(mut self, failure: Failure) {
        match failure {
            Failure::Refused(refusal) => {
                self.tally.refused.add(refusal.code);
                if self.send(&Response::Refused(refusal)).await.is_ok() {
                    self.finish();
                }
            }
            Failure::Reset(code) => self.reset(code),
            Failure::Lost => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::Ipv4Addr;

    use quinn::{ClientConfig, Endpoint, ReadError, ReadToEndError, ServerConfig};

    use super::*;
    use crate::nodes::ClusterSecret;

    /// As whoever holds a stream and has a fault.
    fn breaks(_held: Outgoing) {
        panic!("on purpose");
    }

    #[tokio::test]
    async fn a_panic_does_not_look_like_an_end() {
        let secret = ClusterSecret::from_bytes(&[7; 32]).unwrap();
        let server = ServerConfig::with_crypto(Arc::new(secret.server().unwrap()));
        let server = Endpoint::server(server, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let client = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let config = ClientConfig::new(Arc::new(secret.client().unwrap()));
        let there = client.connect_with(config, server.local_addr().unwrap(), "node").unwrap();
        let (there, here) = tokio::join!(there, async { server.accept().await.unwrap().await });
        let (there, here) = (there.unwrap(), here.unwrap());

        let mut out = Outgoing::from(there.open_uni().await.unwrap());
        out.write_all(b"half of it").await.unwrap();
        let broken = tokio::spawn(async move { breaks(out) }).await;
        assert!(broken.unwrap_err().is_panic());
        let read = here.accept_uni().await.unwrap().read_to_end(100).await;
        let code = VarInt::from_u32(reset::CANCELLED);
        assert_eq!(read, Err(ReadToEndError::Read(ReadError::Reset(code))));

        let mut out = Outgoing::from(there.open_uni().await.unwrap());
        out.write_all(b"all of it").await.unwrap();
        out.finish();
        drop(out);
        assert_eq!(here.accept_uni().await.unwrap().read_to_end(100).await.unwrap(), b"all of it");
    }
}
