//! Sealed segments: one GOP, encrypted record by record, hashed and signed.
