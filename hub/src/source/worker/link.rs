//! The worker's side of the socket to the hub, with all that must go on while a camera lets us wait: heartbeats, memory, the
//! hub's end.

use std::cell::Cell;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::net::UnixStream;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, timeout};

use super::depacketize::Quirk;
use super::intake::{Endless, Intake, MAX_MESSAGE};
use super::memory::Meter;
use super::orders::{Order, Orders, SubConnection};
use super::sender::Sender;
use super::session::{quirk_note, whole_seconds};
use crate::source::frames::{self, Kind};
use crate::source::{Fault, Health, Phase};

/// How often silence is looked at, and what gathered is fetched.
const TICK: Duration = Duration::from_millis(200);
/// How often the hub hears from the worker; the hub ends a worker that is silent for some of these.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Why a worker ends.
#[derive(Debug)]
pub(super) enum End {
    /// The hub closed the socket: nobody to tell.
    HubGone,
    /// Tell the hub.
    Fault(Fault),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What happens besides the camera.
#[derive(Debug)]
pub(super) enum Event {
    /// Time to look at memory and silence.
    Tick,
    /// The socket takes more.
    Writable,
    /// The hub hands a connection to the substream over.
    Substream(SubConnection),
    /// The hub closed its end.
    HubGone,
}

/// The socket to the hub.
pub(super) struct Link {
    pub(super) health: Health,
    /// What is wrong with the detector now, beside the notes: it comes and goes, and they must not keep it out.
    pub(super) trouble: Option<&'static str>,
    /// What every wait for the camera goes through.
    pub(super) intake: Rc<Intake>,
    /// Whether the hub wants the substream's units too.
    pub(super) sub_units: Rc<Cell<bool>>,
    socket: UnixStream,
    sender: Sender,
    orders: Orders,
    memory: Meter,
    phase: Phase,
    ticks: Interval,
    last_heartbeat: Instant,
}

impl Link {
    pub(super) fn new(socket: UnixStream, memory: Meter, intake: Intake) -> Self {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            health: Health::default(),
            trouble: None,
            intake: Rc::new(intake),
            sub_units: Rc::default(),
            socket,
            sender: Sender::new(),
            orders: Orders::default(),
            memory,
            phase: Phase::Starting,
            ticks,
            last_heartbeat: Instant::now(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Begins a phase and tells the hub.
    pub(super) fn enter(&mut self, phase: Phase) -> Result<(), End> {
        self.phase = phase;
        self.message(frames::message(Kind::Phase, &phase)).map_err(|_| End::HubGone)
    }

    /// Something an owner should know; told once.
    pub(super) fn note(&mut self, note: String) {
        if self.health.notes.len() < 12 && !self.health.notes.contains(&note) {
            self.health.notes.push(note);
        }
    }

    pub(super) fn quirk(&mut self, quirk: Quirk) {
        if !self.health.notes.iter().any(|note| note == quirk_note(quirk)) {
            self.note(quirk_note(quirk).to_owned());
        }
    }

    /// Queues a frame that must arrive.
    pub(super) fn message(&mut self, frame: Vec<u8>) -> io::Result<()> {
        if self.sender.message(&self.socket, frame)? {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::TimedOut, "the hub does not read"))
        }
    }

    /// Queues a frame that may get lost.
    pub(super) fn offer(&mut self, frame: Vec<u8>) -> Result<(), End> {
        self.sender.message(&self.socket, frame).map(drop).map_err(|_| End::HubGone)
    }

    /// Queues a unit, or drops up to the next key frame.
    pub(super) fn unit(&mut self, frame: Vec<u8>, video: bool, key: bool) -> Result<(), End> {
        self.sender.unit(&self.socket, frame, video, key).map_err(|_| End::HubGone)
    }

    /// The same for a unit of the substream, which has key frames of its own.
    pub(super) fn sub_unit(&mut self, frame: Vec<u8>, key: bool) -> Result<(), End> {
        self.sender.sub_unit(&self.socket, frame, key).map_err(|_| End::HubGone)
    }

