//! RTP payloads into access units: H.264 (RFC 6184) and H.265 (RFC 7798), without I/O and with a cap.
//!
//! retina has a depacketizer too, but no bound against an access unit that never ends (measured: 1 GB in five seconds), and it
//! copies a unit once more. This one writes each unit once, as the MP4 sample it will be, behind the room for the frame's head.
//! What it forgives is named in [`Quirk`], each with a camera that needs it. Parameter sets are taken out of the units.

use std::collections::VecDeque;

use memchr::memmem;

/// What the depacketizer forgave; counted, so that `camera test` can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Quirk {
    /// Several NAL units with Annex B start codes where one should be: V380 sends SPS, PPS and IDR in one packet.
    AnnexB,
    /// The RTP marker on SPS, PPS or SEI, before the picture: Tapo TC70, Reolink Duo 2 (moonfire#352: SEI).
    EarlyMarker,
    /// The timestamp changes between parameter sets and their picture.
    EarlyTimestamp,
    /// A fragmented NAL unit in a single fragment: start and end bit set (RFC 6184 5.8 forbids it).
    SingleFragment,
    /// The NAL header differs between fragments of one unit.
    FragmentHeaders,
}

/// The video codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264 / AVC.
    H264,
    /// H.265 / HEVC.
    H265,
}

/// One RTP packet of the video track.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Payload.
    pub payload: &'a [u8],
    /// Unwrapped RTP timestamp.
    pub timestamp: i64,
    /// Marker: the last packet of an access unit.
    pub mark: bool,
    /// Packets lost just before this one.
    pub loss: u16,
}

/// A whole access unit.
#[derive(Debug)]
pub struct Picture {
    /// `head` bytes of room, then NAL units with 4-byte lengths.
    pub data: Vec<u8>,
    /// A decoder can start here.
    pub key: bool,
    /// No other picture refers to it.
    pub disposable: bool,
    /// RTP timestamp.
    pub timestamp: i64,
    /// Packets lost before or in it.
    pub loss: u16,
    /// The parameter sets changed in or before this unit.
    pub new_parameters: bool,
}

/// Why the packets make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DepacketizeError {
    /// The unit outgrew the cap.
    #[error("access unit of more than {limit} bytes")]
    TooBig {
        /// The cap.
        limit: usize,
    },
    /// Not RFC 6184 or RFC 7798.
    #[error("{0}")]
    Malformed(&'static str),
}

/// SPS and PPS (and VPS for H.265) as last seen; empty until seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParameterSets {
    /// H.265 only.
    pub vps: Vec<u8>,
    /// Sequence parameter set.
    pub sps: Vec<u8>,
    /// Picture parameter set.
    pub pps: Vec<u8>,
}

impl ParameterSets {
    /// All that the codec needs is there.
    pub fn complete(&self, codec: Codec) -> bool {
        !self.sps.is_empty() && !self.pps.is_empty() && (codec == Codec::H264 || !self.vps.is_empty())
    }

    /// Temporal layers above the lowest that H.265 pictures may be of: `sps_max_sub_layers_minus1` (H.265 7.3.2.2).
    fn temporal_layers(&self) -> u8 {
        self.sps.get(2).map_or(0, |byte| byte >> 1 & 7)
    }
}

/// A parameter set larger than this is none.
const MAX_PARAMETER_SET: usize = 4096;

/// Packets in, access units out.
#[derive(Debug)]
pub struct Depacketizer {
    codec: Codec,
    head: usize,
    limit: usize,
    parameters: ParameterSets,
    new_parameters: bool,
    unit: Option<Unit>,
    /// An access unit of this timestamp is broken; wait for its end.
    skip: Option<i64>,
    lost: u16,
    ready: VecDeque<Picture>,
    quirks: Vec<Quirk>,
    typical: usize,
}

#[derive(Debug)]
struct Unit {
    data: Vec<u8>,
    timestamp: i64,
    has_idr: bool,
    has_other: bool,
    reference: bool,
    last: Role,
    fragment: Option<Fragment>,
}

#[derive(Debug)]
struct Fragment {
    /// Where in `data` the NAL unit's length stands.
    at: usize,
    header: u16,
}

/// What a NAL unit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Idr,
    Picture,
    Vps,
    Sps,
    Pps,
    Other,
    Before,
}

