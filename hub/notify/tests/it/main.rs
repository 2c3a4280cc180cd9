//! Who is woken for what, in one program, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod book;
mod common;
mod day;
