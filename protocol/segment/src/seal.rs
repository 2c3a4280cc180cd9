//! Sealing: each verb appends sealed bytes to the caller's buffer, encrypted there in place, ready to leave at once.

use std::fmt;

use zeroize::Zeroizing;

use crate::error::SegmentError;
use crate::header::Header;
use crate::media::{InitInfo, MAX_INIT, MAX_UNIT, Track, UnitHead};
use crate::padding::padme;
use crate::ratchet::StreamKey;
use crate::record::{self, Kind, MAX_CONTENT, MAX_RECORDS, MAX_WIRE, OVERHEAD, RecordCipher, WORD};
use crate::session::Session;
use crate::statement::{SegmentEnd, SegmentFacts, Statement};
use crate::tally::Tally;
use crate::trailer::Trailer;
use crate::tree::Entries;

/// Seals one segment, record by record. Memory: 36 bytes a record, however long the segment gets.
pub struct Sealer {
    cipher: RecordCipher,
    commitment: Zeroizing<[u8; 32]>,
    session: Session,
    facts: SegmentFacts,
    tally: Tally,
    entries: Entries,
    /// The next record's number.
    record: u32,
    /// Bytes sealed so far, with the header.
    length: u64,
}

/// What a finished segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedSegment {
    /// Digest of its statement: the next one's `previous`.
    pub digest: [u8; 32],
    /// Bytes of the whole sealed segment.
    pub length: u64,
    /// Video frames in it.
    pub frames: u64,
}

impl Sealer {
    /// Begins the segment of `facts`: writes its header to `out` and moves `key` past it, so that what stays in memory can't
    /// open it.
    ///
    /// # Errors
    /// [`SegmentError::KeyErased`] when the key is past this index, [`SegmentError::StreamExhausted`] at the end of a stream,
    /// [`SegmentError::SessionExpired`] and [`SegmentError::Certificate`] when the session is not for its start or its camera.
    pub fn begin(
        key: &mut StreamKey,
        session: &Session,
        facts: SegmentFacts,
        out: &mut Vec<u8>,
    ) -> Result<Self, SegmentError> {
        if session.camera() != facts.camera {
            return Err(SegmentError::Certificate { why: "it is for another camera" });
        }
        if !session.covers(facts.started) {
            return Err(SegmentError::SessionExpired);
        }
        let header = Header { stream: facts.stream, index: facts.index };
        let secrets = key.segment(header)?;
        let cipher = RecordCipher::new(&secrets)?;
        key.advance_to(facts.index + 1)?;
        out.extend_from_slice(&header.to_bytes());
        Ok(Self {
            cipher,
            commitment: Zeroizing::new(secrets.commitment),
            session: session.clone(),
            facts,
            tally: Tally::new(),
            entries: Entries::default(),
            record: 0,
            length: Header::LENGTH as u64,
        })
    }

    /// Seals how the video starts: once, before the units.
    ///
    /// # Errors
    /// [`SegmentError::Order`] when called twice, [`SegmentError::TooLarge`].
    pub fn init(&mut self, info: &InitInfo, segment: &[u8], out: &mut Vec<u8>) -> Result<(), SegmentError> {
        if self.tally.parameters.is_some() {
            return Err(SegmentError::Order("a segment has one init segment, before its units"));
        }
        limit("init segment", segment.len(), MAX_INIT)?;
        let head = u32::try_from(segment.len()).ok().and_then(|length| info.head(length));
        let head = head.ok_or(SegmentError::Order("a codec's name is at most 64 bytes"))?;
        self.tally.init(segment);
        self.message(Kind::Init, &head, segment, out)
    }

