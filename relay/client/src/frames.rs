//! Messages on QUIC streams. Reading can be dropped at any point and taken up again: what arrived stays in the reader.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};
use privet_protocol::cbor;
use privet_protocol::relay::{MAX_MESSAGE, Response, frame, frame_length, reset};
use quinn::{RecvStream, SendStream, VarInt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ClientError;

/// The reading half of a stream: messages first, perhaps raw bytes after them.
#[derive(Debug)]
pub(crate) struct FrameReader {
    stream: RecvStream,
    buffer: BytesMut,
}

impl FrameReader {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// The next message; `None` when the stream ended before it.
    pub(crate) async fn message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(prefix) = self.buffer.first_chunk::<4>() {
                let length = frame_length(*prefix)?;
                if self.buffer.len() >= 4 + length {
                    self.buffer.advance(4);
                    let body = self.buffer.split_to(length);
                    return Ok(Some(cbor::decode(&body, MAX_MESSAGE)?));
                }
            }
            match self.stream.read_chunk(MAX_MESSAGE, true).await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk.bytes),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(ClientError::Protocol("a message was cut off".into())),
            }
        }
    }

    /// The next answer; a refusal is an error, and so is a stream that ends without one.
    pub(crate) async fn answer(&mut self) -> Result<Response, ClientError> {
        match self.message().await? {
            Some(Response::Refused(refusal)) => Err(ClientError::Refused(refusal)),
            Some(response) => Ok(response),
            None => Err(ClientError::Protocol("the stream ended without an answer".into())),
        }
    }

    /// Raw bytes after the messages; `None` at the end of the stream.
    pub(crate) async fn bytes(&mut self) -> Result<Option<Bytes>, ClientError> {
        if !self.buffer.is_empty() {
            return Ok(Some(self.buffer.split().freeze()));
        }
        Ok(self.stream.read_chunk(usize::MAX, true).await?.map(|chunk| chunk.bytes))
    }
}

/// The writing half of a stream. Dropped before [`FrameWriter::finish`] it is reset, so that half a body is never taken
/// for a whole one.
#[derive(Debug)]
pub(crate) struct FrameWriter {
    stream: SendStream,
    pending: VecDeque<Bytes>,
    finished: bool,
}

impl FrameWriter {
    pub(crate) fn new(stream: SendStream) -> Self {
        Self { stream, pending: VecDeque::new(), finished: false }
    }

    pub(crate) fn id(&self) -> u64 {
        VarInt::from(self.stream.id()).into_inner()
    }

    pub(crate) fn set_priority(&self, priority: i32) {
        // A stream that is closed already needs none.
        let _ = self.stream.set_priority(priority);
    }

    pub(crate) async fn message<T: Serialize>(&mut self, message: &T) -> Result<(), ClientError> {
        self.bytes(Bytes::from(frame(message))).await
    }

    /// What was not sent yet is not sent any more, also after [`FrameWriter::finish`].
    pub(crate) fn reset(&mut self) {
        self.finished = true;
        let _ = self.stream.reset(VarInt::from_u32(reset::CANCELLED));
    }

    /// Takes `bytes` when first polled and sends them; when dropped, the next call sends the rest first.
    pub(crate) async fn bytes(&mut self, bytes: Bytes) -> Result<(), ClientError> {
        self.pending.push_back(bytes);
        self.flush().await
    }

    pub(crate) async fn flush(&mut self) -> Result<(), ClientError> {
        while let Some(first) = self.pending.front() {
            if first.is_empty() {
                self.pending.pop_front();
                continue;
            }
            // Takes what it sends off the front of the pending bytes, or nothing when dropped.
            self.stream.write_chunks(self.pending.make_contiguous()).await?;
        }
        Ok(())
    }

    /// Ends the stream after everything sent.
    pub(crate) async fn finish(&mut self) -> Result<(), ClientError> {
        self.flush().await?;
        self.finished = true;
        // Only a stream that is closed already says no, and then its answer says why.
        let _ = self.stream.finish();
        Ok(())
    }
}

impl Drop for FrameWriter {
    fn drop(&mut self) {
        if !self.finished {
            self.reset();
        }
    }
}
