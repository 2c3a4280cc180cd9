//! Moves sightings, time, and what is known of relay and disk to [`Watch`], and its events into the log. No decision is made here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use privet_home::{HomeError, HomeEvent};
use privet_protocol::id::CameraId;
use privet_protocol::random::Random;
use privet_protocol::time::Timestamp;
use privet_relay_client::Connection;
use tokio::sync::{mpsc, watch};

use super::watch::{Happened, Patience, Room, Watch};
use super::{NoticesError, NoticesHandle};
use crate::outbox::Outbox;
use crate::recorder::Sighting;
use crate::status::{Alarm, Board};
use crate::time::moment;
use crate::uplink::home::Stopping;
use crate::uplink::room::LogRoom;

/// How often the disk and waiting wishes are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How long to wait when an event could not be kept.
const AGAIN: Duration = Duration::from_secs(1);
/// Events that wait for a disk which takes nothing; then the oldest go.
const MAX_UNTOLD: usize = 1000;

/// What the task needs.
pub struct Task {
    /// Where events go.
    pub notices: NoticesHandle,
    /// For the room on the disk.
    pub outbox: Outbox,
    /// For what needs attention.
    pub board: Board,
    /// How long what may last.
    pub patience: Patience,
    /// Bytes on the disk that clips leave alone.
    pub floor: u64,
    /// How long after its last motion an activity is over.
    pub post_roll: Duration,
    /// The connection to the relay.
    pub connection: watch::Receiver<Option<Connection>>,
    /// For ids.
    pub random: Arc<dyn Random>,
}

/// What comes in.
pub struct Feeds {
    /// What cameras saw. When nobody is left to say anything, the task tells the rest and ends.
    pub sightings: mpsc::UnboundedReceiver<(CameraId, Sighting)>,
    /// What others say that happened.
    pub happened: mpsc::UnboundedReceiver<(HomeEvent, Option<Bytes>)>,
}

/// What is to be made durable, in order.
enum Untold {
    Event(Happened),
    MotionOver(CameraId, Timestamp),
}

/// Tells what happens, until no camera is left.
pub async fn run(mut task: Task, mut feeds: Feeds) {
    // The home's thread ends after this task.
    let Ok((away, disk_told, relay_room_told)) = task.notices.away().await else { return };
    let cameras: Vec<CameraId> = task.board.cameras().into_iter().map(|camera| camera.id).collect();
    let mut watch = Watch::new(task.patience, away, disk_told, cameras, moment()).relay_room_told(relay_room_told);
    let (mut untold, mut look) = (VecDeque::new(), tokio::time::interval(LOOK));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut again, mut connected) = (None, task.connection.clone());
    connected.mark_changed();
    let random = Arc::clone(&task.random);
    loop {
        let due = watch.due_in(moment());
        tokio::select! {
            sighting = feeds.sightings.recv() => {
                let Some((camera, sighting)) = sighting else { break };
                if let Sighting::MotionOver { at, .. } = &sighting {
                    untold.push_back(Untold::MotionOver(camera, at.after(task.post_roll)));
                }
                untold.extend(watch.sighted(camera, sighting, moment(), &*random).map(Untold::Event));
            }
            Some(happened) = feeds.happened.recv() => untold.push_back(Untold::Event(happened)),
            Ok(()) = connected.changed() => {
                let there = connected.borrow_and_update().is_some();
                untold.extend(watch.relay(there, moment(), &*random).map(Untold::Event));
            }
            _ = look.tick() => {
                untold.extend(task.look(&mut watch).await.map(Untold::Event));
                untold.extend(task.look_at_relay(&mut watch).await.map(Untold::Event));
            }
            () = tokio::time::sleep(due.unwrap_or_default()), if due.is_some() => {
                untold.extend(watch.pass(moment(), &*random).into_iter().map(Untold::Event));
            }
            () = tokio::time::sleep_until(again.unwrap_or_else(tokio::time::Instant::now)), if again.is_some() => again = None,
        }
        while untold.len() > MAX_UNTOLD {
            tracing::error!("the home's state can't be written: an event is lost");
            untold.pop_front();
        }
        if again.is_none() && task.tell(&mut untold).await.is_err() {
            again = Some(tokio::time::Instant::now() + AGAIN);
        }
    }
    let _ = task.tell(&mut untold).await;
}

