//! What happens without being asked for: low-rate events, told through a bounded queue and to a listener.
//!
//! A listener never runs on the library's own worker threads, but on one of its own for which [`crate::settle`] waits. When
//! nobody takes events, the oldest go first and [`Event::Missed`] says how many.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
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
        "no sign of the hub for {silent_s} s although the relay is connected: the hub is down, or the relay withholds its messages"
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
    /// The relay's key is not the pinned one.
    #[error("the relay has another key than at pairing: {why}")]
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
pub(crate) struct Events {
    queue: Mutex<Queue>,
    arrived: Notify,
    listener: Mutex<Option<mpsc::Sender<Event>>>,
    /// Somebody takes events, or did.
    taken: watch::Sender<bool>,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    missed: u64,
    closed: bool,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            queue: Mutex::default(),
            arrived: Notify::new(),
            listener: Mutex::default(),
            taken: watch::Sender::new(false),
        }
    }

    /// Tells an event. Never waits.
    pub(crate) fn tell(&self, event: Event) {
        {
            let mut listener = lock(&self.listener);
            if listener
                .as_ref()
                .is_some_and(|tx| matches!(tx.try_send(event.clone()), Err(mpsc::error::TrySendError::Closed(_))))
            {
                *listener = None;
            }
        }
        let mut queue = lock(&self.queue);
        if queue.events.len() == QUEUE {
            queue.events.pop_front();
            queue.missed += 1;
        }
        queue.events.push_back(event);
        drop(queue);
        self.arrived.notify_one();
    }

    /// Calls `listener` for every event from now on, or nobody.
    pub(crate) fn set_listener(&self, listener: Option<Arc<dyn EventListener>>) {
        self.taken.send_if_modified(|taken| listener.is_some() && !std::mem::replace(taken, true));
        *lock(&self.listener) = listener.map(|listener| {
            let (tx, mut rx) = mpsc::channel::<Event>(QUEUE);
            // Foreign code may block for as long as it likes: a thread of its own, which ends with the sender.
            let in_host = InHost::enter();
            std::thread::spawn(move || {
                // Declared first to be dropped last, also when the listener panics: letting go of the listener calls the host.
                let _in_host = in_host;
                let listener = listener;
                while let Some(event) = rx.blocking_recv() {
                    listener.on_event(event);
                }
            });
            tx
        });
    }

    /// Waits until somebody takes events: before, what must not be lost is not to be told.
    pub(crate) async fn somebody_listens(&self) {
        // The sender lives as long as this.
        let _ = self.taken.subscribe().wait_for(|taken| *taken).await;
    }

    /// The next event, or nothing within `wait`.
    pub(crate) async fn next(&self, wait: Duration) -> Result<Option<Event>> {
        self.taken.send_if_modified(|taken| !std::mem::replace(taken, true));
        let deadline = tokio::time::Instant::now() + wait;
        loop {
            let arrived = self.arrived.notified();
            {
                let mut queue = lock(&self.queue);
                if queue.missed > 0 {
                    let count = std::mem::take(&mut queue.missed);
                    return Ok(Some(Event::Missed { count }));
                }
                if let Some(event) = queue.events.pop_front() {
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn the_queue_is_bounded_and_tells_what_it_lost() {
        let events = Events::new();
        for _ in 0..QUEUE + 3 {
            events.tell(Event::CamerasChanged);
        }
        assert_eq!(events.next(Duration::ZERO).await.unwrap(), Some(Event::Missed { count: 3 }));
        for _ in 0..QUEUE {
            assert_eq!(events.next(Duration::ZERO).await.unwrap(), Some(Event::CamerasChanged));
        }
        assert_eq!(events.next(Duration::ZERO).await.unwrap(), None);
        events.close();
        assert_eq!(events.next(Duration::from_secs(60)).await, Err(CoreError::Stopped));
    }

    #[tokio::test]
    async fn a_listener_that_blocks_holds_up_nobody() {
        struct Blocks(Mutex<std::sync::mpsc::Receiver<()>>);
        impl EventListener for Blocks {
            fn on_event(&self, _: Event) {
                let _ = self.0.lock().unwrap().recv();
            }
        }
        let events = Events::new();
        let (release, blocked) = std::sync::mpsc::channel();
        events.set_listener(Some(Arc::new(Blocks(Mutex::new(blocked)))));
        for _ in 0..QUEUE * 3 {
            events.tell(Event::CamerasChanged);
        }
        assert!(matches!(events.next(Duration::ZERO).await.unwrap(), Some(Event::Missed { .. })));
        drop(release);
    }
}
