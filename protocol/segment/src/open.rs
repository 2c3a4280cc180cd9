//! Opening as the bytes arrive: a record is released as soon as it is whole and authentic, never before.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};
use zeroize::Zeroizing;

use crate::assemble::Assembler;
use crate::error::SegmentError;
use crate::evidence::{EvidenceKeys, EvidencePublicKey};
use crate::header::{Header, array};
use crate::media::{InitInfo, UnitHead};
use crate::ratchet::StreamKey;
use crate::record::{self, HEAD, Kind, MAX_WIRE, RecordCipher, WORD};
use crate::statement::Statement;
use crate::trailer::{MAX_TRAILER, Trailer};
use crate::tree::Entries;
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

/// What is received goes here: the longest record fits. Small ones share a block, so an item may hold on to one.
const BLOCK: usize = MAX_WIRE;

/// Opens one segment from bytes in any pieces. Memory: two blocks of 64 KiB, the unit being put together, the items not yet
/// taken, and 36 bytes for each record before.
pub struct Opener {
    expected: Header,
    cipher: RecordCipher,
    commitment: Zeroizing<[u8; 32]>,
    /// The part that is being received, and how long it will be.
    part: Part,
    buffer: BytesMut,
    spare: BytesMut,
    length: usize,
    items: VecDeque<Item>,
    stage: Stage,
    /// The next record's number.
    record: u32,
    assembler: Assembler,
    /// What was opened, as the statement's root covers it.
    entries: Entries,
    trailer: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Header,
    Word,
    Record { last: bool },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
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
            part: Part::Header,
            buffer: BytesMut::new(),
            spare: BytesMut::new(),
            length: Header::LENGTH,
            items: VecDeque::new(),
            stage: Stage::Media,
            record: 0,
            assembler: Assembler::new(),
            entries: Entries::default(),
            trailer: Vec::new(),
        })
    }

    /// Takes the next bytes. Then take what they gave with [`Self::next`], so that nothing piles up.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.may_go_on() {
            let (taken, rest) = bytes.split_at(self.missing().min(bytes.len()));
            bytes = rest;
            if self.buffer.is_empty() {
                self.make_room();
            }
            self.buffer.extend_from_slice(taken);
            let filled = self.filled();
            self.note(filled);
        }
    }

    /// The next piece, `None` when more bytes are needed or the last record was read.
    ///
    /// # Errors
    /// [`SegmentError`] at the first record that is not as sealed; the same error from then on.
    #[expect(clippy::should_implement_trait, reason = "an iterator ends at None; this goes on after the next push")]
    pub fn next(&mut self) -> Result<Option<Item>, SegmentError> {
        match (self.items.pop_front(), &self.stage) {
            (Some(item), _) => Ok(Some(item)),
            (None, Stage::Broken(error)) => Err(error.clone()),
            (None, _) => Ok(None),
        }
    }

    /// The last record was read: [`Self::finish`] can say who made the segment.
    pub fn ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Checks the statement: certificate, signature, key commitment, hashes, counts. Gives it with the evidence key behind it.
    ///
    /// # Errors
    /// [`SegmentError::Truncated`] before the end; else what does not hold.
    pub fn finish(self, trust: &dyn EvidenceKeys) -> Result<(Verified<Statement>, EvidencePublicKey), SegmentError> {
        match self.stage {
            Stage::Ended => {}
            Stage::Broken(error) => return Err(error),
            _ => return Err(SegmentError::Truncated { record: self.record }),
        }
        let trailer = Trailer::decode(&self.trailer)?;
        let (statement, signer) = trailer.verify(self.expected, &self.commitment, trust)?;
        // The trailer's list has the signed root.
        if self.entries != trailer.entries {
            return Err(SegmentError::HashMismatch { what: "root of the records" });
        }
        self.assembler.tally.check(&statement)?;
        Ok((Verified::new(statement), signer))
    }

    /// Nothing is broken, and bytes that come now belong to the segment.
    fn may_go_on(&mut self) -> bool {
        if self.stage == Stage::Ended {
            self.note(Err(SegmentError::TrailingBytes));
        }
        !matches!(self.stage, Stage::Broken(_))
    }

    fn note(&mut self, result: Result<(), SegmentError>) {
        if let Err(error) = result {
            self.stage = Stage::Broken(error);
            self.buffer = BytesMut::new();
        }
    }

    /// Room for the part that comes: in the block at hand, else in the one before when its items are gone, else in a new one.
    /// A stream whose items are taken and dropped goes through two blocks for ever and allocates nothing.
    fn make_room(&mut self) {
        if self.buffer.try_reclaim(self.length) {
            return;
        }
        std::mem::swap(&mut self.buffer, &mut self.spare);
        if !self.buffer.try_reclaim(self.length) {
            self.buffer = BytesMut::with_capacity(BLOCK);
        }
    }

    /// Bytes that the part being received still needs.
    fn missing(&self) -> usize {
        self.length - self.buffer.len()
    }

    /// Reads the part being received once it is whole.
    fn filled(&mut self) -> Result<(), SegmentError> {
        if matches!(self.part, Part::Header) {
            // A version of the future may have another header: say so at its first byte.
            if let Some(&found) = self.buffer.first().filter(|&&version| version != crate::VERSION) {
                return Err(SegmentError::Version { found });
            }
        }
        if self.buffer.len() < self.length {
            return Ok(());
        }
        match self.part {
            Part::Header => Header::parse(&self.buffer)?.expect(self.expected)?,
            Part::Word => {
                let word = array(&self.buffer, 0).ok_or(SegmentError::Crypto)?;
                let (length, last) = self.cipher.unmask(self.record, word)?;
                self.part = Part::Record { last };
                self.length = length;
                self.buffer.clear();
                return Ok(());
            }
            Part::Record { last } => {
                let ciphertext = self.buffer.split();
                let item = self.read(ciphertext, last)?;
                self.items.extend(item);
            }
        }
        self.part = Part::Word;
        self.length = WORD;
        self.buffer.clear();
        Ok(())
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
                self.entries.push(record::head(kind, plain.content.len()), &plain.leaf());
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
    // Without an early exit this runs at the width of the machine.
    bytes.iter().fold(0, |all, &byte| all | byte) == 0
}
