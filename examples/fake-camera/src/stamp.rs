//! The SEI message that every access unit carries: which frame it is and when it left the encoder.
//!
//! A user-data-unregistered SEI (H.264 annex D.1.7) whose payload is text, so it never needs emulation prevention and can be
//! read in a hex dump: `privet frame=123 us=1763677782000000`, the time being Unix time in microseconds. With it, anyone who
//! holds a decrypted access unit knows how old it is, down to the camera.

/// Names our SEI among others. No two neighbouring zero bytes: nothing in the NAL needs escaping.
pub const UUID: [u8; 16] = *b"privet-stamp-01\xA5";

/// What a stamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The frame's number, as burned into the picture.
    pub frame: u64,
    /// When it left the encoder, in Unix microseconds.
    pub us: u64,
}

impl Stamp {
    /// The stamp as a NAL unit without start code or length.
    pub fn nal(&self) -> Vec<u8> {
        let text = format!("privet frame={} us={}", self.frame, self.us);
        let mut nal = vec![6, 5, u8::try_from(UUID.len() + text.len()).unwrap_or(u8::MAX)];
        nal.extend_from_slice(&UUID);
        nal.extend_from_slice(text.as_bytes());
        nal.push(0x80);
        nal
    }

    /// The access unit (NAL units with 4-byte lengths) with the stamp before its first slice.
    pub fn insert(&self, access_unit: &[u8]) -> Vec<u8> {
        let nal = self.nal();
        let mut out = Vec::with_capacity(access_unit.len() + nal.len() + 4);
        let mut stamped = false;
        for unit in Nals(access_unit) {
            if !stamped && matches!(unit.first().map(|b| b & 31), Some(1..=5)) {
                push(&mut out, &nal);
                stamped = true;
            }
            push(&mut out, unit);
        }
        out
    }

    /// The stamp in an access unit (NAL units with 4-byte lengths), if it has one.
    pub fn find(access_unit: &[u8]) -> Option<Self> {
        Nals(access_unit).find_map(|nal| {
            let text = nal.strip_prefix(&[6, 5])?.get(1..)?.strip_prefix(&UUID)?;
            let text = std::str::from_utf8(text.strip_suffix(&[0x80])?).ok()?;
            let (frame, us) = text.strip_prefix("privet frame=")?.split_once(" us=")?;
            Some(Self { frame: frame.parse().ok()?, us: us.parse().ok()? })
        })
    }
}

fn push(out: &mut Vec<u8>, nal: &[u8]) {
    out.extend_from_slice(&u32::try_from(nal.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(nal);
}

/// NAL units with 4-byte lengths; ends at the first that is not whole.
struct Nals<'a>(&'a [u8]);

impl<'a> Iterator for Nals<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (nal, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        self.0 = rest;
        Some(nal)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_stamp_stands_before_the_slice_and_is_found_again() {
        let mut unit = Vec::new();
        push(&mut unit, &[9, 0xF0]);
        push(&mut unit, &[0x65, 1, 2, 3]);
        let stamp = Stamp { frame: 70_000, us: 1_763_677_782_000_000 };
        let stamped = stamp.insert(&unit);
        assert_eq!(Stamp::find(&stamped), Some(stamp));
        let kinds: Vec<u8> = Nals(&stamped).map(|n| n[0] & 31).collect();
        assert_eq!(kinds, [9, 6, 5]);
        assert_eq!(Stamp::find(&unit), None);
        assert_eq!(Stamp::find(&stamped[..20]), None);
    }

    #[test]
    fn a_stamp_needs_no_escaping() {
        let nal = Stamp { frame: 0, us: 0 }.nal();
        assert!(!nal.windows(3).any(|w| w[..2] == [0, 0] && w[2] <= 3));
    }
}
