//! Sealed segments: one GOP, encrypted record by record, hashed and signed.
//!
//! A segment is the one unit of video all the way from hub to phone. Its story:
//! 1. [`Sealer::begin`] takes the segment's secrets from the stream's ratchet ([`StreamKey`]), erases that step, writes the
//!    clear [`Header`].
//! 2. Init segment and units become records of at most 64 KiB, each hashed (BLAKE3), encrypted in place (AES-256-GCM, STREAM
//!    nonces) and ready to leave at once.
//! 3. [`Sealer::finish`] pads, signs the [`Statement`] with the session key that the camera's [`EvidenceKey`] certified, and seals
//!    both as the trailer.
//! 4. [`Opener`] reads the same bytes as they arrive; [`StoredSegment`] reads any part of a whole one. Neither releases a byte
//!    that is not authentic, and only what the evidence key vouches for is [`Verified`].
//! 5. [`proof`] takes a run of segments out as a plain MP4 with what a stranger needs to check it.
//!
//! Where nobody shall see when segments come, they travel in cells of a carrier ([`CarrierKey`]).
//!
//! Bytes and labels: `docs/reference/segment.md`. Reasons: `docs/design/0002-segment.md`.

#![forbid(unsafe_code)]

mod assemble;
mod carrier;
mod cbor;
mod chain;
mod cose;
mod error;
mod evidence;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod header;
#[cfg(test)]
mod insider;
mod media;
mod open;
mod padding;
pub mod proof;
mod ratchet;
mod record;
mod seal;
mod session;
mod statement;
mod stored;
mod tally;
mod trailer;
mod tree;
#[cfg(test)]
mod vectors;
mod verified;

pub use carrier::{CELL_TAG, CarrierKey};
pub use chain::{Chain, Link};
pub use error::SegmentError;
pub use evidence::{EvidenceKey, EvidenceKeys, EvidencePublicKey, KnownCameras};
pub use header::{Header, VERSION};
pub use media::{InitInfo, MAX_INIT, MAX_UNIT, Track, UnitHead};
pub use open::{Item, Opener};
pub use ratchet::{MAX_SEGMENTS, StreamKey, StreamSecret};
pub use seal::{SealedSegment, Sealer};
pub use session::{Session, SessionCache};
pub use statement::{ClockSource, Gap, GapReason, SegmentEnd, SegmentFacts, Statement};
pub use stored::{StoredSegment, verify};
pub use verified::Verified;
