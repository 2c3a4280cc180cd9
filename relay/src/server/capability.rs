//! Who may do what: the owner grants rights to keys and takes them back, and a hello proves that a key is there.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use privet_protocol::cbor;
use privet_protocol::relay::{
    CapabilityKey, Code, EXPORTER_LABEL, Hello, Response, Rights, close, hello_signing_input,
};
use privet_protocol::storage::Batch;
use tokio::sync::MutexGuard;

use super::home::{Book, Home, over_quota};
use super::log;
use super::records::{GrantRecord, grant_key};
use super::segments;
use super::wake;
use super::wire::Failure;

/// Who has less than this may hold back less than before.
const READER: Rights = Rights { inbox: false, ..Rights::PHONE };

/// Whether the hello's signature was made with its key, on this connection.
pub(crate) fn is_proven(connection: &quinn::Connection, hello: &Hello) -> bool {
    let mut exporter = [0; 32];
    if connection.export_keying_material(&mut exporter, EXPORTER_LABEL, b"").is_err() {
        return false;
    }
    let input = hello_signing_input(&exporter, &hello.principal, &hello.key);
    UnparsedPublicKey::new(&ED25519, &hello.key.0).verify(&input, &hello.signature.0).is_ok()
}

pub(crate) async fn grant(home: &Home, who: CapabilityKey, rights: Rights) -> Result<Response, Failure> {
    if who == home.owner {
        return Err(Failure::refuse(Code::Conflict, "the owner has all rights already"));
    }
    let book = home.book.lock().await;
    let (record, curtailed) = {
        let grants = home.grants();
        let known = grants.get(&who).copied();
        if known.is_none() && grants.len() as u64 >= home.limits().keys {
            return Err(over_quota(format!("{} keys", home.limits().keys), "keys"));
        }
        let curtailed = known.is_some_and(|grant| !rights.cover(&grant.rights));
        // A new reader holds back everything that is there.
        (GrantRecord { rights, acknowledged: known.map_or(0, |grant| grant.acknowledged) }, curtailed)
    };
    let mut batch = Batch::new();
    batch.put(grant_key(home.id, &who), cbor::encode(&record));
    let asleep = !wake::may_be_woken(&rights);
    if asleep {
        wake::forget_phone(home, &who, &mut batch);
    }
    home.storage.commit(batch).await?;
    home.grants().insert(who, record);
    if asleep {
        wake::forgotten(home, &who);
    }
    if curtailed {
        // What it follows now it could follow on.
        home.expel(&who, close::CURTAILED);
    }
    // Whatever it could do before: the same grant again finishes what a crash cut off.
    if !rights.cover(&READER) {
        forget_read(home, book).await?;
    }
    Ok(Response::Done)
}

pub(crate) async fn revoke(home: &Home, who: CapabilityKey) -> Result<Response, Failure> {
    if who == home.owner {
        return Err(Failure::refuse(Code::Conflict, "the owner's rights are the home's: nobody could give them back"));
    }
    let book = home.book.lock().await;
    let mut batch = Batch::new();
    batch.delete(grant_key(home.id, &who));
    wake::forget_phone(home, &who, &mut batch);
    home.storage.commit(batch).await?;
    home.grants().remove(&who);
    wake::forgotten(home, &who);
    home.expel(&who, close::REVOKED);
    forget_read(home, book).await?;
    Ok(Response::Done)
}

/// Forgets what only a key that lost rights had not read.
async fn forget_read(home: &Home, mut book: MutexGuard<'_, Book>) -> Result<(), Failure> {
    log::forget_read(home, &mut book).await?;
    let (forgotten, outcome) = segments::forget_read(home).await;
    drop(book);
    outcome.and(segments::remove(home, forgotten).await)
}
