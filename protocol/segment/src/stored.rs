//! Random access to a whole segment: the statement is verified when it is opened, every record when it is read.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::assemble::Assembler;
use crate::error::SegmentError;
use crate::evidence::{EvidenceKeys, EvidencePublicKey};
use crate::header::{Header, array};
use crate::media::{InitInfo, UnitHead};
use crate::open::zeros;
use crate::ratchet::StreamKey;
use crate::record::{HEAD, Kind, Plain, RecordCipher, TAG, WORD};
use crate::statement::Statement;
use crate::trailer::{MAX_TRAILER_RECORDS, Trailer};
use crate::verified::Verified;

/// A whole segment whose statement was verified. Every byte read from it is checked against the statement first.
pub struct StoredSegment<B> {
    blob: B,
    cipher: RecordCipher,
    records: Vec<MediaRecord>,
    trailer: Trailer,
    statement: Verified<Statement>,
    signer: EvidencePublicKey,
    init_info: Verified<InitInfo>,
    /// The record read last: a player reads in small steps.
    recent: Mutex<Recent>,
}

/// One media record: where it is, what it must be, and which bytes of the MP4 it holds.
#[derive(Debug, Clone, Copy)]
struct MediaRecord {
    place: Place,
    leaf: [u8; 32],
    kind: Kind,
    length: usize,
    /// Bytes of the content before those of the MP4.
    head: usize,
    mp4_start: u64,
}

impl MediaRecord {
    /// Bytes of the plaintext before those of the MP4.
    const fn skip(&self) -> usize {
        HEAD + self.head
    }

    /// Bytes of the MP4.
    const fn media(&self) -> usize {
        self.length - self.head
    }
}

/// Where a record's ciphertext is in the blob.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    end: usize,
    last: bool,
}

impl Place {
    fn of<'a>(&self, blob: &'a [u8]) -> &'a [u8] {
        blob.get(self.start..self.end).unwrap_or_default()
    }

    const fn plaintext_length(&self) -> usize {
        (self.end - self.start).saturating_sub(TAG)
    }
}

#[derive(Default)]
struct Recent {
    record: Option<usize>,
    plaintext: Vec<u8>,
}

/// Opens the segment and checks everything in it: what `verify` on a command line does.
///
/// # Errors
/// [`SegmentError`] at the first thing that is not as signed.
pub fn verify(
    blob: &[u8],
    key: &StreamKey,
    expected: Header,
    trust: &dyn EvidenceKeys,
) -> Result<Verified<Statement>, SegmentError> {
    let segment = StoredSegment::open(blob, key, expected, trust)?;
    segment.check()?;
    Ok(segment.statement)
}

impl<B: AsRef<[u8]>> StoredSegment<B> {
    /// Opens the segment: verifies trailer, signature and layout.
    ///
    /// # Errors
    /// [`SegmentError`] when it is not whole, not the expected one, or not signed by a trusted key.
    pub fn open(blob: B, key: &StreamKey, expected: Header, trust: &dyn EvidenceKeys) -> Result<Self, SegmentError> {
        let bytes = blob.as_ref();
        Header::parse(bytes)?.expect(expected)?;
        let secrets = key.segment(expected)?;
        let mut cipher = RecordCipher::new(&secrets)?;
        let places = places(bytes, &mut cipher)?;
        let (trailer, before_trailer) = read_trailer(bytes, &cipher, &places)?;
        let (statement, signer) = trailer.verify(expected, &secrets.commitment, trust)?;
        let (media, padding) = before_trailer
            .split_at_checked(statement.records as usize)
            .ok_or(SegmentError::HashMismatch { what: "number of records" })?;
        check_padding(bytes, &cipher, media.len(), padding)?;
        let (records, init_info) = layout(bytes, &cipher, media, &trailer, &statement)?;
        Ok(Self {
            cipher,
            records,
            trailer,
            statement: Verified::new(statement),
            signer,
            init_info: Verified::new(init_info),
            recent: Mutex::default(),
            blob,
        })
    }

    /// The verified statement.
    pub const fn statement(&self) -> &Verified<Statement> {
        &self.statement
    }

    /// The evidence key that signed it.
    pub const fn signer(&self) -> EvidencePublicKey {
        self.signer
    }

    /// What a player needs to know.
    pub const fn init_info(&self) -> &Verified<InitInfo> {
        &self.init_info
    }

    /// How many media records it has.
    pub fn records(&self) -> u32 {
        self.statement.records
    }

    /// The content of record `index`.
    ///
    /// # Errors
    /// [`SegmentError::Forged`] when it is not as signed, [`SegmentError::NotThere`].
    pub fn record(&self, index: u32) -> Result<Verified<Vec<u8>>, SegmentError> {
        let mut plaintext = Vec::new();
        let media = self.media(index)?;
        open_media(self.blob.as_ref(), &self.cipher, index as usize, media, &mut plaintext)?;
        plaintext.drain(..HEAD);
        Ok(Verified::new(plaintext))
    }

