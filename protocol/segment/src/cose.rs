//! COSE_Sign1 (RFC 9052) with ES256, in one form only: the algorithm and the content type are protected, nothing is
//! unprotected, the payload is inside. So a signed thing has one encoding, and a certificate can't pass for a statement.

use coset::{CborSerializable, ContentType, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, iana};

use crate::error::SegmentError;
use crate::evidence::{EvidencePublicKey, SigningKey};

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Statement,
    Certificate,
}

impl Content {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Statement => "application/vnd.privet.segment-statement+cbor",
            Self::Certificate => "application/vnd.privet.session-certificate+cbor",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Certificate => "session certificate",
        }
    }

    fn header(self) -> Header {
        HeaderBuilder::new().algorithm(iana::Algorithm::ES256).content_type(self.media_type().to_owned()).build()
    }
}

/// Signs `payload`.
pub(crate) fn sign(key: &SigningKey, content: Content, payload: Vec<u8>) -> Result<Vec<u8>, SegmentError> {
    CoseSign1Builder::new()
        .protected(content.header())
        .payload(payload)
        .try_create_signature(&[], |message| key.sign(message))?
        .build()
        .to_vec()
        .map_err(|_| SegmentError::Crypto)
}

/// Something signed whose signature is still to be checked.
pub(crate) struct Signed {
    content: Content,
    message: Vec<u8>,
    signature: Vec<u8>,
    payload: Vec<u8>,
}

impl Signed {
    /// Longest signed thing.
    pub(crate) const LIMIT: usize = 2048;

    pub(crate) fn parse(content: Content, bytes: &[u8]) -> Result<Self, SegmentError> {
        let malformed = |why| SegmentError::Statement { what: content.name(), why };
        if bytes.len() > Self::LIMIT {
            return Err(malformed("too long"));
        }
        let sign1 = CoseSign1::from_slice(bytes).map_err(|_| malformed("not a COSE_Sign1"))?;
        let algorithm = Some(coset::RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256));
        let media_type = Some(ContentType::Text(content.media_type().to_owned()));
        if sign1.protected.header.alg != algorithm || sign1.protected.header.content_type != media_type {
            return Err(malformed("signed as something else"));
        }
        let (message, payload) = (sign1.tbs_data(&[]), sign1.payload.ok_or(malformed("no payload"))?);
        let in_one_form = CoseSign1Builder::new()
            .protected(content.header())
            .payload(payload.clone())
            .signature(sign1.signature.clone())
            .build()
            .to_vec();
        if in_one_form.ok().as_deref() != Some(bytes) {
            return Err(malformed("not in its one form"));
        }
        Ok(Self { content, message, signature: sign1.signature, payload })
    }

    /// The payload, not to be believed before [`Self::verify`].
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    pub(crate) fn verify(&self, key: &EvidencePublicKey) -> Result<(), SegmentError> {
        if key.verify(&self.message, &self.signature) {
            Ok(())
        } else {
            Err(SegmentError::BadSignature { what: self.content.name() })
        }
    }
}
