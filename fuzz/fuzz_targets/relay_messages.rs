//! Every message of the relay protocol: bytes become a message that encodes back to an equal one, or a typed error. And what a relay says
//! when it ends: bytes lead somewhere that can be said again, or nowhere in particular.
#![no_main]
use libfuzzer_sys::fuzz_target;
use privet_protocol::cbor;
use privet_protocol::relay::{Farewell, Hello, HelloAnswer, MAX_MESSAGE, Request, Response, SegmentHead, frame_length};

macro_rules! round_trip {
    ($bytes:expr, $($message:ty),*) => {$(
        if let Ok(message) = cbor::decode::<$message>($bytes, MAX_MESSAGE) {
            let again = cbor::decode::<$message>(&cbor::encode(&message), MAX_MESSAGE);
            assert_eq!(again.as_ref(), Ok(&message));
        }
    )*};
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(prefix) = bytes.first_chunk::<4>() {
        let _ = frame_length(*prefix);
    }
    round_trip!(bytes, Hello, HelloAnswer, Request, Response, SegmentHead);
    if let Some(farewell) = Farewell::parse(bytes) {
        let said = farewell.to_string();
        assert!(said.len() <= Farewell::MAX_LENGTH);
        assert_eq!(Farewell::parse(said.as_bytes()), Some(farewell));
    }
});
