//! The connection that is kept for ever: made, lost, waited for, made again. The hub tells what it knows through a [`Handle`]
//! that never waits, and hears of snoozes through [`Snoozes`]; nothing that a broker does reaches further.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use privet_protocol::id::CameraId;
use privet_protocol::random::Random;
use privet_protocol::time::{Clock, Timestamp};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::broker::Broker;
use crate::error::LinkError;
use crate::house::{House, HubNews, News};
use crate::session::Session;

/// Snoozes that wait to be set; more at once are left alone.
const ASKED: usize = 16;
/// Lines about bad messages: one in this time.
const LOG_PAUSE: Duration = Duration::from_secs(10);
/// A connection that ends before this counts as a try that failed.
const HOLDS: Duration = Duration::from_secs(60);
/// How long the end waits for the broker.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Who keeps the snoozes of the home.
#[async_trait]
pub trait Snoozes: Send + Sync {
    /// Snoozes a camera for the whole home until then, or ends its snooze; it is kept when this returns.
    ///
    /// # Errors
    /// Why it was not, in words.
    async fn set(&self, camera: CameraId, until: Option<Timestamp>) -> Result<(), String>;

    /// Until when a camera is snoozed.
    fn get(&self, camera: CameraId) -> Option<Timestamp>;
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For an answer to anything, a connection and a greeting among them.
    pub answer: Duration,
    /// Half of it is the time between pings; after half as much again without a word from the broker the connection is given up. The
    /// broker does the same, and then says for the hub that it is offline.
    pub keep_alive: Duration,
    /// Before the second try; then twice as long each time ...
    pub first_pause: Duration,
    /// ... but no longer than this.
    pub longest_pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            keep_alive: Duration::from_secs(30),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// How it stands with the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// A connection is being made.
    Connecting,
    /// It holds.
    Connected,
    /// It failed; it is tried again by itself.
    Waiting {
        /// Why.
        why: LinkError,
    },
}

/// The link; it is gone when this is dropped, [`Mqtt::stop`] says goodbye first.
#[derive(Debug)]
pub struct Mqtt {
    handle: Handle,
    stop: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 2],
}

/// How the hub tells what it knows. Never waits; what the broker has not heard yet is replaced by what is newer.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    state: watch::Receiver<LinkState>,
}

/// What the link's tasks and its handles have in common.
pub(crate) struct Shared {
    pub(crate) broker: Broker,
    pub(crate) snoozes: Arc<dyn Snoozes>,
    pub(crate) clock: Arc<dyn Clock>,
    house: Mutex<House>,
    changed: Notify,
    asked: mpsc::Sender<(CameraId, Option<Timestamp>)>,
    settled: Mutex<Vec<CameraId>>,
    logged: Mutex<(Option<Instant>, u64)>,
}

impl Mqtt {
    /// Keeps a connection to the broker from now on. Call it within a tokio runtime.
    pub fn spawn(
        broker: Broker,
        house: House,
        snoozes: Arc<dyn Snoozes>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        timing: Timing,
    ) -> Self {
        let (asked, asks) = mpsc::channel(ASKED);
        let (stop, stopped) = watch::channel(false);
        let (states, state) = watch::channel(LinkState::Connecting);
        let shared = Arc::new(Shared {
            broker,
            snoozes,
            clock,
            house: Mutex::new(house),
            changed: Notify::new(),
            asked,
            settled: Mutex::default(),
            logged: Mutex::default(),
        });
        let tasks = [
            tokio::spawn(keep(Arc::clone(&shared), states, stopped, random, timing)),
            tokio::spawn(settle(Arc::clone(&shared), asks)),
        ];
        Self { handle: Handle { shared, state }, stop, tasks }
    }

    /// A way to tell it things.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Says that the hub is offline, and ends. Takes three seconds at most.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let _ = timeout(LAST_WORDS, &mut self.tasks[0]).await;
    }
}

impl Drop for Mqtt {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Handle {
    /// News of a camera.
    pub fn camera(&self, camera: CameraId, news: News) {
        let now = self.shared.clock.now();
        self.shared.house().camera(camera, news, now);
        self.shared.changed.notify_one();
    }

    /// News of the hub.
    pub fn hub(&self, news: HubNews) {
        self.shared.house().hub(news);
        self.shared.changed.notify_one();
    }

    /// A snooze changed by another way.
    pub fn snoozes_changed(&self) {
        self.shared.changed.notify_one();
    }

