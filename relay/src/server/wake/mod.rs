//! Waking phones. The home's owner leaves a small sealed payload for a member's key; it is durable before it is answered, and it goes,
//! once, by the first way that works:
//!
//! 1. to a connection of the phone that follows its wakes, and is done when the phone acknowledges it;
//! 2. after the follower's patience, or at once when there is none, through the gateway of the phone's push target (`carry`);
//! 3. too long for the gateway, or without a target, it waits to be fetched, until its time is over.
//!
//! An id is remembered until the wake's time is over, delivered or not, so that a repeated request brings nothing twice.

mod carry;
mod counts;
mod queue;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use privet_protocol::cbor;
use privet_protocol::id::HomeId;
use privet_protocol::relay::{CapabilityKey, Code, MAX_SEALED_TARGET, MAX_WAKE, Response, Rights, Urgency};
use privet_protocol::storage::{Batch, StoreError};
use privet_protocol::time::Timestamp;
use tokio::sync::{Notify, watch};

use super::home::{Home, scan_all};
use super::log::send_entries;
use super::quota::TokenBucket;
use super::records::{
    EntryRecord, PhoneRecord, RememberedRecord, Span, Stage, WakeId, WakeRecord, decode, id_at, key, last_number,
    payload_key, payloads_prefix, phone_key, remembered_key, wake_key,
};
use super::wire::{Answers, Failure};
pub(crate) use carry::Carriers;
pub(crate) use counts::Counts;
pub use counts::WakeCounts;
use queue::{Queue, Waiting};

/// How often a phone may say where it is woken: one a second, and so many at once.
const TARGETS_AT_ONCE: u32 = 10;
/// Ids that are remembered for each wake that may wait.
const REMEMBERED: u64 = 4;

/// A member that is woken, in memory.
pub(crate) struct Phone {
    queue: Mutex<Queue>,
    span: watch::Sender<Span>,
    /// Something in the queue is not as it was.
    changed: Notify,
    targets: Mutex<TokenBucket>,
}

impl Phone {
    fn new(head: u64) -> Arc<Self> {
        Arc::new(Self {
            queue: Mutex::default(),
            span: watch::Sender::new(Span { first: 1, head }),
            changed: Notify::new(),
            targets: Mutex::new(TokenBucket::new(1, TARGETS_AT_ONCE, Instant::now())),
        })
    }

