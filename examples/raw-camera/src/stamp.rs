//! The SEI messages that every picture carries: which frame it is, and when it left the camera. The first has the form that
//! `privet-fake-camera` gives it (wall clock); the second holds CLOCK_MONOTONIC, for latency within one machine.

use std::time::{SystemTime, UNIX_EPOCH};

/// Names the SEI with the wall clock; the same as in `privet-fake-camera`.
pub const WALL: [u8; 16] = *b"privet-stamp-01\xA5";
/// Names the SEI with CLOCK_MONOTONIC.
pub const MONOTONIC: [u8; 16] = *b"privet-stamp-02\xA5";

/// What the stamps of a picture say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The picture's number; counts over loops of the clip, starts at 0 with each connection.
    pub frame: u64,
    /// Unix time in microseconds.
    pub unix_us: u64,
    /// CLOCK_MONOTONIC in microseconds.
    pub mono_us: u64,
}

impl Stamp {
    /// The stamp of a picture that leaves now.
    pub fn now(frame: u64) -> Self {
        let unix_us = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
        Self { frame, unix_us, mono_us: mono_us() }
    }

    /// The stamps as NAL units without start code or length.
    pub fn nals(&self) -> [Vec<u8>; 2] {
        [sei(WALL, "us", self.frame, self.unix_us), sei(MONOTONIC, "mono_us", self.frame, self.mono_us)]
    }

    /// The stamp in an access unit (NAL units with 4-byte lengths), if it has one.
    pub fn find(access_unit: &[u8]) -> Option<Self> {
        let mut rest = access_unit;
        let (mut wall, mut monotonic) = (None, None);
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let (nal, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
            wall = wall.or_else(|| read(nal, WALL, "us"));
            monotonic = monotonic.or_else(|| read(nal, MONOTONIC, "mono_us"));
            rest = after;
        }
        let ((frame, unix_us), (_, mono_us)) = (wall?, monotonic?);
        Some(Self { frame, unix_us, mono_us })
    }
}

/// CLOCK_MONOTONIC in microseconds.
pub fn mono_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}

/// Text, so it needs no emulation prevention.
fn sei(uuid: [u8; 16], unit: &str, frame: u64, time: u64) -> Vec<u8> {
    let text = format!("privet frame={frame} {unit}={time}");
    let mut nal = vec![6, 5, (uuid.len() + text.len()) as u8];
    nal.extend_from_slice(&uuid);
    nal.extend_from_slice(text.as_bytes());
    nal.push(0x80);
    nal
}

fn read(nal: &[u8], uuid: [u8; 16], unit: &str) -> Option<(u64, u64)> {
    let text = nal.strip_prefix(&[6, 5])?.get(1..)?.strip_prefix(&uuid)?.strip_suffix(&[0x80])?;
    let (frame, time) = std::str::from_utf8(text).ok()?.strip_prefix("privet frame=")?.split_once(' ')?;
    Some((frame.parse().ok()?, time.strip_prefix(unit)?.strip_prefix('=')?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn stamps_are_found_again() {
        let stamp = Stamp::now(70_000);
        let mut unit = vec![0, 0, 0, 2, 9, 0xf0];
        for nal in stamp.nals() {
            assert!(!nal.windows(3).any(|w| w[..2] == [0, 0] && w[2] <= 3));
            unit.extend_from_slice(&(nal.len() as u32).to_be_bytes());
            unit.extend(nal);
        }
        assert_eq!(Stamp::find(&unit), Some(stamp));
        assert_eq!(Stamp::find(&unit[..unit.len() - 1]), None);
    }
}