impl Depacketizer {
    /// A depacketizer that leaves `head` bytes of room before each unit and refuses units of more than `limit` bytes.
    pub fn new(codec: Codec, parameters: ParameterSets, head: usize, limit: usize) -> Self {
        Self {
            codec,
            head,
            limit,
            parameters,
            new_parameters: false,
            unit: None,
            skip: None,
            lost: 0,
            ready: VecDeque::new(),
            quirks: Vec::new(),
            typical: 4096,
        }
    }

    /// Takes a packet; finished units are then in [`Self::pop`].
    ///
    /// # Errors
    /// [`DepacketizeError`]; the unit in progress is gone, and the next packet may begin a new one.
    pub fn push(&mut self, packet: Packet<'_>) -> Result<(), DepacketizeError> {
        let outcome = self.take(packet);
        if outcome.is_err() {
            self.unit = None;
        }
        outcome
    }

    fn take(&mut self, packet: Packet<'_>) -> Result<(), DepacketizeError> {
        if packet.loss > 0 {
            self.lost = self.lost.saturating_add(packet.loss);
            if let Some(unit) = self.unit.take()
                && unit.timestamp == packet.timestamp
            {
                self.skip = Some(packet.timestamp);
            }
        }
        if let Some(skipped) = self.skip {
            if skipped == packet.timestamp {
                if packet.mark {
                    self.skip = None;
                }
                return Ok(());
            }
            self.skip = None;
        }
        if let Some(unit) = &mut self.unit
            && unit.timestamp != packet.timestamp
        {
            if unit.fragment.is_some() {
                return Err(DepacketizeError::Malformed("the timestamp changes inside a fragmented NAL unit"));
            }
            if unit.may_end() {
                self.finish();
            } else {
                unit.timestamp = packet.timestamp;
                self.note(Quirk::EarlyTimestamp);
            }
        }
        self.payload(packet)?;
        if packet.mark
            && let Some(unit) = &self.unit
        {
            if unit.fragment.is_some() {
                return Err(DepacketizeError::Malformed("the marker is set inside a fragmented NAL unit"));
            }
            if unit.may_end() {
                self.finish();
            } else {
                self.note(Quirk::EarlyMarker);
            }
        }
        Ok(())
    }

    /// The next finished unit.
    pub fn pop(&mut self) -> Option<Picture> {
        self.ready.pop_front()
    }

    /// The parameter sets as last seen.
    pub fn parameters(&self) -> &ParameterSets {
        &self.parameters
    }

    /// What was forgiven so far.
    pub fn quirks(&self) -> &[Quirk] {
        &self.quirks
    }

    fn payload(&mut self, packet: Packet<'_>) -> Result<(), DepacketizeError> {
        let (header, rest) = self.split_header(packet.payload)?;
        let fragmented = self.unit.as_ref().is_some_and(|unit| unit.fragment.is_some());
        match (self.codec, self.kind(header)) {
            (Codec::H264, 28) | (Codec::H265, 49) => self.fragment(packet, header, rest),
            _ if fragmented => Err(DepacketizeError::Malformed("a new NAL unit inside a fragmented one")),
            (Codec::H264, 1..=23) | (Codec::H265, 0..=47) => {
                let at = self.begin(packet.timestamp)?;
                self.extend(packet.payload)?;
                self.end(at)
            }
            (Codec::H264, 24) | (Codec::H265, 48) => {
                let mut rest = rest;
                while !rest.is_empty() {
                    let (length, after) = rest
                        .split_first_chunk::<2>()
                        .ok_or(DepacketizeError::Malformed("a torn aggregation packet"))?;
                    let length = usize::from(u16::from_be_bytes(*length));
                    if length == 0 || length > after.len() {
                        return Err(DepacketizeError::Malformed("an aggregation packet with a wrong length"));
                    }
                    self.split_header(&after[..length])?;
                    let at = self.begin(packet.timestamp)?;
                    self.extend(&after[..length])?;
                    self.end(at)?;
                    rest = &after[length..];
                }
                Ok(())
            }
            _ => Err(DepacketizeError::Malformed("a packet type that RTP video does not have here")),
        }
    }

