//! Whole-system tests, in one program, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bad_link;
mod cameras;
mod chaos;
mod constant_rate;
mod crash;
mod demo;
mod faults;
#[path = "../../../relay/push/tests/it/common/mod.rs"]
mod gateway;
mod home;
mod lying_relay;
mod notifications;
mod packaging;
mod pairing;
mod push;
mod workspace;
