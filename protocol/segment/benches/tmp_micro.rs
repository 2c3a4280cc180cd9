use aws_lc_rs::signature::*;
use std::time::Instant;
fn t(name: &str, mut f: impl FnMut()) { for _ in 0..200 { f(); } let mut best = f64::MAX; for _ in 0..20 { let s = Instant::now(); for _ in 0..100 { f(); } best = best.min(s.elapsed().as_secs_f64() / 100.0); } println!("{name}: {:.2} us", best * 1e6); }
fn main() {
    let rng = aws_lc_rs::rand::SystemRandom::new();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let msg = [7u8; 400];
    let sig = key.sign(&rng, &msg).unwrap();
    let public = key.public_key().as_ref().to_vec();
    t("sign", || { std::hint::black_box(key.sign(&rng, &msg).unwrap()); });
    t("verify unparsed", || { UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public).verify(&msg, sig.as_ref()).unwrap(); });
    let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public).unwrap();
    t("verify parsed", || { parsed.verify_sig(&msg, sig.as_ref()).unwrap(); });
    t("hkdf", || { let prk = aws_lc_rs::hkdf::Prk::new_less_safe(aws_lc_rs::hkdf::HKDF_SHA256, &[7; 32]); struct L; impl aws_lc_rs::hkdf::KeyType for L { fn len(&self) -> usize { 103 } } let mut out = [0; 103]; prk.expand(&[&[1; 50]], L).unwrap().fill(&mut out).unwrap(); std::hint::black_box(out); });
    let src = vec![7u8; 1 << 20]; let mut b = bytes::BytesMut::new();
    t("bytesmut push 1 MiB in 64K, split 65556, drop", || { for p in src.chunks(65536) { b.extend_from_slice(p); while b.len() >= 65556 { let x = b.split_to(65556).freeze(); std::hint::black_box(&x); } } b.clear(); });
    let mut v = Vec::new();
    t("vec push", || { v.clear(); for p in src.chunks(65536) { v.clear(); v.extend_from_slice(p); } });
    let h = vec![1u8; 65536];
    t("blake3 64K", || { std::hint::black_box(blake3::hash(&h)); });
    t("derive_key ctx", || { std::hint::black_box(blake3::Hasher::new_derive_key("privet 2026 segment record root 1")); });
    t("xof 4", || { let mut x = blake3::Hasher::new_keyed(&[7; 32]).finalize_xof(); x.set_position(400); let mut w = [0; 4]; x.fill(&mut w); std::hint::black_box(w); });
    let h = vec![1u8; 2000];
    t("sha256 2000", || { std::hint::black_box(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &h)); });
    let k = aws_lc_rs::aead::LessSafeKey::new(aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::AES_256_GCM, &[7; 32]).unwrap());
    t("key", || { std::hint::black_box(aws_lc_rs::aead::LessSafeKey::new(aws_lc_rs::aead::UnboundKey::new(&aws_lc_rs::aead::AES_256_GCM, &[7; 32]).unwrap())); });
    let mut w = vec![7u8; 65536];
    t("gcm 64K in place", || { std::hint::black_box(k.seal_in_place_separate_tag(aws_lc_rs::aead::Nonce::assume_unique_for_key([1; 12]), aws_lc_rs::aead::Aad::empty(), &mut w).unwrap()); });
}
