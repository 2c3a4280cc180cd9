//! The bytes: version, encapsulated key, and under HPKE the hub's signature, the notice and its padding.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use hpke_rs::HpkePublicKey;
use privet_home::identity::NOTICE_LABEL;
use privet_protocol::cbor;
use zeroize::Zeroizing;

use crate::key::hpke;
use crate::{Notice, NoticeError, NotificationKey, NotificationSecret};

/// The sizes of a sealed notice. In base64 the largest has 3,864 characters: with its envelope it stays below the 4,096
/// bytes that FCM and APNs take.
pub const SIZES: [usize; 3] = [1_664, 2_176, 2_896];
/// A sealed notice is never longer.
pub const MAX_SEALED: usize = SIZES[2];

/// Seals `notice` to a phone's key; `sign` gives the hub's identity key's signature over `privet notice signature v1` 00 ‖ what
/// it is given ([`privet_home::HubHome::sign_notice`]). A picture that does not fit is left out.
///
/// # Errors
/// [`NoticeError::TooLong`], [`NoticeError::Key`].
pub fn seal(
    notice: &Notice,
    key: &NotificationKey,
    sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE],
) -> Result<Vec<u8>, NoticeError> {
    let room = |size: usize| size - OVERHEAD;
    let mut body = Zeroizing::new(cbor::encode(notice));
    if body.len() > room(MAX_SEALED) {
        body = Zeroizing::new(cbor::encode(&Notice { picture: None, ..notice.clone() }));
    }
    let too_long = NoticeError::TooLong { length: body.len(), limit: room(MAX_SEALED) };
    let size = SIZES.into_iter().find(|size| body.len() <= room(*size)).ok_or(too_long)?;

    let mut plain = Zeroizing::new(Vec::with_capacity(size));
    plain.extend_from_slice(&sign(&signed(key.as_bytes(), &body)));
    plain.extend_from_slice(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes());
    plain.extend_from_slice(&body);
    plain.resize(size - 1 - ENCAPSULATED - TAG, 0);
    let public = HpkePublicKey::new(key.as_bytes().to_vec());
    let (encapsulated, sealed) =
        hpke().seal(&public, INFO, &[VERSION], &plain, None, None, None).map_err(|_| NoticeError::Key)?;
    Ok([&[VERSION], encapsulated.as_slice(), &sealed].concat())
}

/// Opens what the hub with the identity key `hub` sealed to this phone. Needs no store, no network and no order; that a notice
/// comes again is told by its event's id.
///
/// # Errors
/// [`NoticeError`].
pub fn open(secret: &NotificationSecret, hub: &[u8; 32], sealed: &[u8]) -> Result<Notice, NoticeError> {
    let version = *sealed.first().ok_or(NoticeError::Length(0))?;
    if version != VERSION {
        return Err(NoticeError::Version(version));
    }
    if !SIZES.contains(&sealed.len()) {
        return Err(NoticeError::Length(sealed.len()));
    }
    let (encapsulated, sealed) = sealed[1..].split_at(ENCAPSULATED);
    let (private, public) = secret.pair()?;
    let plain = hpke()
        .open(encapsulated, &private, INFO, &[VERSION], sealed, None, None, None)
        .map(Zeroizing::new)
        .map_err(|_| NoticeError::NotForThisPhone)?;

    let malformed = |what: &str| NoticeError::Malformed(what.into());
    let (signature, rest) = plain.split_first_chunk::<SIGNATURE>().ok_or_else(|| malformed("it has no signature"))?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(|| malformed("it has no length"))?;
    let (body, padding) = rest
        .split_at_checked(usize::from(u16::from_be_bytes(*length)))
        .ok_or_else(|| malformed("it is shorter than it says"))?;
    let message = [NOTICE_LABEL, &signed(public.as_slice(), body)].concat();
    UnparsedPublicKey::new(&ED25519, hub).verify(&message, signature).map_err(|_| NoticeError::Forged)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(malformed("its padding is not empty"));
    }
    cbor::decode(body, MAX_SEALED).map_err(|cause| NoticeError::Malformed(cause.to_string()))
}

/// What is signed: for this phone's key only, so that no phone can pass a notice on as the hub's to it.
fn signed(key: &[u8], body: &[u8]) -> Vec<u8> {
    [digest(&SHA256, key).as_ref(), body].concat()
}

const VERSION: u8 = 1;
const INFO: &[u8] = b"privet notice v1\0";
/// Bytes of an X-Wing encapsulation.
const ENCAPSULATED: usize = 1120;
const TAG: usize = 16;
const SIGNATURE: usize = 64;
/// What a sealed notice has beside its body and padding.
const OVERHEAD: usize = 1 + ENCAPSULATED + TAG + SIGNATURE + 2;
