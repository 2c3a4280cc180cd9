//! What the fuzz targets reach into: parsers behind the encryption, fed directly. Built only for them, and for the tests.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::LazyLock;

use privet_protocol::id::{CameraId, StreamId};
use privet_protocol::random::SeededRandom;

use crate::cose::{Content, Signed};
use crate::media::UnitHead;
use crate::proof::{boxed, verify_mp4};
use crate::record::{self, Kind, MAX_CONTENT, RecordCipher, WORD};
use crate::session::CheckedSession;
use crate::trailer::Trailer;
use crate::*;

struct Fixture {
    key: StreamKey,
    header: Header,
    trust: KnownCameras,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let random = SeededRandom::new(b"fuzzing");
    let (evidence, camera) = (EvidenceKey::generate(&random).unwrap(), CameraId::generate(&random));
    let mut trust = KnownCameras::default();
    trust.set(camera, vec![evidence.public().unwrap()]);
    let header = Header { stream: StreamId::generate(&random), index: 3 };
    Fixture { key: StreamKey::generate(&random), header, trust }
});

/// Bytes as they come from a relay.
pub fn wire(data: &[u8]) {
    read_both_ways(data);
    read_both_ways(&[&FIXTURE.header.to_bytes(), data].concat());
}

/// Records as someone with the stream key may seal them: kind u8, length u16, flags u8 (1 last, 2 padded), content.
pub fn records(mut data: &[u8]) {
    let mut cipher = RecordCipher::new(&FIXTURE.key.segment(FIXTURE.header).unwrap()).unwrap();
    let mut blob = FIXTURE.header.to_bytes().to_vec();
    let mut number = 0;
    while let Some((&[kind, a, b, flags], rest)) = data.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([a, b])).min(rest.len()).min(MAX_CONTENT - 8);
        let (content, rest) = rest.split_at(length);
        data = rest;
        let start = blob.len();
        blob.extend_from_slice(&[0; WORD]);
        let mut head = record::head(Kind::Padding, length);
        head[0] = kind;
        blob.extend_from_slice(&head);
        blob.extend_from_slice(content);
        blob.resize(blob.len() + usize::from(flags & 2), 0);
        cipher.seal(number, flags & 1 == 1, &mut blob, start).unwrap();
        number += 1;
    }
    read_both_ways(&blob);
}

/// Everything that is signed or carried in the trailer. What is accepted has one form only.
pub fn signed(data: &[u8]) {
    for content in [Content::Statement, Content::Certificate] {
        let _ = Signed::parse(content, data);
    }
    let _ = CheckedSession::verify(data, None);
    if let Some(mut statement) = Statement::decode(data) {
        let digest = statement.digest();
        assert_eq!(statement.encode(), data);
        assert_eq!(statement.digest(), digest);
    }
    if let Ok(trailer) = Trailer::decode(data) {
        assert_eq!(trailer.encode(), data);
    }
    if let Some((info, length, init)) = InitInfo::parse(data) {
        assert_eq!(info.head(init as u32).unwrap(), data[..length]);
    }
    if let Some(head) = UnitHead::parse(data) {
        assert_eq!(head.to_bytes(), data[..UnitHead::LENGTH]);
    }
    if let Some(secret) = StreamSecret::from_bytes(data) {
        assert_eq!(secret.to_bytes().as_slice(), data);
    }
}

/// A file as a stranger gets it: the whole, and the content of the proof's box.
pub fn proof(data: &[u8]) {
    let trust = &FIXTURE.trust;
    assert!(!verify_mp4(data, trust).is_ok_and(|report| report.is_authentic()));
    let file = boxed(data);
    assert!(!verify_mp4(&file, trust).is_ok_and(|report| report.is_authentic()));
}

fn read_both_ways(blob: &[u8]) {
    let Fixture { key, header, trust } = &*FIXTURE;
    assert!(verify(blob, key, *header, trust).is_err());
    let mut whole = Opener::new(key, *header).unwrap();
    whole.push(blob);
    let mut pieces = Opener::new(key, *header).unwrap();
    let mut given = Vec::new();
    for piece in blob.chunks(7) {
        pieces.push(piece);
        while let Ok(Some(item)) = pieces.next() {
            given.push(item);
        }
    }
    for item in given {
        assert_eq!(whole.next(), Ok(Some(item)), "pieces make no difference");
    }
    assert_eq!(whole.next(), pieces.next());
    assert_eq!(whole.finish(trust).unwrap_err(), pieces.finish(trust).unwrap_err());
}
