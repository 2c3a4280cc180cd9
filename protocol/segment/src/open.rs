//! Opening as the bytes arrive: a record is released as soon as it is whole and authentic, never before.

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use zeroize::Zeroizing;

use crate::assemble::Assembler;
use crate::error::SegmentError;
use crate::evidence::EvidenceKeys;
use crate::header::Header;
use crate::media::{InitInfo, UnitHead};
use crate::ratchet::StreamKey;
use crate::record::{HEAD, Kind, RecordCipher, WORD};
use crate::statement::Statement;
use crate::trailer::{MAX_TRAILER, Trailer};
use crate::tree::Root;
use crate::verified::Verified;

/// A piece of an opened segment: authentic under the stream key, but who made it is known only at the end
/// ([`Opener::finish`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// How the video starts.
    Init {
        /// For the player.
        info: InitInfo,
        /// `ftyp` and `moov`.
        segment: Bytes,
    },
    /// One unit.
    Unit {
        /// What is known about it.
        head: UnitHead,
        /// `moof` and `mdat`.
        chunk: Bytes,
    },
}

/// Opens one segment from bytes in any pieces. Memory: what was pushed and not yet read, and one unit.
pub struct Opener {
    expected: Header,
    cipher: RecordCipher,
    commitment: Zeroizing<[u8; 32]>,
    buffer: BytesMut,
    stage: Stage,
    /// The next record's number.
    record: u32,
    assembler: Assembler,
    root: Root,
    trailer: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Header,
    Media,
    Padding,
    Trailer,
    Ended,
    Broken(SegmentError),
}

impl Opener {
    /// An opener for the segment that is expected: another one's bytes are refused.
    ///
    /// # Errors
    /// [`SegmentError::KeyErased`] when `key` starts after it.
    pub fn new(key: &StreamKey, expected: Header) -> Result<Self, SegmentError> {
        let secrets = key.segment(expected)?;
        Ok(Self {
            expected,
            cipher: RecordCipher::new(&secrets)?,
            commitment: Zeroizing::new(secrets.commitment),
            buffer: BytesMut::new(),
            stage: Stage::Header,
            record: 0,
            assembler: Assembler::new(),
            root: Root::default(),
            trailer: Vec::new(),
        })
    }

    /// Takes the next bytes. Call [`Self::next`] until it has nothing more, then push again: so at most one unit is held.
    pub fn push(&mut self, bytes: &[u8]) {
        // After an error nothing more is kept.
        if !matches!(self.stage, Stage::Broken(_)) {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next piece, `None` when more bytes are needed or the last record was read.
    ///
    /// # Errors
    /// [`SegmentError`] at the first record that is not as sealed; the same error from then on.
    #[expect(clippy::should_implement_trait, reason = "an iterator ends at None; this goes on after the next push")]
    pub fn next(&mut self) -> Result<Option<Item>, SegmentError> {
        let result = self.advance();
        if let Err(error) = &result {
            self.stage = Stage::Broken(error.clone());
            self.buffer = BytesMut::new();
        }
        result
    }

    /// The last record was read: [`Self::finish`] can say who made the segment.
    pub fn ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Checks the statement: certificate, signature, key commitment, hashes, counts.
    ///
    /// # Errors
    /// [`SegmentError::Truncated`] before the end; else what does not hold.
    pub fn finish(mut self, trust: &dyn EvidenceKeys) -> Result<Verified<Statement>, SegmentError> {
        match &self.stage {
            // Everything that was pushed was meant to be read.
            Stage::Ended => self.next().map(|_| ())?,
            Stage::Broken(error) => return Err(error.clone()),
            _ => return Err(SegmentError::Truncated { record: self.record }),
        }
        let trailer = Trailer::decode(&self.trailer)?;
        let (statement, _) = trailer.verify(self.expected, &self.commitment, trust)?;
        if self.root.finish() != statement.root {
            return Err(SegmentError::HashMismatch { what: "root of the records" });
        }
        self.assembler.tally.check(&statement)?;
        Ok(Verified::new(statement))
    }

    fn advance(&mut self) -> Result<Option<Item>, SegmentError> {
        if self.stage == Stage::Header {
            if let Some(&version) = self.buffer.first().filter(|&&version| version != crate::VERSION) {
                return Err(SegmentError::Version { found: version });
            }
            if self.buffer.len() < Header::LENGTH {
                return Ok(None);
            }
            Header::parse(&self.buffer)?.expect(self.expected)?;
            self.buffer.advance(Header::LENGTH);
            self.stage = Stage::Media;
        }
        loop {
            match &self.stage {
                Stage::Broken(error) => return Err(error.clone()),
                Stage::Ended if self.buffer.is_empty() => return Ok(None),
                Stage::Ended => return Err(SegmentError::TrailingBytes),
                Stage::Header | Stage::Media | Stage::Padding | Stage::Trailer => {}
            }
            let Some(&word) = self.buffer.first_chunk::<WORD>() else { return Ok(None) };
            let (length, last) = self.cipher.unmask(self.record, word)?;
            if self.buffer.len() < WORD + length {
                return Ok(None);
            }
            self.buffer.advance(WORD);
            let ciphertext = self.buffer.split_to(length);
            if let Some(item) = self.read(ciphertext, last)? {
                return Ok(Some(item));
            }
        }
    }

    fn read(&mut self, mut ciphertext: BytesMut, last: bool) -> Result<Option<Item>, SegmentError> {
        let record = self.record;
        let malformed = |what| SegmentError::Malformed { record, what };
        let plain = self.cipher.open(record, last, &mut ciphertext)?;
        self.record += 1;
        if last != (plain.kind == Kind::Trailer && last) {
            return Err(malformed("only a trailer can be last"));
        }
        if !plain.padding.is_empty() && !last || !zeros(plain.padding) {
            return Err(malformed("padding where none can be"));
        }
        match plain.kind {
            Kind::Init | Kind::Unit | Kind::More if self.stage == Stage::Media => {
                let (kind, end) = (plain.kind, plain.hashed.len());
                self.root.push(plain.hashed.get(..HEAD).unwrap_or_default(), &plain.leaf());
                ciphertext.truncate(end);
                self.assembler.take(kind, ciphertext.freeze().slice(HEAD..))
            }
            Kind::Padding if matches!(self.stage, Stage::Media | Stage::Padding) => {
                if !self.assembler.between_items() || !zeros(plain.content) {
                    return Err(malformed("padding where none can be"));
                }
                self.stage = Stage::Padding;
                Ok(None)
            }
            Kind::Trailer if self.assembler.between_items() => {
                if self.trailer.len() + plain.content.len() > MAX_TRAILER {
                    return Err(malformed("a trailer longer than any"));
                }
                self.trailer.extend_from_slice(plain.content);
                self.stage = if last { Stage::Ended } else { Stage::Trailer };
                Ok(None)
            }
            _ => Err(malformed("not the record that can follow here")),
        }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({:?} #{}, record {})", self.expected.stream, self.expected.index, self.record)
    }
}

pub(crate) fn zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
