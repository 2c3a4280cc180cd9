//! The phone's side: pair, follow, open, verify, keep.
