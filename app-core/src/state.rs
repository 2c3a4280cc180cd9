//! What all parts of a client share: the store, the home, the library, the link to the relay.
//!
//! The home and the library change together, inside one blocking call that always runs to its end ([`Core::with_home`],
//! [`Core::take_entries`]); no lock is held across a wait.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::{Duration, Instant};

use privet_home::{Env, HomeError, HubMessage, LogError, MemberChange, PhoneHome, PhoneMessage, Received};
use privet_protocol::id::StreamId;
use privet_protocol::random::SystemRandom;
use privet_protocol::storage::{Batch, Store};
use privet_protocol::time::Timestamp;
use privet_relay_client::Connection;
use privet_segment::KnownCameras;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::Cache;
use crate::clock;
use crate::error::{CoreError, Result};
use crate::events::{Event, Events, TrustAlert};
use crate::gathering::{Gatherer, Gathering};
use crate::library::Library;
use crate::live::Views;
use crate::notes::Notes;
use crate::runtime;
use crate::settings::Asked;
use crate::sync::Signs;
use crate::types::{Config, LinkState};

/// The link to the relay.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) state: LinkState,
    pub(crate) reason: Option<String>,
    pub(crate) connection: Option<Connection>,
    /// The log was followed to its end since the connection was made.
    pub(crate) caught_up: bool,
    pub(crate) retry_at: Option<Instant>,
}

/// Log entries with their numbers, in order.
pub(crate) type Entries = VecDeque<(u64, Vec<u8>)>;

/// A log entry that was taken.
pub(crate) struct Taken {
    /// What it held.
    pub(crate) received: Received,
    /// When the hub made the last thing that it said.
    pub(crate) hub_time: Timestamp,
}

/// The one store, for all and for the home.
#[derive(Clone)]
struct Stores {
    all: Arc<Gathering>,
    home: Arc<Gatherer>,
}

impl Stores {
    fn over(store: Arc<dyn Store>) -> Self {
        let all = Arc::new(Gathering::new(store));
        Self { home: Arc::new(Gatherer::new(all.clone())), all }
    }
}

/// Shared state.
pub(crate) struct Core {
    pub(crate) config: Config,
    store: Mutex<Option<Stores>>,
    home: Mutex<Option<PhoneHome>>,
    library: RwLock<Library>,
    trust: RwLock<Arc<KnownCameras>>,
    pub(crate) cache: Cache,
    pub(crate) events: Arc<Events>,
    link: watch::Sender<Link>,
    /// Counts changes of the library and the log's position.
    changed: watch::Sender<u64>,
    notes: Mutex<Notes>,
    asked: Mutex<Asked>,
    /// Why no notifications come over the connection.
    no_notifications: Mutex<Option<String>>,
    /// Held by whoever gives the relay a push target.
    pub(crate) registering: tokio::sync::Mutex<()>,
    /// Held by whoever notes that somebody has a notification.
    pub(crate) noting: Mutex<()>,
    keeping: Mutex<()>,
    /// Somebody is about to keep the notes as they are by then.
    kept_soon: AtomicBool,
    /// The relay is to be given the push target once more.
    pub(crate) target_waits: Notify,
    /// A message waits in the outbox.
    pub(crate) outbox: Notify,
    /// What is watched live.
    pub(crate) views: Arc<Views>,
    /// There may be a new key to move to at the relay.
    pub(crate) new_key: Notify,
    /// Try to connect now.
    pub(crate) retry: Notify,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// It was stopped because the app is in the background.
    pub(crate) background: AtomicBool,
}

impl Core {
    /// The state over an open store.
    pub(crate) fn new(config: Config, store: Arc<dyn Store>, cache: Cache, events: Arc<Events>) -> Result<Self> {
        let library = Library::load(&*store)?;
        let stores = Stores::over(store);
        let home = PhoneHome::load(stores.home.clone()).map_err(home_error)?;
        let store = &*stores.all;
        let notes = Notes::load(store)?;
        let asked = Asked::load(store)?;
        let removed = home.as_ref().is_some_and(PhoneHome::is_removed);
        let offline =
            Link { state: LinkState::Offline, reason: None, connection: None, caught_up: false, retry_at: None };
        Ok(Self {
            config,
            trust: RwLock::new(Arc::new(library.known_cameras())),
            store: Mutex::new(Some(stores)),
            home: Mutex::new(home.filter(|_| !removed)),
            library: RwLock::new(library),
            cache,
            events,
            link: watch::Sender::new(offline),
            changed: watch::Sender::new(0),
            notes: Mutex::new(Notes { removed, ..notes }),
            asked: Mutex::new(asked),
            no_notifications: Mutex::default(),
            registering: tokio::sync::Mutex::default(),
            noting: Mutex::default(),
            keeping: Mutex::default(),
            kept_soon: AtomicBool::new(false),
            target_waits: Notify::new(),
            outbox: Notify::new(),
            views: Arc::default(),
            new_key: Notify::new(),
            retry: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            background: AtomicBool::new(false),
        })
    }

