//! The little that this library reads of ISO base media files itself (ISO/IEC 14496-12): where boxes begin and end. The bytes
//! are authenticated before they come here; broken ones still only yield nothing.

use bytes::Bytes;

/// The body of a box: its type, where its contents start and where it ends.
fn boxes(bytes: &[u8], from: usize, to: usize) -> impl Iterator<Item = ([u8; 4], usize, usize)> + '_ {
    let mut at = from;
    std::iter::from_fn(move || {
        let head: &[u8; 8] = bytes.get(at..to)?.first_chunk()?;
        let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let kind = [head[4], head[5], head[6], head[7]];
        // Sizes of 0 and 1 (to the end, 64-bit) do not occur in an init segment.
        let end = at.checked_add(size).filter(|end| size >= 8 && *end <= to)?;
        let body = at + 8;
        at = end;
        Some((kind, body, end))
    })
}

/// The decoder configuration record (`avcC` or `hvcC`) of the first video track of an init segment.
pub(crate) fn decoder_config(init: &Bytes) -> Option<Bytes> {
    let (_, body, end) = boxes(init, 0, init.len()).find(|(kind, ..)| kind == b"moov")?;
    for (kind, body, end) in boxes(init, body, end) {
        if kind != *b"trak" {
            continue;
        }
        let mut inner = (body, end);
        for name in [b"mdia", b"minf", b"stbl", b"stsd"] {
            let (_, body, end) = boxes(init, inner.0, inner.1).find(|(kind, ..)| kind == name)?;
            inner = (body, end);
        }
        // stsd: version, flags and count before the entries; a visual entry has 78 bytes before its boxes.
        for (_, body, end) in boxes(init, inner.0 + 8, inner.1) {
            let config = boxes(init, body + 78, end).find(|(kind, ..)| kind == b"avcC" || kind == b"hvcC");
            if let Some((_, body, end)) = config {
                return Some(init.slice(body..end));
            }
        }
    }
    None
}

/// The first eight bytes of a box: its whole length and type.
pub(crate) fn box_head(head: &[u8; 8]) -> (u64, [u8; 4]) {
    (u32::from_be_bytes([head[0], head[1], head[2], head[3]]).into(), [head[4], head[5], head[6], head[7]])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn make(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut out = (body.len() as u32 + 8).to_be_bytes().to_vec();
        out.extend_from_slice(kind);
        out.extend_from_slice(body);
        out
    }

    fn init() -> Vec<u8> {
        let entry = make(b"avc1", &[&[0; 78][..], &make(b"avcC", b"config")].concat());
        let stsd = make(b"stsd", &[&[0; 8][..], &entry].concat());
        let trak = make(b"trak", &make(b"mdia", &make(b"minf", &make(b"stbl", &stsd))));
        [make(b"ftyp", b"isom"), make(b"moov", &[make(b"mvhd", b"x"), trak].concat())].concat()
    }

    #[test]
    fn the_decoder_configuration_is_found() {
        let init = init();
        assert_eq!(decoder_config(&init.into()).unwrap(), &b"config"[..]);
    }

    proptest! {
        #[test]
        fn broken_files_yield_nothing_bad(cut in 0usize..200, at in 0usize..200, byte: u8) {
            let mut file = init();
            let length = file.len();
            file[at % length] = byte;
            file.truncate(cut);
            let _ = decoder_config(&file.into());
        }
    }
}
