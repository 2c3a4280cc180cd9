//! Lets the hub's detector and the baselines look at a film.

use privet_demo::Trouble;
use privet_hub::motion::scale::{Plane, Small, shrink};
use privet_hub::motion::{Detector, MotionSettings, Verdict};

use super::baselines::{RunningAverage, ThreeFrames};
use super::decoder::{Decoder, cpu_s};
use super::film::{Film, GOP};
use super::scene::FPS;
use super::score::{Seen, Watched};

/// Every third frame: five pictures a second.
const STEP: usize = 3;
/// Frames for which a hub with key frames only decodes everything: at its start, and after the last motion.
const LEARN: usize = FPS * 5 / 2;
const CALM: usize = FPS * 7 / 10;

/// A detector, and what it has said.
struct Hub {
    detector: Detector,
    small: Small,
    watched: Watched,
}

impl Hub {
    fn new() -> Self {
        let watched = Watched { tampered_s: Some(Vec::new()), ..Watched::default() };
        Self { detector: Detector::new(&MotionSettings::default()), small: Small::default(), watched }
    }

    /// Looks at frame `n`, at the time of frame `now`.
    fn look(&mut self, n: usize, now: usize, plane: Plane<'_>) -> Verdict {
        let before = cpu_s();
        let at_s = now as f32 / FPS as f32;
        shrink(plane, &mut self.small);
        let verdict = self.detector.look(&self.small, pts_us(n));
        self.watched.seen.push(Seen { at_s, motion: verdict.active });
        if verdict.tamper.is_some() {
            self.watched.tampered_s.get_or_insert_default().push(at_s);
        }
        self.watched.cpu_s += cpu_s() - before;
        verdict
    }

    /// Looks at a key frame, and forgets it again if it differs: it comes again, in its place.
    fn suspects(&mut self, n: usize, plane: Plane<'_>) -> bool {
        let before = cpu_s();
        shrink(plane, &mut self.small);
        let mut trial = self.detector.clone();
        let verdict = trial.look(&self.small, pts_us(n));
        self.watched.cpu_s += cpu_s() - before;
        let suspicious = verdict.is_suspicious();
        if !suspicious {
            self.detector = trial;
            self.watched.seen.push(Seen { at_s: n as f32 / FPS as f32, motion: false });
            if verdict.tamper.is_some() {
                self.watched.tampered_s.get_or_insert_default().push(n as f32 / FPS as f32);
            }
        }
        suspicious
    }
}

fn pts_us(n: usize) -> i64 {
    n as i64 * 1_000_000 / FPS as i64
}

/// The hub with a substream, at five pictures a second.
///
/// # Errors
/// [`Trouble`] when the film can't be decoded.
pub fn all_frames(film: &Film) -> Result<Watched, Trouble> {
    let (mut hub, mut decoder) = (Hub::new(), Decoder::open()?);
    for (n, unit) in film.units.iter().enumerate() {
        decoder.show(n, unit, |plane| (n % STEP == 0).then(|| hub.look(n, n, plane)))?;
    }
    hub.watched.cpu_s += decoder.cpu_s;
    Ok(hub.watched)
}

/// The running average, at five pictures a second.
///
/// # Errors
/// [`Trouble`] when the film can't be decoded.
pub fn running_average(film: &Film) -> Result<Watched, Trouble> {
    let (mut watched, mut average) = (Watched::default(), RunningAverage::default());
    let mut decoder = Decoder::open()?;
    for (n, unit) in film.units.iter().enumerate() {
        decoder.show(n, unit, |plane| {
            if n % STEP == 0 {
                baseline(&mut watched, n, || average.look(plane));
            }
        })?;
    }
    watched.cpu_s += decoder.cpu_s;
    Ok(watched)
}

/// The hub without a substream, as `hub/src/motion/ration.rs` decodes: key frames, each as a trial. When one differs, the group before
/// it is decoded after the fact, and everything from then on until it is quiet again. What is found in the group before is told when
/// the key frame has come, not when it happened.
///
/// # Errors
/// [`Trouble`] when the film can't be decoded.
pub fn key_frames(film: &Film) -> Result<Watched, Trouble> {
    let (mut hub, mut decoder) = (Hub::new(), Decoder::open()?);
    let mut awake_until = LEARN;
    // Up to here the decoder has everything of this group; up to there the detector has looked.
    let (mut given, mut looked) = (0, 0);
    for (n, unit) in film.units.iter().enumerate() {
        if n <= awake_until {
            // Who slept has nothing of this group but its key frame.
            let from = if given + 1 >= n { n } else { n - n % GOP + 1 };
            for n in from..=n {
                let verdict =
                    decoder.show(n, &film.units[n], |plane| (n % STEP == 0).then(|| hub.look(n, n, plane)))?;
                if verdict.is_some_and(|verdict| verdict.active) {
                    awake_until = awake_until.max(n + CALM);
                }
            }
            (given, looked) = (n, n);
        } else if unit.key && decoder.show(n, unit, |plane| hub.suspects(n, plane))? {
            for back in n - GOP..=n {
                let due = back % STEP == 0 && back > looked;
                let verdict = decoder.show(back, &film.units[back], |plane| due.then(|| hub.look(back, n, plane)))?;
                if verdict.is_some_and(|verdict| verdict.active) {
                    awake_until = awake_until.max(back + CALM);
                }
            }
            (given, looked) = (n, n);
            awake_until = awake_until.max(n + CALM);
        } else if unit.key {
            (given, looked) = (n, n);
        }
    }
    hub.watched.cpu_s += decoder.cpu_s;
    Ok(hub.watched)
}

/// Three-frame difference on key frames.
///
/// # Errors
/// [`Trouble`] when the film can't be decoded.
pub fn three_frames(film: &Film) -> Result<Watched, Trouble> {
    let (mut watched, mut three) = (Watched::default(), ThreeFrames::default());
    let mut decoder = Decoder::open()?;
    for (n, unit) in film.units.iter().enumerate().step_by(GOP) {
        decoder.show(n, unit, |plane| baseline(&mut watched, n, || three.look(plane)))?;
    }
    watched.cpu_s += decoder.cpu_s;
    Ok(watched)
}

fn baseline(watched: &mut Watched, n: usize, look: impl FnOnce() -> bool) {
    let before = cpu_s();
    watched.seen.push(Seen { at_s: n as f32 / FPS as f32, motion: look() });
    watched.cpu_s += cpu_s() - before;
}
