//! What a hostile worker may say to the hub: any bytes become a checked frame or a typed error.
#![no_main]
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use privet_hub::source::frames::{FromWorker, HEADER, Header, MAX_BODY, MAX_UNIT_BODY, ToWorker, parse};

fuzz_target!(|bytes: &[u8]| {
    let Some((head, rest)) = bytes.split_first_chunk::<HEADER>() else { return };
    let Ok(header) = Header::parse(*head) else { return };
    assert!(header.length <= MAX_UNIT_BODY);
    // As the hub reads it: a body of exactly the length that the header says.
    let header = Header { length: rest.len().min(MAX_UNIT_BODY), ..header };
    match parse(header, Bytes::copy_from_slice(&rest[..header.length])) {
        Ok(FromWorker::Unit(unit)) => {
            assert!(!unit.data.is_empty());
        }
        Ok(FromWorker::Motion(sample)) => {
            assert!((0.0..=1.0).contains(&sample.score) && (0.0..=1.0).contains(&sample.area));
        }
        Ok(FromWorker::Health(health)) => assert!(health.notes.len() <= 16),
        _ => {}
    }
    let _ = ToWorker::parse(&rest[..rest.len().min(MAX_BODY)]);
});
