//! The trailer: the signed statement, the session's certificate and the list of record leaves; and what makes it believable.

use crate::cbor::{Reader, Writer};
use crate::error::SegmentError;
use crate::evidence::{EvidenceKeys, EvidencePublicKey};
use crate::header::Header;
use crate::record::{MAX_CONTENT, MAX_RECORDS};
use crate::session::CheckedSession;
use crate::statement::Statement;
use crate::tree::{Entries, Entry};

/// Longest trailer: a full list of leaves and two signed things.
pub(crate) const MAX_TRAILER: usize = MAX_RECORDS as usize * Entry::LENGTH + 8192;
/// Records such a trailer takes.
pub(crate) const MAX_TRAILER_RECORDS: usize = MAX_TRAILER.div_ceil(MAX_CONTENT);

const MALFORMED: SegmentError = SegmentError::Statement { what: "trailer", why: "not in its one form" };

/// The trailer's parts, not yet believed.
#[derive(Debug, Clone)]
pub(crate) struct Trailer {
    pub(crate) statement: Vec<u8>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) entries: Entries,
}

impl Trailer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut map = Writer::default();
        map.map(3);
        map.key(1).bytes(&self.statement);
        map.key(2).bytes(&self.certificate);
        map.key(3).bytes(self.entries.as_bytes());
        map.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, SegmentError> {
        Self::read(bytes).ok_or(MALFORMED)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut map = Reader::new(bytes);
        (map.map()? == 3).then_some(())?;
        let trailer = Self {
            statement: map.key(1)?.bytes()?.to_vec(),
            certificate: map.key(2)?.bytes()?.to_vec(),
            entries: Entries::from_bytes(map.key(3)?.bytes()?)?,
        };
        map.is_empty().then_some(trailer)
    }

    /// The statement and who signed it: by a trusted key, for this segment, this key and these leaves.
    pub(crate) fn verify(
        &self,
        header: Header,
        commitment: &[u8; 32],
        trust: &dyn EvidenceKeys,
    ) -> Result<(Statement, EvidencePublicKey), SegmentError> {
        let session = CheckedSession::verify(&self.certificate, trust.sessions())?;
        let certificate = &session.certificate;
        if !certificate.trusted(trust) {
            return Err(SegmentError::UnknownCamera { camera: certificate.camera });
        }
        let statement = session.statement(&self.statement)?;
        statement.header().expect(header)?;
        if statement.commitment != *commitment {
            return Err(SegmentError::KeyCommitment);
        }
        check_entries(&self.entries, &statement)?;
        Ok((statement, certificate.evidence))
    }
}

/// The list of leaves is what was signed.
pub(crate) fn check_entries(entries: &Entries, statement: &Statement) -> Result<(), SegmentError> {
    if entries.len() as u64 != u64::from(statement.records) {
        return Err(SegmentError::HashMismatch { what: "number of records" });
    }
    if entries.root() != statement.root {
        return Err(SegmentError::HashMismatch { what: "root of the records" });
    }
    Ok(())
}
