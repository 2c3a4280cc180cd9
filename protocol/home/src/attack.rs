//! Tests of the rules: what a member, or a stranger who got hold of a member's keys, can make openmls produce, and what the
//! others do with it. Everything here is well-formed MLS; the rules alone stop it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::Duration;

use openmls::group::{CommitBuilder, Initial, MlsGroup};
use openmls::prelude::tls_codec::Serialize as _;
use openmls::prelude::{
    BasicCredential, Capabilities, CredentialType, CredentialWithKey, Extensions, ExternalSender, KeyPackage,
    LeafNodeParameters, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider as _, PreSharedKeyProposal, Proposal,
    ProtocolVersion,
};
use privet_protocol::random::SeededRandom;
use privet_protocol::storage::{Batch, MemoryStore};
use privet_protocol::time::Timestamp;

use crate::crypto::{SecretBytes, SigningKey};
use crate::group;
use crate::identity::{Credential, Role};
use crate::inbox::{self, Inbox};
use crate::log::{LogPosition, Payload, Place};
use crate::overlay::Overlay;
use crate::provider::Provider;
use crate::{
    Env, HubHome, HubMessage, LogError, Offer, PhoneHome, PhoneMessage, PolicyError, ReceiveError, RelayAddress,
};

/// What an insider holds.
pub(crate) struct Raw<'a> {
    pub(crate) provider: &'a Provider,
    pub(crate) group: &'a mut MlsGroup,
    pub(crate) leaf: SigningKey,
    pub(crate) identity: SigningKey,
}

struct Home {
    hub: HubHome,
    ann: PhoneHome,
    ben: PhoneHome,
    random: SeededRandom,
}

const NOW: Timestamp = Timestamp(1_795_000_000_000);

impl Home {
    fn new() -> Self {
        let random = SeededRandom::new(b"attack");
        let env = Env::new(NOW, &random);
        let mut hub = HubHome::create(Arc::new(MemoryStore::new()), "Hub", env).unwrap();
        let ann = Self::pair(&mut hub, "Ann", env);
        let ben = Self::pair(&mut hub, "Ben", env);
        let mut home = Self { hub, ann, ben, random };
        home.catch_up();
        home
    }

    fn pair(hub: &mut HubHome, name: &str, env: Env<'_>) -> PhoneHome {
        let relay = RelayAddress { host: "relay".into(), port: 1, pin: None };
        let invitation = hub.invite(&relay, Duration::from_secs(600), env).unwrap();
        let offer = Offer::parse(&invitation.qr_text, NOW).unwrap();
        let (mut attempt, request) = PhoneHome::begin(&offer, name, Arc::new(MemoryStore::new()), env).unwrap();
        let admitted = hub.admit(invitation.pairing, &request, &[], env).unwrap();
        attempt.complete(&admitted.answer, env).unwrap()
    }

    fn catch_up(&mut self) {
        let env = Env::new(NOW, &self.random);
        for phone in [&mut self.ann, &mut self.ben] {
            for entry in self.hub.outbox(phone.position().seq + 1, usize::MAX).unwrap() {
                phone.receive(entry.seq, &entry.bytes, |_| Batch::new(), env).unwrap();
            }
        }
    }

    /// Ann is given these MLS bytes as the next commit, at a place the hub's identity signed.
    fn ann_gets_commit(&mut self, mls: &[u8]) -> LogError {
        let identity = self.hub.raw().identity;
        let before = self.ann.position();
        let home = self.hub.home_id();
        let entry = Place { home: &home, generation: 1, before: &before }.commit(&identity, mls);
        self.ann_refuses(&entry)
    }

    fn ann_refuses(&mut self, entry: &[u8]) -> LogError {
        let before = self.ann.position();
        let env = Env::new(NOW, &self.random);
        let error = self.ann.receive(before.seq + 1, entry, |_| Batch::new(), env).unwrap_err();
        assert_eq!(self.ann.position(), before);
        error
    }

    fn hub_refuses(&mut self, message: &[u8]) -> ReceiveError {
        let head = self.hub.head();
        let env = Env::new(NOW, &self.random);
        let error = self.hub.receive(message, Batch::new(), env).unwrap_err();
        assert_eq!(self.hub.head(), head);
        error
    }

    /// After every attack the home lives on.
    fn lives(&mut self) {
        let env = Env::new(NOW, &self.random);
        self.hub.append(&[HubMessage::Heartbeat { every_s: 60 }], Batch::new(), env).unwrap();
        self.catch_up();
        assert_eq!(self.ann.position(), self.hub.head());
        let env = Env::new(NOW, &self.random);
        let said = self.ann.send(&PhoneMessage::Paired, Batch::new(), env).unwrap();
        assert!(self.hub.receive(&said.bytes, Batch::new(), env).is_ok());
    }
}

