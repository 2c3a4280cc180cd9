//! COSE_Sign1 (RFC 9052) with ES256, in one form only: the algorithm and the content type are protected, nothing is
//! unprotected, the payload is inside. So a signed thing has one encoding, and a certificate can't pass for a statement.

use coset::{CborSerializable, CoseSign1Builder, Header, HeaderBuilder, iana};

use crate::cbor::{Reader, Writer};
use crate::error::SegmentError;
use crate::evidence::{SigningKey, Verifier};

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

    /// The protected header's bytes.
    fn protected(self) -> Vec<u8> {
        let mut map = Writer::default();
        map.map(2);
        map.key(1).int(iana::Algorithm::ES256 as i64);
        map.key(3).text(self.media_type());
        map.finish()
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
pub(crate) struct Signed<'a> {
    content: Content,
    protected: Vec<u8>,
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Longest signed thing.
    const LIMIT: usize = 2048;

    pub(crate) fn parse(content: Content, bytes: &'a [u8]) -> Result<Self, SegmentError> {
        let malformed = |why| SegmentError::Statement { what: content.name(), why };
        if bytes.len() > Self::LIMIT {
            return Err(malformed("too long"));
        }
        let protected = content.protected();
        let (found, payload, signature) = read(bytes).ok_or(malformed("not a COSE_Sign1 in its one form"))?;
        if found != protected {
            return Err(malformed("signed as something else"));
        }
        Ok(Self { content, protected, payload, signature })
    }

    /// The payload, not to be believed before [`Self::verify`].
    pub(crate) const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    pub(crate) fn verify(&self, key: &Verifier) -> Result<(), SegmentError> {
        // Sig_structure of RFC 9052 section 4.4.
        let mut message = Writer::default();
        message.array(4).text("Signature1").bytes(&self.protected).bytes(&[]).bytes(self.payload);
        if key.verify(&message.finish(), self.signature) {
            Ok(())
        } else {
            Err(SegmentError::BadSignature { what: self.content.name() })
        }
    }
}

/// Protected header, payload and signature; the unprotected header is empty.
fn read(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let mut reader = Reader::new(bytes);
    (reader.array()? == 4).then_some(())?;
    let protected = reader.bytes()?;
    (reader.map()? == 0).then_some(())?;
    let (payload, signature) = (reader.bytes()?, reader.bytes()?);
    reader.is_empty().then_some((protected, payload, signature))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use coset::CoseSign1;
    use privet_protocol::random::SeededRandom;

    use super::*;

    #[test]
    fn a_general_cose_library_agrees() {
        let key = SigningKey::generate(&SeededRandom::new(b"cose")).unwrap();
        let public = key.public().unwrap().verifier().unwrap();
        let bytes = sign(&key, Content::Statement, b"payload".to_vec()).unwrap();
        let theirs = CoseSign1::from_slice(&bytes).unwrap();
        theirs
            .verify_signature(&[], |signature, message| public.verify(message, signature).then_some(()).ok_or(()))
            .unwrap();
        let ours = Signed::parse(Content::Statement, &bytes).unwrap();
        ours.verify(&public).unwrap();
        assert_eq!((Some(ours.payload()), ours.signature), (theirs.payload.as_deref(), &theirs.signature[..]));
        assert!(Signed::parse(Content::Certificate, &bytes).is_err());
        let tagged = [&[0xd2], &bytes[..]].concat();
        assert!(Signed::parse(Content::Statement, &tagged).is_err(), "one form only: untagged");
    }
}
