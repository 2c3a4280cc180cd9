//! Each push service against a gateway that speaks as it does, in one program, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod apns;
mod common;
mod fcm;
mod web_push;
