//! One connection to the relay: the log is followed in order, each entry durable before it is acknowledged; what waits for
//! the hub is sent; every lie is noticed by name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use privet_home::{Env, HubMessage, LogError, PhoneMessage, Received};
use privet_protocol::random::SystemRandom;
use privet_protocol::time::Timestamp;
use privet_relay_client::{ClientError, Code, Connection, LogItem, LogReader};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::silence::Silence;
use super::{SyncError, connected, notices, relay_key};
use crate::clock;
use crate::error::CoreError;
use crate::events::TrustAlert;
use crate::notification;
use crate::state::{Core, Entries, Taken, home_error};

/// Entries are acknowledged in groups of so many, and whenever there is nothing more to read.
const ACKNOWLEDGE: u64 = 64;
/// So many entries that are here already are taken at once, or so many bytes of them.
const TOGETHER: usize = 64;
const TOGETHER_SIZE: usize = 256 << 10;
/// The hub is told how far this phone has come at most this often.
const RECEIPT: Duration = Duration::from_secs(600);
/// How long the hub may take to let this phone in again before it is asked once more.
const ASK_AGAIN: Duration = Duration::from_secs(120);

/// How long the log is read on when the relay takes nothing from this phone.
const FAREWELL: Duration = Duration::from_secs(10);

type Outcome<T> = Result<T, SyncError>;

/// Runs until the connection is lost.
pub(super) async fn run(core: &Arc<Core>, connection: Connection) -> Outcome<ClientError> {
    connected(core, &connection);
    let started = Instant::now();
    let notes = core.notes();
    let heartbeat = notes.heartbeat_ms.map(Duration::from_millis);
    let silence = Mutex::new(Silence::new(notes.signs, heartbeat, clock::now()));
    let end = tokio::select! {
        end = follow_log(core, &connection, &silence, started) => end,
        end = send_outbox(core, &connection) => end,
        end = keep_house(core, &silence, started) => end,
        end = notices::bring(core, &connection) => end,
        end = relay_key::keep(core, &connection) => Err(end),
        lost = connection.closed() => match lost {
            ClientError::Closed { revoked: true, .. } => Err(lost.into()),
            lost => Ok(lost),
        },
    };
    if let Err(error) = core.settle().await {
        // It goes on waiting, and the relay has it still.
        tracing::debug!(target: "privet::sync", %error, "what was taken of the log last is not kept yet");
    }
    end
}

