//! Camera, relay, hub and phone in one command.
fn main() {}
