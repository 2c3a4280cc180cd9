//! Invites of relays that share a store: a record each. Whoever makes the entry for its use first has it, a home or who takes it back.

use data_encoding::HEXLOWER;
use privet_protocol::cbor;
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;

use super::{Invite, InviteError, InviteState, known};
use crate::server::records::{INVITES_PREFIX, InviteRecord, decode, invite_key, made_key};
use crate::server::scan_all;
use crate::storage::Storage;

pub(super) async fn make(storage: &dyn Storage, hash: &[u8; 32], record: &InviteRecord) -> Result<(), StoreError> {
    let mut batch = Batch::new();
    batch.put(made_key(hash), cbor::encode(record));
    storage.commit(batch).await
}

pub(super) async fn list(storage: &dyn Storage, now: Timestamp) -> Result<Vec<Invite>, StoreError> {
    let mut invites = Vec::new();
    for (hash, record) in all(storage).await? {
        let used = storage.get(invite_key(&hash)).await?.is_some();
        invites.push(known(&HEXLOWER.encode(&hash), record, used, now));
    }
    Ok(invites)
}

pub(super) async fn revoke(storage: &dyn Storage, id: &str, now: Timestamp) -> Result<Invite, InviteError> {
    let mut found = all(storage).await?;
    found.retain(|(hash, _)| !id.is_empty() && HEXLOWER.encode(hash).starts_with(id));
    let unknown = || InviteError::Unknown(id.to_owned());
    let (hash, record) = found.pop().ok_or_else(unknown)?;
    if !found.is_empty() {
        return Err(InviteError::Ambiguous(id.to_owned()));
    }
    let invite = known(&HEXLOWER.encode(&hash), record, false, now);
    let mut batch = Batch::new();
    batch.delete(made_key(&hash));
    // Nobody's home: it stays, so that no relay that has just looked lets a home in.
    if storage.commit_new(invite_key(&hash), Vec::new(), batch).await? {
        return Ok(invite);
    }
    match storage.get(invite_key(&hash)).await? {
        Some(home) if !home.is_empty() => Err(InviteError::Used(invite.id)),
        // Somebody else has just taken it back.
        _ => Err(unknown()),
    }
}

pub(super) async fn state(
    storage: &dyn Storage,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<InviteState>, StoreError> {
    let Some(value) = storage.get(made_key(hash)).await? else { return Ok(None) };
    let used = storage.get(invite_key(hash)).await?.is_some();
    Ok(Some(known(&HEXLOWER.encode(hash), decode(&value)?, used, now).state))
}

/// Every invite that was made and not taken back.
async fn all(storage: &dyn Storage) -> Result<Vec<([u8; 32], InviteRecord)>, StoreError> {
    let mut all = Vec::new();
    scan_all(storage, INVITES_PREFIX.to_vec(), |(name, value)| {
        let hash = name.get(2..).and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        let hash = hash.ok_or_else(|| StoreError::Damaged("a key of the index is too short".into()))?;
        all.push((hash, decode(&value)?));
        Ok(())
    })
    .await?;
    Ok(all)
}
