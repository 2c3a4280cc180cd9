//! Where the bytes of bodies are: a directory, or a bucket of whatever speaks the protocol of S3. An object is written once, whole,
//! under a name that nothing had before, and never changed.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures::StreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetRange, ObjectStore, PutOptions, PutPayload, RetryConfig};
use privet_protocol::random::{Random as _, SystemRandom};
use privet_protocol::storage::StoreError;

use crate::config::{ObjectsPlace, Storage as Settings};

/// How long one operation is tried again where the server does not answer well.
const PATIENCE: Duration = Duration::from_secs(20);
/// The same for somebody who waits for the answer, and asks only once.
const LOOK: Duration = Duration::from_secs(3);

/// The objects of one store.
#[derive(Clone)]
pub(super) struct Objects(Arc<dyn ObjectStore>);

impl Objects {
    /// Opens what the configuration names. A directory is made when it is not there.
    pub(super) fn open(settings: &Settings) -> Result<Self, StoreError> {
        if let ObjectsPlace::Directory(directory) = settings.objects_place().map_err(StoreError::Io)? {
            let fail = |e: io::Error| StoreError::Io(format!("{}: {e}", directory.display()));
            std::fs::create_dir_all(&directory).map_err(fail)?;
        }
        Self::with_patience(settings, PATIENCE)
    }

    /// Opens what the configuration names for a look at it, and makes nothing.
    pub(super) fn open_to_look(settings: &Settings) -> Result<Self, StoreError> {
        Self::with_patience(settings, LOOK)
    }

    fn with_patience(settings: &Settings, patience: Duration) -> Result<Self, StoreError> {
        match settings.objects_place().map_err(StoreError::Io)? {
            ObjectsPlace::Directory(directory) => {
                let files = LocalFileSystem::new_with_prefix(&directory).map_err(|e| failed(&e))?.with_fsync(true);
                Ok(Self(Arc::new(files)))
            }
            ObjectsPlace::Bucket { bucket, prefix } => {
                let retry = RetryConfig { retry_timeout: patience, ..RetryConfig::default() };
                let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retry);
                if let Some(endpoint) = &settings.s3_endpoint {
                    builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
                }
                if let Some(region) = &settings.s3_region {
                    builder = builder.with_region(region);
                }
                if let Some((id, secret)) = settings.s3_keys().map_err(StoreError::Io)? {
                    builder = builder.with_access_key_id(id).with_secret_access_key(secret.as_str());
                }
                let store = builder.build().map_err(|e| failed(&e))?;
                Ok(match prefix {
                    None => Self(Arc::new(store)),
                    Some(prefix) => Self(Arc::new(PrefixStore::new(store, Path::from(prefix)))),
                })
            }
        }
    }

    /// A name that no object has. It says nothing of what is in it.
    pub(super) fn new_name() -> String {
        let mut id = [0; 16];
        SystemRandom.fill(&mut id);
        let id = HEXLOWER.encode(&id);
        format!("{}/{id}", &id[..2])
    }

    /// Makes an object, durable when this returns.
    pub(super) async fn put(&self, name: &str, bytes: Bytes) -> Result<(), StoreError> {
        let payload = PutPayload::from(bytes);
        self.0.put_opts(&Path::from(name), payload, PutOptions::default()).await.map_err(|e| failed(&e))?;
        Ok(())
    }

    /// The first `length` bytes of an object.
    pub(super) async fn get(&self, name: &str, length: u64) -> Result<Bytes, StoreError> {
        let options = GetOptions { range: Some(GetRange::Bounded(0..length)), ..GetOptions::default() };
        let found = self.0.get_opts(&Path::from(name), options).await.map_err(|error| match error {
            // Whoever tries again does not find it either.
            object_store::Error::NotFound { .. } => StoreError::Damaged(format!("bodies: object {name} is missing")),
            error => failed(&error),
        })?;
        let bytes = found.bytes().await.map_err(|e| failed(&e))?;
        if bytes.len() as u64 != length {
            let text = format!("bodies: object {name} has {} bytes and should have {length}", bytes.len());
            return Err(StoreError::Damaged(text));
        }
        Ok(bytes)
    }

    /// Removes objects, whether they are there or not: those of which that is sure now.
    pub(super) async fn remove(&self, names: Vec<String>) -> Result<Vec<String>, StoreError> {
        let paths = futures::stream::iter(names.iter().map(|name| Ok(Path::from(name.as_str()))).collect::<Vec<_>>());
        let outcomes: Vec<_> = self.0.delete_stream(paths.boxed()).collect().await;
        let mut removed = Vec::new();
        let mut failure = None;
        // A stream of outcomes need not be in order, and an error need not say of which object it is.
        for outcome in outcomes {
            match outcome {
                Ok(path) => removed.push(path.to_string()),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            None => Ok(names),
            Some(_) if !removed.is_empty() => Ok(removed),
            Some(error) => Err(failed(&error)),
        }
    }

    /// Makes an object, reads it and removes it again: what of this failed.
    pub(super) async fn try_out(&self, name: &str, bytes: Bytes) -> Vec<(Act, Cause)> {
        let path = Path::from(name);
        let written = self.0.put_opts(&path, PutPayload::from(bytes.clone()), PutOptions::default()).await;
        if let Err(error) = written {
            return vec![(Act::Write, cause(&error))];
        }
        let mut faults = Vec::new();
        let read = match self.0.get_opts(&path, GetOptions::default()).await {
            Ok(found) => found.bytes().await,
            Err(error) => Err(error),
        };
        match read {
            Ok(there) if there == bytes => {}
            Ok(_) => faults.push((Act::Read, Cause::Differs)),
            Err(error) => faults.push((Act::Read, cause(&error))),
        }
        // As relays remove them.
        let outcomes: Vec<_> = self.0.delete_stream(futures::stream::iter([Ok(path)]).boxed()).collect().await;
        faults.extend(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).map(|e| (Act::Remove, cause(e))));
        faults
    }

    /// Every object there is, and its length.
    pub(super) async fn list(&self) -> Result<HashMap<String, u64>, StoreError> {
        let mut found = HashMap::new();
        let mut objects = self.0.list(None);
        while let Some(object) = objects.next().await {
            let object = object.map_err(|e| failed(&e))?;
            found.insert(object.location.to_string(), object.size);
        }
        Ok(found)
    }
}

