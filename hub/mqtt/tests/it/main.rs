//! The bridge against brokers, good and bad, in one program, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod mosquitto;
mod refused;
mod thrown_out;
