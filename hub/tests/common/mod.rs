//! What several tests of the hub need: real clips, read without our own code; a strict reader of metrics.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod clip;
pub mod openmetrics;
