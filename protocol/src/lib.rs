//! What hub, phone and relay must agree on, without I/O.
//!
//! * [`id`]: the names of things: homes, cameras, streams, devices, mailboxes.
//! * [`time`] and [`random`]: clock and randomness are passed in, so a simulated hour takes a millisecond.
//! * [`cbor`]: one strict way from bytes to types and back.
//! * [`storage`]: the seam under every durable state: get, scan, one atomic durable commit.
//! * [`relay`]: the messages between the relay and its clients. Page: `docs/reference/relay-protocol.md`.
//!
//! The relay links only this crate: sealing and the home group live in `privet-segment` and `privet-home`, so that a relay
//! build cannot contain them (`docs/design/0001-crates.md`).

#![forbid(unsafe_code)]

pub mod cbor;
pub mod id;
pub mod random;
pub mod relay;
pub mod storage;
pub mod time;
