//! Whether index and body files fit together, and what makes them fit again. A relay that was killed, or whose machine lost its
//! power, leaves files that nobody was promised, and nothing else; anything more was done by the disk or by somebody.
//!
//! Small bodies are records too, in the commit of their segment's: no crash parts the two, and only a check looks at them.
//!
//! Records are compared with each other in `index` and with files here, and nothing is changed until [`Examined::repair`]: the
//! index first, then the files, so that a repair that breaks off leaves again nothing but files without a record.
//!
//! How many bytes a home keeps is counted from the records when the home is read. One sum is stored, that of its log, which may be
//! too large to read for it: it changes in the same commit as the log, and is compared here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::storage::{Batch, StoreError};
use privet_store::{BlobInfo, BlobName};
use serde::Serialize;

use super::index::{self, Pieces};
use crate::server::records::{BOOT_KEY, SegmentRecord, decode, id_at, key, last_number, parse_body_name, piece_key};
use crate::server::scan_all;
use crate::storage::Storage;

/// A segment by its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SegmentPlace {
    /// Whose it is.
    #[serde(serialize_with = "as_text")]
    pub home: HomeId,
    /// In which stream.
    #[serde(serialize_with = "as_text")]
    pub stream: StreamId,
    /// Its number there.
    pub index: u64,
}

/// Something that does not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Finding {
    /// A kept segment has no bytes, in a file or in the index: it is lost. Its record goes.
    MissingBody {
        /// The segment.
        segment: SegmentPlace,
    },
    /// A kept segment has another length than was acknowledged: it is lost. Record and bytes go.
    WrongLength {
        /// The segment.
        segment: SegmentPlace,
        /// Its length in bytes by the index.
        recorded: u64,
        /// The length in bytes of what is there.
        found: u64,
    },
    /// A whole file without a record: nobody was promised it. It goes.
    OrphanBody {
        /// The file's name.
        file: String,
        /// Its length in bytes.
        length: u64,
    },
    /// A partial file of no home, beside its whole one, or of an earlier run of the machine, whose bytes the disk may not have. It
    /// goes; its hub begins that segment anew.
    LeftoverPartial {
        /// The file's name.
        file: String,
        /// Its length in bytes.
        length: u64,
    },
    /// A segment whose stream has no record, so that nobody finds it. The stream gets one.
    NoStream {
        /// The segment.
        segment: SegmentPlace,
    },
    /// A segment behind the end of its stream. The stream's end moves behind it.
    BeyondEnd {
        /// The segment.
        segment: SegmentPlace,
        /// How many segments the stream was finished with.
        segments: u64,
    },
    /// Entries of a home's log or inbox are missing, or there are others than its record says. Of a log what leads unbroken up to the
    /// end stays; an inbox closes up.
    BrokenList {
        /// Whose it is.
        #[serde(serialize_with = "as_text")]
        home: HomeId,
        /// `log` or `inbox`.
        list: &'static str,
        /// The first and last number by the record.
        recorded: (u64, u64),
        /// How many of them are there.
        found: u64,
    },
    /// The entries of a home's log have more or fewer bytes than its record says. It says what was found.
    WrongSum {
        /// Whose it is.
        #[serde(serialize_with = "as_text")]
        home: HomeId,
        /// The bytes by the record.
        recorded: u64,
        /// The bytes of the entries that are there.
        found: u64,
    },
    /// A rendezvous mailbox whose messages are not those that its record counts. It goes, pairing begins anew.
    BrokenMailbox {
        /// The mailbox.
        #[serde(serialize_with = "as_text")]
        mailbox: MailboxId,
    },
    /// A record of something that is not there (any more): of no home, no phone, no mailbox, bytes of no segment, half a wake. It goes.
    StrayRecord {
        /// The record's key, in hexadecimal.
        key: String,
    },
    /// A record that can't be read. It goes, except for that of a home, which nothing but a backup brings back.
    Unreadable {
        /// The record's key, in hexadecimal.
        key: String,
        /// Whether it can be repaired by removing it.
        repairable: bool,
    },
}

