//! What the log may say of a storage that failed. The system's words name the file, and a body's name holds the ids of its home and its
//! stream: these are left out.

use privet_protocol::storage::StoreError;

use super::records::parse_body_name;

/// The error in words, without the names of bodies.
pub(crate) fn told(error: &StoreError) -> String {
    let text = error.to_string();
    let mut told = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| c == '/' || c == ':' || c.is_whitespace()) {
        let name = word.trim_end_matches(|c: char| c == '/' || c == ':' || c.is_whitespace());
        match name.parse().ok().and_then(|name| parse_body_name(&name)) {
            Some(_) => told.push_str(&word.replacen(name, "(a body)", 1)),
            None => told.push_str(word),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use privet_protocol::id::{HomeId, StreamId};

    use super::super::records::body_name;
    use super::*;

    #[test]
    fn a_body_is_not_named_and_everything_else_is() {
        let name = body_name(HomeId::from_bytes([1; 16]), StreamId::from_bytes([2; 16]), 7).unwrap();
        let full =
            StoreError::Full(format!("/data/bodies/partial/{}: No space left on device (os error 28)", name.as_str()));
        assert_eq!(
            told(&full),
            "the disk is full: /data/bodies/partial/(a body): No space left on device (os error 28)"
        );
        let index = StoreError::Io("/data/index/store.redb: Input/output error (os error 5)".into());
        assert_eq!(told(&index), index.to_string());
    }
}
