//! RTP payloads into AAC frames: RFC 3640, mode AAC-hbr (13-bit sizes, 3-bit indices), with a cap.

/// A frame of AAC: at most 6144 bits a channel; with room for oddities.
const MAX_FRAME: usize = 8191;

/// Why a packet makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AacError(&'static str);

/// Packets in, frames out.
#[derive(Debug, Default)]
pub struct AacDepacketizer {
    /// The whole size and the bytes so far of a frame in several packets.
    partial: Option<(usize, Vec<u8>)>,
}

impl AacDepacketizer {
    /// Takes a packet and hands each whole frame to `frame`, with its place in the packet.
    ///
    /// # Errors
    /// [`AacError`]; a frame in progress is gone, the next packet is taken afresh.
    pub fn push(&mut self, payload: &[u8], loss: bool, mut frame: impl FnMut(usize, &[u8])) -> Result<(), AacError> {
        let partial = self.partial.take();
        let (bits, rest) = payload.split_first_chunk::<2>().ok_or(AacError("a packet without AU headers"))?;
        let bits = usize::from(u16::from_be_bytes(*bits));
        if bits == 0 || bits % 16 != 0 || bits / 8 > rest.len() {
            return Err(AacError("AU headers of a wrong length"));
        }
        let (headers, mut data) = rest.split_at(bits / 8);
        let sizes = headers.chunks_exact(2).map(|h| usize::from(u16::from_be_bytes([h[0], h[1]]) >> 3));
        for (place, size) in sizes.enumerate() {
            if size == 0 || size > MAX_FRAME {
                return Err(AacError("a frame of impossible size"));
            }
            if size <= data.len() && partial.is_none() {
                let (whole, after) = data.split_at(size);
                frame(place, whole);
                data = after;
                continue;
            }
            // A fragment: the only frame of its packet, its header repeated in each of them.
            if headers.len() != 2 {
                return Err(AacError("a frame longer than its packet"));
            }
            let (whole, mut so_far) = match partial {
                Some((whole, so_far)) if whole == size && !loss => (whole, so_far),
                _ if loss => return Ok(()),
                Some(_) => return Err(AacError("fragments of different frames")),
                None => (size, Vec::with_capacity(size)),
            };
            so_far.extend_from_slice(data);
            match so_far.len().cmp(&whole) {
                std::cmp::Ordering::Less => self.partial = Some((whole, so_far)),
                std::cmp::Ordering::Equal => frame(0, &so_far),
                std::cmp::Ordering::Greater => return Err(AacError("fragments longer than their frame")),
            }
            return Ok(());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn packet(frames: &[&[u8]]) -> Vec<u8> {
        let mut out = ((frames.len() * 16) as u16).to_be_bytes().to_vec();
        for frame in frames {
            out.extend_from_slice(&((frame.len() as u16) << 3).to_be_bytes());
        }
        out.extend(frames.concat());
        out
    }

    fn push(d: &mut AacDepacketizer, payload: &[u8], loss: bool) -> Result<Vec<Vec<u8>>, AacError> {
        let mut out = Vec::new();
        d.push(payload, loss, |_, frame| out.push(frame.to_vec()))?;
        Ok(out)
    }

    #[test]
    fn frames_one_and_several_to_a_packet() {
        let mut d = AacDepacketizer::default();
        assert_eq!(push(&mut d, &packet(&[b"abc"]), false).unwrap(), [b"abc"]);
        assert_eq!(push(&mut d, &packet(&[b"ab", b"cd"]), false).unwrap(), [b"ab", b"cd"]);
    }

    #[test]
    fn a_frame_in_two_packets() {
        let mut d = AacDepacketizer::default();
        let header = [0, 16, 0, 6 << 3];
        assert!(push(&mut d, &[&header[..], b"abcd"].concat(), false).unwrap().is_empty());
        assert_eq!(push(&mut d, &[&header[..], b"ef"].concat(), false).unwrap(), [b"abcdef"]);
        push(&mut d, &[&header[..], b"abcd"].concat(), false).unwrap();
        assert!(
            push(&mut d, &[&header[..], b"ef"].concat(), true).unwrap().is_empty(),
            "a lost packet tears the frame"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let mut d = AacDepacketizer::default();
        for payload in
            [&[][..], &[0], &[0, 0, 1], &[0, 15, 0, 8, 1], &[0, 16], &[0, 16, 0, 0], &[0, 32, 0, 8, 0, 80, 1]]
        {
            assert!(push(&mut d, payload, false).is_err(), "{payload:?}");
        }
    }
}