/// What is done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Making it.
    Write,
    /// Reading it.
    Read,
    /// Removing it.
    Remove,
}

/// Why that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// There is no such bucket, or the object is gone.
    Absent,
    /// These keys, or this user, may not.
    Denied,
    /// The bucket is in another region.
    Region,
    /// Other bytes came back than were written.
    Differs,
    /// In words.
    Other(String),
}

/// The cause of an error, without its own words: a server quotes the request, with the id of the key and the signature.
fn cause(error: &object_store::Error) -> Cause {
    use object_store::Error as E;
    let text = error.to_string();
    let says = |codes: &[&str]| codes.iter().any(|code| text.contains(code));
    if matches!(error, E::PermissionDenied { .. } | E::Unauthenticated { .. }) || says(&["AccessDenied"]) {
        return Cause::Denied;
    }
    if says(&["AuthorizationHeaderMalformed", "PermanentRedirect", "incorrectly configured region"]) {
        return Cause::Region;
    }
    if matches!(error, E::NotFound { .. }) {
        return Cause::Absent;
    }
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            let denied = cause.kind() == ErrorKind::PermissionDenied;
            return if denied { Cause::Denied } else { Cause::Other(cause.to_string()) };
        }
        next = cause.source();
    }
    Cause::Other("it answered with an error".into())
}

fn failed(error: &object_store::Error) -> StoreError {
    let text = format!("bodies: {error}");
    if is_full(error) { StoreError::Full(text) } else { StoreError::Io(text) }
}

/// Whether there is no room: of a directory, what the system said is somewhere below what is said here.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        let said = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(said, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded)) {
            return true;
        }
        next = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_told_from_other_trouble() {
        let class = |kind: ErrorKind| {
            let source = object_store::Error::Generic { store: "directory", source: io::Error::from(kind).into() };
            failed(&object_store::Error::Generic { store: "prefix", source: source.into() })
        };
        for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
            assert!(matches!(class(kind), StoreError::Full(_)), "{kind}");
        }
        assert!(matches!(class(ErrorKind::PermissionDenied), StoreError::Io(_)));
    }
}
