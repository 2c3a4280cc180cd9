//! The proof's bytes: a `uuid` box at the end of the file with one CBOR item in it.

use crate::cbor::{Reader, Writer};
use crate::error::SegmentError;
use crate::record::MAX_RECORDS;
use crate::tree::Entry;

/// The box's extended type: the first 16 bytes of SHA-256("privet segment proof").
pub(super) const USER_TYPE: [u8; 16] =
    [0xed, 0x5a, 0x70, 0x48, 0x8b, 0x86, 0x05, 0xc7, 0x8d, 0x8f, 0x94, 0x39, 0x4a, 0x77, 0x55, 0x7d];
/// Segments of one file.
pub(super) const MAX_SEGMENTS: usize = 1 << 16;

const VERSION: u64 = 1;
const BOX_HEAD: usize = 8 + USER_TYPE.len();

/// What the proof says about one segment; borrowed from the file, not yet believed.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentProof<'a> {
    pub(super) statement: &'a [u8],
    pub(super) certificate: &'a [u8],
    pub(super) entries: &'a [u8],
    pub(super) heads: &'a [u8],
    /// Its init segment is in the file; else it is the one before.
    pub(super) init: bool,
}

/// Writes the proof, segment by segment.
#[derive(Debug, Default)]
pub(super) struct ProofWriter {
    certificates: Vec<Vec<u8>>,
    segments: Vec<Vec<u8>>,
}

impl ProofWriter {
    pub(super) fn add(&mut self, segment: &SegmentProof<'_>) -> Result<(), SegmentError> {
        if self.segments.len() >= MAX_SEGMENTS {
            return Err(too_large("number of segments", self.segments.len() as u64 + 1, MAX_SEGMENTS as u64));
        }
        let known = self.certificates.iter().position(|certificate| certificate == segment.certificate);
        let certificate = known.unwrap_or_else(|| {
            self.certificates.push(segment.certificate.to_vec());
            self.certificates.len() - 1
        });
        let mut map = Writer::default();
        map.map(5);
        map.key(1).bytes(segment.statement);
        map.key(2).uint(certificate as u64);
        map.key(3).bytes(segment.entries);
        map.key(4).bytes(segment.heads);
        map.key(5).bool(segment.init);
        self.segments.push(map.finish());
        Ok(())
    }

    pub(super) fn finish(self, out: &mut Vec<u8>) -> Result<(), SegmentError> {
        let mut map = Writer::default();
        map.map(3);
        map.key(1).uint(VERSION);
        map.key(2).array(self.certificates.len() as u64);
        for certificate in &self.certificates {
            map.bytes(certificate);
        }
        map.key(3).array(self.segments.len() as u64);
        for segment in &self.segments {
            map.encoded(segment);
        }
        out.extend_from_slice(&boxed(&map.finish())?);
        Ok(())
    }
}

/// The `uuid` box with this content.
pub(super) fn boxed(proof: &[u8]) -> Result<Vec<u8>, SegmentError> {
    let size = proof.len() + BOX_HEAD;
    let box_size = u32::try_from(size).map_err(|_| too_large("proof", size as u64, u32::MAX.into()))?;
    Ok([&box_size.to_be_bytes()[..], b"uuid", &USER_TYPE, proof].concat())
}

/// The media before the proof's box and the box's content.
pub(super) fn split(file: &[u8]) -> Option<(&[u8], &[u8])> {
    // From the end: damaged media before the box must not hide it.
    let mut name = [0; 4 + USER_TYPE.len()];
    name[..4].copy_from_slice(b"uuid");
    name[4..].copy_from_slice(&USER_TYPE);
    let mut end = file.len();
    loop {
        let at = file.get(..end)?.windows(name.len()).rposition(|window| window == name)?;
        let start = at.checked_sub(4)?;
        let size = u32::from_be_bytes(*file.get(start..at)?.first_chunk()?) as usize;
        if size == file.len() - start {
            return Some((file.get(..start)?, file.get(start + BOX_HEAD..)?));
        }
        end = at + name.len() - 1;
    }
}

/// The segments of a proof, in its only form.
pub(super) fn parse(proof: &[u8]) -> Option<Vec<SegmentProof<'_>>> {
    let mut map = Reader::new(proof);
    (map.map()? == 3 && map.key(1)?.uint()? == VERSION).then_some(())?;
    let count = usize::try_from(map.key(2)?.array()?).ok().filter(|&count| count <= MAX_SEGMENTS)?;
    let mut certificates = Vec::new();
    for _ in 0..count {
        certificates.push(map.bytes()?);
    }
    let count = usize::try_from(map.key(3)?.array()?).ok().filter(|&count| count <= MAX_SEGMENTS)?;
    let mut segments = Vec::new();
    let mut used = 0;
    for _ in 0..count {
        (map.map()? == 5).then_some(())?;
        let statement = map.key(1)?.bytes()?;
        let certificate = usize::try_from(map.key(2)?.uint()?).ok()?;
        // Certificates stand in the order of their first use, each once: no room for other bytes.
        (certificate <= used).then_some(())?;
        used = used.max(certificate + 1);
        let certificate = certificates.get(certificate)?;
        let entries = map.key(3)?.bytes()?;
        let heads = map.key(4)?.bytes()?;
        let init = map.key(5)?.bool()?;
        (entries.len() <= MAX_RECORDS as usize * Entry::LENGTH).then_some(())?;
        segments.push(SegmentProof { statement, certificate, entries, heads, init });
    }
    (map.is_empty() && used == certificates.len()).then_some(segments)
}

const fn too_large(what: &'static str, size: u64, limit: u64) -> SegmentError {
    SegmentError::TooLarge { what, size, limit }
}