fn refused(error: &LogError) -> &PolicyError {
    match error {
        LogError::Refused { cause, .. } => cause,
        other => panic!("{other:?}"),
    }
}

/// A commit as `raw`'s owner would make it, with a path unless `fill` says otherwise; the owner's group forgets it.
fn commit(raw: &mut Raw<'_>, fill: impl FnOnce(CommitBuilder<'_, Initial>) -> CommitBuilder<'_, Initial>) -> Vec<u8> {
    let bundle = fill(raw.group.commit_builder().force_self_update(true))
        .load_psks(&raw.provider.overlay)
        .unwrap()
        .build(raw.provider.rand(), raw.provider.crypto(), &raw.leaf, |_| true)
        .unwrap()
        .stage_commit(raw.provider)
        .unwrap();
    let bytes = bundle.into_commit().to_bytes().unwrap();
    raw.group.clear_pending_commit(&raw.provider.overlay).unwrap();
    raw.provider.overlay.discard();
    bytes
}

/// A leaf's credential and its signature key, in openmls's types.
fn with_key(credential: &Credential, key: &[u8]) -> CredentialWithKey {
    CredentialWithKey {
        credential: BasicCredential::new(credential.encode()).into(),
        signature_key: key.to_vec().into(),
    }
}

/// The key pair of a device that only this test knows.
fn made_up_key(byte: u8) -> SigningKey {
    SigningKey::from_seed(&SecretBytes::new(vec![byte; 32])).unwrap()
}

/// A key package that `raw`'s owner makes for `key`, as the hub reads it.
fn package(raw: &Raw<'_>, key: &SigningKey, credential: &Credential) -> KeyPackage {
    let package = group::key_package(raw.provider, key, credential).unwrap();
    group::read_key_package(raw.provider, &package).unwrap().0
}

#[test]
fn a_phones_commit_is_refused_by_phones_and_hub() {
    let mut home = Home::new();
    let mls = commit(&mut home.ben.raw(), |empty| empty);
    assert_eq!(refused(&home.ann_gets_commit(&mls)), &PolicyError::NotTheHub);
    for message in [Inbox::Message(&mls).encode(), Inbox::Update(&mls).encode()] {
        assert_eq!(home.hub_refuses(&message), ReceiveError::Refused(PolicyError::Kind));
    }
    home.lives();
}

#[test]
fn a_phones_message_is_no_log_entry() {
    let mut home = Home::new();
    let position = home.ann.position();
    let body = SecretBytes::new(privet_protocol::cbor::encode(&HubMessage::Heartbeat { every_s: 60 }));
    let payload = Payload { generation: 1, seq: position.seq + 1, prev: position.hash, at: NOW, body, pad: Vec::new() };
    let raw = home.ben.raw();
    let message = raw.group.create_message(raw.provider, &raw.leaf, &privet_protocol::cbor::encode(&payload)).unwrap();
    let entry = Place::message(&message.to_bytes().unwrap());
    assert_eq!(refused(&home.ann_refuses(&entry)), &PolicyError::NotTheHub);
    home.lives();
}

#[test]
fn a_hub_that_mixes_in_a_key_nobody_announced_is_refused() {
    let mut home = Home::new();
    // Ann has the key in her storage, from somewhere else.
    group::keep_psk(home.ann.raw().provider, b"foreign", &[1; 32]).unwrap();
    let mut raw = home.hub.raw();
    let id = group::keep_psk(raw.provider, b"foreign", &[1; 32]).unwrap();
    let mls = commit(&mut raw, |commit| {
        commit.add_proposals([Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(id)))])
    });
    assert_eq!(refused(&home.ann_gets_commit(&mls)), &PolicyError::ForeignKey);
    home.lives();
}

#[test]
fn a_hub_that_lets_strangers_propose_is_refused() {
    let mut home = Home::new();
    let mut raw = home.hub.raw();
    let stranger = ExternalSender::new(raw.leaf.public().to_vec().into(), BasicCredential::new(vec![1]).into());
    let extension = openmls::prelude::Extension::ExternalSenders(vec![stranger]);
    let extensions = Extensions::single(extension).unwrap();
    let mls = commit(&mut raw, |commit| commit.propose_group_context_extensions(extensions).unwrap());
    assert_eq!(refused(&home.ann_gets_commit(&mls)), &PolicyError::Group("its extensions"));
    home.lives();
}

#[test]
fn commits_without_a_path_or_with_a_second_hub_are_refused() {
    let mut home = Home::new();
    let second = made_up_key(9);
    let device = privet_protocol::id::DeviceId::from_bytes([9; 16]);
    let credential = Credential::sign(Role::Hub, device, "Second", &second, &second.public());
    let package = package(&home.hub.raw(), &second, &credential);
    let mut add = |path: bool| {
        commit(&mut home.hub.raw(), |commit| commit.propose_adds([package.clone()]).force_self_update(path))
    };
    let (with, without) = (add(true), add(false));
    assert_eq!(refused(&home.ann_gets_commit(&with)), &PolicyError::Credential("a second hub"));
    assert_eq!(refused(&home.ann_gets_commit(&without)), &PolicyError::Commit("keep old keys"));
    home.lives();
}

