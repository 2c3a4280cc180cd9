//! Carrying a phone's wakes to the gateway of its target: one task a phone while something waits, one message at a time. What the
//! gateway said is durable before the next one goes, so that a crash repeats at most the message that was under way.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use privet_protocol::cbor;
use privet_protocol::random::{Random as _, SystemRandom};
use privet_protocol::relay::{CapabilityKey, Urgency};
use privet_protocol::storage::Batch;
use privet_protocol::time::Timestamp;
use privet_push::{Message, Outcome};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::queue::{Queue, Step};
use super::{Counts, Phone};
use crate::gateways::{Gateways, Line};
use crate::server::home::Home;
use crate::server::limits::Live;
use crate::server::own_time::OwnTime;
use crate::server::records::{EntryRecord, PhoneRecord, Stage, decode, payload_key, phone_key};
use crate::server::wire::Failure;

/// A task's wait stands still while the machine sleeps, own time does not: it looks again after this long.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// After the storage failed.
const STORAGE_PAUSE: Duration = Duration::from_secs(5);

/// What carries wakes of all homes.
pub(crate) struct Carriers {
    pub(crate) gateways: Gateways,
    pub(crate) counts: Counts,
    pub(crate) time: Arc<OwnTime>,
    pub(crate) tasks: TaskTracker,
    pub(crate) shutdown: CancellationToken,
    pub(crate) limits: Arc<Live>,
}

impl fmt::Debug for Carriers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carriers").field("counts", &self.counts.now()).finish_non_exhaustive()
    }
}

/// Something in the queue changed: its task looks again, and is begun if there is none.
pub(super) fn go_on(home: &Arc<Home>, who: CapabilityKey, phone: &Arc<Phone>) {
    {
        let mut queue = phone.queue();
        if queue.carried {
            phone.changed.notify_one();
            return;
        }
        if queue.target().is_none() || home.carriers.shutdown.is_cancelled() || home.gone.is_cancelled() {
            return;
        }
        queue.carried = true;
    }
    let task = carry(Arc::clone(home), who, Arc::clone(phone));
    home.carriers.tasks.spawn(task);
}

async fn carry(home: Arc<Home>, who: CapabilityKey, phone: Arc<Phone>) {
    let carriers = &home.carriers;
    loop {
        let step = {
            let mut queue = phone.queue();
            let step = next(carriers, &mut queue);
            if step == Step::Idle {
                queue.carried = false;
                return;
            }
            step
        };
        let work = async {
            let done = match step {
                Step::Idle => Ok(()),
                Step::Wait(until) => {
                    let sleep = until.since(carriers.time.now()).min(LONGEST_SLEEP);
                    let _ = tokio::time::timeout(sleep, phone.changed.notified()).await;
                    Ok(())
                }
                Step::Expired(seqs) => {
                    super::forget(&home, &who, &phone, &seqs).await.map(|gone| carriers.counts.expired(gone))
                }
                Step::Push(_) | Step::Call(_) => bring(&home, &who, &phone, step).await,
            };
            if done.is_err() {
                tokio::time::sleep(STORAGE_PAUSE).await;
            }
        };
        tokio::select! {
            () = carriers.shutdown.cancelled() => return,
            // Its new node goes on with what waits.
            () = home.gone.cancelled() => return,
            () = work => {}
        }
    }
}

fn next(carriers: &Carriers, queue: &mut Queue) -> Step {
    let room = queue.target().and_then(|(target, _)| carriers.gateways.line(target)).map(Line::room);
    queue.next(room, carriers.limits.now().wake_patience(), carriers.time.now())
}

