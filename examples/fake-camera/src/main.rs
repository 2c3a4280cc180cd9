//! An RTSP camera made of GStreamer.
fn main() {}
