//! Bits as H.264 writes them (ITU-T H.264, 7.2 and 9.1), and the bytes of a NAL unit that keep start codes out of it (7.4.1.1).

use std::ops::Range;

/// Reads bits, the most significant first; nothing where there are no more.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bits read so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// `u(1)`.
    pub(super) fn bit(&mut self) -> Option<bool> {
        let bit = bit_of(self.bytes, self.at)?;
        self.at += 1;
        Some(bit)
    }

    /// `u(n)`, of at most 32 bits.
    pub(super) fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0_u32, |value, _| Some(value << 1 | u32::from(self.bit()?)))
    }

    /// `ue(v)`.
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1_u32 << zeros) - 1 + self.bits(zeros)?)
    }

    /// `se(v)`.
    pub(super) fn se(&mut self) -> Option<i32> {
        let code = self.ue()?;
        let size = i32::try_from(code.div_ceil(2)).ok()?;
        Some(if code % 2 == 1 { size } else { -size })
    }
}

/// Bits, the most significant first.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    /// Bits of the last byte that are written; 0 when it is whole.
    filled: u32,
}

impl Writer {
    pub(super) fn is_whole(&self) -> bool {
        self.filled == 0
    }

    pub(super) fn bit(&mut self, bit: bool) {
        if self.filled == 0 {
            self.bytes.push(0);
        }
        if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(bit) << (7 - self.filled);
        }
        self.filled = (self.filled + 1) % 8;
    }

    /// `ue(v)`.
    pub(super) fn ue(&mut self, value: u8) {
        let code = u32::from(value) + 1;
        let size = code.ilog2();
        (0..size).for_each(|_| self.bit(false));
        (0..=size).rev().for_each(|at| self.bit(code >> at & 1 == 1));
    }

    /// These bits of something else. Nothing when there are not so many.
    pub(super) fn copy(&mut self, from: &[u8], bits: Range<usize>) -> Option<()> {
        let Range { start: mut at, end } = bits;
        while at < end {
            if end - at < 8 {
                self.bit(bit_of(from, at)?);
                at += 1;
                continue;
            }
            // Eight bits at once, out of two bytes into two.
            let shift = at % 8;
            let high = u16::from(*from.get(at / 8)?) << 8;
            let low = if shift == 0 { 0 } else { u16::from(*from.get(at / 8 + 1)?) };
            let [byte, _] = ((high | low) << shift).to_be_bytes();
            self.byte(byte);
            at += 8;
        }
        Some(())
    }

    fn byte(&mut self, byte: u8) {
        match self.bytes.last_mut() {
            Some(last) if self.filled > 0 => {
                *last |= byte >> self.filled;
                self.bytes.push(byte << (8 - self.filled));
            }
            _ => self.bytes.push(byte),
        }
    }

    /// Zeros fill the last byte.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn bit_of(bytes: &[u8], at: usize) -> Option<bool> {
    bytes.get(at / 8).map(|byte| byte >> (7 - at % 8) & 1 == 1)
}

/// How many bits there are up to the stop bit, the last that is set, and with it.
pub(super) fn up_to_stop_bit(said: &[u8]) -> Option<usize> {
    let last = said.iter().rposition(|byte| *byte != 0)?;
    Some(last * 8 + 8 - said[last].trailing_zeros() as usize)
}

