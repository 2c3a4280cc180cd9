//! Pulling the entries of a log, inbox or mailbox.

use privet_protocol::relay::Response;

use crate::error::ClientError;
use crate::frames::FrameReader;

/// What a log reader gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogItem {
    /// An entry.
    Entry {
        /// Its number.
        seq: u64,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Everything there was has come; later entries are new.
    CaughtUp {
        /// The last number there is; 0 when there is none.
        head: u64,
    },
}

/// Entries as they come. Dropping it ends the request.
#[derive(Debug)]
pub struct LogReader {
    answers: FrameReader,
}

impl LogReader {
    pub(crate) fn new(answers: FrameReader) -> Self {
        Self { answers }
    }

    /// The next item; `None` when the relay has sent all that was asked for. May be dropped and called again.
    ///
    /// # Errors
    /// [`ClientError`] when the connection is lost or the relay refuses, also later: entries that are gone are `Gone`.
    pub async fn next(&mut self) -> Result<Option<LogItem>, ClientError> {
        match self.answers.message().await? {
            None => Ok(None),
            Some(Response::Entry { seq, entry }) => Ok(Some(LogItem::Entry { seq, bytes: entry })),
            Some(Response::CaughtUp { head }) => Ok(Some(LogItem::CaughtUp { head })),
            Some(Response::Refused(refusal)) => Err(ClientError::Refused(refusal)),
            Some(other) => Err(ClientError::Protocol(format!("not an answer to reading a log: {other:?}"))),
        }
    }
}
