//! What openmls needs from its surroundings: the RustCrypto primitives and our [`Overlay`] as its storage. The storage's
//! methods are one line each over six verbs; what they store is openmls' business.

use openmls_rust_crypto::RustCrypto;
use openmls_traits::OpenMlsProvider;
use openmls_traits::storage::{CURRENT_VERSION as V, StorageProvider, traits};

use crate::overlay::{Overlay, OverlayError};

/// Cryptography, MLS' own randomness, and the overlay.
pub(crate) struct Provider {
    crypto: RustCrypto,
    pub(crate) overlay: Overlay,
}

impl Provider {
    pub(crate) fn new(overlay: Overlay) -> Self {
        Self { crypto: RustCrypto::default(), overlay }
    }
}

impl OpenMlsProvider for Provider {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = Overlay;

    fn storage(&self) -> &Overlay {
        &self.overlay
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}

impl StorageProvider<V> for Overlay {
    type Error = OverlayError;

    // --- one value per group ---

    fn write_mls_join_config<G: traits::GroupId<V>, E: traits::MlsGroupJoinConfig<V>>(
        &self,
        group: &G,
        value: &E,
    ) -> Result<(), Self::Error> {
        self.put("join-config", group, value)
    }

    fn mls_group_join_config<G: traits::GroupId<V>, E: traits::MlsGroupJoinConfig<V>>(
        &self,
        group: &G,
    ) -> Result<Option<E>, Self::Error> {
        self.get("join-config", group)
    }

    fn delete_group_config<G: traits::GroupId<V>>(&self, group: &G) -> Result<(), Self::Error> {
        self.delete("join-config", group)
    }

    fn write_tree<G: traits::GroupId<V>, E: traits::TreeSync<V>>(
        &self,
        group: &G,
        value: &E,
    ) -> Result<(), Self::Error> {
        self.put("tree", group, value)
    }

    fn tree<G: traits::GroupId<V>, E: traits::TreeSync<V>>(&self, group: &G) -> Result<Option<E>, Self::Error> {
        self.get("tree", group)
    }

    fn delete_tree<G: traits::GroupId<V>>(&self, group: &G) -> Result<(), Self::Error> {
        self.delete("tree", group)
    }

    fn write_context<G: traits::GroupId<V>, E: traits::GroupContext<V>>(
        &self,
        group: &G,
        value: &E,
    ) -> Result<(), Self::Error> {
        self.put("context", group, value)
    }

    fn group_context<G: traits::GroupId<V>, E: traits::GroupContext<V>>(
        &self,
        group: &G,
    ) -> Result<Option<E>, Self::Error> {
        self.get("context", group)
    }

    fn delete_context<G: traits::GroupId<V>>(&self, group: &G) -> Result<(), Self::Error> {
        self.delete("context", group)
    }

    fn write_interim_transcript_hash<G: traits::GroupId<V>, E: traits::InterimTranscriptHash<V>>(
        &self,
        group: &G,
        value: &E,
    ) -> Result<(), Self::Error> {
        self.put("interim-transcript-hash", group, value)
    }

    fn interim_transcript_hash<G: traits::GroupId<V>, E: traits::InterimTranscriptHash<V>>(
        &self,
        group: &G,
    ) -> Result<Option<E>, Self::Error> {
        self.get("interim-transcript-hash", group)
    }

    fn delete_interim_transcript_hash<G: traits::GroupId<V>>(&self, group: &G) -> Result<(), Self::Error> {
        self.delete("interim-transcript-hash", group)
    }

    fn write_confirmation_tag<G: traits::GroupId<V>, E: traits::ConfirmationTag<V>>(
        &self,
        group: &G,
        value: &E,
    ) -> Result<(), Self::Error> {
        self.put("confirmation-tag", group, value)
    }

    fn confirmation_tag<G: traits::GroupId<V>, E: traits::ConfirmationTag<V>>(
        &self,
        group: &G,
    ) -> Result<Option<E>, Self::Error> {
        self.get("confirmation-tag", group)
    }

    fn delete_confirmation_tag<G: traits::GroupId<V>>(&self, group: &G) -> Result<(), Self::Error> {
        self.delete("confirmation-tag", group)
    }

    fn write_group_state<E: traits::GroupState<V>, G: traits::GroupId<V>>(
        &self,
        group: &G,
        value: &E,
    ) -> Result<(), Self::Error> {
        self.put("state", group, value)
    }

