//! A home in memory: what its records say, who is connected, and who waits for what. Every change is durable before it shows.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::relay::{CapabilityKey, Code, Rights, Side, Usage, close};
use privet_protocol::storage::{Entry, StoreError};
use privet_protocol::time::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Shares};
use super::last_hour::LastHour;
use super::limits::Live;
use super::log;
use super::pace::Pace;
use super::priority;
use super::quota::TokenBucket;
use super::records::{GrantRecord, HomeRecord, Span, StreamRecord, decode, id_at, key, last_number};
use super::stream::{Contents, Stream};
use super::tally::{Present, Tally};
use super::wake::{self, Carriers, Phone};
use super::wire::Failure;
use crate::config::Limits;
use crate::data::SegmentPlace;
use crate::storage::Storage;

pub(crate) struct Home {
    pub(crate) id: HomeId,
    pub(crate) owner: CapabilityKey,
    pub(crate) storage: Arc<dyn Storage>,
    limits: Arc<Live>,
    pub(crate) tally: Arc<Tally>,
    /// Its share of the memory for passing segments.
    pub(crate) budget: Arc<Budget>,
    /// Its share of the memory for requests of which not everything has come.
    pub(crate) half_sent: Arc<Budget>,
    /// Live segments begun so far.
    begun: AtomicU32,
    /// The index of this home; held while a change is made durable.
    pub(crate) book: tokio::sync::Mutex<Book>,
    pub(crate) log_head: watch::Sender<Span>,
    pub(crate) inbox_head: watch::Sender<Span>,
    /// Counts mailbox messages and closings, whichever mailbox.
    pub(crate) mailboxes_changed: watch::Sender<u64>,
    grants: Mutex<BTreeMap<CapabilityKey, GrantRecord>>,
    streams: Mutex<BTreeMap<StreamId, Arc<Stream>>>,
    stored: AtomicU64,
    /// Uploads that are not whole.
    pub(super) uploads: AtomicU64,
    /// When it came into memory.
    read: Timestamp,
    /// When somebody last came or went; when it was read, where nobody did.
    used: AtomicI64,
    connections: Mutex<HashMap<CapabilityKey, Vec<quinn::Connection>>>,
    pub(crate) carriers: Arc<Carriers>,
    phones: Mutex<BTreeMap<CapabilityKey, Arc<Phone>>>,
    wakes: Mutex<TokenBucket>,
    woken: Mutex<LastHour>,
    /// Streams that are followed now.
    followers: AtomicU64,
    /// How often one was followed so far.
    followed: AtomicU32,
    /// How fast its segments come and go.
    pub(crate) pace: Pace,
    /// Messages under way to push gateways.
    pub(crate) pushes: Semaphore,
    /// Cancelled when this is out of date: another node serves the home, or it has to be read anew.
    pub(crate) gone: CancellationToken,
    _present: Option<Present>,
}

/// As many uploads of one home may be unfinished at the same time: as many as four connections of its hub have requests under way. Each has
/// a place in memory, and a file once anything has come of it.
const UPLOADS: u64 = 64;
/// As many messages of one home may be under way to push gateways.
const PUSHES: usize = 4;

pub(crate) struct Book {
    pub(crate) record: HomeRecord,
    /// Messages in the inbox of each sender.
    pub(crate) waiting: HashMap<CapabilityKey, u64>,
}

/// How much of the index is read at once.
pub(crate) const PAGE: usize = 256;

/// Reads all entries of a prefix, page by page.
pub(crate) async fn scan_all(
    storage: &dyn Storage,
    prefix: Vec<u8>,
    mut each: impl FnMut(Entry) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut from = prefix.clone();
    loop {
        let page = storage.scan(prefix.clone(), from, PAGE).await?;
        let full = page.len() == PAGE;
        let Some((last, _)) = page.last() else { return Ok(()) };
        from = last.clone();
        from.push(0);
        for entry in page {
            each(entry)?;
        }
        if !full {
            return Ok(());
        }
    }
}