    /// The store, until it is let go of.
    pub(crate) fn store(&self) -> Result<Arc<dyn Store>> {
        Ok(self.stores()?.all)
    }

    /// The store for a home that begins.
    pub(crate) fn home_store(&self) -> Result<Arc<dyn Store>> {
        Ok(self.stores()?.home)
    }

    fn stores(&self) -> Result<Stores> {
        lock(&self.store).clone().ok_or_else(|| self.stopped())
    }

    /// Makes durable what was taken of the log; only what was may be acknowledged.
    pub(crate) async fn settle(self: &Arc<Self>) -> Result<()> {
        let core = self.clone();
        runtime::blocking(move || Ok(core.stores()?.all.settle()?)).await
    }

    /// Lets go of the home and the store, which is closed when the last call that is under way has let go of it too.
    pub(crate) fn let_go(&self) -> Option<Weak<dyn Store>> {
        lock(&self.home).take();
        let stores = lock(&self.store).take()?;
        if let Err(error) = stores.all.settle() {
            // The relay has it still.
            tracing::warn!(target: "privet::sync", %error, "what was taken of the log last could not be kept");
        }
        Some(stores.all.below())
    }

    /// The error of a call that comes too late.
    pub(crate) fn stopped(&self) -> CoreError {
        if self.background.load(Ordering::Acquire) { CoreError::Background } else { CoreError::Stopped }
    }