    fn group_state<E: traits::GroupState<V>, G: traits::GroupId<V>>(
        &self,
        group: &G,
    ) -> Result<Option<E>, Self::Error> {
        self.get("state", group)
    }

    fn delete_group_state<G: traits::GroupId<V>>(&self, group: &G) -> Result<(), Self::Error> {
        self.delete("state", group)
    }

    fn write_message_secrets<G: traits::GroupId<V>, E: traits::MessageSecrets<V>>(
        &self,
        group: &G,
        value: &E,
    ) -> Result<(), Self::Error> {
        self.put("message-secrets", group, value)
    }

    fn message_secrets<G: traits::GroupId<V>, E: traits::MessageSecrets<V>>(
        &self,
        group: &G,
    ) -> Result<Option<E>, Self::Error> {
        self.get("message-secrets", group)
    }

    fn delete_message_secrets<G: traits::GroupId<V>>(&self, group: &G) -> Result<(), Self::Error> {
        self.delete("message-secrets", group)
    }

    fn write_resumption_psk_store<G: traits::GroupId<V>, E: traits::ResumptionPskStore<V>>(
        &self,
        group: &G,
        value: &E,
    ) -> Result<(), Self::Error> {
        self.put("resumption-psks", group, value)
    }

    fn resumption_psk_store<G: traits::GroupId<V>, E: traits::ResumptionPskStore<V>>(
        &self,
        group: &G,
    ) -> Result<Option<E>, Self::Error> {
        self.get("resumption-psks", group)
    }

    fn delete_all_resumption_psk_secrets<G: traits::GroupId<V>>(&self, group: &G) -> Result<(), Self::Error> {
        self.delete("resumption-psks", group)
    }

    fn write_own_leaf_index<G: traits::GroupId<V>, E: traits::LeafNodeIndex<V>>(
        &self,
        group: &G,
        value: &E,
    ) -> Result<(), Self::Error> {
        self.put("own-leaf-index", group, value)
    }

    fn own_leaf_index<G: traits::GroupId<V>, E: traits::LeafNodeIndex<V>>(
        &self,
        group: &G,
    ) -> Result<Option<E>, Self::Error> {
        self.get("own-leaf-index", group)
    }

    fn delete_own_leaf_index<G: traits::GroupId<V>>(&self, group: &G) -> Result<(), Self::Error> {
        self.delete("own-leaf-index", group)
    }

    fn write_group_epoch_secrets<G: traits::GroupId<V>, E: traits::GroupEpochSecrets<V>>(
        &self,
        group: &G,
        value: &E,
    ) -> Result<(), Self::Error> {
        self.put("epoch-secrets", group, value)
    }

    fn group_epoch_secrets<G: traits::GroupId<V>, E: traits::GroupEpochSecrets<V>>(
        &self,
        group: &G,
    ) -> Result<Option<E>, Self::Error> {
        self.get("epoch-secrets", group)
    }

    fn delete_group_epoch_secrets<G: traits::GroupId<V>>(&self, group: &G) -> Result<(), Self::Error> {
        self.delete("epoch-secrets", group)
    }

    // --- own leaf nodes and proposals: lists per group ---

    fn append_own_leaf_node<G: traits::GroupId<V>, E: traits::LeafNode<V>>(
        &self,
        group: &G,
        leaf: &E,
    ) -> Result<(), Self::Error> {
        self.push("own-leaf-nodes", group, leaf)
    }

    fn own_leaf_nodes<G: traits::GroupId<V>, E: traits::LeafNode<V>>(&self, group: &G) -> Result<Vec<E>, Self::Error> {
        self.list("own-leaf-nodes", group)
    }

    fn delete_own_leaf_nodes<G: traits::GroupId<V>>(&self, group: &G) -> Result<(), Self::Error> {
        self.delete("own-leaf-nodes", group)
    }

    fn queue_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>, E: traits::QueuedProposal<V>>(
        &self,
        group: &G,
        reference: &R,
        proposal: &E,
    ) -> Result<(), Self::Error> {
        self.put("proposal", &(group, reference), proposal)?;
        self.push("proposal-refs", group, reference)
    }

    fn queued_proposal_refs<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &G,
    ) -> Result<Vec<R>, Self::Error> {
        self.list("proposal-refs", group)
    }

    fn queued_proposals<G: traits::GroupId<V>, R: traits::ProposalRef<V>, E: traits::QueuedProposal<V>>(
        &self,
        group: &G,
    ) -> Result<Vec<(R, E)>, Self::Error> {
        let references: Vec<R> = self.list("proposal-refs", group)?;
        references
            .into_iter()
            .map(|reference| {
                let proposal = self
                    .get("proposal", &(group, &reference))?
                    .ok_or_else(|| OverlayError::Damaged("a queued proposal is missing".into()))?;
                Ok((reference, proposal))
            })
            .collect()
    }

