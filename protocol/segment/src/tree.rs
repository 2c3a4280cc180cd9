//! The record tree: one leaf hash per record, one root over all of them. The list of leaves (with each record's kind and
//! length) travels in the trailer, so that any record can be checked alone; the root is signed.

use crate::header::array;
use crate::record::{HEAD, Kind, MAX_CONTENT};

const ROOT: &str = "privet 2026 segment record root 1";

/// Kind, content length and leaf hash of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) length: usize,
    pub(crate) leaf: [u8; 32],
}

impl Entry {
    pub(crate) const LENGTH: usize = HEAD + 32;

    fn parse(bytes: &[u8]) -> Option<Self> {
        let &[kind, a, b, c] = bytes.first_chunk()?;
        let kind = Kind::from_byte(kind)?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        (length <= MAX_CONTENT).then_some(Self { kind, length, leaf: array(bytes, HEAD)? })
    }
}

/// The list of entries as bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entries(Vec<u8>);

impl Entries {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (bytes.len().is_multiple_of(Entry::LENGTH)).then(|| Self(bytes.to_vec()))
    }

    pub(crate) fn push(&mut self, head: [u8; HEAD], leaf: &[u8; 32]) {
        self.0.extend_from_slice(&head);
        self.0.extend_from_slice(leaf);
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len() / Entry::LENGTH
    }

    /// The entry at `index`; `None` when there is none or its kind is unknown.
    pub(crate) fn get(&self, index: usize) -> Option<Entry> {
        Entry::parse(self.0.chunks_exact(Entry::LENGTH).nth(index)?)
    }

    pub(crate) fn root(&self) -> [u8; 32] {
        blake3::derive_key(ROOT, &self.0)
    }
}
