//! Lets the hub's detector and the baselines look at a film.

use std::collections::VecDeque;

use privet_demo::Trouble;
use privet_hub::motion::ration::{Motion, Order, Portion, Ration, Unit, Use};
use privet_hub::motion::scale::{Plane, Small, shrink};
use privet_hub::motion::{Detector, MotionSettings, Verdict};

use super::baselines::{RunningAverage, ThreeFrames};
use super::decoder::{Decoder, cpu_s};
use super::film::{Film, GOP};
use super::scene::FPS;
use super::score::{Seen, Watched};

/// Every third frame: five pictures a second.
const STEP: usize = 3;

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

    /// Looks at a key frame, and forgets it again if it differs: it comes again, in its place. What it shows otherwise.
    fn try_out(&mut self, n: usize, plane: Plane<'_>) -> Option<Motion> {
        let before = cpu_s();
        shrink(plane, &mut self.small);
        let mut trial = self.detector.clone();
        let verdict = trial.look(&self.small, pts_us(n));
        self.watched.cpu_s += cpu_s() - before;
        if verdict.is_suspicious() {
            return None;
        }
        self.detector = trial;
        self.watched.seen.push(Seen { at_s: n as f32 / FPS as f32, motion: verdict.active });
        if verdict.tamper.is_some() {
            self.watched.tampered_s.get_or_insert_default().push(n as f32 / FPS as f32);
        }
        Some(verdict.motion())
    }
}

fn pts_us(n: usize) -> i64 {
    n as i64 * 1_000_000 / FPS as i64
}

fn number(pts_us: i64) -> usize {
    ((pts_us * FPS as i64 + 500_000) / 1_000_000) as usize
}

/// The hub, which decodes what its ration says: of a substream the whole, of a main stream key frames, on trial and without the loop
/// filter, and more on suspicion, as it was sent. What is found by looking back is told when the key frame has come, not when it
/// happened.
///
/// # Errors
/// [`Trouble`] when the film can't be decoded.
pub fn hub(film: &Film, portion: Portion) -> Result<Watched, Trouble> {
    let (mut hub, mut decoder) = (Hub::new(), Decoder::open()?);
    let mut ration = Ration::new(portion, &MotionSettings::default());
    let mut orders = Vec::new();
    for (now, unit) in film.units.iter().enumerate() {
        let unit = Unit { data: unit.data.clone().into(), key: unit.key, disposable: false, pts_us: pts_us(now) };
        ration.take(unit, &mut orders);
        let mut waiting = VecDeque::from(std::mem::take(&mut orders));
        while let Some(Order { unit, as_what }) = waiting.pop_front() {
            let n = number(unit.pts_us);
            let on_trial = (as_what == Use::Try).then(|| decoder.unfiltered(&film.units[n]));
            let shown = on_trial.as_ref().unwrap_or(&film.units[n]);
            let motion = decoder.show(n, shown, |plane| match as_what {
                Use::Reference => None,
                Use::Look => Some(hub.look(n, now, plane).motion()),
                Use::Try => hub.try_out(n, plane),
            })?;
            match motion {
                Some(motion) => ration.saw(unit.pts_us, motion),
                None if as_what == Use::Try => ration.suspect(unit.pts_us, &mut orders),
                None => {}
            }
            waiting.extend(orders.drain(..));
        }
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
