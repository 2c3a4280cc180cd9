//! An IP camera for the demo and the tests: a real RTSP server (GStreamer's) with a scene that machines can check.
//!
//! - [`pattern`]: what is burned into every frame: a counter as a row of cells that survives the codec, and as digits for people;
//! - [`scene`]: what is to be seen: a quiet garden in which a box moves at known times, or the frames of a file;
//! - [`stamp`]: the SEI message with which every access unit carries its frame number and the time it left the encoder;
//! - [`server`]: the RTSP server;
//! - [`pictures`]: the other end: decodes an MP4 and reads the counters back.

#![forbid(unsafe_code)]

pub mod pattern;
pub mod pictures;
pub mod scene;
pub mod server;
pub mod stamp;