    /// How it stands, and a way to wait for a change of it.
    pub fn state(&self) -> watch::Receiver<LinkState> {
        self.state.clone()
    }

    /// Host and port of the broker.
    pub fn address(&self) -> String {
        self.shared.broker.address()
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Handle").field(&self.shared.broker).finish()
    }
}

impl Shared {
    pub(crate) fn house(&self) -> MutexGuard<'_, House> {
        self.house.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changed since the last call.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Has a snooze set; false if too many wait.
    pub(crate) fn ask(&self, camera: CameraId, until: Option<Timestamp>) -> bool {
        self.asked.try_send((camera, until)).is_ok()
    }

    /// The cameras whose snooze was set, or was to be.
    pub(crate) fn take_settled(&self) -> Vec<CameraId> {
        std::mem::take(&mut self.settled.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a line about a bad message may be written now, and how many were not since the last.
    pub(crate) fn may_log(&self) -> Option<u64> {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.0.is_some_and(|last| last.elapsed() < LOG_PAUSE) {
            logged.1 += 1;
            return None;
        }
        logged.0 = Some(Instant::now());
        Some(std::mem::take(&mut logged.1))
    }
}

async fn keep(
    shared: Arc<Shared>,
    states: watch::Sender<LinkState>,
    mut stop: watch::Receiver<bool>,
    random: Arc<dyn Random>,
    timing: Timing,
) {
    let mut tries = 0;
    let mut told: Option<LinkError> = None;
    loop {
        states.send_replace(LinkState::Connecting);
        let opened = tokio::select! {
            opened = Session::open(&shared, timing) => opened,
            () = stopped(&mut stop) => return,
        };
        let ended = match opened {
            Ok(session) => {
                tracing::info!(broker = shared.broker.address(), tries, "connected to the MQTT broker");
                states.send_replace(LinkState::Connected);
                let began = Instant::now();
                let ended = session.run(stop.clone()).await;
                if holds(began.elapsed()) {
                    (tries, told) = (0, None);
                }
                ended
            }
            Err(error) => Err(error),
        };
        let Err(why) = ended else { return };
        // The same reason again is no news.
        if told.as_ref() != Some(&why) {
            tracing::warn!(broker = shared.broker.address(), "mqtt: {why}; it is tried again by itself");
            told = Some(why.clone());
        }
        states.send_replace(LinkState::Waiting { why });
        let pause = pause(tries, &timing, &*random);
        tries += 1;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

/// Waits until the hub ends.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody is there to say so any more.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Whether a connection that lasted so long was one. A broker that lets the hub in and throws it out again, as two do that have
/// one client id, is not asked every second.
fn holds(lasted: Duration) -> bool {
    lasted >= HOLDS
}

/// Between half and all of a step that doubles, so that many hubs do not storm a broker that starts anew.
fn pause(tries: u32, timing: &Timing, random: &dyn Random) -> Duration {
    let step = timing.first_pause.saturating_mul(1 << tries.min(16)).min(timing.longest_pause);
    let mut byte = [0];
    random.fill(&mut byte);
    step.mul_f64(0.5 + f64::from(byte[0]) / 510.0)
}

/// Sets snoozes one after the other, beside the connection: keeping one may take a moment.
async fn settle(shared: Arc<Shared>, mut asks: mpsc::Receiver<(CameraId, Option<Timestamp>)>) {
    while let Some((camera, until)) = asks.recv().await {
        match shared.snoozes.set(camera, until).await {
            Ok(()) => tracing::info!(%camera, until = until.map(|t| t.0), "a snooze was set through MQTT"),
            Err(why) => tracing::warn!(%camera, "a snooze from MQTT could not be kept: {why}"),
        }
        shared.settled.lock().unwrap_or_else(PoisonError::into_inner).push(camera);
        shared.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use privet_protocol::random::SeededRandom;

    use super::*;

    #[test]
    fn pauses_grow_to_their_longest_and_no_further() {
        let (timing, random) = (Timing::default(), SeededRandom::new(b"mqtt"));
        let mut step = timing.first_pause;
        for tries in [0, 1, 2, 3, 4, 5, 6, 7, 40, u32::MAX] {
            let wait = pause(tries, &timing, &random);
            assert!(wait >= timing.first_pause / 2 && wait <= timing.longest_pause, "{tries}: {wait:?}");
            if tries < 6 {
                assert!(wait >= step / 2 && wait <= step, "{tries}: {wait:?} of {step:?}");
                step *= 2;
            }
        }
    }
}