    /// Waits until everything is written, or for `longest`.
    pub(super) async fn drain(&mut self, longest: Duration) -> io::Result<()> {
        let all = async {
            while !self.sender.is_empty() {
                self.socket.writable().await?;
                self.sender.flush(&self.socket)?;
            }
            Ok(())
        };
        timeout(longest, all).await.unwrap_or(Ok(()))
    }

    /// Microseconds of CLOCK_MONOTONIC.
    #[expect(clippy::unused_self, reason = "time comes through the link, like all that is from outside")]
    pub(super) fn mono_us(&self) -> u64 {
        mono_us()
    }

    /// Waits for whatever comes first besides the camera.
    pub(super) async fn event(&mut self) -> Event {
        let waiting = !self.sender.is_empty();
        loop {
            return tokio::select! {
                biased;
                _ = self.ticks.tick() => {
                    self.intake.fetch();
                    Event::Tick
                }
                said = self.orders.next(&self.socket) => match said {
                    None => Event::HubGone,
                    Some(Order::Substream(connection)) => Event::Substream(connection),
                    Some(Order::Prompt(prompt)) => {
                        self.intake.set_prompt(prompt);
                        continue;
                    }
                    Some(Order::SubUnits(wanted)) => {
                        self.sub_units.set(wanted);
                        continue;
                    }
                },
                _ = self.socket.writable(), if waiting => Event::Writable,
            };
        }
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self) -> Result<(), End> {
        self.sender.flush(&self.socket).map_err(|_| End::HubGone)
    }

    /// The heartbeat, when it is time.
    pub(super) fn on_tick(&mut self) -> Result<(), End> {
        if self.last_heartbeat.elapsed() >= HEARTBEAT {
            self.last_heartbeat = Instant::now();
            self.health.memory = self.memory.resident();
            self.health.dropped_units = self.sender.dropped();
            self.health.notes.extend(self.trouble.map(str::to_owned));
            let frame = frames::message(Kind::Health, &self.health);
            if self.trouble.is_some() {
                self.health.notes.pop();
            }
            self.offer(frame)?;
        }
        Ok(())
    }

    /// The camera sends something without end.
    pub(super) fn endless(&self, Endless: Endless) -> End {
        Fault::TooBig { what: "a message".into(), limit: MAX_MESSAGE, phase: self.phase }.into()
    }

    /// Waits for one of retina's answers, for at most `longest`.
    pub(super) async fn guard<T>(
        &mut self,
        longest: Duration,
        answer: impl Future<Output = Result<T, retina::Error>>,
    ) -> Result<T, End> {
        let intake = self.intake.clone();
        let mut answer = pin!(intake.watch(answer));
        let deadline = Instant::now() + longest;
        loop {
            tokio::select! {
                biased;
                event = self.event() => match event {
                    Event::Tick => {
                        self.on_tick()?;
                        if Instant::now() >= deadline {
                            return Err(Fault::Frozen { seconds: whole_seconds(longest), phase: self.phase }.into());
                        }
                    }
                    Event::Writable => self.flush()?,
                    // The hub waits for the main stream's picture with this.
                    Event::Substream(_) => {}
                    Event::HubGone => return Err(End::HubGone),
                },
                answer = &mut answer => {
                    let answer = answer.map_err(|endless| self.endless(endless))?;
                    return answer.map_err(|e| fault_of(&e, self.phase).into());
                }
            }
        }
    }
}

/// Microseconds of CLOCK_MONOTONIC.
pub(super) fn mono_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1000
}

/// retina's errors are text for people, except for the status code.
pub(super) fn fault_of(error: &retina::Error, phase: Phase) -> Fault {
    let detail = frames::tame(&error.to_string());
    match error.status_code() {
        Some(401 | 403) => Fault::Unauthorized { detail },
        Some(status) if status >= 300 => Fault::Refused { status, phase },
        Some(_) if detail.contains("No parseable streams") => Fault::NoVideo { offered: "nothing".into() },
        Some(_) => Fault::Garbage { phase, detail },
        None if detail.contains("EOF") || detail.contains("end of file") => Fault::Closed { phase },
        None if detail.starts_with("Error reading") || detail.starts_with("Error writing") => {
            Fault::Broken { phase, detail }
        }
        None => Fault::Garbage { phase, detail },
    }
}
