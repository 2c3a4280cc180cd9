//! A small RTSP camera with fault modes, for tests.