#[test]
fn a_device_can_not_be_taken_over_under_another_identity() {
    let mut home = Home::new();
    let thief = made_up_key(8);
    let credential = Credential::sign(Role::Phone, home.ben.device(), "Ben", &thief, &thief.public());
    let package = package(&home.hub.raw(), &thief, &credential);
    let ben = home.ben.raw().group.own_leaf_index();
    for (remove, cause) in [(Some(ben), "another identity than before"), (None, "a device that is there twice")] {
        let mls = commit(&mut home.hub.raw(), |commit| commit.propose_removals(remove).propose_adds([package.clone()]));
        assert_eq!(refused(&home.ann_gets_commit(&mls)), &PolicyError::Credential(cause));
    }
    home.lives();
}

#[test]
fn a_stranger_with_group_info_can_not_join_from_outside() {
    let mut home = Home::new();
    let raw = home.hub.raw();
    let info = raw.group.export_group_info(raw.provider.crypto(), &raw.leaf, true).unwrap();
    let info = info.tls_serialize_detached().unwrap();
    let MlsMessageBodyIn::GroupInfo(info) =
        openmls::prelude::tls_codec::DeserializeBytes::tls_deserialize_exact_bytes(&info)
            .map(|message: MlsMessageIn| message.extract())
            .unwrap()
    else {
        panic!("group info")
    };
    let provider = Provider::new(Overlay::new(Arc::new(MemoryStore::new())));
    let leaf = made_up_key(7);
    let device = privet_protocol::id::DeviceId::from_bytes([7; 16]);
    let credential = Credential::sign(Role::Phone, device, "Stranger", &leaf, &leaf.public());
    let capabilities = Capabilities::builder()
        .versions(vec![ProtocolVersion::Mls10])
        .ciphersuites(vec![group::SUITE])
        .credentials(vec![CredentialType::Basic])
        .build();
    let credential = with_key(&credential, &leaf.public());
    let (_, bundle) = MlsGroup::external_commit_builder()
        .with_config(group::join_config(0))
        .build_group(&provider, info, credential)
        .unwrap()
        .leaf_node_parameters(LeafNodeParameters::builder().with_capabilities(capabilities).build())
        .load_psks(&provider.overlay)
        .unwrap()
        .build(provider.rand(), provider.crypto(), &leaf, |_| true)
        .unwrap()
        .finalize(&provider)
        .unwrap();
    let mls = bundle.into_commit().to_bytes().unwrap();
    assert!(matches!(home.ann_gets_commit(&mls), LogError::Forged { .. }));
    for message in [Inbox::Message(&mls).encode(), Inbox::Update(&mls).encode()] {
        assert_eq!(home.hub_refuses(&message), ReceiveError::Refused(PolicyError::NotEncrypted));
    }
    home.lives();
}

#[test]
fn phones_propose_nothing_but_their_own_update() {
    let mut home = Home::new();
    let ann_leaf = home.ann.raw().group.own_leaf_index();
    let raw = home.ben.raw();
    let (remove, _) = raw.group.propose_remove_member(raw.provider, &raw.leaf, ann_leaf).unwrap();
    let (leave, _) = {
        let id = group::keep_psk(raw.provider, b"foreign", &[1; 32]).unwrap();
        raw.group.propose_pre_shared_key(raw.provider, &raw.leaf, id).unwrap()
    };
    for (message, what) in [(remove, "remove a member"), (leave, "mix in a key")] {
        let mls = message.to_bytes().unwrap();
        let error = home.hub_refuses(&Inbox::Update(&mls).encode());
        assert_eq!(error, ReceiveError::Refused(PolicyError::Proposal(what)));
        let identity = home.hub.raw().identity;
        let (before, id) = (home.ann.position(), home.hub.home_id());
        let entry = Place { home: &id, generation: 1, before: &before }.proposal(&identity, &mls);
        assert_eq!(refused(&home.ann_refuses(&entry)), &PolicyError::Proposal(what));
    }
    // An update under another identity.
    let mut home = Home::new();
    let raw = home.ben.raw();
    let other = made_up_key(6);
    let device = privet_protocol::id::DeviceId::from_bytes([6; 16]);
    let credential = Credential::sign(Role::Phone, device, "Other", &other, &raw.leaf.public());
    let credential = with_key(&credential, &raw.leaf.public());
    let parameters = LeafNodeParameters::builder().with_credential_with_key(credential).build();
    let (update, _) = raw.group.propose_self_update(raw.provider, &raw.leaf, parameters).unwrap();
    let error = home.hub_refuses(&Inbox::Update(&update.to_bytes().unwrap()).encode());
    assert_eq!(error, ReceiveError::Refused(PolicyError::Credential("another identity than before")));
    home.lives();
}

