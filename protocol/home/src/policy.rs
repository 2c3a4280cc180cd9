//! What a member may do to the group, checked before anything is merged. RFC 9420 leaves it to the application, and openmls
//! does not refuse it by itself: without these checks a stranger's external commit would be a commit like any other.

use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    GroupContext, LeafNode, Member as MlsMember, MlsGroup, PreSharedKeyProposal, ProcessedMessage, Proposal,
    QueuedProposal, Sender, StagedCommit, StagedWelcome,
};
use openmls::schedule::{PreSharedKeyId, Psk};
use privet_protocol::id::{DeviceId, PairingId};

use crate::group::{SUITE, credential_of, is_hub};
use crate::identity::{Credential, Role};

/// Which rule a message broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Only messages encrypted for the group are read: no external commits, proposals or public messages.
    #[error("a message that is not encrypted for the group")]
    NotEncrypted,
    /// Authenticated data travels in clear, so there must be none.
    #[error("authenticated data in clear")]
    ClearData,
    /// It is of another kind than it says it is.
    #[error("a message of another kind than it claims")]
    Kind,
    /// Only the hub commits, and only the hub speaks in the log.
    #[error("a log entry by another member than the hub")]
    NotTheHub,
    /// The sender is no member any more, or was none when it sent this.
    #[error("the sender is not a member")]
    NotAMember,
    /// Phones propose updates of themselves and nothing else.
    #[error("a proposal to {0}, which no one may make")]
    Proposal(&'static str),
    /// The hub commits adds, removals, updates and the pairing's key, and nothing else.
    #[error("a commit to {0}, which no one may make")]
    Commit(&'static str),
    /// A key the phone was not told of.
    #[error("a commit with a pre-shared key that was not announced")]
    ForeignKey,
    /// A leaf whose credential is not signed by the identity it names, or names another one than before.
    #[error("a credential that is not valid: {0}")]
    Credential(&'static str),
    /// The group is not of the one kind this version makes.
    #[error("another kind of group: {0}")]
    Group(&'static str),
    /// The home's generation is not the one expected.
    #[error("generation {found} of the home, where {known} is due")]
    Generation {
        /// The one known.
        known: u32,
        /// The one found.
        found: u32,
    },
    /// A rejoin that was taken before, or is older than one that was.
    #[error("an old request to rejoin")]
    OldRejoin,
}

/// What a commit does to the members.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) added: Vec<Credential>,
    pub(crate) removed: Vec<Credential>,
    pub(crate) updated: Vec<DeviceId>,
}

/// The member that sent a message: its credential in the group, as the group knows it.
pub(crate) fn sender(group: &MlsGroup, message: &ProcessedMessage) -> Result<Credential, PolicyError> {
    member_credential(&sending_member(group, message)?)
}

fn sending_member(group: &MlsGroup, message: &ProcessedMessage) -> Result<MlsMember, PolicyError> {
    if !message.aad().is_empty() {
        return Err(PolicyError::ClearData);
    }
    let Sender::Member(index) = message.sender() else { return Err(PolicyError::NotEncrypted) };
    let member = group.member_at(*index).ok_or(PolicyError::NotAMember)?;
    // A past epoch may have had another member at this leaf; the credential the message was verified with decides.
    if &member.credential != message.credential() {
        return Err(PolicyError::NotAMember);
    }
    Ok(member)
}

/// The member that was met last, and the credential that was verified for it. That takes as long as the check of a message, and depends on nothing
/// but the leaf; whoever reads a log meets the same leaf, the hub's, at every entry.
#[derive(Default)]
pub(crate) struct Met(Option<(MlsMember, Credential)>);

impl Met {
    fn credential(&mut self, member: MlsMember) -> Result<&Credential, PolicyError> {
        let known = self.0.take().filter(|(known, _)| *known == member);
        let (_, credential) = match known {
            Some(known) => self.0.insert(known),
            None => {
                let credential = member_credential(&member)?;
                self.0.insert((member, credential))
            }
        };
        Ok(credential)
    }
}

/// The hub, if it sent the message.
pub(crate) fn from_hub(
    group: &MlsGroup,
    message: &ProcessedMessage,
    hub: &[u8; 32],
    met: &mut Met,
) -> Result<(), PolicyError> {
    let sender_is_leaf = matches!(message.sender(), Sender::Member(index) if is_hub(*index));
    let credential = met.credential(sending_member(group, message)?)?;
    if sender_is_leaf && credential.role == Role::Hub && &credential.identity == hub {
        Ok(())
    } else {
        Err(PolicyError::NotTheHub)
    }
}

/// A proposal that may be queued: a phone's update of its own leaf under its pinned identity.
pub(crate) fn proposal(group: &MlsGroup, proposal: &QueuedProposal) -> Result<Credential, PolicyError> {
    let Sender::Member(index) = proposal.sender() else { return Err(PolicyError::Proposal("change it from outside")) };
    let Proposal::Update(update) = proposal.proposal() else {
        return Err(PolicyError::Proposal(kind(proposal.proposal())));
    };
    let member = group.member_at(*index).ok_or(PolicyError::NotAMember)?;
    let old = member_credential(&member)?;
    if old.role == Role::Hub {
        return Err(PolicyError::Proposal("replace the hub's leaf"));
    }
    same(&old, &leaf_credential(update.leaf_node())?)?;
    same_key(&member, update.leaf_node())?;
    Ok(old)
}

/// A commit of the hub that may be merged, and what it does.
pub(crate) fn commit(
    group: &MlsGroup,
    staged: &StagedCommit,
    hub: &[u8; 32],
    announced: &[PairingId],
) -> Result<Changes, PolicyError> {
    context(staged.group_context())?;
    let mut changes = Changes::default();
    for queued in staged.queued_proposals() {
        match queued.proposal() {
            Proposal::Add(add) => changes.added.push(leaf_credential(add.key_package().leaf_node())?),
            Proposal::Remove(remove) if is_hub(remove.removed()) => {
                return Err(PolicyError::Commit("remove the hub"));
            }
            Proposal::Remove(remove) => {
                let member = group.member_at(remove.removed()).ok_or(PolicyError::NotAMember)?;
                changes.removed.push(member_credential(&member)?);
            }
            Proposal::Update(_) => changes.updated.push(proposal(group, queued)?.device),
            Proposal::PreSharedKey(_) => {}
            other => return Err(PolicyError::Commit(kind(other))),
        }
    }
    for queued in staged.psk_proposals() {
        let id = psk_id(queued.psk_proposal()).ok_or(PolicyError::ForeignKey)?;
        match id.psk() {
            Psk::External(psk) if announced.iter().any(|id| id.as_bytes() == psk.psk_id()) => {}
            _ => return Err(PolicyError::ForeignKey),
        }
    }
    // Every commit renews the hub's path, under its pinned identity.
    let path = staged.update_path_leaf_node().ok_or(PolicyError::Commit("keep old keys"))?;
    let committer = group.members().find(|member| is_hub(member.index)).ok_or(PolicyError::NotTheHub)?;
    same_key(&committer, path)?;
    let path = leaf_credential(path)?;
    if path.role != Role::Hub || &path.identity != hub {
        return Err(PolicyError::NotTheHub);
    }
    additions(group, &changes)?;
    Ok(changes)
}

/// A group that may be joined: the hub at leaf 0 signed the Welcome, and every leaf has a valid credential.
pub(crate) fn welcome(
    staged: &StagedWelcome,
    hub: &[u8; 32],
    own: &Credential,
) -> Result<Vec<Credential>, PolicyError> {
    context(staged.group_context())?;
    if !is_hub(staged.welcome_sender_index()) {
        return Err(PolicyError::NotTheHub);
    }
    let mut members = Vec::new();
    for member in staged.members() {
        let credential = member_credential(&member)?;
        if (credential.role == Role::Hub) != is_hub(member.index) {
            return Err(PolicyError::Credential("a hub that is not leaf 0, or a phone that is"));
        }
        if members.iter().any(|other: &Credential| other.device == credential.device) {
            return Err(PolicyError::Credential("a device that is there twice"));
        }
        members.push(credential);
    }
    if !members.iter().any(|member| member.role == Role::Hub && &member.identity == hub) {
        return Err(PolicyError::NotTheHub);
    }
    if !members.contains(own) {
        return Err(PolicyError::Credential("this device is missing"));
    }
    Ok(members)
}

/// The verified credential of a member.
pub(crate) fn member_credential(member: &MlsMember) -> Result<Credential, PolicyError> {
    credential_of(&member.credential, &member.signature_key).map_err(PolicyError::Credential)
}

/// Added devices are phones, and new, or return under the identity they had.
fn additions(group: &MlsGroup, changes: &Changes) -> Result<(), PolicyError> {
    for (i, added) in changes.added.iter().enumerate() {
        if added.role != Role::Phone {
            return Err(PolicyError::Credential("a second hub"));
        }
        if changes.added[..i].iter().any(|other| other.device == added.device) {
            return Err(PolicyError::Credential("a device that is there twice"));
        }
        if let Some(removed) = changes.removed.iter().find(|removed| removed.device == added.device) {
            same(removed, added)?;
            continue;
        }
        for member in group.members() {
            if member_credential(&member)?.device == added.device {
                return Err(PolicyError::Credential("a device that is there twice"));
            }
        }
    }
    Ok(())
}

fn same(old: &Credential, new: &Credential) -> Result<(), PolicyError> {
    if old.role == new.role && old.device == new.device && old.identity == new.identity {
        Ok(())
    } else {
        Err(PolicyError::Credential("another identity than before"))
    }
}

/// A leaf keeps its signature key for as long as its membership lasts. (openmls lets an update take another leaf's.)
fn same_key(member: &MlsMember, leaf: &LeafNode) -> Result<(), PolicyError> {
    if member.signature_key == leaf.signature_key().as_slice() {
        Ok(())
    } else {
        Err(PolicyError::Credential("another signature key than before"))
    }
}

fn leaf_credential(leaf: &LeafNode) -> Result<Credential, PolicyError> {
    if leaf.extensions().iter().next().is_some() {
        return Err(PolicyError::Credential("a leaf with extensions"));
    }
    credential_of(leaf.credential(), leaf.signature_key().as_slice()).map_err(PolicyError::Credential)
}

fn context(context: &GroupContext) -> Result<(), PolicyError> {
    if context.ciphersuite() != SUITE {
        return Err(PolicyError::Group("its cipher suite"));
    }
    if context.extensions().iter().next().is_some() {
        return Err(PolicyError::Group("its extensions"));
    }
    Ok(())
}

/// openmls shows the id only in its encoding.
fn psk_id(proposal: &PreSharedKeyProposal) -> Option<PreSharedKeyId> {
    let bytes = proposal.tls_serialize_detached().ok()?;
    PreSharedKeyId::tls_deserialize_exact(bytes.as_slice()).ok()
}

fn kind(proposal: &Proposal) -> &'static str {
    match proposal {
        Proposal::Add(_) => "add a member",
        Proposal::Update(_) => "update a leaf",
        Proposal::Remove(_) => "remove a member",
        Proposal::PreSharedKey(_) => "mix in a key",
        Proposal::ReInit(_) => "start the group anew",
        Proposal::ExternalInit(_) => "join from outside",
        Proposal::GroupContextExtensions(_) => "change the group's extensions",
        Proposal::SelfRemove => "leave",
        _ => "do something unknown",
    }
}