impl Task {
    /// Tells what is untold, in order; fails at the first that can't be kept now.
    async fn tell(&mut self, untold: &mut VecDeque<Untold>) -> Result<(), NoticesError> {
        while let Some(first) = untold.front() {
            let kept = match first {
                Untold::Event((event, picture)) => self.notices.tell(event.clone(), picture.clone()).await,
                Untold::MotionOver(camera, last) => {
                    let (camera, last) = (Some(*camera), *last);
                    self.notices.step(move |book, _| book.motion_over(camera, last)).await
                }
            };
            match kept {
                Ok(()) => {}
                // It never will be.
                Err(NoticesError::Home(error @ (HomeError::NotSayable(_) | HomeError::TooLong { .. }))) => {
                    tracing::error!(%error, "an event can't be told");
                }
                Err(error) => {
                    tracing::error!(%error, "an event can't be kept; trying again");
                    return Err(error);
                }
            }
            untold.pop_front();
        }
        Ok(())
    }

    /// Looks at the disk, and at the wishes of phones that had sent too many.
    async fn look(&self, watch: &mut Watch) -> Option<Happened> {
        if let Err(error) = self.notices.look_again().await
            && error != NoticesError::Stopping(Stopping)
        {
            tracing::warn!(%error, "wishes of a phone can't be looked at; trying again");
        }
        let outbox = self.outbox.clone();
        let room = tokio::task::spawn_blocking(move || outbox.room()).await.ok()?.ok()?;
        let alarm = Alarm::DiskNearlyFull { free_mib: room.saturating_add(self.floor) >> 20 };
        match watch.room(room, self.floor, moment(), &*self.random) {
            Room::Same => None,
            Room::Still => {
                self.board.raise(alarm);
                None
            }
            Room::Low(event) => {
                self.board.raise(alarm);
                Some((*event, None))
            }
            Room::Recovered => {
                self.board.clear_disk();
                // Not kept: after a restart it is told once too seldom, until there is room again.
                if let Err(error) = self.notices.step(|book, _| book.disk_recovered()).await {
                    tracing::warn!(%error, "that the disk has room again can't be kept");
                }
                None
            }
        }
    }

    /// Looks at the room that is left at the relay, as far as it said.
    async fn look_at_relay(&self, watch: &mut Watch) -> Option<Happened> {
        let room = self.board.relay_room()?;
        look_at_log(&self.board, room.log);
        let alarm = Alarm::RelayNearlyFull { free_mib: room.free_mib() };
        match watch.relay_room(&room, moment(), &*self.random) {
            Room::Same => None,
            Room::Still => {
                self.board.raise(alarm);
                None
            }
            Room::Low(event) => {
                self.board.raise(alarm);
                Some((*event, None))
            }
            Room::Recovered => {
                self.board.clear_relay_room();
                // As with the disk.
                if let Err(error) = self.notices.step(|book, _| book.relay_room_recovered()).await {
                    tracing::warn!(%error, "that the relay has room again can't be kept");
                }
                None
            }
        }
    }
}

/// For whoever sees the hub only: what phones are told goes through the log.
fn look_at_log(board: &Board, log: Option<LogRoom>) {
    match log {
        Some(log) if log.is_short() => board.raise(Alarm::LogNearlyFull { free: log.free() }),
        Some(log) if !log.is_ample() => {}
        _ => board.clear_relay_log(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_runs_full_is_an_alarm_until_there_is_much_room_again() {
        let board = Board::new();
        let stands = |entries, full_in_days| {
            look_at_log(&board, Some(LogRoom { entries, limit: 1000, full_in_days }));
            let page = board.page("Cottage", Duration::ZERO, Default::default(), 1, 0);
            page.alarms
                .first()
                .map(|alarm| (alarm.kind.clone(), alarm.text.contains(&format!("{} entries", 1000 - entries))))
        };
        let alarm = |says_how_many| Some(("relay-log".to_owned(), says_how_many));
        assert_eq!(stands(500, Some(4.0)), None);
        assert_eq!(stands(500, Some(2.0)), alarm(true));
        assert_eq!(stands(995, None), alarm(true));
        assert_eq!(stands(970, None), alarm(false), "as it was");
        assert_eq!(stands(500, Some(6.0)), None);
        assert_eq!(stands(1000, None), alarm(true));
        // Another relay, that does not say it.
        look_at_log(&board, None);
        assert!(board.page("Cottage", Duration::ZERO, Default::default(), 1, 0).alarms.is_empty());
    }
}