    /// Wakes that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.queue().len()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the owner asks for.
pub(crate) struct Wake {
    pub(crate) key: CapabilityKey,
    pub(crate) id: WakeId,
    pub(crate) payload: Vec<u8>,
    pub(crate) urgency: Urgency,
    pub(crate) until: Timestamp,
}

/// Whether a key with these rights is a phone of the home still: one whose log ends is being removed.
pub(crate) fn may_be_woken(rights: &Rights) -> bool {
    *rights != Rights::default() && rights.log_upto.is_none()
}

/// The phones of a home as the index has them, and the bytes that their wakes hold.
pub(crate) async fn load(
    home: HomeId,
    storage: &dyn crate::storage::Storage,
    carriers: &Carriers,
) -> Result<(BTreeMap<CapabilityKey, Arc<Phone>>, u64), StoreError> {
    let who = |name: &[u8]| -> Result<CapabilityKey, StoreError> {
        let key = name.get(18..50).and_then(|bytes| bytes.try_into().ok());
        key.map(CapabilityKey).ok_or_else(|| StoreError::Damaged("a key of the index is too short".into()))
    };
    let mut phones: BTreeMap<CapabilityKey, Arc<Phone>> = BTreeMap::new();
    scan_all(storage, key(b"t/", &[home.as_bytes()]), |(name, value)| {
        let record: PhoneRecord = decode(&value)?;
        let (who, phone) = (who(&name)?, Phone::new(record.head));
        if !record.target.is_empty() {
            match carriers.gateways.secret().open(&record.target, &who) {
                Ok(target) => drop(phone.queue().set_target(Some(target))),
                Err(error) => tracing::warn!(%error, "a phone's push target can't be opened: it has to say a new one"),
            }
        }
        phones.insert(who, phone);
        Ok(())
    })
    .await?;
    let mut lengths = BTreeMap::new();
    scan_all(storage, key(b"w/", &[home.as_bytes()]), |(name, value)| {
        let payload = decode::<EntryRecord>(&value)?.bytes.len();
        lengths.insert(name.get(2..).unwrap_or_default().to_vec(), (payload, value.len() as u64));
        Ok(())
    })
    .await?;
    let mut bytes = 0;
    scan_all(storage, key(b"q/", &[home.as_bytes()]), |(name, value)| {
        let record: WakeRecord = decode(&value)?;
        let (payload, stored) = lengths.get(name.get(2..).unwrap_or_default()).copied().unwrap_or_default();
        let WakeRecord { at, until, urgency, stage } = record;
        if let Some(phone) = phones.get(&who(&name)?) {
            phone.queue().add(last_number(&name)?, Waiting { at, until, urgency, stage, payload, stored });
            bytes += stored;
            carriers.counts.waiting(1);
        }
        Ok(())
    })
    .await?;
    scan_all(storage, key(b"x/", &[home.as_bytes()]), |(name, value)| {
        let record: RememberedRecord = decode(&value)?;
        if let Some(phone) = phones.get(&who(&name)?) {
            phone.queue().remember(record.seq, id_at(&name, 50)?, record.until);
        }
        Ok(())
    })
    .await?;
    Ok((phones, bytes))
}

/// Goes on with what waited when the relay ended, or when it last looked.
pub(crate) fn resume(home: &Arc<Home>) {
    let phones: Vec<_> = home.phones().iter().map(|(who, phone)| (*who, Arc::clone(phone))).collect();
    for (who, phone) in phones {
        if phone.queue().len() > 0 {
            carry::go_on(home, who, &phone);
        }
    }
}

pub(crate) fn push_key(home: &Home) -> Response {
    let gateways = &home.carriers.gateways;
    Response::PushKey {
        key: gateways.secret().public().as_bytes().to_vec(),
        vapid: gateways.vapid().map(<[u8]>::to_vec),
    }
}

/// Says where a member is woken; its target is kept as it sealed it.
pub(crate) async fn set_push(home: &Arc<Home>, who: CapabilityKey, sealed: Vec<u8>) -> Result<Response, Failure> {
    if sealed.len() > MAX_SEALED_TARGET {
        let text = format!("a push target of {} bytes, {MAX_SEALED_TARGET} are allowed", sealed.len());
        return Err(Failure::refuse(Code::TooLarge, text));
    }
    {
        // Before anything is opened, which costs much more than to ask for it.
        let _book = home.book.lock().await;
        let phone = phone_of(home, &who).ok_or_else(Failure::denied)?;
        if !phone.targets.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now()) {
            return Err(Failure::refuse(Code::Busy, "too many push targets of this key: say them more slowly"));
        }
        home.phones().insert(who, phone);
    }
    let gateways = &home.carriers.gateways;
    let target = match sealed.is_empty() {
        true => None,
        false => {
            let opened = gateways.secret().open(&sealed, &who);
            Some(opened.map_err(|error| Failure::refuse(Code::Malformed, error.to_string()))?)
        }
    };
    if let Some(target) = &target
        && gateways.line(target).is_none()
    {
        let text =
            format!("this relay has no gateway of the kind {0}; its operator sets one up in [push.{0}]", target.kind());
        return Err(Failure::refuse(Code::NotFound, text));
    }
    let _book = home.book.lock().await;
    let phone = phone_of(home, &who).ok_or_else(Failure::denied)?;
    if target.as_ref().is_some_and(|target| phone.queue().is_gone(target)) {
        let text = "its push service says that this phone's subscription has ended: let the app subscribe anew";
        return Err(Failure::refuse(Code::Gone, text));
    }
    let head = phone.span.borrow().head;
    let mut batch = Batch::new();
    let again = {
        let queue = phone.queue();
        if queue.target().map(|(known, _)| known) == target.as_ref() {
            return Ok(Response::Done);
        }
        queue.refused()
    };
    for seq in &again {
        put_stage(home, &who, &phone, *seq, Stage::Waiting, &mut batch);
    }
    batch.put(phone_key(home.id, &who), cbor::encode(&PhoneRecord { head, target: sealed }));
    home.storage.commit(batch).await?;
    home.phones().insert(who, Arc::clone(&phone));
    {
        let mut queue = phone.queue();
        queue.set_target(target);
        again.iter().for_each(|seq| queue.mark(*seq, Stage::Waiting));
    }
    carry::go_on(home, who, &phone);
    Ok(Response::Done)
}