    /// Seals one unit. `chunk` is its `moof` and `mdat`; `access_unit` is the sample as the camera sent it, which must be what
    /// the chunk holds after `head.header_len` (empty for sound).
    ///
    /// # Errors
    /// [`SegmentError::Order`] before the init or when head, facts and chunk disagree, [`SegmentError::TooLarge`],
    /// [`SegmentError::HashMismatch`] when chunk and access unit differ. Nothing of the unit was sealed then.
    pub fn unit(
        &mut self,
        head: &UnitHead,
        chunk: &[u8],
        access_unit: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SegmentError> {
        if self.tally.parameters.is_none() {
            return Err(SegmentError::Order("the init segment comes before the units"));
        }
        limit("unit", chunk.len(), MAX_UNIT)?;
        limit("number of records", self.entries.len() + records(UnitHead::LENGTH + chunk.len()), MAX_RECORDS as usize)?;
        if !head.fits() {
            return Err(SegmentError::Order("a unit's header is longer than its chunk"));
        }
        if head.track == Track::Video {
            let sample = chunk.get(head.header_len as usize..).unwrap_or_default();
            // The same bytes need no comparing.
            if !std::ptr::eq(sample, access_unit) && sample != access_unit {
                return Err(SegmentError::HashMismatch { what: "sample in the chunk" });
            }
            if self.tally.frames == 0
                && (head.frame != self.facts.first_frame || head.key != self.facts.starts_with_key)
            {
                return Err(SegmentError::Order("the first frame is not the one announced"));
            }
        }
        self.tally.unit(head, chunk).map_err(SegmentError::Order)?;
        self.message(Kind::Unit, &head.to_bytes(), chunk, out)
    }

    /// Seals the end: padding, certificate and signed statement.
    ///
    /// # Errors
    /// [`SegmentError::Order`] before the init, [`SegmentError::Crypto`] when the signature fails.
    pub fn finish(mut self, end: SegmentEnd, out: &mut Vec<u8>) -> Result<SealedSegment, SegmentError> {
        let facts = &self.facts;
        let mut statement = Statement {
            stream: facts.stream,
            index: facts.index,
            camera: facts.camera,
            sequence: facts.sequence,
            first_frame: facts.first_frame,
            last_frame: self.tally.last_frame.unwrap_or(facts.first_frame),
            frames: self.tally.frames,
            started: facts.started,
            ended: end.ended,
            clock: facts.clock,
            clock_stepped_back: end.clock_stepped_back,
            starts_with_key: facts.starts_with_key,
            parameters: self.tally.parameters.ok_or(SegmentError::Order("a segment has an init segment"))?,
            access_units: self.tally.access_units(),
            root: self.entries.root(),
            records: self.record,
            mp4_length: self.tally.mp4_length,
            commitment: *self.commitment,
            previous: facts.previous,
            gap: facts.gap,
            digest: [0; 32],
        };
        let trailer = Trailer {
            statement: self.session.sign(&mut statement)?,
            certificate: self.session.certificate().to_vec(),
            entries: std::mem::take(&mut self.entries),
        };
        self.end(&trailer.encode(), out)?;
        Ok(SealedSegment { digest: statement.digest, length: self.length, frames: statement.frames })
    }

    /// Head and data as one record and its continuations, each with its leaf.
    fn message(&mut self, kind: Kind, head: &[u8], data: &[u8], out: &mut Vec<u8>) -> Result<(), SegmentError> {
        out.reserve(head.len() + data.len() + records(head.len() + data.len()) * OVERHEAD);
        let (first, rest) = data.split_at(data.len().min(MAX_CONTENT - head.len()));
        self.media(kind, head, first, out)?;
        rest.chunks(MAX_CONTENT).try_for_each(|part| self.media(Kind::More, &[], part, out))
    }

    fn media(&mut self, kind: Kind, head: &[u8], data: &[u8], out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let record_head = record::head(kind, head.len() + data.len());
        let start = out.len();
        out.extend_from_slice(&[0; WORD]);
        out.extend_from_slice(&record_head);
        out.extend_from_slice(head);
        out.extend_from_slice(data);
        // One call over bytes that stand together and are still in the cache: BLAKE3 at full width.
        let leaf = blake3::hash(out.get(start + WORD..).unwrap_or_default());
        self.entries.push(record_head, leaf.as_bytes());
        self.seal(false, out, start)
    }

    /// Padding and trailer, so that the whole has a padded length.
    fn end(&mut self, trailer: &[u8], out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let trailer_records = trailer.len().div_ceil(MAX_CONTENT);
        let unpadded = self.length + (trailer.len() + trailer_records * OVERHEAD) as u64;
        let room = (trailer_records * MAX_CONTENT - trailer.len()) as u64;
        let mut padding = padme(unpadded) - unpadded;
        if padding > room && padding < OVERHEAD as u64 {
            padding = padme(unpadded + OVERHEAD as u64) - unpadded;
        }
        out.reserve(usize::try_from(unpadded - self.length + padding).unwrap_or(0));
        let inside = if padding <= room { padding } else { 0 };
        let mut left = padding - inside;
        while left > 0 {
            let mut size = left.min(MAX_WIRE as u64);
            if left != size && left - size < OVERHEAD as u64 {
                size -= OVERHEAD as u64;
            }
            left -= size;
            self.plain(Kind::Padding, &[], size as usize - OVERHEAD, 0, false, out)?;
        }
        let mut parts = trailer.chunks(MAX_CONTENT).peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            self.plain(Kind::Trailer, part, 0, if last { inside as usize } else { 0 }, last, out)?;
        }
        Ok(())
    }

    /// A record without a leaf: content, zeros that count as content, zeros that don't.
    fn plain(
        &mut self,
        kind: Kind,
        content: &[u8],
        zeros: usize,
        padding: usize,
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SegmentError> {
        let start = out.len();
        out.extend_from_slice(&[0; WORD]);
        out.extend_from_slice(&record::head(kind, content.len() + zeros));
        out.extend_from_slice(content);
        out.resize(out.len() + zeros + padding, 0);
        self.seal(last, out, start)
    }

    fn seal(&mut self, last: bool, out: &mut Vec<u8>, start: usize) -> Result<(), SegmentError> {
        let sealed = self.cipher.seal(self.record, last, out, start);
        if sealed.is_err() {
            // Never leave plaintext in a buffer that is sent.
            out.truncate(start);
        }
        sealed?;
        self.record += 1;
        self.length += (out.len() - start) as u64;
        Ok(())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({:?} #{}, record {})", self.facts.stream, self.facts.index, self.record)
    }
}

/// Records that `length` bytes of message take.
const fn records(length: usize) -> usize {
    if length == 0 { 1 } else { length.div_ceil(MAX_CONTENT) }
}

fn limit(what: &'static str, size: usize, limit: usize) -> Result<(), SegmentError> {
    if size > limit {
        return Err(SegmentError::TooLarge { what, size: size as u64, limit: limit as u64 });
    }
    Ok(())
}
