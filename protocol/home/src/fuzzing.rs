//! The parsers that stand behind an AEAD or a signature, opened to the fuzz targets: an insider reaches them.

use std::sync::Arc;

use openmls::prelude::ContentType;
use privet_protocol::cbor;
use privet_protocol::relay::MAX_ENTRY;
use privet_protocol::storage::MemoryStore;

use crate::group;
use crate::identity::Credential;
use crate::inbox;
use crate::log;
use crate::overlay::Overlay;
use crate::pairing;
use crate::provider::Provider;
use crate::rejoin;

/// Everything MLS that comes from outside: messages, Welcomes, KeyPackages, credentials.
pub fn mls(bytes: &[u8]) {
    for kind in [ContentType::Application, ContentType::Proposal, ContentType::Commit] {
        let _ = group::read_message(bytes, kind);
    }
    let _ = group::read_welcome(bytes);
    let provider = Provider::new(Overlay::new(Arc::new(MemoryStore::new())));
    let _ = group::read_key_package(&provider, bytes);
    let _ = Credential::verify(bytes, &[0; 32]);
}

/// The contents of sealed messages.
pub fn contents(bytes: &[u8]) {
    let _ = cbor::decode::<pairing::Request>(bytes, MAX_ENTRY);
    let _ = cbor::decode::<pairing::Answer>(bytes, MAX_ENTRY);
    let _ = cbor::decode::<rejoin::Request>(bytes, MAX_ENTRY);
    let _ = cbor::decode::<rejoin::Answer>(bytes, MAX_ENTRY);
    let _ = log::Payload::decode(bytes);
    let _ = inbox::Payload::decode(bytes);
}
