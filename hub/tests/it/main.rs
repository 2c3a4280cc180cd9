//! The hub against real cameras, brokers, relays and tools, in one program, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod house;
mod media_cmaf;
// No more than a broker and a listener are needed of it.
#[allow(dead_code)]
#[path = "../../mqtt/tests/it/common/mod.rs"]
mod mosquitto;
mod outside;
mod source_faults;
mod source_motion;
mod source_sandbox;
mod source_stream;
mod source_substream;
mod source_support;
