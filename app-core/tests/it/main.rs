//! The phone's side against a real relay, in one program, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod clips;
mod common;
mod happenings;
mod live;
mod membership;
mod notifications;
mod pairing;
mod settings;
mod waking;
