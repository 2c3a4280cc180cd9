//! Small bodies, in the index. Their bytes go into the very commit of the record that promises them: one sync makes both durable, and all
//! who wait share it. A file needs a sync of its own, one of its directory and the commit.
//!
//! A body stands there in pieces. redb gives a value that is longer than a page a leaf of its own, and a leaf has one page, two, four and so
//! on: a piece with its key nearly fills one of four pages, where a whole body could take twice its length. A value that shares its leaf
//! with others is copied with them when one comes or goes, as the last piece may be; the others stay where they are.
//!
//! After a crash redb reads the whole index, some times over, before it can be used. So these bodies have so much room there and no more;
//! those for which there is none become files like all others.

use bytes::Bytes;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::storage::{Batch, Store as _, StoreError};
use privet_store::DiskStore;

use crate::server::records::{PIECE_KEY, SegmentRecord, decode, parse_piece_key, piece_key, pieces_prefix};

/// The longest small body, in bytes. A commit that waits holds as many in memory, which is less than an upload to a file may.
pub(super) const LONGEST: usize = 128 << 10;
/// Pieces of all small bodies together: with their leaves, 1 GiB of the index.
pub(super) const MOST_PIECES: u64 = 1 << 16;
/// Bytes of a piece.
const PIECE: usize = 16_000;
// With its key, the lengths of both and what a leaf begins with, in four pages.
const _: () = assert!(PIECE + 44 + 8 + 4 <= 4 * 4096);
/// Records that are read at once.
const PAGE: usize = 1024;

/// Home, stream and number of the segment whose body it is.
pub(super) type Place = (HomeId, StreamId, u64);

/// How many pieces a body of this length has.
pub(super) fn pieces(length: u64) -> u16 {
    u16::try_from(length.div_ceil(PIECE as u64).max(1)).unwrap_or(u16::MAX)
}

/// Adds a body to a batch.
pub(super) fn add((home, stream, index): Place, bytes: &Bytes, batch: &mut Batch) {
    for piece in 0..pieces(bytes.len() as u64) {
        let from = usize::from(piece) * PIECE;
        let bytes = &bytes[from..bytes.len().min(from + PIECE)];
        batch.put(piece_key(home, stream, index, piece), bytes);
    }
}

/// Adds to a batch that a body of this length goes.
pub(super) fn forget((home, stream, index): Place, length: u64, batch: &mut Batch) {
    for piece in 0..pieces(length) {
        batch.delete(piece_key(home, stream, index, piece));
    }
}

/// A body's bytes; `None` when it is not in the index.
pub(super) fn read(index: &DiskStore, (home, stream, number): Place) -> Result<Option<Bytes>, StoreError> {
    let found = index.scan(&pieces_prefix(home, stream, number), b"", usize::MAX)?;
    if found.is_empty() {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(found.len() * PIECE);
    for (next, (key, piece)) in (0_u32..).zip(found) {
        if parse_piece_key(&key).is_none_or(|(.., number)| u32::from(number) != next) {
            return Err(StoreError::Damaged("a part of a small segment is missing".into()));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes.into()))
}

/// How many pieces a batch puts, and how many it removes.
pub(super) fn changes(batch: &Batch) -> (u64, u64) {
    let pieces = batch.writes().filter(|(key, _)| key.starts_with(PIECE_KEY));
    pieces.fold((0, 0), |(put, gone), (_, value)| if value.is_some() { (put + 1, gone) } else { (put, gone + 1) })
}

/// How many pieces there are. Asked of the records: the pieces themselves would all have to be read for it.
pub(super) fn count(index: &DiskStore) -> Result<u64, StoreError> {
    let (mut count, mut from) = (0, Vec::new());
    loop {
        let page = index.scan(b"b/", &from, PAGE)?;
        let Some((last, _)) = page.last() else { return Ok(count) };
        from.clone_from(last);
        from.push(0);
        // What can't be read a check names.
        let records = page.iter().filter_map(|(_, value)| decode::<SegmentRecord>(value).ok());
        count += records.filter(|record| record.small).map(|record| u64::from(pieces(record.length))).sum::<u64>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_full_but_for_the_last_one_and_an_empty_body_has_one() {
        for (length, wanted) in [(0, 1), (1, 1), (15_999, 1), (16_000, 1), (16_001, 2), (LONGEST as u64, 9)] {
            assert_eq!(pieces(length), wanted, "{length} bytes");
        }
        assert_eq!(pieces(u64::MAX), u16::MAX, "what a damaged record says takes no time");
    }

    #[test]
    fn what_is_added_is_what_is_forgotten() {
        let place = (HomeId::from_bytes([1; 16]), StreamId::from_bytes([2; 16]), 3);
        for length in [0, 1, 16_000, 16_001, LONGEST] {
            let (mut put, mut gone) = (Batch::new(), Batch::new());
            add(place, &Bytes::from(vec![7_u8; length]), &mut put);
            forget(place, length as u64, &mut gone);
            let all = u64::from(pieces(length as u64));
            assert_eq!((changes(&put), changes(&gone)), ((all, 0), (0, all)));
            assert!(put.writes().map(|(key, _)| key).eq(gone.writes().map(|(key, _)| key)));
            assert_eq!(put.writes().map(|(_, value)| value.map_or(0, <[u8]>::len)).sum::<usize>(), length);
        }
    }
}
