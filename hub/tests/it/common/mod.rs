//! What several tests of the hub need: real clips, read without our own code; a strict reader of metrics; a process for
//! a test alone.

pub mod alone;
pub mod clip;
pub mod openmetrics;
