//! The phone's part on a laptop.
fn main() {}
