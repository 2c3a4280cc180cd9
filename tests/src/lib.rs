//! What the whole-system tests stand on besides `privet-demo`'s house of real processes: a relay that lies.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

pub mod lying;
