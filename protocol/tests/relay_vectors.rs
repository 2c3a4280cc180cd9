//! The relay's messages against their bytes in `protocol/vectors/relay/messages.txt`, which other implementations can read.
//! `PRIVET_WRITE_VECTORS=1` writes the file anew; a change to a line that is there already breaks the protocol.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::SocketAddr;

use data_encoding::HEXLOWER;
use privet_protocol::cbor::{self, DecodeError};
use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::relay::{
    CapabilityKey, Challenge, Code, Farewell, From, Hello, HelloAnswer, Limits, MAX_ENTRY, MAX_MESSAGE, Principal,
    Refusal, Request, Response, Retention, Rights, SegmentHead, Side, Signature, StreamState, Urgency, Usage,
    common_version, frame, frame_length, hello_signing_input,
};
use privet_protocol::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/relay/messages.txt");
const INTRODUCTION: &str = "\
# Messages of the relay protocol (docs/reference/relay-protocol.md) as they stand on a stream: name, then bytes in hexadecimal.
# The reason of a close stands without a length. Ids are sixteen times their first byte, keys thirty-two times; checked by protocol/tests/relay_vectors.rs.
";

struct Vectors(BTreeMap<&'static str, Vec<u8>>);

impl Vectors {
    fn message<T: Serialize + DeserializeOwned + PartialEq + Debug>(&mut self, name: &'static str, message: T) {
        let framed = frame(&message);
        let (prefix, body) = framed.split_first_chunk::<4>().unwrap();
        assert_eq!(frame_length(*prefix).unwrap(), body.len());
        assert_eq!(cbor::decode::<T>(body, MAX_MESSAGE).unwrap(), message, "{name}");
        for length in 0..body.len() {
            assert!(cbor::decode::<T>(&body[..length], MAX_MESSAGE).is_err(), "{name} cut to {length}");
        }
        let longer = [body, &[0]].concat();
        assert_eq!(cbor::decode::<T>(&longer, MAX_MESSAGE), Err(DecodeError::Trailing(1)), "{name}");
        assert!(self.0.insert(name, framed).is_none(), "{name} twice");
    }
}

fn vectors() -> Vectors {
    let home = HomeId::from_bytes([1; 16]);
    let stream = StreamId::from_bytes([2; 16]);
    let mailbox = MailboxId::from_bytes([3; 16]);
    let key = CapabilityKey([4; 32]);
    let until = Timestamp(1_800_000_000_000);
    let mut v = Vectors(BTreeMap::new());

    let founder = Principal::Founder { home, invite: Some("an invite of the operator".into()) };
    let signature = Signature([5; 64]);
    v.message("hello.founder", Hello { versions: vec![1], principal: founder.clone(), key, signature });
    let open = Principal::Founder { home, invite: None };
    v.message("hello.founder-open", Hello { versions: vec![1], principal: open, key, signature });
    v.message("hello.member", Hello { versions: vec![2, 1], principal: Principal::Member { home }, key, signature });
    v.message("hello.mailbox", Hello { versions: vec![1], principal: Principal::Mailbox { mailbox }, key, signature });
    v.0.insert("hello.signing-input", hello_signing_input(&[6; 32], &founder, &key));
    let limits = Limits { streams: 16, segment_bytes: 1 << 25, stored_bytes: 1 << 32, retention_s: 2_592_000 };
    v.message("hello-answer.welcome", HelloAnswer::Welcome { version: 1, limits, now: until });
    v.message("hello-answer.refused", HelloAnswer::Refused(Refusal::new(Code::Denied, "no")));

    let onward = ["203.0.113.7:4433", "[2001:db8::7]:4433"].map(|place| place.parse::<SocketAddr>().unwrap());
    v.0.insert("close.shutdown-onward", Farewell::new(250, onward).unwrap().to_string().into_bytes());

    let challenge = Some(Challenge { bits: 20, issued: until, tag: [6; 32] });
    let refusal = Refusal { challenge, ..Refusal::new(Code::Denied, "work") };
    v.message("hello-answer.refused-until-work", HelloAnswer::Refused(refusal));

    let entry = b"sealed".to_vec();
    v.message("request.append", Request::Append { seq: 7, entry: entry.clone() });
    v.message("request.read-log", Request::ReadLog { from: 1, follow: true });
    v.message("request.ack-log", Request::AckLog { upto: 7 });
    v.message("request.send", Request::Send { message: entry.clone() });
    v.message("request.read-inbox", Request::ReadInbox { from: 1, follow: false });
    v.message("request.ack-inbox", Request::AckInbox { upto: 300 });
    let kept = Retention::Keep { until };
    v.message("request.put-keep", Request::Put { stream, index: 3, retention: kept, resume: true });
    v.message("request.put-pass", Request::Put { stream, index: 3, retention: Retention::Pass, resume: false });
    v.message("request.finish", Request::Finish { stream, segments: 4 });
    v.message("request.get", Request::Get { stream, index: 3, offset: 70_000 });
    v.message("request.follow-newest", Request::Follow { stream, from: From::Newest });
    v.message("request.follow-index", Request::Follow { stream, from: From::Index(9) });
    v.message("request.stat", Request::Stat { stream });
    v.message("request.ack-stream", Request::AckStream { stream });
    v.message("request.drop-stream", Request::DropStream { stream });
    v.message("request.grant", Request::Grant { key, rights: Rights::PHONE });
    v.message("request.grant-farewell", Request::Grant { key, rights: Rights::farewell(9) });
    v.message("request.revoke", Request::Revoke { key });
    v.message("request.open-mailbox", Request::OpenMailbox { mailbox, key, until });
    v.message("request.close-mailbox", Request::CloseMailbox { mailbox });
    v.message("request.post", Request::Post { mailbox, to: Side::Hub, message: entry.clone() });
    v.message("request.collect", Request::Collect { mailbox, side: Side::Phone, from: 1 });
    v.message("request.usage", Request::Usage);
    v.message("request.push-key", Request::PushKey);
    v.message("request.set-push", Request::SetPush { sealed: entry.clone() });
    let (id, payload, urgency) = ([7; 16], entry.clone(), Urgency::High);
    v.message("request.wake", Request::Wake { key, id, payload: payload.clone(), urgency, until });
    v.message("request.wake-normal", Request::Wake { key, id, payload, urgency: Urgency::Normal, until });
    v.message("request.read-wakes", Request::ReadWakes { from: 1, follow: true });
    v.message("request.ack-wakes", Request::AckWakes { upto: 7 });

    v.message("response.done", Response::Done);
    v.message("response.appended", Response::Appended { seq: 7 });
    v.message("response.entry", Response::Entry { seq: 7, entry });
    v.message("response.caught-up", Response::CaughtUp { head: 7 });
    v.message("response.resume", Response::Resume { offset: 65_536 });
    v.message("response.stored", Response::Stored { length: 1 << 20 });
    v.message("response.body", Response::Body { length: Some(1 << 20) });
    v.message("response.body-growing", Response::Body { length: None });
    v.message("response.following", Response::Following { follow: 8, first: 5 });
    v.message("response.skipped", Response::Skipped { from: 5, to: 7 });
    v.message("response.ended", Response::Ended { segments: 9 });
    let state = StreamState { first: 0, next: 9, finished: Some(9), bytes: 123_456 };
    v.message("response.stream", Response::Stream(state));
    let usage = Usage {
        stored_bytes: 123_456,
        log_first: 3,
        log_head: 7,
        inbox_head: 2,
        streams: 1,
        stored_limit: None,
        log_limit: None,
        wakes_limit: None,
        wakes_left: None,
    };
    v.message("response.usage", Response::Usage(usage.clone()));
    let limits = Usage {
        stored_limit: Some(1 << 32),
        log_limit: Some(100_000),
        wakes_limit: Some(600),
        wakes_left: Some(599),
        ..usage
    };
    v.message("response.usage-limits", Response::Usage(limits));
    v.message("response.push-key", Response::PushKey { key: vec![4; 32], vapid: None });
    v.message("response.push-key-vapid", Response::PushKey { key: vec![4; 32], vapid: Some(vec![5; 65]) });
    for (name, code) in [
        ("response.refused-version", Code::Version),
        ("response.refused-denied", Code::Denied),
        ("response.refused-not-found", Code::NotFound),
        ("response.refused-gone", Code::Gone),
        ("response.refused-conflict", Code::Conflict),
        ("response.refused-too-large", Code::TooLarge),
        ("response.refused-quota", Code::Quota),
        ("response.refused-busy", Code::Busy),
        ("response.refused-malformed", Code::Malformed),
        ("response.refused-storage", Code::Storage),
    ] {
        v.message(name, Response::Refused(Refusal::new(code, "why")));
    }
    v.message("segment-head", SegmentHead { follow: 8, index: 5 });
    v
}

#[test]
fn messages_have_the_bytes_that_the_vectors_say() {
    let vectors = vectors();
    let lines: String = vectors.0.iter().map(|(name, bytes)| format!("{name} {}\n", HEXLOWER.encode(bytes))).collect();
    let text = format!("{INTRODUCTION}{lines}");
    if std::env::var_os("PRIVET_WRITE_VECTORS").is_some() {
        std::fs::write(FILE, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(FILE).unwrap(), text);
}

#[test]
fn the_largest_entry_fits_a_message_and_larger_ones_are_refused_by_their_length() {
    let framed = frame(&Request::Append { seq: u64::MAX, entry: vec![255; MAX_ENTRY] });
    assert!(frame_length(*framed.first_chunk().unwrap()).is_ok());
    for length in [MAX_MESSAGE + 1, 1 << 24, u32::MAX as usize] {
        let prefix = u32::try_from(length).unwrap().to_be_bytes();
        assert_eq!(frame_length(prefix), Err(DecodeError::TooLong { length, limit: MAX_MESSAGE }));
    }
}

#[test]
fn a_newer_peer_may_add_fields_but_not_kinds() {
    #[derive(Serialize)]
    struct NewerHead {
        follow: u64,
        index: u64,
        colour: &'static str,
    }
    let bytes = cbor::encode(&NewerHead { follow: 8, index: 5, colour: "green" });
    assert_eq!(cbor::decode::<SegmentHead>(&bytes, MAX_MESSAGE).unwrap(), SegmentHead { follow: 8, index: 5 });
    #[derive(Serialize)]
    enum NewerRequest {
        Sing,
    }
    let bytes = cbor::encode(&NewerRequest::Sing);
    assert!(matches!(cbor::decode::<Request>(&bytes, MAX_MESSAGE), Err(DecodeError::Malformed(_))));
}

#[test]
fn rights_cover_those_that_allow_no_more() {
    let (none, all, end) = (Rights::default(), Rights::PHONE, Rights::farewell);
    assert!(all.cover(&none) && all.cover(&end(9)) && all.cover(&all) && end(9).cover(&end(8)) && end(9).cover(&none));
    assert!(!end(9).cover(&all) && !end(8).cover(&end(9)) && !none.cover(&end(1)) && !none.cover(&all));
}

#[test]
fn peers_of_different_ages_find_the_best_version_that_both_speak() {
    let (old, new): (&[u16], &[u16]) = (&[1], &[3, 2, 1]);
    assert_eq!(common_version(old, new), Some(1));
    assert_eq!(common_version(new, old), Some(1));
    assert_eq!(common_version(new, &[2, 3]), Some(3), "who answers prefers");
    assert_eq!(common_version(new, &[4, 2]), Some(2));
    assert_eq!(common_version(old, &[2, 3]), None);
    assert_eq!(common_version(old, &[]), None);
}
