//! The wall clock, read in one place.

use std::time::SystemTime;

use privet_protocol::time::Timestamp;

/// The time now.
pub(crate) fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}
