//! A notice opens with the phone's secret and the hub's key alone, and nothing else opens as one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::sync::OnceLock;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::HEXLOWER;
use privet_home::identity::NOTICE_LABEL;
use privet_home::{Env, Happening, HomeEvent, HubHome, Tamper, Thumbnail};
use privet_notice::{MAX_SEALED, Notice, NoticeError, NotificationKey, NotificationSecret, SIZES, open, seal};
use privet_protocol::id::{CameraId, EventId, StreamId};
use privet_protocol::random::SeededRandom;
use privet_protocol::storage::MemoryStore;
use privet_protocol::time::Timestamp;
use proptest::prelude::*;
use serde_bytes::ByteBuf;

struct Hub(Ed25519KeyPair);

impl Hub {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn public(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(&[NOTICE_LABEL, message].concat()).as_ref().try_into().unwrap()
    }

    fn seal(&self, notice: &Notice, to: &NotificationSecret) -> Vec<u8> {
        seal(notice, &to.public().unwrap(), |message| self.sign(message)).unwrap()
    }
}

fn phone(seed: u8) -> NotificationSecret {
    NotificationSecret::from_bytes([seed; 32])
}

fn notice(picture: usize) -> Notice {
    Notice {
        event: HomeEvent {
            id: EventId::from_bytes([1; 16]),
            at: Timestamp(1_795_000_000_000),
            camera: Some(CameraId::from_bytes([2; 16])),
            what: Happening::Motion,
            clip: Some(StreamId::from_bytes([3; 16])),
            zones: vec!["gate".into()],
        },
        home: "Ann's home".into(),
        camera: "Front door".into(),
        counter: 7,
        sealed_at: Timestamp(1_795_000_000_400),
        late: false,
        picture: (picture > 0).then(|| Thumbnail {
            mime: "image/jpeg".into(),
            width: 96,
            height: 54,
            bytes: ByteBuf::from(vec![0xd8; picture]),
        }),
    }
}

#[test]
fn the_phone_reads_what_the_hub_said() {
    let (hub, ann) = (Hub::new(1), phone(2));
    for (picture, size) in [(0, SIZES[0]), (500, SIZES[1]), (1_200, SIZES[2])] {
        let sealed = hub.seal(&notice(picture), &ann);
        assert_eq!(sealed.len(), size);
        assert_eq!(open(&ann, &hub.public(), &sealed), Ok(notice(picture)));
    }
}

#[test]
fn the_hubs_home_signs_with_its_identity_key() {
    let random = SeededRandom::new(b"notice");
    let env = Env::new(Timestamp(1_795_000_000_000), &random);
    let home = HubHome::create(std::sync::Arc::new(MemoryStore::new()), "Hub", env).unwrap();
    let (ann, hub) = (phone(2), home.identity());
    let sealed = seal(&notice(0), &ann.public().unwrap(), |message| home.sign_notice(message)).unwrap();
    assert_eq!(open(&ann, &hub, &sealed), Ok(notice(0)));
}

#[test]
fn a_picture_without_room_is_left_out_and_a_text_without_room_refused() {
    let (hub, ann) = (Hub::new(1), phone(2));
    let sealed = hub.seal(&notice(2_000), &ann);
    assert_eq!(open(&ann, &hub.public(), &sealed), Ok(notice(0)));
    let mut long = notice(0);
    long.event.zones = vec!["z".repeat(64); 32];
    let error = seal(&long, &ann.public().unwrap(), |message| hub.sign(message)).unwrap_err();
    assert!(matches!(error, NoticeError::TooLong { length, limit } if length > limit), "{error}");
    assert_eq!(NotificationKey::from_bytes(&[0; 32]).unwrap_err(), NoticeError::Key);
}

#[test]
fn other_phones_other_hubs_and_other_versions_are_told_apart() {
    let (hub, ann, ben) = (Hub::new(1), phone(2), phone(3));
    let sealed = hub.seal(&notice(0), &ann);
    assert_eq!(open(&ben, &hub.public(), &sealed), Err(NoticeError::NotForThisPhone));
    assert_eq!(open(&ann, &Hub::new(9).public(), &sealed), Err(NoticeError::Forged));
    let newer = [&[2], &sealed[1..]].concat();
    assert_eq!(open(&ann, &hub.public(), &newer), Err(NoticeError::Version(2)));
    assert_eq!(open(&ann, &hub.public(), &[]), Err(NoticeError::Length(0)));
    assert_eq!(open(&ann, &hub.public(), &sealed[..900]), Err(NoticeError::Length(900)));
}

#[test]
fn a_signature_for_one_phone_is_none_for_another() {
    let (hub, ann, ben) = (Hub::new(1), phone(2), phone(3));
    let mut taken = None;
    let for_ann = |message: &[u8]| *taken.insert(hub.sign(message));
    seal(&notice(0), &ann.public().unwrap(), for_ann).unwrap();
    // Ann passes the hub's words on to Ben's key.
    let passed_on = seal(&notice(0), &ben.public().unwrap(), |_| taken.unwrap()).unwrap();
    assert_eq!(open(&ben, &hub.public(), &passed_on), Err(NoticeError::Forged));
}

#[test]
fn the_stored_answers_open() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/notices.txt");
    let (hub, ann) = (Hub::new(1), phone(2));
    let mut offline = notice(0);
    offline.event.what = Happening::Tampered { how: Tamper::Covered };
    offline.late = true;
    let expected = [("motion", notice(600)), ("tampered_late", offline)];
    if std::env::var_os("PRIVET_BLESS").is_some() {
        let mut text = format!(
            "secret = {}\nkey = {}\nhub = {}\n",
            HEXLOWER.encode(ann.expose()),
            HEXLOWER.encode(ann.public().unwrap().as_bytes()),
            HEXLOWER.encode(&hub.public())
        );
        for (name, notice) in &expected {
            text += &format!("{name} = {}\n", HEXLOWER.encode(&hub.seal(notice, &ann)));
        }
        std::fs::write(&path, text).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).expect(name);
        HEXLOWER.decode(line.as_bytes()).unwrap()
    };
    let secret = NotificationSecret::from_bytes(value("secret").try_into().unwrap());
    assert_eq!(secret.public().unwrap().as_bytes(), value("key"));
    let hub: [u8; 32] = value("hub").try_into().unwrap();
    for (name, notice) in expected {
        assert_eq!(open(&secret, &hub, &value(name)), Ok(notice), "{name}");
    }
}

fn sealed() -> &'static [u8] {
    static SEALED: OnceLock<Vec<u8>> = OnceLock::new();
    SEALED.get_or_init(|| Hub::new(1).seal(&notice(600), &phone(2)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_flipped_bit_is_noticed(at in 0..SIZES[1], bit in 0..8u8) {
        let mut bytes = sealed().to_vec();
        bytes[at] ^= 1 << bit;
        prop_assert!(open(&phone(2), &Hub::new(1).public(), &bytes).is_err());
    }

    #[test]
    fn what_was_cut_or_prolonged_is_noticed(length in 0..MAX_SEALED + 1) {
        prop_assume!(length != sealed().len());
        let mut bytes = sealed().to_vec();
        bytes.resize(length, 0);
        prop_assert!(open(&phone(2), &Hub::new(1).public(), &bytes).is_err());
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..64), size in 0..3usize) {
        let _ = open(&phone(2), &Hub::new(1).public(), &bytes);
        let mut padded = [&[1], bytes.as_slice()].concat();
        padded.resize(SIZES[size], 7);
        prop_assert_eq!(open(&phone(2), &Hub::new(1).public(), &padded), Err(NoticeError::NotForThisPhone));
    }
}