/// Reads the log from the last entry on.
async fn follow_log(
    core: &Arc<Core>,
    connection: &Connection,
    silence: &Mutex<Silence>,
    started: Instant,
) -> Outcome<ClientError> {
    let (position, lost) =
        core.with_home(|home| Ok((home.position().seq, home.needs_rejoin() && !home.is_rejoining()))).await?;
    let hub_time = core.with_home(|home| Ok(home.hub_time())).await?;
    let session = core.stop.child_token();
    let _over = session.clone().drop_guard();
    let mut follower =
        Follower { core, connection, session, position, acknowledged: position, hub_time, heartbeat: None };
    if lost {
        follower.rejoin("its state does not fit the group").await?;
    }
    let mut reader = connection.read_log(position + 1, true).await?;
    let mut gone = false;
    // What was read after the entries that are taken now.
    let mut ahead = None;
    loop {
        let item = match ahead.take() {
            Some(item) => item,
            None => reader.next().await,
        };
        match item {
            Ok(Some(LogItem::Entry { seq, bytes })) => {
                let mut entries = Entries::from([(seq, bytes)]);
                ahead = read_ready(&mut reader, &mut entries).await;
                core.relay_head(entries.back().map_or(seq, |(seq, _)| *seq));
                while !entries.is_empty() {
                    let before = follower.position;
                    let taken = follower.take(&mut entries).await;
                    {
                        let mut silence = silence.lock().await;
                        if let Some(heartbeat) = follower.heartbeat.take() {
                            silence.rhythm(heartbeat);
                            core.learned(heartbeat);
                        }
                        // What was refused, or came again, is no sign of the hub.
                        if follower.position > before {
                            silence.heard(started.elapsed(), follower.hub_time, clock::now());
                            core.signs(silence.signs, false);
                        }
                    }
                    taken?;
                    // Last, for it waits for the relay.
                    follower.acknowledge_if_due().await?;
                }
            }
            Ok(Some(LogItem::CaughtUp { head })) => {
                let whole = follower.caught_up(head).await?;
                let made = core.with_home(|home| Ok(home.hub_time())).await?;
                {
                    let mut silence = silence.lock().await;
                    if let Some(alert) = silence.all_read(made, clock::now()) {
                        core.alert(alert);
                    }
                    core.signs(silence.signs, true);
                }
                // Last: a command that lives until it has all has to see what was noticed on the way.
                if whole {
                    core.caught_up();
                }
            }
            Ok(None) => return Err(SyncError::Link("the relay ended the log".into())),
            Err(error) if error.refusal() == Some(Code::Gone) && !gone => {
                gone = true;
                if !core.with_home(|home| Ok(home.is_rejoining())).await? {
                    follower.rejoin("the log begins after this phone's position").await?;
                }
                let first = connection.usage().await?.log_first;
                reader = connection.read_log(first.max(position + 1), true).await?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Adds the entries that are here already, as many as are taken at once. Gives what was read that is none.
async fn read_ready(reader: &mut LogReader, entries: &mut Entries) -> Option<Result<Option<LogItem>, ClientError>> {
    let mut size: usize = entries.iter().map(|(_, bytes)| bytes.len()).sum();
    while entries.len() < TOGETHER && size < TOGETHER_SIZE {
        let item = tokio::select! {
            biased;
            item = reader.next() => item,
            () = std::future::ready(()) => return None,
        };
        match item {
            Ok(Some(LogItem::Entry { seq, bytes })) => {
                size += bytes.len();
                entries.push_back((seq, bytes));
            }
            other => return Some(other),
        }
    }
    None
}

struct Follower<'a> {
    core: &'a Arc<Core>,
    connection: &'a Connection,
    /// Cancelled when this follower is gone.
    session: CancellationToken,
    position: u64,
    /// What is acknowledged is durable here; what came after it may not be, while this phone is behind.
    acknowledged: u64,
    hub_time: Timestamp,
    /// How often the hub says something, by the last heartbeat that nobody looked at yet.
    heartbeat: Option<Duration>,
}

impl Follower<'_> {
    /// Takes entries up to the first that something has to be done about, and does it.
    async fn take(&mut self, entries: &mut Entries) -> Outcome<()> {
        let (all, left) = self.core.take_entries(std::mem::take(entries), self.session.clone()).await?;
        *entries = left;
        for (seq, taken) in all {
            self.note(seq, taken).await?;
        }
        Ok(())
    }

    async fn note(&mut self, seq: u64, taken: Result<Taken, LogError>) -> Outcome<()> {
        let received = match taken {
            Ok(Taken { received, hub_time }) => {
                self.hub_time = hub_time;
                received
            }
            Err(error) => return self.refuse(seq, error).await,
        };
        match &received {
            Received::Waiting => return Ok(()),
            Received::Removed => {
                let _ = self.connection.ack_log(seq).await;
                return Err(SyncError::NoHome(CoreError::Revoked));
            }
            Received::Members(_) => {
                // Somebody left: there is a new key, and the hub is told of it.
                self.core.new_key.notify_one();
                self.core.outbox.notify_one();
            }
            Received::Renewed { .. } => self.rejoin("the hub made the group anew").await?,
            Received::Message { message: HubMessage::Heartbeat { every_s }, .. } => {
                self.heartbeat = Some(Duration::from_secs(u64::from(*every_s).clamp(1, 86_400)));
            }
            Received::Rejoined => {
                self.core.caught_up();
                // A hub that was restored or set up anew may not have the key.
                notification::repeat(self.core).await?;
            }
            _ => {}
        }
        self.position = seq;
        Ok(())
    }

    /// Names what is wrong with an entry, and ends the session unless it can go on.
    async fn refuse(&mut self, seq: u64, error: LogError) -> Outcome<()> {
        let reason = error.to_string();
        let alert = match &error {
            LogError::Replayed { seq } => TrustAlert::Replayed { seq: *seq },
            LogError::Missing { expected, found } => TrustAlert::OutOfOrder { expected: *expected, found: *found },
            LogError::Swapped { expected, found } => TrustAlert::OutOfOrder { expected: *expected, found: *found },
            LogError::Forked { seq } => TrustAlert::Forked { seq: *seq },
            LogError::Forged { seq, cause } => TrustAlert::Forged { seq: *seq, why: cause.clone() },
            LogError::Refused { seq, cause } => TrustAlert::Forged { seq: *seq, why: cause.to_string() },
            LogError::OutOfStep { .. } => return self.rejoin("its state does not fit the log").await,
            LogError::Removed => return Err(SyncError::NoHome(CoreError::Revoked)),
            LogError::Home(home) => return Err(home_error(home.clone()).into()),
            _ => TrustAlert::Forged { seq, why: reason.clone() },
        };
        self.core.alert(alert);
        match error {
            // The genuine entry may still follow.
            LogError::Replayed { .. } => Ok(()),
            LogError::Forked { .. } => self.rejoin("its history is another one").await,
            _ => Err(SyncError::Link(reason)),
        }
    }

    async fn rejoin(&mut self, why: &str) -> Outcome<()> {
        tracing::info!(target: "privet::sync", position = self.position, why, "asking the hub to let this phone in again");
        ask_again(self.core).await
    }

    /// The relay has nothing after `head`; whether this phone so has all that there is for it.
    async fn caught_up(&mut self, head: u64) -> Outcome<bool> {
        self.core.relay_head(head);
        let (position, rejoining) = self.core.with_home(|home| Ok((home.position().seq, home.is_rejoining()))).await?;
        if head < position {
            self.core.alert(TrustAlert::Shortened { head, position });
        } else if head > position && !rejoining {
            self.core.alert(TrustAlert::Missing { expected: position + 1 });
        }
        self.acknowledge().await?;
        Ok(!rejoining)
    }

    async fn acknowledge_if_due(&mut self) -> Outcome<()> {
        if self.position >= self.acknowledged + ACKNOWLEDGE || self.core.link().caught_up {
            self.acknowledge().await?;
        }
        Ok(())
    }

    async fn acknowledge(&mut self) -> Outcome<()> {
        if self.position > self.acknowledged {
            self.core.settle().await?;
            self.connection.ack_log(self.position).await?;
            self.acknowledged = self.position;
        }
        Ok(())
    }
}

async fn ask_again(core: &Arc<Core>) -> Outcome<()> {
    core.with_home(|home| home.rejoin(Env::new(clock::now(), &SystemRandom)).map_err(home_error)).await?;
    core.outbox.notify_one();
    Ok(())
}

/// Sends what waits, in order; each is forgotten once the relay has it.
async fn send_outbox(core: &Arc<Core>, connection: &Connection) -> Outcome<ClientError> {
    loop {
        let waiting = core.with_home(|home| home.outbox().map_err(home_error)).await?;
        for message in waiting {
            let number = message.number;
            match connection.send(message.bytes).await {
                Ok(_) => core.with_home(move |home| home.sent(number).map_err(home_error)).await?,
                Err(error) if error.is_retryable() && error.refusal().is_some() => {
                    tracing::warn!(target: "privet::sync", %error, "a message to the hub has to wait");
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    break;
                }
                Err(error) => {
                    if error.refusal() == Some(Code::Denied) {
                        // This phone may have been removed: the log gets the time to say so.
                        tokio::time::sleep(FAREWELL).await;
                    }
                    return Err(error.into());
                }
            }
        }
        // What came while sending left its note; the pause only guards against a lost one.
        let _ = tokio::time::timeout(Duration::from_secs(30), core.outbox.notified()).await;
    }
}

/// What is due from time to time: the watch over silence, fresh keys, receipts.
async fn keep_house(core: &Arc<Core>, silence: &Mutex<Silence>, started: Instant) -> Outcome<ClientError> {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut receipt: Option<(Instant, u64)> = None;
    let mut waiting: Option<Instant> = None;
    loop {
        tick.tick().await;
        let made = core.with_home(|home| Ok(home.hub_time())).await?;
        {
            let mut silence = silence.lock().await;
            let alert = silence.check(started.elapsed(), made, clock::now());
            core.signs(silence.signs, false);
            if let Some(alert) = alert {
                core.alert(alert);
            }
        }
        if core.with_home(|home| Ok(home.is_rejoining())).await? {
            // The request or its answer may be lost for good.
            if waiting.get_or_insert_with(Instant::now).elapsed() >= ASK_AGAIN {
                waiting = None;
                ask_again(core).await?;
            }
            continue;
        }
        waiting = None;
        if !core.link().caught_up {
            continue;
        }
        let proposed = core
            .with_home(|home| {
                let now = clock::now();
                if !home.update_due(now) {
                    return Ok(false);
                }
                home.propose_update(Env::new(now, &SystemRandom)).map_err(home_error)?;
                Ok(true)
            })
            .await?;
        if proposed {
            core.outbox.notify_one();
        }
        let position = core.with_home(|home| Ok(home.position())).await?;
        let due = receipt.is_none_or(|(at, seq)| at.elapsed() >= RECEIPT && seq < position.seq);
        if due && position.seq > 0 {
            core.tell_hub(PhoneMessage::Receipt { seq: position.seq, hash: position.hash }).await?;
            receipt = Some((Instant::now(), position.seq));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use privet_protocol::storage::MemoryStore;
    use privet_protocol::time::Timestamp;

    use super::*;
    use crate::cache::Cache;
    use crate::notes::Notes;
    use crate::types::Config;

    fn core(folder: &Path, store: Arc<MemoryStore>) -> Arc<Core> {
        let config = Config {
            storage_dir: folder.to_string_lossy().into_owned(),
            device_name: "phone".into(),
            cache_limit_mib: 1,
            app_version: "test".into(),
        };
        Arc::new(Core::new(config, store, Cache::open(folder, 1 << 20).unwrap(), Arc::default()).unwrap())
    }

    #[tokio::test]
    async fn entries_of_a_session_that_is_over_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let core = core(folder.path(), Arc::new(MemoryStore::new()));
        let session = core.stop.child_token();
        let take = async || core.take_entries(Entries::from([(1, vec![0])]), session.clone()).await.map(|_| ());
        assert!(matches!(take().await, Err(CoreError::NotPaired)), "it was looked at");
        drop(session.clone().drop_guard());
        assert!(matches!(take().await, Err(CoreError::Stopped)));
    }

    #[tokio::test]
    async fn that_a_silence_is_over_is_known_to_the_next_process() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryStore::new());
        let core = core(folder.path(), store.clone());
        let kept = async || {
            core.tasks.close();
            core.tasks.wait().await;
            Notes::load(&*store).unwrap().signs
        };
        let (long, now) = (Duration::from_secs(1000), Timestamp(1_000_000));

        let mut silence = Silence::new(core.notes().signs, None, now);
        assert!(silence.check(long, now, now).is_some());
        core.signs(silence.signs, false);
        let told = kept().await;
        assert!(told.told.is_some());
        // It comes back, reads what there is and closes.
        let mut silence = Silence::new(told, None, now);
        assert_eq!(silence.all_read(Timestamp(0), now), None);
        silence.heard(Duration::ZERO, now, now);
        core.signs(silence.signs, false);
        // The relay withholds, this time for good.
        let mut silence = Silence::new(kept().await, None, now);
        assert!(silence.check(long, now, now).is_some());
    }
}
