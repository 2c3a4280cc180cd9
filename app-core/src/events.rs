//! What happens without being asked for: low-rate events, told through a bounded queue and to a listener.
//!
//! A listener never runs on the library's own worker threads, but on one of its own for which [`crate::settle`] waits. When
//! nobody takes events, the oldest go first and [`Event::Missed`] says how many.
//!
//! What must not be lost is handed over ([`Events::hand`]): it counts as taken when [`Events::next`] gave it to somebody or a
//! listener returned from it, and not because it lies in memory here.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use privet_protocol::id::EventId;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, watch};

use crate::error::{CoreError, Result};
use crate::happening::EventInfo;
use crate::notification::Notification;
use crate::runtime::InHost;
use crate::types::{LinkState, Trust};

/// How many events wait for their taker.
const QUEUE: usize = 256;

/// Something the host may want to show.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A camera began a recording.
    ClipStarted {
        /// The clip.
        clip_id: String,
        /// Its camera.
        camera_id: String,
        /// When.
        at_ms: i64,
        /// Said by the hub, in the authenticated log.
        trust: Trust,
    },
    /// A clip is finished and can be opened.
    ClipReady {
        /// The clip.
        clip_id: String,
        /// Its camera.
        camera_id: String,
    },
    /// Something happened, as the log tells it: for the list of events. What this phone's owner wants to be disturbed for comes as
    /// [`Event::Notification`].
    Happened(Box<EventInfo>),
    /// What a clip shows is known, or changed: its thumbnail, zones, whether it is pinned.
    ClipNotes {
        /// The clip.
        clip_id: String,
        /// Its camera.
        camera_id: String,
    },
    /// These clips are no more.
    ClipsForgotten {
        /// Which.
        clip_ids: Vec<String>,
    },
    /// What [`crate::Client::settings`] gives changed.
    WishesChanged,
    /// A notification for this phone, each once; give it to the system under its `event_id`.
    Notification(Box<Notification>),
    /// The connection changed.
    Link {
        /// How it is now.
        state: LinkState,
        /// Why, when it is down.
        reason: Option<String>,
    },
    /// A camera came or went.
    CameraState {
        /// The camera.
        camera_id: String,
        /// Whether the hub gets pictures.
        online: bool,
    },
    /// The list of cameras changed.
    CamerasChanged,
    /// A member joined, left or changed. Show every join.
    DevicesChanged {
        /// What happened, in words.
        what: String,
    },
    /// Something could not be trusted.
    TrustAlert(TrustAlert),
    /// This phone was swapped into the home again after it fell behind or was restored.
    Rejoined,
    /// This phone was removed from the home; its keys are wiped.
    Removed,
    /// So many events were lost because nobody took them.
    Missed {
        /// How many.
        count: u64,
    },
}

/// A lie that was noticed, or what may be one. Everything here is shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum TrustAlert {
    /// The relay sent an old message again.
    #[error("the relay replayed message {seq} of the hub")]
    Replayed {
        /// The number it came under.
        seq: u64,
    },
    /// Messages came out of order.
    #[error("the relay sent message {found} where {expected} was due: reordered or left out")]
    OutOfOrder {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// Messages are missing.
    #[error("messages of the hub are missing at the relay: {expected} is due")]
    Missing {
        /// The number that was due.
        expected: u64,
    },
    /// Two histories of the home exist.
    #[error("message {seq} belongs to another history of this home: the relay or the hub shows two")]
    Forked {
        /// Where they part.
        seq: u64,
    },
    /// A message is not the hub's.
    #[error("message {seq} was not made by this home's hub: {why}")]
    Forged {
        /// Its number.
        seq: u64,
        /// What failed.
        why: String,
    },
    /// The hub's heartbeat is overdue although the relay is connected.
    #[error(
        "no sign of the hub for {silent_s} s although the relay is connected: the hub is down, the relay withholds its messages, or a clock is wrong"
    )]
    Withheld {
        /// For how long.
        silent_s: u64,
    },
    /// The hub's messages come, but are old by its clock.
    #[error(
        "the hub's messages arrive {by_s} s old: the hub's clock is behind this phone's, or the relay holds messages back"
    )]
    ClocksDiffer {
        /// How old they are.
        by_s: u64,
    },
    /// The relay claims fewer messages than this phone has.
    #[error("the relay's log ends at {head}, but this phone has {position}: the relay lost or hides messages")]
    Shortened {
        /// The relay's last number.
        head: u64,
        /// This phone's.
        position: u64,
    },
    /// Media that does not verify.
    #[error("media of stream {stream} segment {segment} does not verify: {why}")]
    BrokenMedia {
        /// The stream or clip.
        stream: String,
        /// The segment.
        segment: u64,
        /// What failed.
        why: String,
    },
    /// What a camera recorded right before a clip is not among the clips that this phone was told of: a gap, though the clip
    /// itself is good.
    #[error(
        "what camera {camera} recorded before clip {clip} is missing here: the hub did not tell this phone, or lost it"
    )]
    ClipMissing {
        /// The clip after the gap.
        clip: String,
        /// Its camera.
        camera: String,
    },
    /// A live view shows the past.
    #[error("live pictures of stream {stream} are {by_s} s old: a clock is wrong, or the relay delays them")]
    Late {
        /// The stream.
        stream: String,
        /// How old they are.
        by_s: i64,
    },
    /// Something that is no notification of the hub was brought as one.
    #[error("the relay brought a notification that this home's hub did not make for this phone: {why}")]
    ForgedNotice {
        /// What failed.
        why: String,
    },
    /// A notification comes long after the relay should have let it go.
    #[error(
        "the relay brought a notification that the hub made {by_s} s ago: it was held back or brought again, or a clock is wrong"
    )]
    StaleNotice {
        /// How old it is.
        by_s: u64,
    },
    /// The relay's key is not the pinned one, or nobody vouches for its certificate.
    #[error("what answers in the relay's place can't show that it is the one of the pairing: {why}")]
    OtherRelay {
        /// What was found.
        why: String,
    },
}

