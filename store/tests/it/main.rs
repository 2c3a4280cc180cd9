//! The storage seam on disks that forget, in one program, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod blobs;
mod conformance;
mod power_cut;
mod together;