impl Finding {
    /// Whether something acknowledged is gone; otherwise it is only in the way.
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::MissingBody { .. }
                | Self::WrongLength { .. }
                | Self::BrokenList { .. }
                | Self::BrokenMailbox { .. }
                | Self::Unreadable { .. }
        )
    }

    /// What kind it is, as in JSON: names nothing of a home.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MissingBody { .. } => "missing-body",
            Self::WrongLength { .. } => "wrong-length",
            Self::OrphanBody { .. } => "orphan-body",
            Self::LeftoverPartial { .. } => "leftover-partial",
            Self::NoStream { .. } => "no-stream",
            Self::BeyondEnd { .. } => "beyond-end",
            Self::BrokenList { .. } => "broken-list",
            Self::WrongSum { .. } => "wrong-sum",
            Self::BrokenMailbox { .. } => "broken-mailbox",
            Self::StrayRecord { .. } => "stray-record",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// Whether a repair helps.
    pub fn is_repairable(&self) -> bool {
        !matches!(self, Self::Unreadable { repairable: false, .. })
    }
}

impl fmt::Display for SegmentPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {} of stream {} of home {}", self.index, self.stream, self.home)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingBody { segment } => write!(f, "{segment}: its bytes are missing"),
            Self::WrongLength { segment, recorded, found } => {
                write!(f, "{segment}: it has {found} bytes, {recorded} were acknowledged")
            }
            Self::OrphanBody { file, length } => write!(f, "{file}: {length} bytes that no record knows"),
            Self::LeftoverPartial { file, length } => {
                write!(f, "partial/{file}: {length} bytes of an upload that can't go on")
            }
            Self::NoStream { segment } => write!(f, "{segment}: its stream has no record"),
            Self::BeyondEnd { segment, segments } => write!(f, "{segment}: its stream ends after {segments} segments"),
            Self::BrokenList { home, list, recorded: (first, last), found } => {
                write!(f, "{list} of home {home}: {found} entries are there, {first} to {last} are recorded")
            }
            Self::WrongSum { home, recorded, found } => {
                write!(f, "log of home {home}: its entries have {found} bytes, {recorded} are recorded")
            }
            Self::BrokenMailbox { mailbox } => write!(f, "mailbox {mailbox}: its messages are not those it counts"),
            Self::StrayRecord { key } => write!(f, "record {key}: what it belongs to is not there"),
            Self::Unreadable { key, repairable: true } => write!(f, "record {key}: can't be read"),
            Self::Unreadable { key, repairable: false } => {
                write!(f, "record {key}: can't be read, and without it a whole home; restore a backup")
            }
        }
    }
}

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Homes, streams, segments and files: what a crash can leave. Done at every start.
    Segments,
    /// Every record there is.
    Everything,
}

/// What was found, and what would repair it.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    pub(crate) findings: Vec<Finding>,
    pub(crate) index: Batch,
    bodies: Vec<BlobName>,
    partials: Vec<BlobName>,
    /// Records that were named: one may be wrong for more than one reason.
    named: BTreeSet<Vec<u8>>,
    /// Segments there are, the lost ones not among them.
    pub(crate) segments: u64,
    /// Homes there are.
    pub(crate) homes: u64,
    /// Uploads that can go on.
    pub(crate) unfinished: Vec<SegmentPlace>,
}

/// Looks at everything and changes nothing. `boot` names this run of the machine.
pub(crate) async fn examine(storage: &dyn Storage, boot: &[u8], depth: Depth) -> Result<Examined, StoreError> {
    let mut examined = Examined::default();
    let mut files = BTreeMap::new();
    let mut partials = Vec::new();
    for body in storage.bodies(String::new()).await? {
        let Some((home, stream, index)) = parse_body_name(&body.name) else { continue };
        let place = SegmentPlace { home, stream, index };
        if body.partial {
            partials.push((place, body));
        } else {
            files.insert(place, body);
        }
    }
    let found = index::read(storage, depth, &mut examined).await?;
    examined.compare(&found.segments, files, found.small.as_ref());
    // What a shared store says is there is there, whichever machine lost its power.
    let same_run = storage.node().is_some() || storage.get(BOOT_KEY.to_vec()).await?.as_deref() == Some(boot);
    for (place, body) in partials {
        if same_run && found.homes.contains_key(&place.home) && !found.segments.contains_key(&place) {
            examined.unfinished.push(place);
        } else {
            examined.findings.push(Finding::LeftoverPartial { file: body.name.to_string(), length: body.length });
            examined.partials.push(body.name);
        }
    }
    examined.homes = found.homes.len() as u64;
    Ok(examined)
}

