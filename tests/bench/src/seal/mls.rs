//! What is compared with: the same bytes as MLS application messages of 64 KiB, in the home group's own suite.
#![expect(clippy::expect_used, reason = "a benchmark whose subject fails has nothing to report")]

use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{BasicCredential, Ciphersuite, CredentialWithKey, MlsGroup, MlsGroupCreateConfig};
use openmls_basic_credential::SignatureKeyPair;
use openmls_rust_crypto::OpenMlsRustCrypto;

use super::{RECORD, SEGMENT, timed};

/// Seals the bytes of one segment as MLS messages; gives the seconds it takes. The cost does not depend on who else is in the
/// group.
pub(super) fn sender() -> impl FnMut() -> f64 {
    let suite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;
    let provider = OpenMlsRustCrypto::default();
    let signer = SignatureKeyPair::new(suite.signature_algorithm()).expect("a signature key");
    let credential = CredentialWithKey {
        credential: BasicCredential::new(b"hub".to_vec()).into(),
        signature_key: signer.to_public_vec().into(),
    };
    let config = MlsGroupCreateConfig::builder().ciphersuite(suite).build();
    let mut group = MlsGroup::new(&provider, &signer, &config, credential).expect("a group");
    let message = vec![7; RECORD];
    move || {
        timed(|| {
            for _ in 0..SEGMENT / RECORD {
                let message = group.create_message(&provider, &signer, &message).expect("a message");
                std::hint::black_box(message.tls_serialize_detached().expect("its bytes"));
            }
        })
    }
}
