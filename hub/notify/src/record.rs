//! What stands in the hub's store, and under which keys.

use std::collections::{BTreeMap, BTreeSet};

use privet_home::{PushSetup, Wishes};
use privet_protocol::cbor;
use privet_protocol::id::{CameraId, DeviceId, EventId};
use privet_protocol::storage::Store;
use privet_protocol::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::BookError;
use crate::grace::Subject;

/// One phone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Phone {
    pub(crate) wishes: Wishes,
    pub(crate) push: Option<PushSetup>,
    pub(crate) counter: u64,
    pub(crate) motion: BTreeMap<CameraId, Timestamp>,
    pub(crate) away: BTreeSet<Subject>,
    /// Wishes that came too soon after too many others, and are looked at later.
    #[serde(default)]
    pub(crate) later: Option<Wishes>,
}

/// What all phones share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Home {
    pub(crate) away_profile: bool,
    pub(crate) next: u64,
    pub(crate) away: BTreeSet<Subject>,
    #[serde(default)]
    pub(crate) snoozed: BTreeMap<CameraId, Timestamp>,
    #[serde(default)]
    pub(crate) disk_told: bool,
    #[serde(default)]
    pub(crate) relay_room_told: bool,
    /// When something moved last by camera; nothing while it moves.
    #[serde(default)]
    pub(crate) moved: BTreeMap<CameraId, Option<Timestamp>>,
}

/// That an event was taken, and who was told of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) at: Timestamp,
    pub(crate) told: BTreeSet<DeviceId>,
    pub(crate) zones: BTreeSet<String>,
}

const MAX_RECORD: usize = 256 * 1024;

pub(crate) fn load<T: DeserializeOwned>(
    store: &dyn Store,
    key: &[u8],
    what: &'static str,
) -> Result<Option<T>, BookError> {
    store.get(key)?.map(|bytes| read(&bytes, what)).transpose()
}

pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, BookError> {
    cbor::decode(bytes, MAX_RECORD).map_err(|_| BookError::Damaged(what))
}

/// Every entry below `prefix`, a page at a time, so that memory holds no more than is looked at.
pub(crate) fn scan(
    store: &dyn Store,
    prefix: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), BookError>,
) -> Result<(), BookError> {
    let mut from = prefix.to_vec();
    loop {
        let page = store.scan(prefix, &from, PAGE)?;
        for (key, value) in &page {
            each(key.get(prefix.len()..).unwrap_or_default(), value)?;
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => from = [last.as_slice(), &[0]].concat(),
            _ => return Ok(()),
        }
    }
}

pub(crate) fn phone_key(device: &DeviceId) -> Vec<u8> {
    [PHONES, device.as_bytes()].concat()
}

pub(crate) fn out_key(number: u64) -> Vec<u8> {
    [OUT, &number.to_be_bytes()].concat()
}

pub(crate) fn seen_key(event: &EventId) -> Vec<u8> {
    [SEEN, event.as_bytes()].concat()
}

pub(crate) const HOME: &[u8] = b"notify/home";
pub(crate) const PHONES: &[u8] = b"notify/phone/";
pub(crate) const OUT: &[u8] = b"notify/out/";
pub(crate) const SEEN: &[u8] = b"notify/seen/";
const PAGE: usize = 256;
