//! Chaos: relay, hub and phone are killed (`kill -9`) at random moments while a house is busy, and nothing that was promised is lost.
//!
//! 1. A relay, a hub and two phones. Then two cameras: before one a box crosses again and again, the other one is recorded without a
//!    break. So both phones are told of every clip and event there is.
//! 2. In each round the phone is at work, somebody is killed, and started again. Nobody may end without being killed.
//! 3. Every few rounds, and at the end, all is let come to rest. What the phone was told earlier is held against what it says now, and it
//!    fetches what is new: every segment verified, every picture there.
//! 4. At the end the hub is killed for good, so that nothing can be put again. The second phone, which fetched nothing so far and for which
//!    the relay therefore had to keep everything, gets all of it from the relay alone; and it slept so far, and is woken for every motion
//!    since, for each once. Then the relay's data is checked.

mod folder;
mod heard;
mod ledger;
mod round;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use privet_demo::Trouble;
use privet_demo::film;
use privet_demo::house::{House, Phone, Plan, fake_camera};
use privet_demo::process::{Process, Said, until};
use serde::Serialize;
use serde_json::Value;

use crate::dice::Dice;
use crate::{SMALL, SOON};
pub use folder::{FolderError, make as make_folder};
use heard::{differences, hear, warnings};
use ledger::Ledger;
use round::{Round, Victim, Work};

/// After so many rounds all is let come to rest and looked at.
const EVERY: u32 = 8;
/// How long a program may take to end when it is asked to.
const END: Duration = Duration::from_secs(20);
/// More clips or events than there are.
const MANY: &str = "100000";
/// Name, words for the camera, and lines for the hub.
const CAMERAS: [(&str, &[&str], &str); 2] = [
    ("garden", &["--moving", "2", "--every", "7", "--quiet", "2"], ""),
    ("street", &["--moving", "0"], "record = \"continuous\""),
];
/// The exit code of a phone's command that was done.
const DONE: i32 = 0;
/// The one for out of reach.
const OUT_OF_REACH: i32 = 5;
/// Codes with which a phone's command may end when relay and hub come and go: also that something is not there (yet).
const EXCUSED: [i32; 3] = [DONE, OUT_OF_REACH, 7];
/// More wakes than there are, for a relay whose own limits are for homes in which less happens.
const WAKES: &str = "wakes = 100000\nwakes_per_h = 100000\n";
/// What a phone does that listens, and shows little else.
const LISTEN: [&str; 4] = ["events", "--follow", "--limit", "1"];
/// With how many seconds of cooldown wishes begin; each asks for one more than the one before.
const FIRST_WISH: u32 = 100;
/// What a relay writes to its log when something that it acknowledged is gone.
const RELAY_LOST: &str = "lost outside of this program";
/// Alarms of a hub that stand for a loss.
const ALARMS: [&str; 3] = ["no-room", "state", "renewed"];
/// What `privet-relay check` finds where something acknowledged is gone.
const LOSSES: [&str; 5] = ["missing-body", "wrong-length", "broken-list", "broken-mailbox", "unreadable"];

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wish {
    /// How many rounds.
    pub rounds: u32,
    /// No round begins after so many seconds.
    pub seconds: Option<u64>,
    /// The same seed makes the same choices.
    pub seed: u64,
    /// Where everything is kept; must not be there yet, or come from [`make_folder`].
    pub folder: PathBuf,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// The seed of its choices.
    pub seed: u64,
    /// Rounds that began.
    pub rounds: u32,
    /// Who was killed how often.
    pub kills: Kills,
    /// Clips that the phone fetched, each whole and verified.
    pub clips_verified: u64,
    /// How many of them the other phone got from the relay alone.
    pub clips_from_relay: u64,
    /// Events that the other phone slept through and was woken for at the end, by the relay alone.
    pub wakes_from_relay: u64,
    /// Events that the phone knows, each once.
    pub events: u64,
    /// Things that were promised and lost.
    pub lost: u64,
    /// What went wrong, losses among it.
    pub wrong: Vec<String>,
    /// How long it took.
    pub seconds: u64,
    /// Whether nothing went wrong, and there was something that could have.
    pub all_well: bool,
}

/// Who was killed how often.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Kills {
    /// The relay.
    pub relay: u32,
    /// The hub.
    pub hub: u32,
    /// The phone, while it was at work.
    pub phone: u32,
}

