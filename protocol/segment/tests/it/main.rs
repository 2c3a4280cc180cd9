//! Sealed segments from outside, in one program, so that it is linked once; what counts memory is alone (`tests/memory.rs`).
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod refusals;
mod roundtrip;
