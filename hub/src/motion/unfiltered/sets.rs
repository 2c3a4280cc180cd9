//! Parameter sets, as far as slices' headers depend on them (ITU-T H.264, 7.3.2.1.1 and 7.3.2.2).

use std::collections::BTreeMap;

use super::bits::{Reader, Writer, escaped, unescaped, up_to_stop_bit};

/// `nal_unit_type` of a sequence parameter set.
pub(super) const SPS: u8 = 7;
/// And of a picture parameter set.
pub(super) const PPS: u8 = 8;

/// Profiles whose sequence parameter sets say more of colours and scaling.
const HIGH: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];
/// `chroma_format_idc` of colours in full resolution.
const FULL_COLOURS: u32 = 3;
/// A parameter set larger than this is none.
const MAX_SET: usize = 4096;

/// All that a stream has told, by their ids.
#[derive(Debug, Default)]
pub(super) struct Sets {
    sps: BTreeMap<u8, Sps>,
    pps: BTreeMap<u8, Pps>,
}

/// Of a sequence parameter set.
#[derive(Debug)]
pub(super) struct Sps {
    /// `separate_colour_plane_flag`.
    pub(super) separate_planes: bool,
    pub(super) frame_num_bits: u32,
    pub(super) order: Order,
    /// `frame_mbs_only_flag`: no fields.
    pub(super) frames_only: bool,
}

/// How slices say in which order pictures are shown (`pic_order_cnt_type`).
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// With the low bits of a count.
    Lsb { bits: u32 },
    /// With differences to what was expected.
    Deltas,
    /// They do not.
    Unsaid,
}

/// Of a picture parameter set.
#[derive(Debug)]
pub(super) struct Pps {
    sps: u8,
    /// `entropy_coding_mode_flag`: arithmetic coding.
    pub(super) cabac: bool,
    /// `bottom_field_pic_order_in_frame_present_flag`.
    pub(super) bottom_order: bool,
    /// `redundant_pic_cnt_present_flag`.
    pub(super) redundant: bool,
    /// What slices refer to instead, to have a field for the filter, where this set leaves it out.
    pub(super) substitute: Option<Substitute>,
}

/// A parameter set of our own: the camera's, with another id and with a field for the filter in its slices
/// (`deblocking_filter_control_present_flag`). The camera's stays as it is, for the pictures that come as they were sent.
#[derive(Debug)]
pub(super) struct Substitute {
    pub(super) id: u8,
    pub(super) nal: Vec<u8>,
}

impl Sets {
    /// Takes a parameter set in. Nothing when it can't be read, and then all are forgotten: what they said may not hold any more.
    pub(super) fn learn(&mut self, nal: &[u8]) -> Option<()> {
        let learnt = self.take(nal);
        if learnt.is_none() {
            *self = Self::default();
        }
        learnt
    }

    fn take(&mut self, nal: &[u8]) -> Option<()> {
        let (header, rest) = nal.split_first()?;
        if rest.len() > MAX_SET {
            return None;
        }
        let (said, _) = unescaped(rest, MAX_SET)?;
        match header & 31 {
            SPS => {
                let (id, sps) = Sps::read(&said)?;
                self.sps.insert(id, sps);
            }
            PPS => {
                let (id, pps) = Pps::read(*header, &said)?;
                self.pps.insert(id, pps);
            }
            _ => return None,
        }
        Some(())
    }

    /// The picture parameter set of this id, and the sequence's that it refers to.
    pub(super) fn of(&self, pps: u8) -> Option<(&Pps, &Sps)> {
        let pps = self.pps.get(&pps)?;
        Some((pps, self.sps.get(&pps.sps)?))
    }

    /// Whether the camera has a picture parameter set of this id.
    pub(super) fn has(&self, pps: u8) -> bool {
        self.pps.contains_key(&pps)
    }
}

