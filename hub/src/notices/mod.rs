//! Phones are told: what happens becomes one entry of the log and a notice for each phone that wants to know, in one commit.
//!
//! 1. [`task`] hears of sightings, of the relay and of the disk; [`watch`] decides, purely, what of it is an event of the home.
//! 2. The home's own thread, which alone writes the log, takes the event: [`privet_notify::Book`] says whom to tell, and entry,
//!    notices and the mark that the event was taken are one commit. A `kill -9` before it loses nothing that was announced (a clip
//!    that it cut off is told at the next start: [`recall`]), one after it doubles nothing.
//! 3. [`crate::uplink`] seals what waits and hands it to the relay; a notice goes when the relay has it.
//!
//! What phones wish comes through the inbox and is kept in the commit that takes their message ([`Desk`]).

mod desk;
mod picture;
pub mod recall;
pub mod task;
pub mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use privet_home::{Env, HomeError, HomeEvent, HubHome, HubMessage, Thumbnail};
use privet_notify::{Book, BookError, Figures, Subject, Taken};
use privet_protocol::id::{CameraId, DeviceId};
use privet_protocol::relay::{CapabilityKey, Urgency};
use privet_protocol::time::Timestamp;
use tokio::sync::{Notify, mpsc};

pub use self::desk::Desk;
use self::picture::thumbnail;
use crate::status::Board;
use crate::uplink::home::{HomeHandle, Stopping};

/// Why a wish of the hub's own or an event could not be kept.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoticesError {
    /// The book of wishes and notices.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The home's log.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The hub stops.
    #[error(transparent)]
    Stopping(#[from] Stopping),
}

/// How the rest of the hub speaks to the one who tells phones. Clones share it. The book belongs to the home's thread: only verbs
/// that run there change it.
#[derive(Clone)]
pub struct NoticesHandle(Arc<Inner>);

struct Inner {
    home: HomeHandle,
    board: Board,
    book: Mutex<Book>,
    /// A copy of the book's, for those who must not wait for a commit.
    snoozed: Mutex<BTreeMap<CameraId, Timestamp>>,
    events: mpsc::UnboundedSender<(HomeEvent, Option<Bytes>)>,
    /// More waits for the sender.
    put: Notify,
}

/// A notice, sealed to its phone.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Its number in the book.
    pub number: u64,
    /// The phone's key at the relay.
    pub key: CapabilityKey,
    /// Its name at the relay: the same at every try.
    pub id: [u8; 16],
    /// How soon it is to wake the phone.
    pub urgency: Urgency,
    /// What the phone gets.
    pub payload: Vec<u8>,
}

impl NoticesHandle {
    /// A handle, and what is handed in through [`Self::happened`], for the task.
    pub fn new(
        home: HomeHandle,
        book: Book,
        board: Board,
    ) -> (Self, mpsc::UnboundedReceiver<(HomeEvent, Option<Bytes>)>) {
        let (events, happened) = mpsc::unbounded_channel();
        let snoozed = Mutex::new(book.snoozed().clone());
        let (book, put) = (Mutex::new(book), Notify::new());
        (Self(Arc::new(Inner { home, board, book, snoozed, events, put })), happened)
    }

    // --- events ---

    /// Something happened: it is told, once, as soon as the disk has it. Never blocks.
    pub fn happened(&self, event: HomeEvent, small_jpeg: Option<Bytes>) {
        // The task ends with the hub.
        let _ = self.0.events.send((event, small_jpeg));
    }

    /// Puts an event into the log and its notices into the book, unless that was done.
    pub(crate) async fn tell(&self, event: HomeEvent, small_jpeg: Option<Bytes>) -> Result<(), NoticesError> {
        let picture = small_jpeg.as_ref().and_then(thumbnail);
        let notices = self.clone();
        let told = self.0.home.call(move |home, env| {
            let mut book = notices.book();
            tell(home, env, &mut book, &event, picture.as_ref())
        });
        told.await??;
        // Also when nothing was put: an earlier try may have done it without knowing.
        self.0.put.notify_one();
        Ok(())
    }

    /// A step of the book that belongs to nothing else.
    pub(crate) async fn step(
        &self,
        step: impl FnOnce(&mut Book, Timestamp) -> Result<privet_notify::Step, BookError> + Send + 'static,
    ) -> Result<(), NoticesError> {
        let notices = self.clone();
        let done = self.0.home.call(move |_, env| {
            let mut book = notices.book();
            let step = step(&mut book, env.now)?;
            book.commit(step)
        });
        Ok(done.await??)
    }