/// Brings one message to the gateway, when it is its turn, and makes durable what became of it.
async fn bring(home: &Home, who: &CapabilityKey, phone: &Phone, step: Step) -> Result<(), Failure> {
    let carriers = &home.carriers;
    let Some((target, generation)) = phone.queue().target().map(|(target, of)| (target.clone(), of)) else {
        return Ok(());
    };
    let Some(line) = carriers.gateways.line(&target) else { return Ok(()) };
    // A home takes few of a gateway's turns, however many phones it has that hang.
    let _of_home = home.pushes.acquire().await;
    let _of_gateway = line.turn(&target).await;
    if next(carriers, &mut phone.queue()) != step {
        return Ok(());
    }
    let (seqs, whole) = match step {
        Step::Push(seq) => (vec![seq], true),
        Step::Call(seqs) => (seqs, false),
        _ => return Ok(()),
    };
    let Some((urgency, until)) = summary(phone, &seqs) else { return Ok(()) };
    let mut payload = Vec::new();
    if let (true, Some(seq)) = (whole, seqs.first()) {
        let Some(value) = home.storage.get(payload_key(home.id, who, *seq)).await? else {
            tracing::error!("a wake has no payload: it was lost outside of this program");
            super::forget(home, who, phone, &seqs).await?;
            return Ok(());
        };
        payload = decode::<EntryRecord>(&value)?.bytes;
    }
    let name = name(home, who, seqs.first().filter(|_| whole).copied());
    // A gateway knows the time of day only.
    let wall = carriers.time.wall();
    let until = wall.after(until.since(carriers.time.now()));
    let message = Message { payload: &payload, urgency, until, name: &name };
    let outcome = line.push(&target, &message, wall).await;
    let (counts, now) = (&carriers.counts, carriers.time.now());
    let change = match outcome {
        Outcome::Delivered => {
            phone.queue().succeed();
            if whole {
                counts.delivered();
                Change::Forget(seqs)
            } else {
                counts.called();
                Change::Mark(seqs, Stage::Called)
            }
        }
        Outcome::TargetGone => {
            counts.target_gone();
            Change::DropTarget(generation)
        }
        Outcome::Rejected(_) => {
            counts.rejected();
            Change::Mark(seqs, Stage::Refused)
        }
        Outcome::RetryAfter(asked, _) => {
            counts.delayed();
            phone.queue().pause(generation, asked, chance(), now);
            return Ok(());
        }
        Outcome::Misconfigured(_) => {
            counts.misconfigured();
            phone.queue().pause_misconfigured(generation, chance(), now);
            return Ok(());
        }
    };
    // What the gateway said must not be forgotten while this relay lives: it would be asked again.
    while change.make(home, who, phone).await.is_err() {
        tokio::time::sleep(STORAGE_PAUSE).await;
    }
    Ok(())
}

/// What is written down after a gateway answered.
enum Change {
    Forget(Vec<u64>),
    Mark(Vec<u64>, Stage),
    /// If it is of this generation still.
    DropTarget(u64),
}

impl Change {
    async fn make(&self, home: &Home, who: &CapabilityKey, phone: &Phone) -> Result<(), Failure> {
        match self {
            Self::Forget(seqs) => super::forget(home, who, phone, seqs).await.map(drop),
            Self::Mark(seqs, stage) => mark(home, who, phone, seqs, *stage).await,
            Self::DropTarget(generation) => drop_target(home, who, phone, *generation).await,
        }
    }
}

/// The most urgent and the longest lasting of these.
fn summary(phone: &Phone, seqs: &[u64]) -> Option<(Urgency, Timestamp)> {
    let queue = phone.queue();
    let wakes: Vec<_> = seqs.iter().filter_map(|seq| queue.wake(*seq)).collect();
    let urgent = wakes.iter().any(|wake| wake.urgency == Urgency::High);
    let until = wakes.iter().map(|wake| wake.until).max()?;
    Some((if urgent { Urgency::High } else { Urgency::Normal }, until))
}

async fn mark(home: &Home, who: &CapabilityKey, phone: &Phone, seqs: &[u64], stage: Stage) -> Result<(), Failure> {
    let _book = home.book.lock().await;
    let mut batch = Batch::new();
    seqs.iter().for_each(|seq| super::put_stage(home, who, phone, *seq, stage, &mut batch));
    if batch.is_empty() {
        return Ok(());
    }
    home.storage.commit(batch).await?;
    let mut queue = phone.queue();
    seqs.iter().for_each(|seq| queue.mark(*seq, stage));
    Ok(())
}

/// Forgets the target, unless the phone has said another one in the meantime.
async fn drop_target(home: &Home, who: &CapabilityKey, phone: &Phone, generation: u64) -> Result<(), Failure> {
    let _book = home.book.lock().await;
    if phone.queue().target().is_none_or(|(_, of)| of != generation) {
        return Ok(());
    }
    let head = phone.span.borrow().head;
    let mut batch = Batch::new();
    batch.put(phone_key(home.id, who), cbor::encode(&PhoneRecord { head, target: Vec::new() }));
    home.storage.commit(batch).await?;
    phone.queue().lose_target();
    Ok(())
}

/// Names a message to its gateway, the same if it is sent again; calls to fetch have one name for each phone.
fn name(home: &Home, who: &CapabilityKey, seq: Option<u64>) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("privet 2026 relay name of a push message");
    hasher.update(home.id.as_bytes()).update(&who.0).update(&seq.unwrap_or(0).to_be_bytes());
    let mut bytes = [0; 24];
    hasher.finalize_xof().fill(&mut bytes);
    BASE64URL_NOPAD.encode(&bytes)
}

fn chance() -> u8 {
    let mut byte = [0];
    SystemRandom.fill(&mut byte);
    byte[0]
}
