//! A phone that subscribed to Web Push, and decrypts what comes.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use privet_push::PushTarget;

const AUTH: [u8; 16] = [6; 16];

pub struct Subscriber {
    key: PrivateKey,
    pub target: PushTarget,
}

impl Subscriber {
    pub fn new(endpoint: String) -> Self {
        let key = PrivateKey::generate(&ECDH_P256).unwrap();
        let p256dh = key.compute_public_key().unwrap().as_ref().to_vec();
        Self { key, target: PushTarget::WebPush { endpoint, p256dh, auth: AUTH.to_vec() } }
    }

    /// What a subscriber makes of a message (RFC 8291, section 3.4).
    pub fn decrypt(&self, body: &[u8]) -> Vec<u8> {
        let (salt, rest) = body.split_at(16);
        assert_eq!((&rest[..4], rest[4]), (&4096_u32.to_be_bytes()[..], 65));
        let (theirs, record) = rest[5..].split_at(65);
        let shared = agree(&self.key, UnparsedPublicKey::new(&ECDH_P256, theirs), (), |s| Ok(s.to_vec())).unwrap();
        let mine = self.key.compute_public_key().unwrap();
        let secret = derive(&AUTH, &shared, &[b"WebPush: info\0", mine.as_ref(), theirs].concat(), 32);
        let content = derive(salt, &secret, b"Content-Encoding: aes128gcm\0", 16);
        let nonce = derive(salt, &secret, b"Content-Encoding: nonce\0", 12);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &content).unwrap());
        let mut record = record.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(&nonce).unwrap();
        let plain = key.open_in_place(nonce, Aad::empty(), &mut record).unwrap();
        let end = plain.iter().rposition(|byte| *byte != 0).unwrap();
        assert_eq!(plain[end], 2, "the last record");
        plain[..end].to_vec()
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(salt: &[u8], secret: &[u8], info: &[u8], length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    Salt::new(HKDF_SHA256, salt).extract(secret).expand(&[info], Length(length)).unwrap().fill(&mut out).unwrap();
    out
}