/// Does it; what goes wrong is in the outcome. Progress goes to stderr.
pub fn run(wish: &Wish) -> Outcome {
    let started = Instant::now();
    let mut outcome = Outcome { seed: wish.seed, ..Outcome::default() };
    eprintln!("chaos: {} rounds with seed {}, in {}", wish.rounds, wish.seed, wish.folder.display());
    if let Err(trouble) = story(wish, started, &mut outcome) {
        outcome.wrong.push(format!("round {}: {trouble}", outcome.rounds));
    }
    for panic in logged(&wish.folder, "panicked") {
        outcome.wrong.push(format!("somebody panicked: {panic}"));
    }
    for loss in logged(&wish.folder, RELAY_LOST) {
        outcome.lost += 1;
        outcome.wrong.push(format!("LOST, says the relay: {loss}"));
    }
    outcome.seconds = started.elapsed().as_secs();
    outcome.all_well = outcome.wrong.is_empty()
        && outcome.lost == 0
        && outcome.events > 0
        && outcome.clips_verified > 0
        && outcome.clips_from_relay == outcome.clips_verified
        && outcome.wakes_from_relay > 0;
    outcome
}

fn story(wish: &Wish, started: Instant, outcome: &mut Outcome) -> Result<(), Trouble> {
    let mut dice = Dice::new(wish.seed);
    let mut chaos = Chaos::build(&wish.folder, outcome)?;
    for number in 1..=wish.rounds {
        if wish.seconds.is_some_and(|seconds| started.elapsed() >= Duration::from_secs(seconds)) {
            break;
        }
        chaos.outcome.rounds = number;
        let round = Round::throw(&mut dice);
        eprintln!("round {number} of {}: {round}", wish.rounds);
        chaos.round(&round)?;
        if number.is_multiple_of(EVERY) {
            chaos.check()?;
        }
    }
    chaos.end()
}

struct Chaos<'a> {
    house: House,
    cameras: Vec<Process>,
    /// The phone that is killed.
    phone: Phone,
    /// The phone that looks at the end only.
    witness: Phone,
    at_work: Option<AtWork>,
    /// The cooldown that is asked for next.
    next_wish: u32,
    ledger: Ledger,
    /// Clips that the phone fetched at rest.
    checked: BTreeSet<String>,
    outcome: &'a mut Outcome,
}

/// The phone's command.
struct AtWork {
    process: Process,
    /// The cooldown it asks for, if it does.
    wish: Option<u32>,
}

impl<'a> Chaos<'a> {
    fn build(folder: &Path, outcome: &'a mut Outcome) -> Result<Self, Trouble> {
        // With signs of life every two seconds, phones would warn of a hub that is killed often.
        let plan = Plan { pre_roll_s: 1, post_roll_s: 1, max_clip_s: 15, heartbeat_s: 5, ..Plan::default() };
        let plan = Plan { relay_limits: WAKES.into(), ..plan };
        let mut house = House::build(folder, plan)?;
        house.start_relay()?;
        house.start_hub()?;
        let (phone, witness) = (house.pair("phone")?, house.pair("witness")?);
        let mut cameras = Vec::new();
        for (name, words, lines) in CAMERAS {
            let words = [SMALL, words].concat();
            let (process, mut camera) = fake_camera(house.folder(), name, Some("geheim"), &words)?;
            camera.motion = name == "garden";
            camera.lines = lines.into();
            house.cameras.push(camera);
            cameras.push(process);
        }
        if let Some(hub) = house.hub.as_mut() {
            hub.stop(END)?;
        }
        house.start_hub()?;
        let (mut ledger, checked) = (Ledger::default(), BTreeSet::new());
        ledger.sleeps(put_to_sleep(&witness)?);
        let (at_work, next_wish) = (None, FIRST_WISH);
        Ok(Self { house, cameras, phone, witness, at_work, next_wish, ledger, checked, outcome })
    }

    fn round(&mut self, round: &Round) -> Result<(), Trouble> {
        self.work(round)?;
        thread::sleep(round.strike);
        self.all_run()?;
        for victim in &round.victims {
            match victim {
                // A process that is dropped is killed.
                Victim::Relay => {
                    self.house.relay = None;
                    self.outcome.kills.relay += 1;
                }
                Victim::Hub => {
                    self.house.hub = None;
                    self.outcome.kills.hub += 1;
                }
                Victim::Phone => {
                    if self.end_work()? {
                        self.outcome.kills.phone += 1;
                    }
                }
            }
        }
        thread::sleep(round.dark);
        for victim in round.victims.iter().rev() {
            match victim {
                Victim::Relay => {
                    self.house.start_relay()?;
                }
                Victim::Hub => {
                    self.house.start_hub()?;
                }
                Victim::Phone => self.work(round)?,
            }
        }
        thread::sleep(round.after);
        Ok(())
    }

