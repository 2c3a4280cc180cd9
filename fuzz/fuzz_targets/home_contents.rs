//! What stands inside sealed messages: an insider can put anything there, and nothing panics.
#![no_main]
use libfuzzer_sys::fuzz_target;
use privet_home::inbox::Inbox;
use privet_home::log::Envelope;
use privet_home::{HubMessage, PhoneMessage};
use privet_protocol::cbor;

fuzz_target!(|bytes: &[u8]| {
    privet_home::fuzzing::mls(bytes);
    privet_home::fuzzing::contents(bytes);
    let _ = Envelope::parse(bytes);
    let _ = Inbox::parse(bytes);
    if let Ok(message) = HubMessage::decode(bytes)
        && !matches!(message, HubMessage::Unknown { .. })
    {
        // Of an event's kind that a newer hub fills otherwise, the name alone is kept: what is said of it once stays.
        let said = HubMessage::decode(&cbor::encode(&message)).unwrap();
        assert_eq!(HubMessage::decode(&cbor::encode(&said)), Ok(said));
    }
    if let Ok(message) = PhoneMessage::decode(bytes)
        && !matches!(message, PhoneMessage::Unknown { .. })
    {
        assert_eq!(PhoneMessage::decode(&cbor::encode(&message)), Ok(message));
    }
});