#[test]
fn data_in_clear_is_refused() {
    let mut home = Home::new();
    let raw = home.hub.raw();
    raw.group.set_aad(b"in clear".to_vec());
    let message = raw.group.create_message(raw.provider, &raw.leaf, b"x").unwrap();
    raw.provider.overlay.discard();
    let entry = Place::message(&message.to_bytes().unwrap());
    assert_eq!(refused(&home.ann_refuses(&entry)), &PolicyError::ClearData);
}

/// MLS does not bind a message to its place among the sender's messages: an insider who knows the group's secrets can encrypt
/// a signed message again. The numbers inside do.
#[test]
fn numbers_inside_the_signed_content_stop_replays_by_insiders() {
    let mut home = Home::new();
    let at = home.ann.position();
    let say = |home: &mut Home, seq: u64, prev: [u8; 32], generation: u32| {
        let body = SecretBytes::new(privet_protocol::cbor::encode(&HubMessage::Heartbeat { every_s: 60 }));
        let payload = privet_protocol::cbor::encode(&Payload { generation, seq, prev, at: NOW, body, pad: Vec::new() });
        let raw = home.hub.raw();
        Place::message(&raw.group.create_message(raw.provider, &raw.leaf, &payload).unwrap().to_bytes().unwrap())
    };
    let old = say(&mut home, at.seq, at.hash, 1);
    assert_eq!(home.ann_refuses(&old), LogError::Swapped { expected: at.seq + 1, found: at.seq });
    let elsewhere = LogPosition::start(&home.hub.home_id(), 1, 0).hash;
    let fork = say(&mut home, at.seq + 1, elsewhere, 1);
    assert_eq!(home.ann_refuses(&fork), LogError::Forked { seq: at.seq + 1 });
    let other = say(&mut home, at.seq + 1, at.hash, 2);
    assert_eq!(refused(&home.ann_refuses(&other)), &PolicyError::Generation { known: 1, found: 2 });

    let body = SecretBytes::new(privet_protocol::cbor::encode(&PhoneMessage::Paired));
    let payload = privet_protocol::cbor::encode(&inbox::Payload { number: 1, at: NOW, body });
    let twice = [(); 2].map(|()| {
        let raw = home.ben.raw();
        let message = raw.group.create_message(raw.provider, &raw.leaf, &payload).unwrap();
        Inbox::Message(&message.to_bytes().unwrap()).encode()
    });
    let env = Env::new(NOW, &home.random);
    assert!(home.hub.receive(&twice[0], Batch::new(), env).is_ok());
    assert_eq!(home.hub_refuses(&twice[1]), ReceiveError::Seen);
}

#[test]
fn key_packages_of_another_kind_are_refused() {
    let provider = Provider::new(Overlay::new(Arc::new(MemoryStore::new())));
    let leaf = made_up_key(5);
    let device = privet_protocol::id::DeviceId::from_bytes([5; 16]);
    let identity = made_up_key(4);
    let good = Credential::sign(Role::Phone, device, "Phone", &identity, &leaf.public());
    let bytes = group::key_package(&provider, &leaf, &good).unwrap();
    assert!(group::read_key_package(&provider, &bytes).is_ok());
    // A credential that was signed for another leaf key.
    let stolen = Credential::sign(Role::Phone, device, "Phone", &identity, &identity.public());
    let bytes = group::key_package(&provider, &leaf, &stolen).unwrap();
    assert_eq!(group::read_key_package(&provider, &bytes).unwrap_err(), "not signed by the identity it names");
    assert!(group::read_key_package(&provider, b"").is_err());
}

/// openmls would commit it.
#[test]
fn an_update_can_not_take_another_leafs_signature_key() {
    let mut home = Home::new();
    let ann = home.ann.raw().leaf;
    // Ben's new leaf has Ann's signature key, and a credential that is signed for it.
    let device = home.ben.device();
    let raw = home.ben.raw();
    let credential = Credential::sign(Role::Phone, device, "Ben", &raw.identity, &ann.public());
    let credential_with_key = with_key(&credential, &ann.public());
    let bundle = openmls::credentials::NewSignerBundle { signer: &ann, credential_with_key };
    let proposal =
        raw.group.propose_self_update_with_new_signer(raw.provider, &raw.leaf, bundle, LeafNodeParameters::default());
    let (update, _) = proposal.unwrap();
    let error = home.hub_refuses(&Inbox::Update(&update.to_bytes().unwrap()).encode());
    assert_eq!(error, ReceiveError::Refused(PolicyError::Credential("another signature key than before")));
    home.lives();
}