/// Looks at one home's segments and bodies, in a store where only bodies can be left over, and changes nothing.
pub(crate) async fn examine_home(storage: &dyn Storage, home: HomeId) -> Result<Examined, StoreError> {
    let mut examined = Examined::default();
    let (mut segments, mut files, mut partials) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    scan_all(storage, key(b"b/", &[home.as_bytes()]), |(name, value)| {
        let place = SegmentPlace { home, stream: StreamId::from_bytes(id_at(&name, 18)?), index: last_number(&name)? };
        segments.insert(place, decode::<SegmentRecord>(&value)?);
        Ok(())
    })
    .await?;
    for body in storage.bodies(format!("{home}-")).await? {
        let Some((home, stream, index)) = parse_body_name(&body.name) else { continue };
        let place = SegmentPlace { home, stream, index };
        if body.partial {
            partials.push((place, body));
        } else {
            files.insert(place, body);
        }
    }
    examined.compare(&segments, files, None);
    for (place, body) in partials {
        if segments.contains_key(&place) {
            examined.findings.push(Finding::LeftoverPartial { file: body.name.to_string(), length: body.length });
            examined.partials.push(body.name);
        } else {
            examined.unfinished.push(place);
        }
    }
    Ok(examined)
}

impl Examined {
    /// Compares the lengths of segments by their records with whole bodies, and with small ones where these were looked at.
    fn compare(
        &mut self,
        segments: &BTreeMap<SegmentPlace, SegmentRecord>,
        mut files: BTreeMap<SegmentPlace, BlobInfo>,
        small: Option<&BTreeMap<SegmentPlace, Pieces>>,
    ) {
        for (place, record) in segments {
            if record.small {
                match small {
                    // They come and go with their records, and to look at them is to read them.
                    None => self.segments += 1,
                    Some(small) => self.compare_small(*place, record.length, small.get(place).copied()),
                }
                continue;
            }
            let Some(body) = files.remove(place) else {
                self.findings.push(Finding::MissingBody { segment: *place });
                self.forget(*place);
                continue;
            };
            if body.length != record.length {
                let (recorded, found) = (record.length, body.length);
                self.findings.push(Finding::WrongLength { segment: *place, recorded, found });
                self.forget(*place);
                self.bodies.push(body.name);
                continue;
            }
            self.segments += 1;
        }
        for body in files.into_values() {
            self.findings.push(Finding::OrphanBody { file: body.name.to_string(), length: body.length });
            self.bodies.push(body.name);
        }
    }

    fn compare_small(&mut self, place: SegmentPlace, recorded: u64, found: Option<Pieces>) {
        let Some(pieces) = found else {
            self.findings.push(Finding::MissingBody { segment: place });
            self.forget(place);
            return;
        };
        if pieces.length == recorded {
            self.segments += 1;
            return;
        }
        self.findings.push(Finding::WrongLength { segment: place, recorded, found: pieces.length });
        self.forget(place);
        for piece in 0..pieces.count {
            self.index.delete(piece_key(place.home, place.stream, place.index, piece));
        }
    }

    /// Puts in order what was found. `boot` is remembered as the run that partial files belong to from now on.
    pub(crate) async fn repair(mut self, storage: &dyn Storage, boot: &[u8]) -> Result<(), StoreError> {
        self.index.put(BOOT_KEY, boot);
        self.mend(storage).await
    }

    /// Puts in order what was found.
    pub(crate) async fn mend(self, storage: &dyn Storage) -> Result<(), StoreError> {
        if !self.index.is_empty() {
            storage.commit(self.index).await?;
        }
        for name in self.partials {
            storage.remove_partial(name).await?;
        }
        for name in self.bodies {
            storage.remove_body(name).await?;
        }
        Ok(())
    }

    /// Names what is wrong with a record, once.
    pub(super) fn name(&mut self, record: &[u8], finding: Finding) {
        if self.named.insert(record.to_vec()) {
            self.findings.push(finding);
        }
    }

    /// Forgets a segment's record.
    fn forget(&mut self, place: SegmentPlace) {
        let SegmentPlace { home, stream, index } = place;
        self.index.delete(crate::server::records::segment_key(home, stream, index));
    }
}

fn as_text<T: fmt::Display, S: serde::Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
