//! Signed tokens (RFC 7519) and the keys that sign them.

use std::fmt;

use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use data_encoding::BASE64URL_NOPAD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::gateway::SetupError;

/// A key that signs tokens. Never shown.
pub(crate) enum TokenKey {
    /// ES256.
    P256(EcdsaKeyPair),
    /// RS256.
    Rsa(RsaKeyPair),
}

impl TokenKey {
    /// A P-256 key from PEM (PKCS #8).
    pub(crate) fn p256(what: &'static str, pem: &[u8]) -> Result<Self, SetupError> {
        let der = der(what, pem)?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der())
            .map(Self::P256)
            .map_err(|_| SetupError::new(what, "is no key of the curve P-256"))
    }

    /// An RSA key from PEM (PKCS #8).
    pub(crate) fn rsa(what: &'static str, pem: &[u8]) -> Result<Self, SetupError> {
        let der = der(what, pem)?;
        RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map(Self::Rsa)
            .map_err(|_| SetupError::new(what, "is no RSA key"))
    }

    /// The public key as an uncompressed point; nothing for RSA.
    pub(crate) fn public_point(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.public_key().as_be_bytes().map_or_else(
                |_| key.public_key().as_ref().to_vec(),
                |point: aws_lc_rs::encoding::EcPublicKeyUncompressedBin<'_>| point.as_ref().to_vec(),
            ),
            Self::Rsa(_) => Vec::new(),
        }
    }

    /// A token with this header (its `alg` is added) and these claims; `None` when the key can't sign.
    pub(crate) fn sign(&self, mut header: Value, claims: &Value) -> Option<String> {
        header["alg"] = match self {
            Self::P256(_) => "ES256".into(),
            Self::Rsa(_) => "RS256".into(),
        };
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let text = format!("{}.{}", part(&header), part(claims));
        let signature = match self {
            Self::P256(key) => key.sign(&SystemRandom::new(), text.as_bytes()).ok()?.as_ref().to_vec(),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
                signature
            }
        };
        Some(format!("{text}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}

fn der(what: &'static str, pem: &[u8]) -> Result<PrivatePkcs8KeyDer<'static>, SetupError> {
    PrivatePkcs8KeyDer::from_pem_slice(pem)
        .map_err(|_| SetupError::new(what, "holds no private key (PEM, \"BEGIN PRIVATE KEY\")"))
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}