/// What the bytes of a NAL unit after its header say (RBSP): `limit` bytes of it at most, and how many of the unit's bytes hold
/// them. Nothing when there is among them what no NAL unit holds.
pub(super) fn unescaped(nal: &[u8], limit: usize) -> Option<(Vec<u8>, usize)> {
    let mut said = Vec::with_capacity(limit.min(nal.len()));
    let (mut zeros, mut taken) = (0, 0);
    for byte in nal {
        if said.len() == limit {
            break;
        }
        taken += 1;
        if zeros == 2 && *byte <= 3 {
            if *byte < 3 {
                return None;
            }
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        said.push(*byte);
    }
    Some((said, taken))
}

/// The NAL unit with this header that says this. Its last byte must not be zero, as that of the stop bit is not.
pub(super) fn escaped(header: u8, said: &[u8]) -> Vec<u8> {
    let mut nal = Vec::with_capacity(said.len() + said.len() / 64 + 8);
    nal.push(header);
    let mut zeros = 0;
    for byte in said {
        if zeros == 2 && *byte <= 3 {
            nal.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        nal.push(*byte);
    }
    nal
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_as_the_standard_writes_them() {
        // 9.1, table 9-2: 1, 010, 011, 00100, 00101, 00110.
        let mut bits = Reader::new(&[0b1010_0110, 0b0100_0010, 0b1001_1000]);
        let read: Vec<_> = (0..6).map(|_| bits.ue().unwrap()).collect();
        assert_eq!((read, bits.at()), (vec![0, 1, 2, 3, 4, 5], 22));
        let mut bits = Reader::new(&[0b1010_0110, 0b0100_0010, 0b1001_1000]);
        let read: Vec<_> = (0..6).map(|_| bits.se().unwrap()).collect();
        assert_eq!(read, [0, 1, -1, 2, -2, 3]);
        assert_eq!(Reader::new(&[0b0101_1000]).bits(4), Some(5));
        assert_eq!(Reader::new(&[0, 0, 0, 1, 255, 255, 255, 255]).ue(), Some(u32::MAX - 1));
        assert_eq!((Reader::new(&[0, 0, 0, 0, 255, 255, 255, 255, 255]).ue(), Reader::new(&[0]).ue()), (None, None));
    }

    #[test]
    fn ids_are_written_as_they_are_read() {
        for value in 0..=u8::MAX {
            let mut bits = Writer::default();
            bits.ue(value);
            assert_eq!(Reader::new(&bits.into_bytes()).ue(), Some(u32::from(value)));
        }
    }

    #[test]
    fn start_codes_are_kept_out() {
        let said = [0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4];
        let nal = escaped(0x65, &said);
        assert_eq!(nal, [0x65, 0, 0, 3, 0, 0, 3, 0, 1, 0, 0, 3, 2, 0, 0, 3, 3, 0, 0, 4]);
        assert_eq!(unescaped(&nal[1..], usize::MAX), Some((said.to_vec(), nal.len() - 1)));
        // Up to the second zero, and with the byte that stands between.
        assert_eq!(unescaped(&nal[1..], 2), Some((vec![0, 0], 2)));
        assert_eq!(unescaped(&nal[1..], 3), Some((vec![0, 0, 0], 4)));
        for none in 0..3 {
            assert_eq!(unescaped(&[1, 0, 0, none], usize::MAX), None);
        }
    }

    #[test]
    fn the_stop_bit_is_the_last_that_is_set() {
        assert_eq!(up_to_stop_bit(&[0x80]), Some(1));
        assert_eq!(up_to_stop_bit(&[0x12, 0x50, 0, 0]), Some(12));
        assert_eq!(up_to_stop_bit(&[0, 0]), None);
        assert_eq!(up_to_stop_bit(&[]), None);
    }

    proptest! {
        /// Bit by bit, and eight at once: the same.
        #[test]
        fn bits_are_copied_from_any_place_to_any_place(
            bytes in proptest::collection::vec(any::<u8>(), 1..64), begin in 0_usize..512, end in 0_usize..512, before in 0_usize..16,
        ) {
            let length = bytes.len() * 8;
            let (begin, end) = ((begin % length).min(end % length), (begin % length).max(end % length));
            let mut out = Writer::default();
            (0..before).for_each(|_| out.bit(true));
            out.copy(&bytes, begin..end).unwrap();
            let copied = out.into_bytes();
            for at in begin..end {
                prop_assert_eq!(bit_of(&copied, before + at - begin), bit_of(&bytes, at));
            }
            prop_assert_eq!(copied.len(), (before + end - begin).div_ceil(8));
        }

        #[test]
        fn what_is_escaped_says_the_same(said in proptest::collection::vec(0_u8..5, 0..64), limit in 0_usize..80) {
            let nal = escaped(1, &said);
            prop_assert_eq!(unescaped(&nal[1..], usize::MAX), Some((said.clone(), nal.len() - 1)));
            let (begins, taken) = unescaped(&nal[1..], limit).unwrap();
            prop_assert_eq!(&begins, &said[..limit.min(said.len())]);
            prop_assert_eq!(unescaped(&nal[1..1 + taken], usize::MAX), Some((begins, taken)));
        }
    }
}