/// Takes a payload for a member.
pub(crate) async fn wake(home: &Arc<Home>, wake: Wake, now: Timestamp) -> Result<Response, Failure> {
    let Wake { key: who, id, payload, urgency, until } = wake;
    let counts = &home.carriers.counts;
    if payload.len() > MAX_WAKE {
        let text = format!("a payload of {} bytes, {MAX_WAKE} are allowed", payload.len());
        return Err(Failure::refuse(Code::TooLarge, text));
    }
    let _book = home.book.lock().await;
    let unknown = || Failure::refuse(Code::NotFound, "no phone of this home has this key");
    let phone = phone_of(home, &who).ok_or_else(unknown)?;
    if home.storage.get(remembered_key(home.id, &who, &id)).await?.is_some() {
        counts.repeated();
        return Ok(Response::Done);
    }
    if until <= now {
        counts.expired(1);
        return Ok(Response::Done);
    }
    if !home.may_wake_now() {
        return Err(Failure::refuse(Code::Busy, "too many wakes of this home: send them more slowly"));
    }
    home.may_wake_this_hour(now)?;
    if phone.queue().len() as u64 >= home.limits().wakes {
        return Err(Failure::refuse(Code::Quota, format!("{} wakes of this phone wait already", home.limits().wakes)));
    }
    let until = until.min(now.after(Duration::from_secs(home.limits().retention_s)));
    let length = payload.len();
    let value = cbor::encode(&EntryRecord { at: now, from: None, bytes: payload });
    let stored = value.len() as u64;
    home.reserve(stored)?;

    let record = phone_record(home, &who, &phone).await?;
    let seq = record.head + 1;
    let mut batch = Batch::new();
    batch.put(payload_key(home.id, &who, seq), value);
    let stage = Stage::Waiting;
    batch.put(wake_key(home.id, &who, seq), cbor::encode(&WakeRecord { at: now, until, urgency, stage }));
    batch.put(remembered_key(home.id, &who, &id), cbor::encode(&RememberedRecord { seq, until }));
    batch.put(phone_key(home.id, &who), cbor::encode(&PhoneRecord { head: seq, ..record }));
    let most = usize::try_from(home.limits().wakes.saturating_mul(REMEMBERED)).unwrap_or(usize::MAX);
    let old = phone.queue().forgettable(Timestamp(i64::MIN), most - 1);
    old.iter().for_each(|(_, id)| batch.delete(remembered_key(home.id, &who, id)));
    if let Err(error) = home.storage.commit(batch).await {
        home.give_back(stored);
        return Err(error.into());
    }
    counts.accepted();
    home.woke(now);
    home.phones().insert(who, Arc::clone(&phone));
    {
        let mut queue = phone.queue();
        queue.forget_ids(&old);
        queue.remember(seq, id, until);
        queue.add(seq, Waiting { at: now, until, urgency, stage, payload: length, stored });
    }
    phone.span.send_replace(Span { first: 1, head: seq });
    carry::go_on(home, who, &phone);
    Ok(Response::Done)
}

/// Sends what waits for a member; while it follows, gateways are patient.
pub(crate) async fn read(
    home: &Arc<Home>,
    who: CapabilityKey,
    from: u64,
    follow: bool,
    answers: &mut Answers,
    now: Timestamp,
) -> Result<(), Failure> {
    let phone = {
        let _book = home.book.lock().await;
        let phone = phone_of(home, &who).ok_or_else(Failure::denied)?;
        home.phones().insert(who, Arc::clone(&phone));
        phone
    };
    let expired = phone.queue().expired(now);
    home.carriers.counts.expired(forget(home, &who, &phone, &expired).await?);
    let _following = follow.then(|| Following::begin(home, who, &phone, now));
    let heads = phone.span.subscribe();
    send_entries(home, payloads_prefix(home.id, &who), from.max(1)..=u64::MAX, heads, follow, answers).await
}

/// The member has its wakes up to this number.
pub(crate) async fn acknowledge(home: &Home, who: &CapabilityKey, upto: u64) -> Result<Response, Failure> {
    let phone = home.phones().get(who).cloned();
    if let Some(phone) = phone {
        let seqs = phone.queue().numbers_upto(upto);
        let fetched = forget(home, who, &phone, &seqs).await?;
        home.carriers.counts.fetched(fetched);
        if fetched > 0 {
            phone.queue().follow_on(home.now());
        }
        phone.changed.notify_one();
    }
    Ok(Response::Done)
}

/// Forgets what has expired, and lets what waits look at the time again.
pub(crate) async fn sweep(home: &Arc<Home>, now: Timestamp) -> Result<(), Failure> {
    let phones: Vec<_> = home.phones().iter().map(|(who, phone)| (*who, Arc::clone(phone))).collect();
    let mut outcome = Ok(());
    for (who, phone) in phones {
        outcome = outcome.and(sweep_phone(home, &who, &phone, now).await);
    }
    resume(home);
    outcome
}