    /// Bytes of the MP4: init segment and chunks.
    pub fn mp4_len(&self) -> u64 {
        self.statement.mp4_length
    }

    /// Reads the MP4 at `offset` until `buffer` is full or the MP4 ends; returns how much. Only verified bytes get into
    /// `buffer`.
    ///
    /// # Errors
    /// [`SegmentError::Forged`] when a record is not as signed; what `buffer` holds then is not to be used.
    pub fn read_mp4(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, SegmentError> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut filled = 0;
        while filled < buffer.len() {
            let at = offset.saturating_add(filled as u64);
            if at >= self.mp4_len() {
                break;
            }
            // The last record that starts at or before `at`; those without bytes of the MP4 come before it.
            let index = self.records.partition_point(|record| record.mp4_start <= at).saturating_sub(1);
            let record = self.media(index as u32)?;
            let whole = at == record.mp4_start && buffer.len() - filled >= record.media() && filled >= record.skip();
            if whole && recent.record != Some(index) {
                self.read_whole(index, record, &mut buffer[filled - record.skip()..filled + record.media()])?;
                filled += record.media();
                continue;
            }
            if recent.record != Some(index) {
                recent.record = None;
                open_media(self.blob.as_ref(), &self.cipher, index, record, &mut recent.plaintext)?;
                recent.record = Some(index);
            }
            let skip = record.skip() + usize::try_from(at - record.mp4_start).unwrap_or(usize::MAX);
            let from = recent.plaintext.get(skip..).unwrap_or_default();
            let into = buffer.get_mut(filled..).unwrap_or_default();
            let length = from.len().min(into.len());
            if length == 0 {
                return Err(SegmentError::NotThere { what: "MP4 byte", index: at });
            }
            into[..length].copy_from_slice(&from[..length]);
            filled += length;
        }
        Ok(filled)
    }

    /// Opens a record right where its media belong. `place` begins with bytes that are there already and stay: the record's
    /// head gets in their way for a moment.
    fn read_whole(&self, index: usize, record: &MediaRecord, place: &mut [u8]) -> Result<(), SegmentError> {
        let kept = place[..record.skip()].to_vec();
        let opened = open_media_at(self.blob.as_ref(), &self.cipher, index, record, place).map(|_| ());
        if opened.is_err() {
            place.fill(0);
        }
        place[..kept.len()].copy_from_slice(&kept);
        opened
    }

    /// Checks every record and the hash of the access units.
    ///
    /// # Errors
    /// [`SegmentError`] at the first record that is not as signed.
    pub fn check(&self) -> Result<(), SegmentError> {
        let mut assembler = Assembler::new();
        for (index, record) in self.records.iter().enumerate() {
            let mut plaintext = Vec::new();
            open_media(self.blob.as_ref(), &self.cipher, index, record, &mut plaintext)?;
            let _ = assembler.take(record.kind, Bytes::from(plaintext).slice(HEAD..))?;
        }
        if !assembler.between_items() {
            return Err(SegmentError::Malformed { record: self.records(), what: "the last unit is not whole" });
        }
        assembler.tally.check(&self.statement)
    }

    /// Record `index` as its head and its bytes of the MP4.
    pub(crate) fn parts(&self, index: u32) -> Result<(Vec<u8>, Vec<u8>), SegmentError> {
        let mut head = self.record(index)?.into_inner();
        let media = head.split_off(self.media(index)?.head.min(head.len()));
        Ok((head, media))
    }

    /// The record after those of the init segment.
    pub(crate) fn first_unit(&self) -> u32 {
        self.records.iter().take_while(|record| record.kind != Kind::Unit).count() as u32
    }

    pub(crate) const fn trailer(&self) -> &Trailer {
        &self.trailer
    }

    fn media(&self, index: u32) -> Result<&MediaRecord, SegmentError> {
        self.records.get(index as usize).ok_or(SegmentError::NotThere { what: "record", index: index.into() })
    }
}

impl<B> fmt::Debug for StoredSegment<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredSegment({:?} #{})", self.statement.stream, self.statement.index)
    }
}

/// Walks from word to word: where each record is. Nothing is believed yet.
fn places(blob: &[u8], cipher: &mut RecordCipher) -> Result<Vec<Place>, SegmentError> {
    let mut places = Vec::new();
    let mut at = Header::LENGTH;
    loop {
        let record = u32::try_from(places.len()).map_err(|_| SegmentError::Crypto)?;
        let truncated = SegmentError::Truncated { record };
        let word = array::<WORD>(blob, at).ok_or(truncated.clone())?;
        let (length, last) = cipher.unmask(record, word)?;
        let place = Place { start: at + WORD, end: at + WORD + length, last };
        if place.end > blob.len() {
            return Err(truncated);
        }
        at = place.end;
        places.push(place);
        if last {
            return if at == blob.len() { Ok(places) } else { Err(SegmentError::TrailingBytes) };
        }
    }
}

