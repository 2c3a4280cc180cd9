//! The one kind of MLS group there is: its suite, its settings, and the few things that hub and phone both do with it.

use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, ContentType, CredentialType, CredentialWithKey, GroupId, KeyPackage,
    KeyPackageIn, LeafNodeIndex, Lifetime, MlsGroup, MlsGroupCreateConfig, MlsGroupJoinConfig, MlsMessageBodyIn,
    MlsMessageIn, MlsMessageOut, OpenMlsProvider as _, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, ProcessMessageError,
    ProtocolMessage, ProtocolVersion, SenderRatchetConfiguration, ValidationError, Welcome,
};
use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
use openmls_traits::storage::StorageProvider as _;

use crate::crypto::SigningKey;
use crate::error::HomeError;
use crate::identity::Credential;
use crate::overlay::OverlayError;
use crate::policy::PolicyError;
use crate::provider::Provider;

/// Hybrid post-quantum: ML-KEM-768 with X25519, AES-256-GCM, SHA-384, Ed25519.
pub(crate) const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;
/// The hub's leaf.
const HUB_LEAF: u32 = 0;
/// Past epochs whose messages are still read: the hub reads what phones sent before they saw its last commits; phones read
/// an ordered log and need none.
pub(crate) const HUB_PAST_EPOCHS: usize = 2;
pub(crate) const PHONE_PAST_EPOCHS: usize = 0;

const PADDING: usize = 256;
const OUT_OF_ORDER: u32 = 32;
const FORWARD: u32 = 5000;

/// MLS lifetimes are read against the system's clock, and an expired leaf would block every later join. Pairings expire by
/// our own clock instead (and a leaf has a lifetime only until its first update), so leaves here never expire.
fn lifetime() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

fn capabilities() -> Capabilities {
    Capabilities::builder()
        .versions(vec![ProtocolVersion::Mls10])
        .ciphersuites(vec![SUITE])
        .extensions(Vec::new())
        .proposals(Vec::new())
        .credentials(vec![CredentialType::Basic])
        .build()
}

pub(crate) fn join_config(past_epochs: usize) -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .max_past_epochs(past_epochs)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD))
        .build()
}

pub(crate) fn is_hub(leaf: LeafNodeIndex) -> bool {
    leaf.u32() == HUB_LEAF
}

/// A new group whose only member is the hub.
pub(crate) fn create(
    provider: &Provider,
    leaf: &SigningKey,
    credential: &Credential,
    id: &[u8; 16],
) -> Result<MlsGroup, HomeError> {
    let config = MlsGroupCreateConfig::builder()
        .ciphersuite(SUITE)
        .capabilities(capabilities())
        .lifetime(lifetime())
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .max_past_epochs(HUB_PAST_EPOCHS)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD))
        .build();
    let credential = with_key(credential, leaf);
    MlsGroup::new_with_group_id(provider, leaf, &config, GroupId::from_slice(id), credential).map_err(refused)
}

/// The group in the store.
pub(crate) fn load(provider: &Provider, id: &[u8; 16]) -> Result<Option<MlsGroup>, OverlayError> {
    MlsGroup::load(&provider.overlay, &GroupId::from_slice(id))
}

/// A fresh KeyPackage; its private keys go into the overlay.
pub(crate) fn key_package(
    provider: &Provider,
    leaf: &SigningKey,
    credential: &Credential,
) -> Result<Vec<u8>, HomeError> {
    let bundle = KeyPackage::builder()
        .leaf_node_capabilities(capabilities())
        .key_package_lifetime(lifetime())
        .build(SUITE, provider, leaf, with_key(credential, leaf))
        .map_err(refused)?;
    bundle.key_package().tls_serialize_detached().map_err(refused)
}

/// The KeyPackage in `bytes`, with its credential, if both are in order and of this kind of group.
pub(crate) fn read_key_package(provider: &Provider, bytes: &[u8]) -> Result<(KeyPackage, Credential), &'static str> {
    let package = KeyPackageIn::tls_deserialize_exact(bytes)
        .map_err(|_| "its key package can't be read")?
        .validate(provider.crypto(), ProtocolVersion::Mls10)
        .map_err(|_| "its key package is not valid")?;
    let leaf = package.leaf_node();
    if package.ciphersuite() != SUITE
        || package.last_resort()
        || leaf.extensions().iter().next().is_some()
        || package.extensions().iter().next().is_some()
    {
        return Err("its key package is of another kind");
    }
    let credential = credential_of(leaf.credential(), leaf.signature_key().as_slice())?;
    Ok((package, credential))
}