/// When something expires that waits for a phone or is remembered.
pub(crate) fn due(home: &Home) -> Timestamp {
    home.phones().values().filter_map(|phone| phone.queue().next_end()).min().unwrap_or(Timestamp(i64::MAX))
}

async fn sweep_phone(home: &Home, who: &CapabilityKey, phone: &Phone, now: Timestamp) -> Result<(), Failure> {
    let expired = phone.queue().expired(now);
    home.carriers.counts.expired(forget(home, who, phone, &expired).await?);
    let _book = home.book.lock().await;
    let old = phone.queue().forgettable(now, usize::MAX);
    if !old.is_empty() {
        let mut batch = Batch::new();
        old.iter().for_each(|(_, id)| batch.delete(remembered_key(home.id, who, id)));
        home.storage.commit(batch).await?;
        phone.queue().forget_ids(&old);
    }
    Ok(())
}

/// Adds to `batch` what forgets a phone and everything that waits for it; [`forgotten`] is called once it is durable. Both under
/// the home's book.
pub(crate) fn forget_phone(home: &Home, who: &CapabilityKey, batch: &mut Batch) {
    batch.delete(phone_key(home.id, who));
    let Some(phone) = home.phones().get(who).cloned() else { return };
    let queue = phone.queue();
    for seq in queue.numbers_upto(u64::MAX) {
        batch.delete(payload_key(home.id, who, seq));
        batch.delete(wake_key(home.id, who, seq));
    }
    queue.ids().for_each(|id| batch.delete(remembered_key(home.id, who, &id)));
}

pub(crate) fn forgotten(home: &Home, who: &CapabilityKey) {
    let Some(phone) = home.phones().remove(who) else { return };
    {
        let mut queue = phone.queue();
        queue.set_target(None);
        for seq in queue.numbers_upto(u64::MAX) {
            let_go(home, queue.remove(seq));
        }
    }
    phone.changed.notify_one();
}

/// Forgets wakes, durably: how many of these there were.
async fn forget(home: &Home, who: &CapabilityKey, phone: &Phone, seqs: &[u64]) -> Result<u64, Failure> {
    if seqs.is_empty() {
        return Ok(0);
    }
    let _book = home.book.lock().await;
    let mut batch = Batch::new();
    let there: Vec<_> = seqs.iter().copied().filter(|seq| phone.queue().wake(*seq).is_some()).collect();
    for seq in &there {
        batch.delete(payload_key(home.id, who, *seq));
        batch.delete(wake_key(home.id, who, *seq));
    }
    if batch.is_empty() {
        return Ok(0);
    }
    home.storage.commit(batch).await?;
    let mut queue = phone.queue();
    there.iter().for_each(|seq| let_go(home, queue.remove(*seq)));
    Ok(there.len() as u64)
}

fn let_go(home: &Home, wake: Option<Waiting>) {
    if let Some(wake) = wake {
        home.give_back(wake.stored);
        home.carriers.counts.waiting(-1);
    }
}

fn put_stage(home: &Home, who: &CapabilityKey, phone: &Phone, seq: u64, stage: Stage, batch: &mut Batch) {
    if let Some(Waiting { at, until, urgency, .. }) = phone.queue().wake(seq) {
        batch.put(wake_key(home.id, who, seq), cbor::encode(&WakeRecord { at, until, urgency, stage }));
    }
}

/// The member, if it may be woken; not among the home's phones yet when nothing was ever said of it.
fn phone_of(home: &Home, who: &CapabilityKey) -> Option<Arc<Phone>> {
    home.rights(who).filter(may_be_woken)?;
    Some(home.phones().get(who).cloned().unwrap_or_else(|| Phone::new(0)))
}

async fn phone_record(home: &Home, who: &CapabilityKey, phone: &Phone) -> Result<PhoneRecord, Failure> {
    let head = phone.span.borrow().head;
    let record = home.storage.get(phone_key(home.id, who)).await?;
    let target = record.map(|value| decode::<PhoneRecord>(&value)).transpose()?.unwrap_or_default().target;
    Ok(PhoneRecord { head, target })
}

/// A connection of the phone that gets its wakes as they come.
struct Following {
    home: Arc<Home>,
    who: CapabilityKey,
    phone: Arc<Phone>,
}

impl Following {
    fn begin(home: &Arc<Home>, who: CapabilityKey, phone: &Arc<Phone>, now: Timestamp) -> Self {
        phone.queue().follow(now);
        Self { home: Arc::clone(home), who, phone: Arc::clone(phone) }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.phone.queue().unfollow();
        carry::go_on(&self.home, self.who, &self.phone);
    }
}