impl Home {
    /// The home that the index describes.
    pub(crate) async fn load(
        id: HomeId,
        mut record: HomeRecord,
        storage: Arc<dyn Storage>,
        limits: Arc<Live>,
        tally: Arc<Tally>,
        shares: Shares,
        carriers: Arc<Carriers>,
    ) -> Result<Arc<Self>, StoreError> {
        let mut grants = BTreeMap::new();
        scan_all(&*storage, key(b"g/", &[id.as_bytes()]), |(key, value)| {
            let who: [u8; 32] = key[18..].try_into().map_err(|_| StoreError::Damaged("a grant has no key".into()))?;
            grants.insert(CapabilityKey(who), decode::<GrantRecord>(&value)?);
            Ok(())
        })
        .await?;

        let mut streams = BTreeMap::new();
        scan_all(&*storage, key(b"s/", &[id.as_bytes()]), |(key, value)| {
            let stream = StreamId::from_bytes(id_at(&key, 18)?);
            streams.insert(stream, Stream::recorded(stream, decode::<StreamRecord>(&value)?));
            Ok(())
        })
        .await?;

        let mut stored = 0;
        scan_all(&*storage, key(b"b/", &[id.as_bytes()]), |(key, value)| {
            let stream = StreamId::from_bytes(id_at(&key, 18)?);
            let segment: super::records::SegmentRecord = decode(&value)?;
            if let Some(stream) = streams.get(&stream) {
                stored += super::records::counts_as(segment.length);
                stream.contents().kept.insert(last_number(&key)?, segment);
            }
            Ok(())
        })
        .await?;
        stored = log::bytes(id, &mut record, &*storage).await?.saturating_add(stored);

        let mut waiting = HashMap::new();
        scan_all(&*storage, key(b"i/", &[id.as_bytes()]), |(_, value)| {
            stored += value.len() as u64;
            if let Some(from) = decode::<super::records::EntryRecord>(&value)?.from {
                *waiting.entry(from).or_insert(0) += 1;
            }
            Ok(())
        })
        .await?;

        let (phones, held) = wake::load(id, &*storage, &carriers).await?;
        tally.stored.rise(stored + held);
        tally.log_entries.rise(record.log.count());
        let mut home = Self::empty(id, record, storage, limits, tally, shares, carriers);
        home.book.get_mut().waiting = waiting;
        home.grants = Mutex::new(grants);
        home.streams = Mutex::new(streams);
        home.stored = AtomicU64::new(stored + held);
        home.phones = Mutex::new(phones);
        home._present = Some(Present::home(&home.tally));
        Ok(Arc::new(home))
    }

    /// A home of which nothing but its record is there: what another node serves, and somebody follows here.
    pub(crate) fn empty(
        id: HomeId,
        record: HomeRecord,
        storage: Arc<dyn Storage>,
        limits: Arc<Live>,
        tally: Arc<Tally>,
        shares: Shares,
        carriers: Arc<Carriers>,
    ) -> Self {
        let now = Instant::now();
        let rate = limits.now().wakes_per_s;
        let read = carriers.time.now();
        let pace = Pace::new(&limits.now(), now);
        Self {
            id,
            owner: record.owner,
            log_head: watch::Sender::new(record.log),
            inbox_head: watch::Sender::new(record.inbox),
            mailboxes_changed: watch::Sender::new(0),
            book: tokio::sync::Mutex::new(Book { record, waiting: HashMap::new() }),
            grants: Mutex::default(),
            streams: Mutex::default(),
            stored: AtomicU64::new(0),
            uploads: AtomicU64::new(0),
            read,
            used: AtomicI64::new(read.0),
            connections: Mutex::default(),
            carriers,
            phones: Mutex::default(),
            wakes: Mutex::new(TokenBucket::new(rate, rate.saturating_mul(10), now)),
            woken: Mutex::new(LastHour::new(read)),
            followers: AtomicU64::new(0),
            followed: AtomicU32::new(0),
            pace,
            pushes: Semaphore::new(PUSHES),
            gone: storage.moved(),
            storage,
            limits,
            tally,
            budget: shares.passing,
            half_sent: shares.half_sent,
            begun: AtomicU32::new(0),
            _present: None,
        }
    }

    /// The limits that count now.
    pub(crate) fn limits(&self) -> Arc<Limits> {
        self.limits.now()
    }

    /// Own time.
    pub(crate) fn now(&self) -> Timestamp {
        self.carriers.time.now()
    }