/// Takes events as they happen. Must return soon; called from a thread of its own.
pub trait EventListener: Send + Sync {
    /// Something happened.
    fn on_event(&self, event: Event);
}

/// The queue between the sync task and the host.
#[derive(Default)]
pub(crate) struct Events {
    queue: Mutex<Queue>,
    arrived: Notify,
    listener: Mutex<Option<Listener>>,
    takers: Arc<watch::Sender<Takers>>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<(Event, Option<Receipt>)>,
    missed: u64,
    closed: bool,
    /// What is being handed over, by what it is about: it lies in `events`, at a listener, or both.
    handed: HashMap<EventId, Handed>,
}

impl Queue {
    fn push(&mut self, event: Event, receipt: Option<Receipt>) {
        if self.events.len() == QUEUE {
            self.events.pop_front();
            self.missed += 1;
        }
        self.events.push_back((event, receipt));
    }
}

/// True once somebody has the event; gone when nobody can take it any more.
type Receipt = Arc<watch::Sender<bool>>;

struct Handed {
    receipt: Weak<watch::Sender<bool>>,
    /// Alive while a listener has it before itself.
    before_listener: Weak<()>,
}

/// An event on its way to a listener.
pub(crate) struct Spoken {
    event: Event,
    receipt: Option<(Receipt, Arc<()>)>,
}

/// The way to a listener's thread.
struct Listener {
    waiting: mpsc::Sender<Spoken>,
    /// What it had no room for, and has not been told of.
    missed: u64,
}

impl Listener {
    /// Tells an event, and before it how many there was no room for; false when the thread is gone.
    fn tell(&mut self, event: Event) -> bool {
        if self.missed > 0 {
            match self.waiting.try_send(Spoken { event: Event::Missed { count: self.missed }, receipt: None }) {
                Ok(()) => self.missed = 0,
                Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Closed(_)) => return false,
            }
        }
        match self.waiting.try_send(Spoken { event, receipt: None }) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.missed += 1;
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

/// Who takes events.
#[derive(Default)]
struct Takers {
    /// Listeners are counted; this is the one that is called, 0 when there is none.
    listener: u64,
    listeners: u64,
    /// Somebody asked for the next event.
    polled: bool,
}

impl Takers {
    fn any(&self) -> bool {
        self.polled || self.listener != 0
    }
}

/// A listener's thread: when it ends, and be it by a panic in the host, the listener takes nothing any more.
struct Listening {
    takers: Arc<watch::Sender<Takers>>,
    number: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.takers.send_if_modified(|takers| {
            let ends = takers.listener == self.number;
            takers.listener = if ends { 0 } else { takers.listener };
            ends
        });
    }
}

impl Events {
    /// Tells an event. Never waits.
    pub(crate) fn tell(&self, event: Event) {
        {
            let mut listener = lock(&self.listener);
            if listener.as_mut().is_some_and(|listener| !listener.tell(event.clone())) {
                *listener = None;
            }
        }
        lock(&self.queue).push(event, None);
        self.arrived.notify_one();
    }

