//! Statements in a row: each names the digest of the one before, so what was left out, repeated or exchanged shows.

use crate::error::SegmentError;
use crate::statement::Statement;
use crate::verified::Verified;

/// How a statement follows those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Nothing is known before it.
    First,
    /// It follows the last one.
    Next,
    /// This many statements between it and the last one were not seen.
    Missing(u64),
}

/// The end of a row of statements of one camera. Plain data, to be kept between runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chain {
    /// Sequence number and digest of the last statement.
    pub last: Option<(u64, [u8; 32])>,
}

impl Chain {
    /// Takes the next statement, and says how it follows.
    ///
    /// # Errors
    /// [`SegmentError::Replayed`] for one that was passed already, [`SegmentError::Forked`] for one that names another
    /// predecessor. The chain stays as it was.
    pub fn follow(&mut self, statement: &Verified<Statement>) -> Result<Link, SegmentError> {
        self.accept(statement)
    }

    pub(crate) fn accept(&mut self, statement: &Statement) -> Result<Link, SegmentError> {
        let sequence = statement.sequence;
        let link = match self.last {
            None => Link::First,
            Some((last, _)) if sequence <= last => return Err(SegmentError::Replayed { sequence }),
            Some((last, digest)) if sequence == last + 1 => {
                if statement.previous != digest {
                    return Err(SegmentError::Forked { sequence });
                }
                Link::Next
            }
            Some((last, _)) => Link::Missing(sequence - last - 1),
        };
        self.last = Some((sequence, statement.digest()));
        Ok(link)
    }
}