/// The credential of a leaf with this signature key, verified.
pub(crate) fn credential_of(credential: &openmls::prelude::Credential, key: &[u8]) -> Result<Credential, &'static str> {
    if credential.credential_type() != CredentialType::Basic {
        return Err("not a basic credential");
    }
    let basic = BasicCredential::try_from(credential.clone()).map_err(|_| "not a basic credential")?;
    Credential::verify(basic.identity(), key)
}

/// The encrypted group message of this kind in `bytes`. Anything that is not encrypted is refused here, before openmls looks
/// at it: that is what keeps external commits and proposals out.
pub(crate) fn read_message(bytes: &[u8], kind: ContentType) -> Result<ProtocolMessage, PolicyError> {
    let message = MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| PolicyError::NotEncrypted)?;
    match message.extract() {
        MlsMessageBodyIn::PrivateMessage(message) => {
            if !message.aad().is_empty() {
                return Err(PolicyError::ClearData);
            }
            let message = ProtocolMessage::from(message);
            if message.content_type() == kind { Ok(message) } else { Err(PolicyError::Kind) }
        }
        _ => Err(PolicyError::NotEncrypted),
    }
}

pub(crate) fn read_welcome(bytes: &[u8]) -> Option<Welcome> {
    match MlsMessageIn::tls_deserialize_exact(bytes).ok()?.extract() {
        MlsMessageBodyIn::Welcome(welcome) => Some(welcome),
        _ => None,
    }
}

pub(crate) fn write(message: &MlsMessageOut) -> Result<Vec<u8>, HomeError> {
    message.to_bytes().map_err(refused)
}

/// The id under which MLS knows a pairing's PSK.
pub(crate) fn psk(pairing: &[u8]) -> Psk {
    Psk::External(ExternalPsk::new(pairing.to_vec()))
}

/// Keeps a pairing's PSK until the commit that uses it.
pub(crate) fn keep_psk(provider: &Provider, pairing: &[u8], key: &[u8]) -> Result<PreSharedKeyId, HomeError> {
    let id = PreSharedKeyId::new(SUITE, provider.rand(), psk(pairing)).map_err(refused)?;
    id.store(provider, key).map_err(refused)?;
    Ok(id)
}

/// Forgets a pairing's PSK.
pub(crate) fn forget_psk(provider: &Provider, pairing: &[u8]) -> Result<(), HomeError> {
    Ok(provider.overlay.delete_psk(&psk(pairing))?)
}

/// openmls refused what it should not have.
pub(crate) fn refused(error: impl std::fmt::Display) -> HomeError {
    HomeError::Group(error.to_string())
}

/// Why openmls did not read a message, classed by what it means here.
pub(crate) enum Unread {
    /// Its key was used and erased: it was read before.
    Seen,
    /// Its key is forgotten: it belongs to another epoch than those that can be read, or came too late within one.
    Past,
    /// It is not authentic, or does not fit the group.
    Bad(String),
    /// The store failed.
    Store(HomeError),
}

impl From<ProcessMessageError<OverlayError>> for Unread {
    fn from(error: ProcessMessageError<OverlayError>) -> Self {
        use openmls::framing::errors::MessageDecryptionError::SecretTreeError as Undecryptable;
        use openmls::framing::errors::SecretTreeError as Ratchet;
        match error {
            ProcessMessageError::StorageError(error) => Self::Store(error.into()),
            ProcessMessageError::ValidationError(ValidationError::UnableToDecrypt(Undecryptable(
                Ratchet::SecretReuseError,
            ))) => Self::Seen,
            // openmls reports an epoch that it has forgotten as a generation that it has.
            ProcessMessageError::ValidationError(
                ValidationError::WrongEpoch
                | ValidationError::NoPastEpochData
                | ValidationError::UnableToDecrypt(Undecryptable(Ratchet::TooDistantInThePast)),
            ) => Self::Past,
            error => Self::Bad(error.to_string()),
        }
    }
}

impl From<OverlayError> for HomeError {
    fn from(error: OverlayError) -> Self {
        match error {
            OverlayError::Store(error) => Self::Store(error),
            OverlayError::Damaged(cause) => Self::Damaged(cause),
        }
    }
}

fn with_key(credential: &Credential, leaf: &SigningKey) -> CredentialWithKey {
    CredentialWithKey {
        credential: BasicCredential::new(credential.encode()).into(),
        signature_key: leaf.public().to_vec().into(),
    }
}
