//! The blind relay server.