    fn remove_proposal<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &G,
        reference: &R,
    ) -> Result<(), Self::Error> {
        self.pull("proposal-refs", group, reference)?;
        self.delete("proposal", &(group, reference))
    }

    fn clear_proposal_queue<G: traits::GroupId<V>, R: traits::ProposalRef<V>>(
        &self,
        group: &G,
    ) -> Result<(), Self::Error> {
        let references: Vec<R> = self.list("proposal-refs", group)?;
        for reference in references {
            self.delete("proposal", &(group, &reference))?;
        }
        self.delete("proposal-refs", group)
    }

    // --- keys ---

    fn write_signature_key_pair<K: traits::SignaturePublicKey<V>, E: traits::SignatureKeyPair<V>>(
        &self,
        public: &K,
        pair: &E,
    ) -> Result<(), Self::Error> {
        self.put("signature-key", public, pair)
    }

    fn signature_key_pair<K: traits::SignaturePublicKey<V>, E: traits::SignatureKeyPair<V>>(
        &self,
        public: &K,
    ) -> Result<Option<E>, Self::Error> {
        self.get("signature-key", public)
    }

    fn delete_signature_key_pair<K: traits::SignaturePublicKey<V>>(&self, public: &K) -> Result<(), Self::Error> {
        self.delete("signature-key", public)
    }

    fn write_encryption_key_pair<K: traits::EncryptionKey<V>, E: traits::HpkeKeyPair<V>>(
        &self,
        public: &K,
        pair: &E,
    ) -> Result<(), Self::Error> {
        self.put("encryption-key", public, pair)
    }

    fn encryption_key_pair<E: traits::HpkeKeyPair<V>, K: traits::EncryptionKey<V>>(
        &self,
        public: &K,
    ) -> Result<Option<E>, Self::Error> {
        self.get("encryption-key", public)
    }

    fn delete_encryption_key_pair<K: traits::EncryptionKey<V>>(&self, public: &K) -> Result<(), Self::Error> {
        self.delete("encryption-key", public)
    }

    fn write_encryption_epoch_key_pairs<G: traits::GroupId<V>, K: traits::EpochKey<V>, E: traits::HpkeKeyPair<V>>(
        &self,
        group: &G,
        epoch: &K,
        leaf: u32,
        pairs: &[E],
    ) -> Result<(), Self::Error> {
        self.put("epoch-keys", &(group, epoch, leaf), &pairs)
    }

    fn encryption_epoch_key_pairs<G: traits::GroupId<V>, K: traits::EpochKey<V>, E: traits::HpkeKeyPair<V>>(
        &self,
        group: &G,
        epoch: &K,
        leaf: u32,
    ) -> Result<Vec<E>, Self::Error> {
        Ok(self.get("epoch-keys", &(group, epoch, leaf))?.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<G: traits::GroupId<V>, K: traits::EpochKey<V>>(
        &self,
        group: &G,
        epoch: &K,
        leaf: u32,
    ) -> Result<(), Self::Error> {
        self.delete("epoch-keys", &(group, epoch, leaf))
    }

    fn write_key_package<K: traits::HashReference<V>, E: traits::KeyPackage<V>>(
        &self,
        reference: &K,
        package: &E,
    ) -> Result<(), Self::Error> {
        self.put("key-package", reference, package)
    }

    fn key_package<K: traits::HashReference<V>, E: traits::KeyPackage<V>>(
        &self,
        reference: &K,
    ) -> Result<Option<E>, Self::Error> {
        self.get("key-package", reference)
    }

    fn delete_key_package<K: traits::HashReference<V>>(&self, reference: &K) -> Result<(), Self::Error> {
        self.delete("key-package", reference)
    }

    fn write_psk<K: traits::PskId<V>, E: traits::PskBundle<V>>(&self, id: &K, psk: &E) -> Result<(), Self::Error> {
        self.put("psk", id, psk)
    }

    fn psk<E: traits::PskBundle<V>, K: traits::PskId<V>>(&self, id: &K) -> Result<Option<E>, Self::Error> {
        self.get("psk", id)
    }

    fn delete_psk<K: traits::PskId<V>>(&self, id: &K) -> Result<(), Self::Error> {
        self.delete("psk", id)
    }
}