    fn fragment(&mut self, packet: Packet<'_>, header: u16, rest: &[u8]) -> Result<(), DepacketizeError> {
        let (&fragment_header, body) =
            rest.split_first().ok_or(DepacketizeError::Malformed("a fragment without its header"))?;
        let (start, end) = (fragment_header & 0x80 != 0, fragment_header & 0x40 != 0);
        let header = match self.codec {
            Codec::H264 => header & 0xe0 | u16::from(fragment_header & 0x1f),
            Codec::H265 => header & 0x81ff | u16::from(fragment_header & 0x3f) << 9,
        };
        let current = self.unit.as_ref().and_then(|unit| unit.fragment.as_ref()).map(|f| (f.at, f.header));
        let at = match (start, current) {
            (true, Some(_)) => return Err(DepacketizeError::Malformed("a fragment starts inside another")),
            (true, None) => {
                if end {
                    self.note(Quirk::SingleFragment);
                }
                let at = self.begin(packet.timestamp)?;
                match self.codec {
                    Codec::H264 => self.extend(&[header as u8])?,
                    Codec::H265 => self.extend(&header.to_be_bytes())?,
                }
                if let Some(unit) = &mut self.unit {
                    unit.fragment = Some(Fragment { at, header });
                }
                at
            }
            (false, Some((at, first))) => {
                if first != header {
                    self.note(Quirk::FragmentHeaders);
                }
                at
            }
            (false, None) if packet.loss > 0 || self.lost > 0 => {
                self.unit = None;
                if !packet.mark {
                    self.skip = Some(packet.timestamp);
                }
                return Ok(());
            }
            (false, None) => return Err(DepacketizeError::Malformed("a fragment without a start")),
        };
        self.extend(body)?;
        if end {
            if let Some(unit) = &mut self.unit {
                unit.fragment = None;
            }
            self.end(at)?;
        }
        Ok(())
    }