    /// Lets all come to rest, and looks whether everything that was promised is there.
    fn check(&mut self) -> Result<(), Trouble> {
        self.end_work()?;
        self.all_run()?;
        let status = self.settled()?;
        let mut lost = losses_of(&status);
        let told = hear(&self.phone)?;
        lost.extend(self.ledger.hear(told));
        self.outcome.events = self.ledger.told().events.len() as u64;
        self.judge(lost)?;
        self.wishes_came()?;
        self.fetch_new()?;
        let Outcome { clips_verified, events, .. } = &*self.outcome;
        eprintln!("         all is there: {clips_verified} clips, {events} events");
        Ok(())
    }

    fn end(&mut self) -> Result<(), Trouble> {
        self.end_work()?;
        // A run in which nothing happened shows nothing.
        until("a clip and an event", SOON * 2, || {
            let told = hear(&self.phone).ok()?;
            (!told.clips.is_empty() && !self.ledger.owed_by(&told).is_empty()).then_some(())
        })?;
        self.check()?;

        // No camera: what the hub has now is all that there will be. It ends every clip before it ends itself.
        self.cameras.clear();
        if let Some(hub) = self.house.hub.as_mut() {
            hub.stop(END)?;
        }
        self.house.start_hub()?;
        self.check()?;
        let known = self.ledger.told().clips.len() as u64;
        let mut at_hub = Value::Null;
        // It counts twice a minute.
        until("the hub's having as many clips as the phone", SOON, || {
            at_hub = self.settled().ok()?["clips"]["clips"].clone();
            (at_hub == known).then_some(())
        })
        .map_err(|trouble| Trouble::new(format!("{trouble}; the hub has {at_hub}, the phone knows {known}")))?;

        eprintln!("the hub is gone; the other phone gets {known} clips from the relay alone");
        self.house.hub = None;
        let (told, others) = (hear(&self.phone)?, hear(&self.witness)?);
        let mut lost = self.ledger.hear(told);
        lost.extend(differences(self.ledger.told(), &others));
        self.outcome.events = self.ledger.told().events.len() as u64;
        self.judge(lost)?;
        let mut lost = Vec::new();
        for (id, segments) in &others.clips {
            match self.fetch(&self.witness, id, *segments) {
                Ok(()) => self.outcome.clips_from_relay += 1,
                Err(trouble) => lost.push(format!("from the relay alone: {trouble}")),
            }
        }
        self.judge(lost)?;
        let mut lost = self.wake_up()?;
        lost.extend(warnings(&self.witness)?);
        self.judge(lost)?;

        if let Some(mut relay) = self.house.relay.take() {
            relay.stop(END)?;
        }
        let lost = self.relay_losses()?;
        self.judge(lost)
    }

    /// Lets the phone listen that slept, until it was woken for everything; what is lost.
    fn wake_up(&mut self) -> Result<Vec<String>, Trouble> {
        let owed = self.ledger.owed();
        let mut listens = self.witness.start(&LISTEN)?;
        let mut woken_for = Vec::new();
        // It does not end by itself. What is missing when the time is over, the ledger says.
        let _ = listens.wait_for(SOON, |line| {
            if line["kind"] == "notification" {
                woken_for.extend(line["id"].as_str().map(str::to_owned));
            }
            owed.iter().all(|id| woken_for.contains(id))
        });
        drop(listens);
        self.outcome.wakes_from_relay = woken_for.len() as u64;
        Ok(self.ledger.woke(&woken_for))
    }

    /// Sets the phone to work, unless it is.
    fn work(&mut self, round: &Round) -> Result<(), Trouble> {
        if self.at_work.as_mut().is_some_and(|at_work| at_work.process.is_running()) {
            return Ok(());
        }
        self.end_work()?;
        let told = self.ledger.told();
        let new: Vec<&String> = told.clips.keys().filter(|id| !told.verified.contains(*id)).collect();
        let which = (round.which % new.len().max(1) as u64) as usize;
        let film = self.house.folder().join("at-work.mp4");
        let film = film.to_string_lossy();
        let cooldown = format!("cooldown={}s", self.next_wish);
        let mut wish = None;
        let words = match (round.work, new.get(which)) {
            (Work::Fetch, Some(id)) => vec!["clip", id.as_str(), "--out", &film],
            (Work::Watch, _) => vec!["live", "garden", "--seconds", "20", "--out", &film],
            (Work::Wish, _) => {
                wish = Some(self.next_wish);
                // Of a camera that tells no motion: nothing else depends on it.
                vec!["settings", "set", "--camera", "street", &cooldown]
            }
            _ => vec!["events", "--follow", "--limit", MANY],
        };
        let process = self.phone.start(&words)?;
        if let Some(cooldown) = wish {
            self.ledger.asks(cooldown);
            self.next_wish += 1;
        }
        self.at_work = Some(AtWork { process, wish });
        Ok(())
    }