    /// Hands over what must not be lost, named by what it is about: returns when somebody has it. Begun anew, also after this was
    /// dropped, it goes on with what is on its way already; told again is only what nobody can take any more.
    pub(crate) async fn hand(&self, about: EventId, event: &Event) {
        loop {
            let (mut receipt, full) = self.offer(about, event);
            let had = async { receipt.wait_for(|had| *had).await.is_ok() };
            let room = async {
                match &full {
                    Some(listener) => drop(listener.reserve().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                had = had => if had { return },
                () = room => {}
            }
        }
    }

    /// Tells an event unless it is on its way already: its receipt, and the listener that had no room for it. Never waits.
    pub(crate) fn offer(&self, about: EventId, event: &Event) -> (watch::Receiver<bool>, Option<mpsc::Sender<Spoken>>) {
        let mut listener = lock(&self.listener);
        let mut queue = lock(&self.queue);
        queue.handed.retain(|_, handed| handed.receipt.strong_count() > 0);
        let known = queue.handed.get(&about).and_then(|handed| handed.receipt.upgrade());
        let receipt = known.unwrap_or_else(|| {
            let receipt = Receipt::default();
            let handed = Handed { receipt: Arc::downgrade(&receipt), before_listener: Weak::new() };
            queue.handed.insert(about, handed);
            queue.push(event.clone(), Some(Arc::clone(&receipt)));
            self.arrived.notify_one();
            receipt
        });
        let had = receipt.subscribe();
        let mut full = None;
        if let Some(Listener { waiting: tx, .. }) = &*listener
            && let Some(handed) = queue.handed.get_mut(&about)
            && handed.before_listener.strong_count() == 0
            && !*had.borrow()
        {
            let before_listener = Arc::new(());
            handed.before_listener = Arc::downgrade(&before_listener);
            match tx.try_send(Spoken { event: event.clone(), receipt: Some((receipt, before_listener)) }) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => full = Some(tx.clone()),
                Err(TrySendError::Closed(_)) => *listener = None,
            }
        }
        (had, full)
    }

    /// Calls `listener` for every event from now on, or nobody.
    pub(crate) fn set_listener(&self, listener: Option<Arc<dyn EventListener>>) {
        let mut slot = lock(&self.listener);
        let mut number = 0;
        self.takers.send_modify(|takers| {
            takers.listeners += 1;
            number = takers.listeners;
            takers.listener = if listener.is_some() { number } else { 0 };
        });
        *slot = listener.map(|listener| {
            let (tx, mut rx) = mpsc::channel::<Spoken>(QUEUE);
            let listening = Listening { takers: Arc::clone(&self.takers), number };
            // Foreign code may block for as long as it likes: a thread of its own, which ends with the sender.
            let in_host = InHost::enter();
            std::thread::spawn(move || {
                // Declared first to be dropped last, also when the listener panics: letting go of the listener calls the host.
                let _in_host = in_host;
                let listener = listener;
                let _listening = listening;
                while let Some(Spoken { event, receipt }) = rx.blocking_recv() {
                    listener.on_event(event);
                    if let Some((receipt, _before_listener)) = receipt {
                        receipt.send_replace(true);
                    }
                }
            });
            Listener { waiting: tx, missed: 0 }
        });
    }

    /// Waits until somebody takes events: before, what must not be lost is not to be told.
    pub(crate) async fn somebody_listens(&self) {
        // The sender lives as long as this.
        let _ = self.takers.subscribe().wait_for(Takers::any).await;
    }

    /// Waits until nobody takes events any more.
    pub(crate) async fn nobody_listens(&self) {
        let _ = self.takers.subscribe().wait_for(|takers| !takers.any()).await;
    }

    /// The next event, or nothing within `wait`.
    pub(crate) async fn next(&self, wait: Duration) -> Result<Option<Event>> {
        self.takers.send_if_modified(|takers| !std::mem::replace(&mut takers.polled, true));
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let arrived = self.arrived.notified();
            {
                let mut queue = lock(&self.queue);
                if queue.missed > 0 {
                    let count = std::mem::take(&mut queue.missed);
                    return Ok(Some(Event::Missed { count }));
                }
                if let Some((event, receipt)) = queue.events.pop_front() {
                    if let Some(receipt) = receipt {
                        receipt.send_replace(true);
                    }
                    return Ok(Some(event));
                }
                if queue.closed {
                    return Err(CoreError::Stopped);
                }
            }
            if tokio::time::timeout_at(deadline, arrived).await.is_err() {
                return Ok(None);
            }
        }
    }

    /// Lets every waiter go.
    pub(crate) fn close(&self) {
        lock(&self.queue).closed = true;
        lock(&self.listener).take();
        self.arrived.notify_waiters();
        self.arrived.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
