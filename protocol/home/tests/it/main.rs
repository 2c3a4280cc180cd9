//! The home group from outside, in one program, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod crash;
mod home;
mod messages;
mod padding;
mod rejoin;
mod relay_key;
mod tamper;
mod unlinkable;
mod vectors;