    /// Kills the phone if it still is at work; whether it was. What it showed counts.
    fn end_work(&mut self) -> Result<bool, Trouble> {
        let Some(AtWork { mut process, wish }) = self.at_work.take() else { return Ok(false) };
        let ended = process.ended();
        if ended.is_none() {
            process.kill();
        }
        // Also one that the hub did not confirm in time: then it is kept here and sent, or waits at the relay.
        if let (Some(cooldown), Some(DONE | OUT_OF_REACH)) = (wish, ended.and_then(|status| status.code())) {
            self.ledger.promised(cooldown);
        }
        let (mut events, mut woken_for) = (Vec::new(), Vec::new());
        // It is gone, so this reads on to its last line and ends there.
        let _ = process.wait_for(END, |line| {
            match line["kind"].as_str() {
                Some("event") => events.extend(line["id"].as_str().map(str::to_owned)),
                // One that watches live shows them without an id.
                Some("notification") => woken_for.extend(line["id"].as_str().map(str::to_owned)),
                _ => {}
            }
            false
        });
        let mut lost = self.ledger.saw(events);
        lost.extend(self.ledger.rang(&woken_for));
        self.judge(lost)?;
        match ended {
            Some(status) if !excused(status) => {
                Err(Trouble::new(format!("the phone ended by itself: {status}; see {}", process.log().display())))
            }
            _ => Ok(ended.is_none()),
        }
    }

    /// Nobody ended who was not killed.
    fn all_run(&mut self) -> Result<(), Trouble> {
        let servers = [self.house.relay.as_mut(), self.house.hub.as_mut()].into_iter().flatten();
        for process in servers.chain(&mut self.cameras) {
            if let Some(status) = process.ended() {
                return Err(Trouble::new(format!("ended by itself: {status}; see {}", process.log().display())));
            }
        }
        Ok(())
    }

    /// Waits until the relay has everything that the hub has for it; the hub's state then.
    fn settled(&self) -> Result<Value, Trouble> {
        let mut last = Value::Null;
        until("the hub's having sent everything", SOON * 2, || {
            last = self.house.hub_says(&["status"]).ok()?.first().ok()?;
            let waiting = [&last["outbox"]["segments"], &last["log_waiting"], &last["notices"]["waiting"]];
            let settled = last["relay"]["state"] == "connected" && waiting.iter().all(|count| **count == 0);
            settled.then(|| last.clone())
        })
        .map_err(|trouble| Trouble::new(format!("{trouble}; the hub is {last}")))
    }

    /// Waits until the hub keeps what the phone asked for last, so that no message was lost on the way through the relay.
    fn wishes_came(&mut self) -> Result<(), Trouble> {
        let mut last = Value::Null;
        let kept = until("the hub's keeping what the phone asked for", SOON, || {
            last = self.phone.says(&["settings"]).and_then(Said::first).ok()?;
            let cameras = last["kept"]["cameras"].as_array()?;
            let street = cameras.iter().find(|camera| camera["name"] == "street")?;
            let kept = street["cooldown_s"].as_u64().and_then(|seconds| u32::try_from(seconds).ok())?;
            (last["pending"].is_null() && self.ledger.may_keep(kept)).then_some(kept)
        });
        match kept {
            Ok(kept) => {
                self.ledger.keeps(kept);
                Ok(())
            }
            Err(trouble) => self.judge(vec![format!("{trouble}: {}; the phone says {last}", self.ledger.wishes())]),
        }
    }

    /// Fetches the clips that the phone learned of since the last time.
    fn fetch_new(&mut self) -> Result<(), Trouble> {
        let clips = self.ledger.told().clips.clone();
        let mut lost = Vec::new();
        for (id, segments) in clips.into_iter().filter(|(id, _)| !self.checked.contains(id)) {
            match self.fetch(&self.phone, &id, segments) {
                Ok(()) => {
                    self.outcome.clips_verified += 1;
                    self.ledger.verified(&id);
                }
                Err(trouble) => lost.push(trouble.to_string()),
            }
        }
        self.checked.extend(self.ledger.told().clips.keys().cloned());
        self.judge(lost)
    }

