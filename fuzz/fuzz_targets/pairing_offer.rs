//! The QR text: any text is an offer or a typed error, and an offer has one text.
#![no_main]
use libfuzzer_sys::fuzz_target;
use privet_home::Offer;
use privet_protocol::time::Timestamp;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for text in [text.to_owned(), format!("PRIVET1:{text}"), format!("PRIVET1:{}", text.to_uppercase())] {
        if let Ok(offer) = Offer::parse(&text, Timestamp(0)) {
            assert!(!offer.relay().host.is_empty() && offer.relay().host.len() <= 255);
            assert!(Offer::parse(&text, offer.until()).is_err());
        }
    }
});