    /// The priority of a live segment that begins now: before all that began earlier, in whichever stream.
    pub(crate) fn next_priority(&self) -> i32 {
        priority::live(self.begun.fetch_add(1, Ordering::Relaxed))
    }

    // --- rights ---

    pub(crate) fn grants(&self) -> MutexGuard<'_, BTreeMap<CapabilityKey, GrantRecord>> {
        self.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `key` may do, if it is a member.
    pub(crate) fn rights(&self, key: &CapabilityKey) -> Option<Rights> {
        self.grants().get(key).map(|grant| grant.rights)
    }

    // --- phones ---

    pub(crate) fn phones(&self) -> MutexGuard<'_, BTreeMap<CapabilityKey, Arc<Phone>>> {
        self.phones.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn may_wake_now(&self) -> bool {
        let rate = self.limits().wakes_per_s;
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        wakes.set_rate(rate, rate.saturating_mul(10));
        wakes.take(Instant::now())
    }

    /// Whether one more wake is possible within this hour. Who asks counts it once it is durable, and holds the book until then.
    pub(crate) fn may_wake_this_hour(&self, now: Timestamp) -> Result<(), Failure> {
        let limit = self.limits().wakes_per_h;
        let mut woken = self.woken();
        if woken.left(limit, now) > 0 {
            return Ok(());
        }
        let minutes = woken.minutes_until_next(limit, now);
        let had =
            format!("{limit} wakes within an hour, and had them: the next one is possible in {minutes} min at most");
        Err(over_quota(had, "wakes_per_h"))
    }

    /// Counts a wake that was accepted.
    pub(crate) fn woke(&self, now: Timestamp) {
        self.woken().add(now);
    }

    /// Whether wakes are counted that an hour may have only so many of.
    pub(crate) fn was_woken(&self, now: Timestamp) -> bool {
        self.woken().left(u64::MAX, now) < u64::MAX
    }

    fn woken(&self) -> MutexGuard<'_, LastHour> {
        self.woken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- bytes ---

