//! The QUIC client that hub and phone share.