impl Sps {
    fn read(said: &[u8]) -> Option<(u8, Self)> {
        let mut bits = Reader::new(said);
        let profile = bits.bits(8)?;
        // What it is compatible with, and the level.
        bits.bits(16)?;
        let id = small(bits.ue()?, 31)?;
        let mut separate_planes = false;
        if HIGH.contains(&profile) {
            let colours = bits.ue()?;
            separate_planes = colours == FULL_COLOURS && bits.bit()?;
            // Bit depths, and whether there may be no transform.
            bits.ue()?;
            bits.ue()?;
            bits.bit()?;
            if bits.bit()? {
                scaling(&mut bits, colours)?;
            }
        }
        let frame_num_bits = u32::from(small(bits.ue()?, 12)?) + 4;
        let order = match bits.ue()? {
            0 => Order::Lsb { bits: u32::from(small(bits.ue()?, 12)?) + 4 },
            1 => {
                let are_zero = bits.bit()?;
                bits.se()?;
                bits.se()?;
                for _ in 0..small(bits.ue()?, 255)? {
                    bits.se()?;
                }
                if are_zero { Order::Unsaid } else { Order::Deltas }
            }
            2 => Order::Unsaid,
            _ => return None,
        };
        // How many pictures are referred to, gaps, width, height.
        bits.ue()?;
        bits.bit()?;
        bits.ue()?;
        bits.ue()?;
        Some((id, Self { separate_planes, frame_num_bits, order, frames_only: bits.bit()? }))
    }
}

impl Pps {
    fn read(header: u8, said: &[u8]) -> Option<(u8, Self)> {
        let mut bits = Reader::new(said);
        let id = small(bits.ue()?, 255)?;
        let after_id = bits.at();
        let sps = small(bits.ue()?, 31)?;
        let (cabac, bottom_order) = (bits.bit()?, bits.bit()?);
        // Slice groups: no decoder that is used here knows them.
        if bits.ue()? != 0 {
            return None;
        }
        // How many pictures are referred to, weights.
        bits.ue()?;
        bits.ue()?;
        bits.bits(3)?;
        // Quantizers.
        bits.se()?;
        bits.se()?;
        bits.se()?;
        let control_at = bits.at();
        let has_control = bits.bit()?;
        bits.bit()?;
        let redundant = bits.bit()?;
        let substitute = if has_control {
            None
        } else {
            let mut bits = Writer::default();
            // Far from the few that cameras have.
            bits.ue(u8::MAX - id);
            bits.copy(said, after_id..control_at)?;
            bits.bit(true);
            bits.copy(said, control_at + 1..up_to_stop_bit(said)?)?;
            Some(Substitute { id: u8::MAX - id, nal: escaped(header, &bits.into_bytes()) })
        };
        Some((id, Self { sps, cabac, bottom_order, redundant, substitute }))
    }
}

/// A number that may not be larger than this.
fn small(value: u32, most: u8) -> Option<u8> {
    u8::try_from(value).ok().filter(|value| *value <= most)
}

