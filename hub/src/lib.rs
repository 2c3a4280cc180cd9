//! The hub: cameras in, sealed segments out.