    fn split_header<'a>(&self, payload: &'a [u8]) -> Result<(u16, &'a [u8]), DepacketizeError> {
        let malformed = DepacketizeError::Malformed("an empty NAL unit");
        let (header, rest) = match self.codec {
            Codec::H264 => payload.split_first().map(|(first, rest)| (u16::from(*first), rest)),
            Codec::H265 => payload.split_first_chunk::<2>().map(|(first, rest)| (u16::from_be_bytes(*first), rest)),
        }
        .ok_or(malformed)?;
        let forbidden = match self.codec {
            Codec::H264 => header & 0x80,
            Codec::H265 => header & 0x8000,
        };
        if forbidden != 0 {
            return Err(DepacketizeError::Malformed("the forbidden bit of a NAL header is set"));
        }
        Ok((header, rest))
    }

    fn kind(&self, header: u16) -> u8 {
        match self.codec {
            Codec::H264 => (header & 0x1f) as u8,
            Codec::H265 => (header >> 9 & 0x3f) as u8,
        }
    }

    /// Begins a NAL unit; returns where its length stands.
    fn begin(&mut self, timestamp: i64) -> Result<usize, DepacketizeError> {
        let (head, typical) = (self.head, self.typical);
        let unit = self.unit.get_or_insert_with(|| {
            let mut data = Vec::with_capacity(head + typical);
            data.resize(head, 0);
            Unit {
                data,
                timestamp,
                has_idr: false,
                has_other: false,
                reference: false,
                last: Role::Before,
                fragment: None,
            }
        });
        let at = unit.data.len();
        self.extend(&[0; 4])?;
        Ok(at)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), DepacketizeError> {
        let Some(unit) = &mut self.unit else { return Ok(()) };
        if unit.data.len() - self.head + bytes.len() > self.limit {
            return Err(DepacketizeError::TooBig { limit: self.limit });
        }
        unit.data.extend_from_slice(bytes);
        Ok(())
    }

    /// Ends the NAL unit whose length stands at `at`: writes the length, or takes a parameter set out.
    fn end(&mut self, at: usize) -> Result<(), DepacketizeError> {
        let Some(unit) = &mut self.unit else { return Ok(()) };
        let nal = &unit.data[at + 4..];
        if memmem::find(nal, &[0, 0, 1]).is_some() {
            return self.split_annex_b(at);
        }
        let trailing = nal.iter().rev().take_while(|&&byte| byte == 0).count();
        unit.data.truncate(unit.data.len() - trailing);
        let nal = &unit.data[at + 4..];
        let Some((role, reference)) = role(self.codec, nal, self.parameters.temporal_layers()) else {
            unit.data.truncate(at);
            return Ok(());
        };
        unit.last = role;
        match role {
            Role::Vps | Role::Sps | Role::Pps => {
                let known = match role {
                    Role::Vps => &mut self.parameters.vps,
                    Role::Sps => &mut self.parameters.sps,
                    _ => &mut self.parameters.pps,
                };
                if nal.len() > MAX_PARAMETER_SET {
                    return Err(DepacketizeError::Malformed("a parameter set of impossible size"));
                }
                if known.as_slice() != nal {
                    nal.clone_into(known);
                    self.new_parameters = true;
                }
                unit.data.truncate(at);
                return Ok(());
            }
            Role::Idr => unit.has_idr = true,
            Role::Picture => unit.has_other = true,
            Role::Other | Role::Before => {}
        }
        unit.reference |= reference;
        let length = u32::try_from(nal.len()).map_err(|_| DepacketizeError::TooBig { limit: self.limit })?;
        unit.data[at..at + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn split_annex_b(&mut self, at: usize) -> Result<(), DepacketizeError> {
        let Some(unit) = &mut self.unit else { return Ok(()) };
        let stream = unit.data.split_off(at + 4);
        let timestamp = unit.timestamp;
        unit.data.truncate(at);
        self.note(Quirk::AnnexB);
        let mut rest = stream.as_slice();
        while !rest.is_empty() {
            let (nal, after) = match memmem::find(rest, &[0, 0, 1]) {
                Some(code) => (&rest[..code], &rest[code + 3..]),
                None => (rest, &[][..]),
            };
            let trailing = nal.iter().rev().take_while(|&&byte| byte == 0).count();
            let nal = &nal[..nal.len() - trailing];
            if !nal.is_empty() {
                self.split_header(nal)?;
                let at = self.begin(timestamp)?;
                self.extend(nal)?;
                self.end(at)?;
            }
            rest = after;
        }
        Ok(())
    }

    fn finish(&mut self) {
        let Some(unit) = self.unit.take() else { return };
        if unit.data.len() == self.head {
            return;
        }
        let size = unit.data.len() - self.head;
        // Grows fast, shrinks slowly: a buffer of the usual size is taken at once, a key frame grows it twice at most.
        self.typical = if size > self.typical {
            size.next_multiple_of(4096).min(1 << 17)
        } else {
            self.typical - self.typical / 64
        };
        self.ready.push_back(Picture {
            data: unit.data,
            key: unit.has_idr && !unit.has_other,
            disposable: !unit.reference,
            timestamp: unit.timestamp,
            loss: std::mem::take(&mut self.lost),
            new_parameters: std::mem::take(&mut self.new_parameters),
        });
    }

    fn note(&mut self, quirk: Quirk) {
        if !self.quirks.contains(&quirk) {
            self.quirks.push(quirk);
        }
    }
}

impl Unit {
    /// The unit holds a picture and does not end in what belongs before one.
    fn may_end(&self) -> bool {
        (self.has_idr || self.has_other) && !matches!(self.last, Role::Vps | Role::Sps | Role::Pps | Role::Before)
    }
}

/// What the NAL unit is for and whether others refer to it; `None` for what a decoder must ignore (fillers). `layers` is how
/// many temporal layers there are above the lowest.
fn role(codec: Codec, nal: &[u8], layers: u8) -> Option<(Role, bool)> {
    let first = *nal.first()?;
    Some(match codec {
        Codec::H264 => {
            let reference = first & 0x60 != 0;
            match first & 0x1f {
                5 => (Role::Idr, true),
                1..=4 => (Role::Picture, reference),
                7 => (Role::Sps, false),
                8 => (Role::Pps, false),
                6 | 9 => (Role::Before, false),
                12 => return None,
                _ => (Role::Other, false),
            }
        }
        Codec::H265 => match first >> 1 & 0x3f {
            16..=23 => (Role::Idr, true),
            kind @ 0..=31 => {
                // Even kinds up to 14 say that no picture of the same layer refers to it; those of higher layers may.
                let layer = nal.get(1).map_or(0, |byte| (byte & 7).saturating_sub(1));
                (Role::Picture, kind > 15 || kind % 2 == 1 || layer < layers)
            }
            32 => (Role::Vps, false),
            33 => (Role::Sps, false),
            34 => (Role::Pps, false),
            35 | 39 => (Role::Before, false),
            38 => return None,
            _ => (Role::Other, false),
        },
    })
}

#[cfg(test)]
#[path = "depacketize_tests.rs"]
mod tests;
