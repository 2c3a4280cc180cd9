//! NAL units and AAC frames into interleaved RTP packets.

const MAX_PAYLOAD: usize = 1400;

/// One track's packet counter.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) channel: u8,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) ssrc: u32,
    pub(crate) single_fragments: bool,
    pub(crate) no_marker: bool,
    /// Fragments are those of RFC 7798.
    pub(crate) h265: bool,
}

impl Track {
    /// One packet behind its interleaved header.
    pub(crate) fn packet(&mut self, out: &mut Vec<u8>, timestamp: u32, mark: bool, parts: &[&[u8]]) {
        let length = 12 + parts.iter().map(|part| part.len()).sum::<usize>();
        out.extend_from_slice(&[b'$', self.channel]);
        out.extend_from_slice(&(length as u16).to_be_bytes());
        out.extend_from_slice(&[0x80, self.payload_type | u8::from(mark && !self.no_marker) << 7]);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        out.extend_from_slice(&timestamp.to_be_bytes());
        out.extend_from_slice(&self.ssrc.to_be_bytes());
        for part in parts {
            out.extend_from_slice(part);
        }
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// A NAL unit, in fragments when it is long.
    pub(crate) fn nal(&mut self, out: &mut Vec<u8>, timestamp: u32, mark: bool, nal: &[u8]) {
        if self.h265 && nal.len() > MAX_PAYLOAD {
            return self.h265_fragments(out, timestamp, mark, nal);
        }
        let Some((&header, body)) = nal.split_first() else { return };
        let indicator = header & 0xe0 | 28;
        if nal.len() <= MAX_PAYLOAD {
            if self.single_fragments && !self.h265 {
                self.packet(out, timestamp, mark, &[&[indicator, header & 31 | 0xc0], body]);
            } else {
                self.packet(out, timestamp, mark, &[nal]);
            }
            return;
        }
        let count = body.len().div_ceil(MAX_PAYLOAD - 2);
        for (i, chunk) in body.chunks(MAX_PAYLOAD - 2).enumerate() {
            let last = i + 1 == count;
            let fragment = header & 31 | u8::from(i == 0) << 7 | u8::from(last) << 6;
            self.packet(out, timestamp, mark && last, &[&[indicator, fragment], chunk]);
        }
    }

    /// A long NAL unit of H.265, whose header has two bytes.
    fn h265_fragments(&mut self, out: &mut Vec<u8>, timestamp: u32, mark: bool, nal: &[u8]) {
        let Some((&[header, layer], body)) = nal.split_first_chunk() else { return };
        let count = body.len().div_ceil(MAX_PAYLOAD - 3);
        for (i, chunk) in body.chunks(MAX_PAYLOAD - 3).enumerate() {
            let last = i + 1 == count;
            let fragment = header >> 1 & 63 | u8::from(i == 0) << 7 | u8::from(last) << 6;
            self.packet(out, timestamp, mark && last, &[&[header & 0x81 | 49 << 1, layer, fragment], chunk]);
        }
    }

    /// An AAC frame by RFC 3640, AAC-hbr.
    pub(crate) fn aac(&mut self, out: &mut Vec<u8>, timestamp: u32, frame: &[u8]) {
        let [high, low] = ((frame.len() as u16) << 3).to_be_bytes();
        self.packet(out, timestamp, true, &[&[0, 16, high, low], frame]);
    }
}

/// The places of the RTP packets in interleaved bytes, without their 4-byte headers.
pub(crate) fn packets(out: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut at = 0;
    let mut places = Vec::new();
    while at + 4 <= out.len() {
        let length = usize::from(u16::from_be_bytes([out[at + 2], out[at + 3]]));
        places.push(at + 4..(at + 4 + length).min(out.len()));
        at += 4 + length;
    }
    places
}