/// The trailer, read from the last record backwards, and the places before it.
fn read_trailer<'a>(
    blob: &[u8],
    cipher: &RecordCipher,
    places: &'a [Place],
) -> Result<(Trailer, &'a [Place]), SegmentError> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let mut rest = places;
    while let Some((place, before)) = rest.split_last() {
        let record = before.len();
        let mut plaintext = Vec::new();
        let plain = open_at(blob, cipher, record, place, &mut plaintext)?;
        if plain.kind != Kind::Trailer {
            break;
        }
        if parts.len() >= MAX_TRAILER_RECORDS {
            return Err(SegmentError::Malformed { record: record as u32, what: "a trailer longer than any" });
        }
        parts.push(plain.content.to_vec());
        rest = before;
    }
    parts.reverse();
    Ok((Trailer::decode(&parts.concat())?, rest))
}

fn check_padding(blob: &[u8], cipher: &RecordCipher, first: usize, padding: &[Place]) -> Result<(), SegmentError> {
    let mut plaintext = Vec::new();
    for (record, place) in (first..).zip(padding) {
        let plain = open_at(blob, cipher, record, place, &mut plaintext)?;
        if plain.kind != Kind::Padding || !zeros(plain.content) {
            return Err(SegmentError::Malformed { record: record as u32, what: "padding that is none" });
        }
    }
    Ok(())
}

/// Which record holds which bytes of the MP4, by the signed list of leaves and the first record's head.
fn layout(
    blob: &[u8],
    cipher: &RecordCipher,
    places: &[Place],
    trailer: &Trailer,
    statement: &Statement,
) -> Result<(Vec<MediaRecord>, InitInfo), SegmentError> {
    let mut records = Vec::with_capacity(places.len());
    let mut init_info = None;
    let mut mp4_start = 0u64;
    for (index, &place) in places.iter().enumerate() {
        let malformed = |what| SegmentError::Malformed { record: index as u32, what };
        let entry = trailer.entries.get(index).ok_or(malformed("of unknown kind"))?;
        let mut record =
            MediaRecord { place, leaf: entry.leaf, kind: entry.kind, length: entry.length, head: 0, mp4_start };
        record.head = match (entry.kind, index) {
            (Kind::Init, 0) => {
                let mut plaintext = Vec::new();
                let content = open_media(blob, cipher, index, &record, &mut plaintext)?;
                let (info, head, _) = InitInfo::parse(content).ok_or(malformed("no init segment's head"))?;
                init_info = Some(info);
                head
            }
            (Kind::Unit, 1..) => UnitHead::LENGTH,
            (Kind::More, 1..) => 0,
            _ => return Err(malformed("not the record that can follow here")),
        };
        let media = entry.length.checked_sub(record.head).ok_or(malformed("no unit's head"))?;
        mp4_start += media as u64;
        records.push(record);
    }
    if mp4_start != statement.mp4_length {
        return Err(SegmentError::HashMismatch { what: "length of the video" });
    }
    let init_info = init_info.ok_or(SegmentError::HashMismatch { what: "number of records" })?;
    Ok((records, init_info))
}

/// Opens a record and holds it against its signed leaf; `plaintext` is its head and content afterwards.
fn open_media<'a>(
    blob: &[u8],
    cipher: &RecordCipher,
    index: usize,
    media: &MediaRecord,
    plaintext: &'a mut Vec<u8>,
) -> Result<&'a [u8], SegmentError> {
    plaintext.resize(HEAD + media.length, 0);
    open_media_at(blob, cipher, index, media, plaintext)
}

fn open_media_at<'a>(
    blob: &[u8],
    cipher: &RecordCipher,
    index: usize,
    media: &MediaRecord,
    plaintext: &'a mut [u8],
) -> Result<&'a [u8], SegmentError> {
    let forged = SegmentError::Forged { record: index as u32 };
    // Only the last record has padding, and it is no media: the length must be the signed one.
    if media.place.plaintext_length() != plaintext.len() {
        return Err(forged);
    }
    let plain = cipher.open_into(index as u32, media.place.last, media.place.of(blob), plaintext)?;
    if plain.kind != media.kind || plain.content.len() != media.length || plain.leaf() != media.leaf {
        return Err(forged);
    }
    Ok(plain.content)
}

fn open_at<'a>(
    blob: &[u8],
    cipher: &RecordCipher,
    index: usize,
    place: &Place,
    plaintext: &'a mut Vec<u8>,
) -> Result<Plain<'a>, SegmentError> {
    let record = index as u32;
    plaintext.resize(place.plaintext_length(), 0);
    let plain = cipher.open_into(record, place.last, place.of(blob), plaintext)?;
    if !plain.padding.is_empty() && !place.last || !zeros(plain.padding) {
        return Err(SegmentError::Malformed { record, what: "padding where none can be" });
    }
    Ok(plain)
}