    /// What was told as being away, that the disk is nearly full, and that the room at the relay is.
    pub(crate) async fn away(&self) -> Result<(BTreeSet<Subject>, bool, bool), Stopping> {
        let notices = self.clone();
        let told = move |_: &mut HubHome, _: Env<'_>| {
            let book = notices.book();
            (book.away(), book.disk_told(), book.relay_room_told())
        };
        self.0.home.call(told).await
    }

    // --- snoozes of the home ---

    /// Until `until` no phone is told anything of this camera; `None` ends that. Durable when this returns.
    ///
    /// # Errors
    /// [`NoticesError`]; then nothing changed.
    pub async fn set_snooze(&self, camera: CameraId, until: Option<Timestamp>) -> Result<(), NoticesError> {
        if !self.cameras().contains(&camera) {
            return Err(BookError::Camera(camera).into());
        }
        self.step(move |book, now| book.snooze(camera, until, now)).await?;
        let notices = self.clone();
        let snoozed = self.0.home.call(move |_, _| notices.book().snoozed().clone()).await?;
        *self.0.snoozed.lock().unwrap_or_else(PoisonError::into_inner) = snoozed;
        Ok(())
    }

    /// Until when no phone is told anything of this camera.
    pub fn snoozed(&self, camera: CameraId) -> Option<Timestamp> {
        self.0.snoozed.lock().unwrap_or_else(PoisonError::into_inner).get(&camera).copied()
    }

    // --- what phones wish ---

    /// The book and what is decided with it, for a verb on the home's thread.
    pub(crate) fn desk(&self) -> Desk<'_> {
        Desk::new(self)
    }

    /// Looks at the wishes of phones that had sent too many.
    pub(crate) async fn look_again(&self) -> Result<(), NoticesError> {
        let notices = self.clone();
        self.0.home.call(move |home, env| desk::look_again(&notices, home, env)).await?
    }

    // --- what waits ---

    /// What waits, in figures.
    ///
    /// # Errors
    /// [`Stopping`].
    pub async fn figures(&self) -> Result<Figures, Stopping> {
        let notices = self.clone();
        self.0.home.call(move |_, _| notices.book().figures()).await
    }

    /// Waits until more notices wait than before.
    pub(crate) async fn more(&self) {
        self.0.put.notified().await;
    }

    /// The phones that notices wait for.
    pub(crate) async fn expected(&self) -> Result<BTreeSet<DeviceId>, Stopping> {
        let notices = self.clone();
        self.0.home.call(move |_, _| notices.book().expected()).await
    }

    /// The oldest notices for a phone, sealed as of now; those that can't be sent any more are forgotten.
    pub(crate) async fn seal(&self, device: DeviceId, limit: usize) -> Result<Vec<Sealed>, NoticesError> {
        let notices = self.clone();
        self.0.home.call(move |home, env| desk::seal(&notices, home, &device, limit, env.now)).await?
    }

    /// The relay has these.
    pub(crate) async fn done(&self, numbers: Vec<u64>) -> Result<(), NoticesError> {
        if numbers.is_empty() { Ok(()) } else { self.step(move |book, _| book.done(&numbers)).await }
    }

    fn cameras(&self) -> BTreeSet<CameraId> {
        self.0.board.cameras().into_iter().map(|camera| camera.id).collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes an event: log and notices in one commit. Gives how many phones are told.
pub(crate) fn tell(
    home: &mut HubHome,
    env: Env<'_>,
    book: &mut Book,
    event: &HomeEvent,
    picture: Option<&Thumbnail>,
) -> Result<usize, NoticesError> {
    match book.happened(event, picture, env.now)? {
        Taken::Known => Ok(0),
        Taken::Further(step) => {
            let told = step.told();
            book.commit(step)?;
            Ok(told)
        }
        Taken::New(step) => {
            let (told, batch) = (step.told(), step.batch());
            let said = home.append(&[HubMessage::Event(event.clone())], batch, env);
            book.settle(step, said.is_ok());
            said?;
            tracing::info!(event = %event.id, what = ?event.what, phones = told, "an event is told");
            Ok(told)
        }
    }
}

#[cfg(test)]
mod tests;