    /// Runs `verb` with the home, off the async workers and always to its end.
    pub(crate) async fn with_home<T: Send + 'static>(
        self: &Arc<Self>,
        verb: impl FnOnce(&mut PhoneHome) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let core = self.clone();
        runtime::blocking(move || {
            let mut home = lock(&core.home);
            verb(home.as_mut().ok_or_else(|| core.no_home())?)
        })
        .await
    }

    /// The error of a call that needs a home when there is none.
    pub(crate) fn no_home(&self) -> CoreError {
        if self.stop.is_cancelled() {
            self.stopped()
        } else if self.notes().removed {
            CoreError::Revoked
        } else {
            CoreError::NotPaired
        }
    }

    /// The error of a call that needs a home, if there is none.
    pub(crate) fn no_home_error(&self) -> Option<CoreError> {
        lock(&self.home).is_none().then(|| self.no_home())
    }

    /// Sends a message to the hub: durable in the outbox when this returns.
    pub(crate) async fn tell_hub(self: &Arc<Self>, message: PhoneMessage) -> Result<()> {
        self.with_home(move |home| {
            home.send(&message, Batch::new(), Env::new(clock::now(), &SystemRandom)).map_err(home_error)
        })
        .await?;
        self.outbox.notify_one();
        Ok(())
    }

    /// Takes over a home that this phone just joined.
    pub(crate) fn joined(&self, home: PhoneHome) {
        *lock(&self.home) = Some(home);
        *lock(&self.notes) = Notes { signs: Signs::at_joining(clock::now()), ..Notes::default() };
        self.retry.notify_one();
        self.touch();
    }

    /// Takes log entries, each with home, library and their writes in one commit, and tells what it meant; ends after the first that something has to
    /// be done about before the next one. Gives what came of it, with the number of each, and leaves those that were not looked at.
    ///
    /// This goes on when nobody waits for it any more, so none is begun once `session` is over: the next session may read how far this phone is.
    pub(crate) async fn take_entries(
        self: &Arc<Self>,
        mut entries: Entries,
        session: CancellationToken,
    ) -> Result<(Vec<(u64, std::result::Result<Taken, LogError>)>, Entries)> {
        let core = self.clone();
        runtime::blocking(move || {
            let mut all = Vec::with_capacity(entries.len());
            while let Some((seq, entry)) = entries.pop_front() {
                let taken = core.take_entry_now(seq, &entry, &session)?;
                let on = matches!(&taken, Ok(Taken { received: Received::Message { .. } | Received::Other, .. }));
                all.push((seq, taken));
                if !on {
                    break;
                }
            }
            Ok((all, entries))
        })
        .await
    }

    fn take_entry_now(
        &self,
        seq: u64,
        entry: &[u8],
        session: &CancellationToken,
    ) -> Result<std::result::Result<Taken, LogError>> {
        let mut slot = lock(&self.home);
        // Under the lock: who has it next sees all that was taken, and nothing is taken after that.
        if session.is_cancelled() {
            return Err(self.stopped());
        }
        let home = slot.as_mut().ok_or_else(|| self.no_home())?;
        let Stores { all: store, home: home_store } = self.stores()?;
        // Behind, a word of the hub is one of many. Whatever else an entry changes is durable at once.
        let behind = !self.link.borrow().caught_up;
        let (own, now) = (home.device(), clock::now());
        let answered = |message: &HubMessage| match message {
            HubMessage::Wishes(wishes) => Some(self.asked().after(wishes, own, now)),
            _ => None,
        };
        let extra = |received: &Received| match received {
            Received::Message { message, .. } => {
                home_store.next_waits(behind);
                let mut batch = self.library().batch_for(seq, message);
                batch.merge(answered(message).map(|asked| asked.batch()).unwrap_or_default());
                batch
            }
            Received::Removed => Library::wipe(&*store).unwrap_or_default(),
            _ => Batch::new(),
        };
        let received = home.receive(seq, entry, extra, Env::new(clock::now(), &SystemRandom));
        home_store.next_waits(false);
        let received = match received {
            Ok(received) => received,
            Err(error) => return Ok(Err(error)),
        };
        let hub_time = home.hub_time();
        let mut events = Vec::new();
        match &received {
            Received::Message { at, message, .. } => {
                lock(&self.notes).hub_seen_ms = Some(at.0);
                let mut library = self.library.write().unwrap_or_else(PoisonError::into_inner);
                events = library.apply(seq, message);
                if matches!(message, HubMessage::Cameras(_)) {
                    let known = Arc::new(library.known_cameras());
                    *self.trust.write().unwrap_or_else(PoisonError::into_inner) = known;
                }
                if let Some(asked) = answered(message) {
                    self.set_asked(asked);
                    events.push(Event::WishesChanged);
                }
                if let HubMessage::Forgotten { streams } = message {
                    streams.iter().for_each(|stream| self.cache.forget(stream));
                }
            }
            Received::Removed => {
                slot.take();
                *self.library.write().unwrap_or_else(PoisonError::into_inner) = Library::default();
                self.set_asked(Asked::default());
                self.cache.wipe();
                lock(&self.notes).removed = true;
                events.push(Event::Removed);
            }
            Received::Rejoined => events.push(Event::Rejoined),
            Received::Members(changes) => events.extend(changes.iter().map(|change| {
                let what = match change {
                    MemberChange::Joined(member) => format!("'{}' joined", member.name),
                    MemberChange::Left(member) => format!("'{}' was removed", member.name),
                    MemberChange::Rejoined(member) => format!("'{}' was let in again", member.name),
                };
                Event::DevicesChanged { what }
            })),
            _ => {}
        }
        drop(slot);
        for event in events {
            self.events.tell(event);
        }
        self.touch();
        Ok(Ok(Taken { received, hub_time }))
    }

    /// Remembers a clip as verified.
    pub(crate) async fn mark_verified(self: &Arc<Self>, stream: StreamId, signer: String) -> Result<()> {
        let core = self.clone();
        runtime::blocking(move || {
            let batch = core.library.write().unwrap_or_else(PoisonError::into_inner).mark_verified(&stream, &signer);
            if batch.is_empty() { Ok(()) } else { Ok(core.store()?.commit(batch)?) }
        })
        .await
    }

    /// What was said of this phone's settings.
    pub(crate) fn asked(&self) -> Asked {
        lock(&self.asked).clone()
    }

    /// What was said of this phone's settings is something else now; the caller holds the home's lock and made it durable.
    pub(crate) fn set_asked(&self, asked: Asked) {
        *lock(&self.asked) = asked;
    }

    /// Why no notifications come over the connection.
    pub(crate) fn notifications_note(&self) -> Option<String> {
        lock(&self.no_notifications).clone()
    }

    /// No notifications come, or they do.
    pub(crate) fn no_notifications(&self, why: Option<String>) {
        *lock(&self.no_notifications) = why;
    }

    /// The library, for reading.
    pub(crate) fn library(&self) -> RwLockReadGuard<'_, Library> {
        self.library.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The evidence keys trusted now.
    pub(crate) fn trust(&self) -> Arc<KnownCameras> {
        self.trust.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Wakes those who wait for a change of the library.
    pub(crate) fn touch(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Changes of the library, from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The link as it is.
    pub(crate) fn link(&self) -> Link {
        self.link.borrow().clone()
    }

    /// Changes of the link, from now on.
    pub(crate) fn links(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    /// Changes the link, and tells it when its state changed.
    pub(crate) fn set_link(&self, link: Link) {
        let (state, reason) = (link.state, link.reason.clone());
        let before = self.link.send_replace(link).state;
        if before != state {
            self.events.tell(Event::Link { state, reason });
        }
    }

    /// The log was followed to its end.
    pub(crate) fn caught_up(&self) {
        self.link.send_modify(|link| link.caught_up = true);
    }

    /// A connection to the relay, or why there is none within `wait`.
    pub(crate) async fn connection(&self, wait: Duration) -> Result<Connection> {
        let mut links = self.links();
        let waited = tokio::time::timeout(wait, async {
            loop {
                if let Some(connection) = links.borrow_and_update().connection.clone() {
                    return Ok(connection);
                }
                if lock(&self.home).is_none() {
                    return Err(self.no_home());
                }
                tokio::select! {
                    changed = links.changed() => changed.map_err(|_| CoreError::Stopped)?,
                    () = self.stop.cancelled() => return Err(self.stopped()),
                }
            }
        })
        .await;
        waited.unwrap_or_else(|_| {
            let link = self.link();
            Err(CoreError::Network {
                reason: link.reason.unwrap_or_else(|| "still connecting to the relay".into()),
                retry_after_ms: link.retry_at.map(|at| {
                    u64::try_from(at.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(u64::MAX)
                }),
            })
        })
    }

    /// The status' own notes.
    pub(crate) fn notes(&self) -> Notes {
        lock(&self.notes).clone()
    }

    /// The relay says that its log ends here.
    pub(crate) fn relay_head(&self, head: u64) {
        let mut notes = lock(&self.notes);
        notes.relay_head = notes.relay_head.max(head);
    }

    /// Notices something that can't be trusted. The same thing twice in a row is told once.
    pub(crate) fn alert(self: &Arc<Self>, alert: TrustAlert) {
        tracing::warn!(target: "privet::trust", %alert, "trust alert");
        if lock(&self.notes).add(clock::now().0, alert.clone()) {
            self.events.tell(Event::TrustAlert(alert));
            self.keep_notes();
        }
    }

    /// The hub shows how often it gives a sign of life.
    pub(crate) fn learned(self: &Arc<Self>, heartbeat: Duration) {
        let learned = u64::try_from(heartbeat.as_millis()).ok();
        if std::mem::replace(&mut lock(&self.notes).heartbeat_ms, learned) != learned {
            self.keep_notes();
        }
    }

    /// What is known of the hub's signs of life changed; `keep` for what the next process has to know. What was told is kept
    /// in any case, also that it is over: a next process that takes a silence for told would be silent about a new one.
    pub(crate) fn signs(self: &Arc<Self>, signs: Signs, keep: bool) {
        let before = std::mem::replace(&mut lock(&self.notes).signs, signs);
        if before != signs && (keep || before.told != signs.told) {
            self.keep_notes();
        }
    }

    /// Makes the notes durable in the background; shutting down waits for it.
    fn keep_notes(self: &Arc<Self>) {
        let Ok(runtime) = runtime::handle() else { return };
        // Who floods this phone with what it has to note makes it write no faster than it can.
        if self.kept_soon.swap(true, Ordering::AcqRel) {
            return;
        }
        let core = self.clone();
        self.tasks.spawn_blocking_on(
            move || {
                // One writer at a time, and always the newest.
                let _one_at_a_time = lock(&core.keeping);
                core.kept_soon.store(false, Ordering::Release);
                let batch = lock(&core.notes).batch();
                if let Err(error) = core.store().and_then(|store| Ok(store.commit(batch)?)) {
                    tracing::warn!(target: "privet::trust", %error, "an alert could not be kept");
                }
            },
            &runtime,
        );
    }
}

/// A failure of the home as the host sees it.
pub(crate) fn home_error(error: HomeError) -> CoreError {
    match error {
        HomeError::Store(error) => error.into(),
        HomeError::Removed => CoreError::Revoked,
        HomeError::NotAMember(device) => CoreError::NotFound { what: format!("device {device}") },
        HomeError::NeedsRejoin => {
            CoreError::Network { reason: "the hub has to let this phone in again first".into(), retry_after_ms: None }
        }
        HomeError::Damaged(_) => CoreError::Damaged { reason: error.to_string() },
        other => CoreError::Invalid { reason: other.to_string() },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