    /// Counts bytes before they are stored, unless that is more than the home may have.
    pub(crate) fn reserve(&self, bytes: u64) -> Result<(), Failure> {
        let limit = self.limits().stored_bytes;
        self.stored
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |stored| {
                stored.checked_add(bytes).filter(|sum| *sum <= limit)
            })
            .map(|_| self.tally.stored.rise(bytes))
            .map_err(|_| over_quota(format!("{limit} bytes at this relay"), "stored_bytes"))
    }

    /// Counts bytes that are stored whatever the home may have: what reaches its hub also when it is full.
    pub(crate) fn count(&self, bytes: u64) {
        self.stored.fetch_add(bytes, Ordering::Relaxed);
        self.tally.stored.rise(bytes);
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        let before =
            self.stored.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |stored| Some(stored.saturating_sub(bytes)));
        self.tally.stored.fall(bytes.min(before.unwrap_or(0)));
    }

    /// Counts an upload that begins, unless there are as many as there may be.
    pub(crate) fn begin_upload(&self) -> Result<(), Failure> {
        let more = |uploads: u64| (uploads < UPLOADS).then_some(uploads + 1);
        match self.uploads.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(()),
            Err(_) => {
                let text = format!("{UPLOADS} uploads of the home are unfinished; go on with one, or drop its stream");
                Err(Failure::refuse(Code::Quota, text))
            }
        }
    }

    /// One of them is whole, or forgotten.
    pub(crate) fn end_upload(&self) {
        self.uploads.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn usage(&self) -> Usage {
        let log = *self.log_head.borrow();
        let limits = self.limits();
        Usage {
            stored_bytes: self.stored.load(Ordering::Relaxed),
            log_first: log.first,
            log_head: log.head,
            inbox_head: self.inbox_head.borrow().head,
            streams: self.streams().len() as u64,
            stored_limit: Some(limits.stored_bytes),
            log_limit: Some(limits.log_entries),
            wakes_limit: Some(limits.wakes_per_h),
            wakes_left: Some(self.woken().left(limits.wakes_per_h, self.now())),
        }
    }

    // --- streams ---

    pub(crate) fn streams(&self) -> MutexGuard<'_, BTreeMap<StreamId, Arc<Stream>>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stream(&self, id: StreamId) -> Option<Arc<Stream>> {
        self.streams().get(&id).cloned()
    }

    /// The stream, begun now if it was not yet.
    pub(crate) fn stream_or_begin(&self, id: StreamId, now: Timestamp) -> Result<Arc<Stream>, Failure> {
        let mut streams = self.streams();
        if let Some(stream) = streams.get(&id) {
            return Ok(Arc::clone(stream));
        }
        if streams.len() as u64 >= self.limits().streams {
            return Err(over_quota(format!("{} streams", self.limits().streams), "streams"));
        }
        let stream = Stream::new(id, now);
        streams.insert(id, Arc::clone(&stream));
        Ok(stream)
    }

    /// Takes in an upload that an earlier run of the relay left: it goes on, or goes when nobody does that.
    pub(crate) fn take_in(&self, upload: SegmentPlace) {
        let (now, sweep) = (self.now(), Duration::from_secs(self.limits().sweep_s));
        let mut streams = self.streams();
        let stream = streams.entry(upload.stream).or_insert_with(|| Stream::new(upload.stream, now));
        stream.contents().take_in(upload.index, sweep, now);
        self.uploads.fetch_add(1, Ordering::Relaxed);
    }

    /// Removes a stream of which nothing is there and which nobody follows.
    pub(crate) fn remove_if_idle(&self, stream: &Arc<Stream>) {
        self.take_away(stream, |contents| {
            let empty = contents.is_empty() && contents.left.is_empty();
            empty && !contents.recorded && contents.finished.is_none()
        });
    }

    /// Takes a stream away that is idle and that nobody has at hand but who asks, so that whoever comes begins it anew; says whether it did.
    pub(crate) fn take_away(&self, stream: &Arc<Stream>, is_idle: impl FnOnce(&Contents) -> bool) -> bool {
        let mut streams = self.streams();
        // The one that is among the streams, and the asker's. Nobody gets another one meanwhile.
        let at_hand = Arc::strong_count(stream) > 2 || stream.followers() > 0;
        let mut contents = stream.contents();
        if at_hand || contents.dropped || !is_idle(&contents) {
            return false;
        }
        contents.drop_all();
        streams.remove(&stream.id);
        stream.removed.cancel();
        true
    }

    /// Counts as a follower of one stream until dropped, unless there are as many as there may be.
    pub(crate) fn follower(&self) -> Result<FollowerPlace<'_>, Failure> {
        let limit = self.limits().followers;
        let more = |followers: u64| (followers < limit).then_some(followers + 1);
        match self.followers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(FollowerPlace { home: self, number: self.followed.fetch_add(1, Ordering::Relaxed) }),
            Err(_) => Err(over_quota(format!("{limit} followed streams at the same time"), "followers")),
        }
    }

    // --- connections ---

    /// Takes the connection in, closing older ones of the same key beyond the allowed number.
    pub(crate) fn enter(&self, key: CapabilityKey, connection: &quinn::Connection) -> Result<(), Failure> {
        let mut connections = self.connections();
        if self.gone.is_cancelled() {
            return Err(Failure::elsewhere());
        }
        for of_key in connections.values_mut() {
            of_key.retain(|c| c.close_reason().is_none());
        }
        connections.retain(|_, of_key| !of_key.is_empty());
        let limits = self.limits();
        let all: usize = connections.values().map(Vec::len).sum();
        let of_key = connections.get(&key).map_or(0, Vec::len);
        let most = usize::try_from(limits.key_connections.max(1)).unwrap_or(usize::MAX);
        let replaced = (of_key + 1).saturating_sub(most);
        // Nobody is closed for a newcomer that is refused.
        if (all - replaced) as u64 >= limits.home_connections {
            let what = format!("{} connections at the same time", limits.home_connections);
            return Err(Failure::refuse(Code::Busy, may_have(what, "home_connections")));
        }
        let of_key = connections.entry(key).or_default();
        let words = format!("a newer one came: limits.key_connections is {most}");
        for old in of_key.drain(..replaced) {
            self.tally.close(&old, close::REPLACED, words.as_bytes());
        }
        of_key.push(connection.clone());
        self.note_use();
        Ok(())
    }

    /// Takes another node's connection in: it is none of the home's clients, and goes when the home goes.
    pub(crate) fn enter_node(&self, key: CapabilityKey, connection: &quinn::Connection) -> Result<(), Failure> {
        let mut connections = self.connections();
        if self.gone.is_cancelled() {
            return Err(Failure::elsewhere());
        }
        connections.entry(key).or_default().push(connection.clone());
        self.note_use();
        Ok(())
    }

    pub(crate) fn leave(&self, key: &CapabilityKey, connection: &quinn::Connection) {
        self.note_use();
        let mut connections = self.connections();
        if let Some(of_key) = connections.get_mut(key) {
            of_key.retain(|c| c.stable_id() != connection.stable_id());
            if of_key.is_empty() {
                connections.remove(key);
            }
        }
    }

    /// Closes every connection of `key`, with the reason of [`close`].
    pub(crate) fn expel(&self, key: &CapabilityKey, reason: u32) {
        for connection in self.connections().remove(key).unwrap_or_default() {
            self.tally.close(&connection, reason, b"");
        }
    }

    /// Closes every connection: another node serves the home. Nothing is acknowledged here any more, and who comes again is led there.
    pub(crate) fn close(&self, words: &str) {
        self.gone.cancel();
        let connections = std::mem::take(&mut *self.connections());
        for connection in connections.into_values().flatten() {
            self.tally.close(&connection, close::SHUTDOWN, words.as_bytes());
        }
    }

    /// Whether anybody is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.connections().values().flatten().any(|connection| connection.close_reason().is_none())
    }

    /// Nobody has come for whom it was read.
    pub(crate) fn note_no_use(&self) {
        let _ = self.used.compare_exchange(self.read.0, i64::MIN, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// When somebody last used it.
    pub(crate) fn used(&self) -> Timestamp {
        Timestamp(self.used.load(Ordering::Relaxed))
    }

    fn note_use(&self) {
        self.used.store(self.now().0, Ordering::Relaxed);
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<CapabilityKey, Vec<quinn::Connection>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self) -> Counted {
        let waiting: usize = self.phones().values().map(|phone| phone.waiting()).sum();
        Counted {
            stored: self.stored.load(Ordering::Relaxed),
            log_entries: self.log_head.borrow().count(),
            waiting: i64::try_from(waiting).unwrap_or(i64::MAX),
            tally: Arc::clone(&self.tally),
            carriers: Arc::clone(&self.carriers),
        }
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(self.counted());
    }
}

/// What is counted of a home among those of all, until this is dropped.
pub(crate) struct Counted {
    stored: u64,
    log_entries: u64,
    waiting: i64,
    tally: Arc<Tally>,
    carriers: Arc<Carriers>,
}

impl Counted {
    /// What this home keeps now, counted on when the home is not in memory any more.
    pub(crate) fn of(home: &Home) -> Self {
        let counted = home.counted();
        counted.tally.stored.rise(counted.stored);
        counted.tally.log_entries.rise(counted.log_entries);
        counted.carriers.counts.waiting(counted.waiting);
        counted
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.tally.stored.fall(self.stored);
        self.tally.log_entries.fall(self.log_entries);
        self.carriers.counts.waiting(-self.waiting);
    }
}

/// One of a home's followers, until dropped.
pub(crate) struct FollowerPlace<'a> {
    home: &'a Home,
    /// The how many-th it is.
    pub(crate) number: u32,
}

impl Drop for FollowerPlace<'_> {
    fn drop(&mut self) {
        self.home.followers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Refuses a home that has used up what it may have.
pub(crate) fn over_quota(what: impl std::fmt::Display, key: &str) -> Failure {
    Failure::refuse(Code::Quota, may_have(what, key))
}

/// What a home may have, and who can do something about it.
fn may_have(what: impl std::fmt::Display, key: &str) -> String {
    format!("the home may have {what}; for more the relay's operator raises limits.{key}")
}

/// The prefix of a mailbox side's messages.
pub(crate) fn messages_prefix(mailbox: MailboxId, side: Side) -> Vec<u8> {
    key(b"n/", &[mailbox.as_bytes(), &[super::records::side_byte(side)]])
}
