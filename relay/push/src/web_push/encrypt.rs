//! Encryption of one message to one subscription: RFC 8291 over RFC 8188 (`aes128gcm`), as one record of one size.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::encoding::{AsBigEndian as _, EcPublicKeyUncompressedBin};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use zeroize::Zeroizing;

/// What every push server takes (RFC 8030, section 7.2), and what every message is padded to.
pub(crate) const BODY: usize = 4096;
/// Salt, record size, key length and key, before the record.
const HEADER: usize = 16 + 4 + 1 + 65;
const TAG: usize = 16;
/// The longest payload: what is left of the record without its tag and the byte that ends the text.
pub(crate) const ROOM: usize = BODY - HEADER - TAG - 1;

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive<const N: usize>(salt: &[u8], secret: &[u8], info: &[u8]) -> Option<Zeroizing<[u8; N]>> {
    let mut out = Zeroizing::new([0; N]);
    Salt::new(HKDF_SHA256, salt).extract(secret).expand(&[info], Length(N)).ok()?.fill(out.as_mut()).ok()?;
    Some(out)
}

/// The body of the request: the payload padded to `size` bytes in all, encrypted to the subscription. `None` when the
/// subscription's key is none or there is no room.
pub(crate) fn encrypt(
    payload: &[u8],
    (their_public, auth): (&[u8], &[u8]),
    (our_key, salt): (&PrivateKey, [u8; 16]),
    size: usize,
) -> Option<Vec<u8>> {
    let our_public: EcPublicKeyUncompressedBin<'_> = our_key.compute_public_key().ok()?.as_be_bytes().ok()?;
    let our_public = our_public.as_ref();
    let shared = agree(our_key, UnparsedPublicKey::new(&ECDH_P256, their_public), (), |secret| {
        Ok(Zeroizing::new(secret.to_vec()))
    })
    .ok()?;
    let info = [b"WebPush: info\0", their_public, our_public].concat();
    let secret = derive::<32>(auth, &shared, &info)?;
    let key = derive::<16>(&salt, secret.as_ref(), b"Content-Encoding: aes128gcm\0")?;
    let nonce = derive::<12>(&salt, secret.as_ref(), b"Content-Encoding: nonce\0")?;

    let mut record = payload.to_vec();
    record.push(2); // this is the last record; zeros after it are padding
    record.resize(size.checked_sub(HEADER + TAG).filter(|length| *length >= record.len())?, 0);
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key.as_ref()).ok()?);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut record).ok()?;

    let mut body = Vec::with_capacity(size);
    body.extend_from_slice(&salt);
    body.extend_from_slice(&u32::try_from(BODY).ok()?.to_be_bytes());
    body.push(u8::try_from(our_public.len()).ok()?);
    body.extend_from_slice(our_public);
    body.extend_from_slice(&record);
    Some(body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_example_of_rfc_8291_comes_out_byte_for_byte() {
        let payload = b"When I grow up, I want to be a watermelon";
        let ours = bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
        let key = PrivateKey::from_private_key(&ECDH_P256, &ours).unwrap();
        let theirs = bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        let auth = bytes("BTBZMqHH6r4Tts7J_aSIgg");
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let size = HEADER + payload.len() + 1 + TAG;
        let body = encrypt(payload, (&theirs, &auth), (&key, salt), size).unwrap();
        assert_eq!(
            BASE64URL_NOPAD.encode(&body),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_\
             yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn every_message_has_one_size_and_longer_ones_have_no_room() {
        let key = PrivateKey::generate(&ECDH_P256).unwrap();
        let theirs = PrivateKey::generate(&ECDH_P256).unwrap().compute_public_key().unwrap();
        for length in [0, 1, ROOM] {
            let body = encrypt(&vec![7; length], (theirs.as_ref(), &[1; 16]), (&key, [2; 16]), BODY).unwrap();
            assert_eq!(body.len(), BODY);
        }
        assert!(encrypt(&[7; ROOM + 1], (theirs.as_ref(), &[1; 16]), (&key, [2; 16]), BODY).is_none());
        assert!(encrypt(b"x", (&[4; 65], &[1; 16]), (&key, [2; 16]), BODY).is_none(), "a point beside the curve");
    }
}
