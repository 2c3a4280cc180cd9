//! This client against relays that a test plays.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod onward;
mod played;
mod versions;
