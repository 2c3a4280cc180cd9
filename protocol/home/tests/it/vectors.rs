//! Known answers, stored as files that another implementation can read. `PRIVET_BLESS=1` writes them anew, for a new version
//! of a format only; a changed answer of an existing version is a broken format.

use std::fmt::Write as _;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use privet_home::identity::Fingerprint;
use privet_home::log::{Envelope, LogPosition};
use privet_home::pairing::Keys;
use privet_home::{Offer, SafetyNumber};
use privet_protocol::id::{HomeId, PairingId};
use privet_protocol::time::Timestamp;

fn check(name: &str, lines: &[(&str, String)]) {
    let mut text = String::new();
    for (key, value) in lines {
        writeln!(text, "{key} = {value}").unwrap();
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    if std::env::var_os("PRIVET_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(text, stored, "{}", path.display());
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}

fn counting<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|i| from.wrapping_add(u8::try_from(i).unwrap()))
}

#[test]
fn the_qr_text_holds_what_it_holds() {
    for name in ["qr-pinned.txt", "qr-webpki.txt"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
        let stored = std::fs::read_to_string(&path).unwrap();
        let text = stored.lines().next().and_then(|line| line.strip_prefix("text = ")).unwrap().to_owned();
        let offer = Offer::parse(&text, Timestamp(0)).unwrap();
        assert!(Offer::parse(&text, offer.until()).is_err());
        let keys = offer.keys();
        check(
            name,
            &[
                ("text", text),
                ("pairing", hex(offer.pairing().as_bytes())),
                ("hub", hex(offer.hub_fingerprint().as_bytes())),
                ("until_ms", offer.until().0.to_string()),
                ("host", offer.relay().host.clone()),
                ("port", offer.relay().port.to_string()),
                ("pin", offer.relay().pin.map_or("none".into(), hex)),
                ("mailbox", hex(keys.mailbox.as_bytes())),
            ],
        );
    }
}

#[test]
fn pairing_keys_are_derived_so() {
    let pairing = PairingId::from_bytes(counting(0));
    let psk = counting(0x20);
    let keys = Keys::derive(&pairing, &psk);
    check(
        "pairing-keys.txt",
        &[
            ("pairing", hex(pairing.as_bytes())),
            ("psk", hex(psk)),
            ("mailbox", hex(keys.mailbox.as_bytes())),
            ("mailbox_key", hex(*keys.mailbox_key)),
            ("to_hub", hex(*keys.to_hub)),
            ("to_phone", hex(*keys.to_phone)),
            ("mls", hex(*keys.mls)),
        ],
    );
}

#[test]
fn the_log_is_chained_so() {
    let home = HomeId::from_bytes(counting(0x40));
    let start = LogPosition::start(&home, 1, 0);
    let message = [&[1, 1], b"an mls message".as_slice()].concat();
    let commit = [&[1, 2], [0xaa; 64].as_slice(), b"an mls commit"].concat();
    let welcome = [&[1, 3], [0xdd; 16].as_slice(), &[0xbb; 64], b"sealed"].concat();
    let renewal = [&[1, 4, 0, 0, 0, 2], [0xcc; 64].as_slice()].concat();
    let proposal = [&[1, 5], [0xee; 64].as_slice(), b"an mls proposal"].concat();
    assert!(matches!(Envelope::parse(&message), Some(Envelope::Message(b"an mls message"))));
    assert!(matches!(Envelope::parse(&commit), Some(Envelope::Commit { mls: b"an mls commit", .. })));
    assert!(matches!(Envelope::parse(&welcome), Some(Envelope::Welcome { sealed: b"sealed", .. })));
    assert!(matches!(Envelope::parse(&renewal), Some(Envelope::Renewal { generation: 2, .. })));
    assert!(matches!(Envelope::parse(&proposal), Some(Envelope::Proposal { mls: b"an mls proposal", .. })));
    for bad in [&b""[..], &[1], &[2, 1, 0], &[1, 0], &[1, 6], &commit[..65], &welcome[..81], &[1, 4, 0, 0, 0, 2, 9]] {
        assert_eq!(Envelope::parse(bad), None);
    }
    let one = start.after(&message);
    let two = one.after(&commit);
    check(
        "log-chain.txt",
        &[
            ("home", hex(home.as_bytes())),
            ("generation", "1".into()),
            ("start", hex(start.hash)),
            ("entry_1", hex(&message)),
            ("hash_1", hex(one.hash)),
            ("entry_2", hex(&commit)),
            ("hash_2", hex(two.hash)),
            ("start_generation_2_after_2", hex(LogPosition::start(&home, 2, 2).hash)),
        ],
    );
}

#[test]
fn identities_are_shown_so() {
    let (one, other) = (counting(0), counting(0x80));
    let number = SafetyNumber::between(&one, &other);
    assert_eq!(number, SafetyNumber::between(&other, &one), "the same on both sides");
    assert_ne!(number, SafetyNumber::between(&one, &one));
    assert_eq!(number.digits().len(), 60);
    assert_eq!(number.to_string().split(' ').count(), 12);
    check(
        "identity.txt",
        &[
            ("one", hex(one)),
            ("other", hex(other)),
            ("fingerprint_one", Fingerprint::of(&one).to_string()),
            ("safety_number", number.to_string()),
        ],
    );
}
