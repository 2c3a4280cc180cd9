//! Thirty days in a moment: the hub's own pacer and sealing, minute by minute, in a house where something moves now and then. What is
//! simulated is the house, the clock and a relay that answers at once.

use bytes::Bytes;
use privet_hub::outbox::{AtRelay, Pending};
use privet_hub::uplink::constant::pacer::Pacer;
use privet_protocol::id::StreamId;
use privet_protocol::random::SeededRandom;
use privet_protocol::time::Timestamp;

use super::guess::Window;
use crate::motion::random::Random;

const MINUTES: usize = 30 * 24 * 60;
/// Bytes that a cell holds, and cells a minute: 64 kbit/s.
const CONTENT: usize = 15_984;
const BEATS: usize = 30;
/// Segments of a minute with motion, and their bytes without what differs from one to the next.
const SEGMENTS: usize = 10;
const SEGMENT: usize = 60_000;

/// The minutes of the month, as the relay sees them: bytes, records and the largest one, of the minute and of those around it.
pub fn month(constant: bool) -> Vec<Window> {
    let (mut random, keys) = (Random::new(11), SeededRandom::new(b"observer"));
    let mut pacer = Pacer::new(CONTENT, &keys);
    let mut minutes = Vec::with_capacity(MINUTES);
    let mut number = 0;
    for minute in 0..MINUTES {
        // By day more than by night, so that what waits grows over hours and is sent for hours after.
        let by_day = (8..20).contains(&(minute / 60 % 24));
        let motion = random.part() < if by_day { 0.3 } else { 0.02 };
        let mut sent = Vec::new();
        let lengths: Vec<usize> =
            (0..if motion { SEGMENTS } else { 0 }).map(|_| SEGMENT + random.below(SEGMENT)).collect();
        if constant {
            for length in lengths {
                let (stream, kept) = (StreamId::from_bytes([1; 16]), Timestamp(0));
                let pending = Pending { stream, index: number, length: length as u64, keep_ms: 1, kept };
                pacer.load(number, pending, Bytes::from(vec![7; length]));
                number += 1;
            }
            for _ in 0..BEATS {
                let Some(cell) = pacer.cell(&keys) else { continue };
                sent.push(cell.bytes.len());
                let _ = pacer.stored(&cell, AtRelay::new(Timestamp(0), Timestamp(1)));
            }
        } else {
            sent = lengths;
        }
        minutes.push((motion, [sent.iter().sum::<usize>(), sent.len(), sent.iter().copied().max().unwrap_or(0)]));
    }
    let around = 1..minutes.len().saturating_sub(3);
    around
        .map(|at| Window {
            features: minutes[at - 1..at + 3].iter().flat_map(|(_, seen)| seen.map(|number| number as f64)).collect(),
            motion: minutes[at].0,
        })
        .collect()
}