/// Goes over a sequence's scaling matrices (7.3.2.1.1.1).
fn scaling(bits: &mut Reader<'_>, colours: u32) -> Option<()> {
    let lists = if colours == FULL_COLOURS { 12 } else { 8 };
    for list in 0..lists {
        if !bits.bit()? {
            continue;
        }
        let steps = if list < 6 { 16 } else { 64 };
        let (mut last, mut next) = (8_i32, 8_i32);
        for _ in 0..steps {
            if next != 0 {
                next = (last + i32::from(i8::try_from(bits.se()?).ok()?)).rem_euclid(256);
            }
            if next != 0 {
                last = next;
            }
        }
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The set of x264's `high.h264` (see the tests beside).
    const HIGH_SPS: [u8; 23] =
        [103, 100, 0, 10, 172, 180, 49, 54, 2, 32, 0, 0, 3, 0, 32, 0, 0, 3, 3, 193, 226, 68, 212];

    #[test]
    fn what_slices_depend_on_is_read() {
        let mut sets = Sets::default();
        sets.learn(&HIGH_SPS).unwrap();
        sets.learn(&[104, 238, 2, 146, 200, 176]).unwrap();
        let (pps, sps) = sets.of(0).unwrap();
        assert!(pps.cabac && !pps.bottom_order && !pps.redundant && pps.substitute.is_none());
        assert!(!sps.separate_planes && sps.frames_only && sps.frame_num_bits == 4);
        assert!(matches!(sps.order, Order::Unsaid));
        assert!(sets.of(1).is_none());
    }

    #[test]
    fn a_sequence_s_counts_may_be_long() {
        let sps = [
            0x67, 0x64, 0x00, 0x29, 0xac, 0x1b, 0x1a, 0x50, 0x1e, 0x00, 0x89, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0xe9,
            0x00, 0x00, 0xbb, 0x80, 0xe2, 0x60, 0x00, 0x04, 0xc3, 0x7a, 0x00, 0x00, 0x72, 0x70, 0xe8, 0xc4, 0xb8, 0xc4,
            0xc0, 0x00, 0x09, 0x86, 0xf4, 0x00, 0x00, 0xe4, 0xe1, 0xd1, 0x89, 0x70, 0xf8, 0xe1, 0x85, 0x2c,
        ];
        let mut sets = Sets::default();
        sets.learn(&sps).unwrap();
        let sps = &sets.sps[&0];
        assert!(sps.frame_num_bits == 16 && matches!(sps.order, Order::Lsb { bits: 16 }) && sps.frames_only);
    }

    #[test]
    fn scaling_matrices_are_gone_over() {
        let over = |bits: Writer| {
            let bytes = bits.into_bytes();
            let mut read = Reader::new(&bytes);
            scaling(&mut read, 1).unwrap();
            read.at()
        };
        // Of eight lists the first is there: 16 steps of nothing.
        let mut steps = Writer::default();
        (0..17).for_each(|_| steps.bit(true));
        (0..7).for_each(|_| steps.bit(false));
        assert_eq!(over(steps), 17 + 7);
        // Or a step of -8, to 0, which ends it.
        let mut ended = Writer::default();
        ended.bit(true);
        ended.ue(16);
        (0..7).for_each(|_| ended.bit(false));
        assert_eq!(over(ended), 1 + 9 + 7);
    }

    #[test]
    fn a_set_without_the_filter_s_field_has_a_substitute_with_it() {
        let mut sets = Sets::default();
        sets.learn(&HIGH_SPS).unwrap();
        // As above, without the flag.
        sets.learn(&[104, 238, 2, 146, 136, 176]).unwrap();
        let (id, nal) = {
            let (pps, _) = sets.of(0).unwrap();
            let substitute = pps.substitute.as_ref().unwrap();
            (substitute.id, substitute.nal.clone())
        };
        assert_eq!((id, &nal[..]), (255, &[104, 0, 128, 110, 2, 146, 200, 176][..]));
        assert!(!sets.has(255));
        sets.learn(&nal).unwrap();
        let (pps, _) = sets.of(255).unwrap();
        assert!(pps.cabac && pps.substitute.is_none());
    }

    #[test]
    fn what_can_t_be_read_is_known_of_no_set_any_more() {
        // Slice groups; nothing at all; no parameter set; one that is too long.
        let mut groups = Writer::default();
        groups.ue(0);
        groups.ue(0);
        groups.bit(false);
        groups.bit(false);
        groups.ue(1);
        (0..40).for_each(|_| groups.bit(true));
        let long = [&HIGH_SPS[..], &[1; MAX_SET]].concat();
        for unread in [&escaped(104, &groups.into_bytes())[..], &[], &[104], &[101, 1, 2, 3], &long] {
            let mut sets = Sets::default();
            sets.learn(&HIGH_SPS).unwrap();
            sets.learn(&[104, 238, 2, 146, 200, 176]).unwrap();
            assert!(sets.learn(unread).is_none() && !sets.has(0), "{unread:?}");
        }
    }
}
