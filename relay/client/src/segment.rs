//! Writing one segment to the relay, and reading one from it.

use bytes::Bytes;
use privet_protocol::relay::Response;

use crate::error::ClientError;
use crate::frames::{FrameReader, FrameWriter};

/// A segment on its way to the relay. Dropped before [`SegmentWriter::finish`] was answered it counts as broken off: what was not
/// sent yet is not sent any more; a kept one can be resumed, a passing one is lost to its followers.
#[derive(Debug)]
pub struct SegmentWriter {
    body: FrameWriter,
    answers: FrameReader,
    offset: u64,
    stored: Option<u64>,
}

impl SegmentWriter {
    pub(crate) async fn begin(body: FrameWriter, answers: FrameReader, resume: bool) -> Result<Self, ClientError> {
        let mut writer = Self { body, answers, offset: 0, stored: None };
        if resume {
            match writer.answers.answer().await? {
                Response::Resume { offset } => writer.offset = offset,
                Response::Stored { length } => {
                    writer.offset = length;
                    writer.stored = Some(length);
                }
                other => return Err(ClientError::Protocol(format!("not an answer to a put: {other:?}"))),
            }
        }
        Ok(writer)
    }

    /// The first byte that the relay wants; not 0 only when resuming.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The segment's length when the relay has all of it already: nothing needs to be written.
    pub fn stored(&self) -> Option<u64> {
        self.stored
    }

    /// Higher goes first among the streams of this connection; at the start 0 for a passing segment, -1 for a kept one.
    pub fn set_priority(&self, priority: i32) {
        self.body.set_priority(priority);
    }

    /// Sends bytes. Once polled they count as taken: after a drop the next `write` or `finish` sends what is left of them first.
    ///
    /// # Errors
    /// [`ClientError`] when the connection is lost or the relay refuses the segment.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), ClientError> {
        if self.stored.is_some() {
            return Ok(());
        }
        match self.body.bytes(bytes).await {
            Err(ClientError::GaveUp { .. }) => self.early_answer().await,
            outcome => outcome,
        }
    }

    /// Ends the segment and waits until the relay has it: its length. A kept segment is durable then.
    ///
    /// # Errors
    /// [`ClientError`] when the connection is lost or the relay refuses the segment.
    pub async fn finish(mut self) -> Result<u64, ClientError> {
        if let Some(length) = self.stored {
            return Ok(length);
        }
        match self.body.finish().await {
            Err(ClientError::GaveUp { .. }) => self.early_answer().await?,
            outcome => {
                outcome?;
                self.read_stored().await?;
            }
        }
        self.stored.ok_or_else(|| ClientError::Protocol("the segment was not stored".into()))
    }

    /// The relay stopped reading: it has the segment already, or says why it does not want it.
    async fn early_answer(&mut self) -> Result<(), ClientError> {
        self.read_stored().await
    }

    async fn read_stored(&mut self) -> Result<(), ClientError> {
        match self.answers.answer().await? {
            Response::Stored { length } => {
                self.stored = Some(length);
                Ok(())
            }
            other => Err(ClientError::Protocol(format!("not an answer to a put: {other:?}"))),
        }
    }
}

impl Drop for SegmentWriter {
    fn drop(&mut self) {
        if self.stored.is_none() {
            self.body.reset();
        }
    }
}

/// A segment on its way from the relay. Dropping it tells the relay to stop.
#[derive(Debug)]
pub struct SegmentReader {
    index: u64,
    offset: u64,
    length: Option<u64>,
    body: FrameReader,
}

impl SegmentReader {
    pub(crate) fn new(index: u64, offset: u64, length: Option<u64>, body: FrameReader) -> Self {
        Self { index, offset, length, body }
    }

    /// The segment's number in its stream.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Where the next bytes stand in the segment.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The length of the whole segment, where the relay knew it at the start.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next bytes; `None` at the segment's end. May be dropped and called again.
    ///
    /// # Errors
    /// [`ClientError::GaveUp`] when the rest does not come on this stream; others when the connection is lost.
    pub async fn read(&mut self) -> Result<Option<Bytes>, ClientError> {
        let bytes = self.body.bytes().await?;
        if let Some(bytes) = &bytes {
            self.offset += bytes.len() as u64;
        }
        Ok(bytes)
    }
}
