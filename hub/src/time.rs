//! The system's clocks.

use std::time::SystemTime;

use privet_protocol::time::Timestamp;

use crate::recorder::Moment;

/// The wall clock.
pub fn wall() -> Timestamp {
    SystemTime::now().into()
}

/// CLOCK_MONOTONIC in microseconds: the clock that the camera workers stamp access units with.
pub fn mono_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let us = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    u64::try_from(us).unwrap_or(0)
}

/// Both.
pub fn moment() -> Moment {
    Moment { wall: wall(), mono_us: mono_us() }
}