    /// Fetches a clip: every segment verified, and every picture in it.
    fn fetch(&self, phone: &Phone, id: &str, segments: u64) -> Result<(), Trouble> {
        let saved = self.house.folder().join(format!("{}-{id}.mp4", phone.name()));
        let name = saved.to_string_lossy();
        let mut last = String::new();
        let said = until(&format!("clip {id} on {}", phone.name()), SOON, || {
            match phone.says(&["clip", id, "--out", &name]) {
                // Its last segment may still be on its way from the hub.
                Ok(said) if said.code == OUT_OF_REACH => {
                    last = said.err;
                    None
                }
                Ok(said) => Some(said.first()),
                Err(trouble) => Some(Err(trouble)),
            }
        })
        .map_err(|trouble| Trouble::new(format!("{trouble}: {last}")))?
        .map_err(|trouble| trouble.during(&format!("clip {id} on {}", phone.name())))?;
        let shown = film::numbers(&saved)?;
        let whole = said["verified"] == true
            && said["segments"].as_u64() == Some(segments)
            && said["frames"].as_u64() == Some(shown.pictures)
            && shown.breaks.is_empty()
            && shown.unreadable == 0;
        if !whole {
            return Err(Trouble::new(format!(
                "clip {id} of {segments} segments is not whole on {}: {said} {shown:?}",
                phone.name()
            )));
        }
        fs::remove_file(&saved).map_err(|e| Trouble::new(format!("{}: {e}", saved.display())))
    }

    fn relay_losses(&self) -> Result<Vec<String>, Trouble> {
        let said = self.house.relay_says(&["check"])?;
        let Some(findings) = said.lines.first().and_then(|report| report["findings"].as_array()) else {
            return Err(Trouble::new(format!("privet-relay check, exit code {}: {}{}", said.code, said.out, said.err)));
        };
        let lost = findings.iter().filter(|finding| finding["kind"].as_str().is_none_or(|kind| LOSSES.contains(&kind)));
        Ok(lost.map(|finding| format!("at the relay: {finding}")).collect())
    }

    /// Ends all when something is lost.
    fn judge(&mut self, lost: Vec<String>) -> Result<(), Trouble> {
        if lost.is_empty() {
            return Ok(());
        }
        let round = self.outcome.rounds;
        self.outcome.lost += lost.len() as u64;
        self.outcome.wrong.extend(lost.into_iter().map(|what| format!("LOST by round {round}: {what}")));
        Err(Trouble::new("ended at the first loss"))
    }
}

/// Lets a phone ask to be woken for every motion, be woken once, and sleep: what it knows then.
fn put_to_sleep(phone: &Phone) -> Result<Vec<String>, Trouble> {
    // The cameras have just come; it may have to hear of them first.
    until("the hub's keeping that every motion is told", SOON, || {
        let words = ["settings", "set", "--camera", CAMERAS[0].0, "cooldown=0"];
        let said = phone.says(&words).and_then(Said::first).ok()?;
        said["pending"].is_null().then_some(())
    })?;
    // By then the hub has all that it takes to wake this phone.
    phone.start(&LISTEN)?.wait_for(SOON * 2, |line| line["kind"] == "notification")?;
    Ok(hear(phone)?.events)
}

/// What the hub itself says is lost.
fn losses_of(status: &Value) -> Vec<String> {
    let mut lost = Vec::new();
    if status["outbox"]["given_up"] != 0 {
        lost.push(format!("the hub gave up segments: {}", status["outbox"]));
    }
    let alarms = status["alarms"].as_array().into_iter().flatten();
    let bad = alarms.filter(|alarm| alarm["kind"].as_str().is_some_and(|kind| ALARMS.contains(&kind)));
    lost.extend(bad.map(|alarm| format!("the hub raised an alarm: {}", alarm["text"])));
    lost
}

fn excused(status: ExitStatus) -> bool {
    status.code().is_some_and(|code| EXCUSED.contains(&code))
}

/// The lines of all logs with these words.
fn logged(folder: &Path, words: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let bytes = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter(|line| line.contains(words));
        found.extend(lines.map(|line| format!("{}: {line}", path.display())));
    }
    found
}
