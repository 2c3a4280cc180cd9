//! Every message of the relay protocol: bytes become a message that encodes back to an equal one, or a typed error.
#![no_main]
use libfuzzer_sys::fuzz_target;
use privet_protocol::cbor;
use privet_protocol::relay::{Hello, HelloAnswer, MAX_MESSAGE, Request, Response, SegmentHead, frame_length};

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
});
