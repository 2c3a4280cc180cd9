//! `bench motion`: how much of what happens the hub's detector finds, how often it cries for nothing, and how fast; beside two others.
//!
//! 1. [`script`] writes scenes from a seed: who comes when, what the light, the air and the camera do ([`scene`]). What was put in
//!    is the label.
//! 2. [`stage`] draws them in a [`place`], with figures [`cutout`] of real films; [`film`] encodes them as cameras do.
//! 3. [`decoder`] decodes; [`watch`] hands the pictures to the hub's scaler and detector, and to the [`baselines`].
//! 4. [`mod@score`] holds what was said against the labels; [`plot`] draws the result.

mod baselines;
mod cutout;
pub mod decoder;
pub mod film;
mod place;
mod plot;
pub mod random;
mod scene;
mod score;
mod script;
mod stage;
mod table;
mod watch;

use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;

use privet_demo::Trouble;

use crate::figure::{Figure, Goal};
use cutout::Cutout;
use film::{Film, Rate, Stream};
use privet_hub::motion::ration::Portion;
use score::{Score, score};

const BENCH: &str = "motion";
/// The detector was tuned while looking at this set: so many draws of each kind of scene.
const SEEDS: [u64; DRAWS] = [3, 5];
/// And never at this one.
const HELD_OUT_SEEDS: [u64; DRAWS] = [1_003, 1_005];
const DRAWS: usize = 2;
/// Scenes that must never raise an alarm.
const SILENT: [&str; 3] = ["light switch", "infrared cut", "night noise"];

/// What is run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The set that the detector was not tuned with.
    pub held_out: bool,
    /// Where the plots go; none: nowhere.
    pub plots: Option<PathBuf>,
    /// Only scenes whose kind contains this.
    pub only: Option<String>,
    /// The hub's detector alone.
    pub alone: bool,
    /// The table of scenes is not printed.
    pub json: bool,
}

/// One film, and how well each method did: the hub, the running average, three frames.
pub struct Row {
    pub kind: &'static str,
    pub stream: Stream,
    pub scores: [Score; 3],
}

/// The methods' names, in the order of a row's scores.
pub const METHODS: [&str; 3] = ["Privet", "running average", "three frames"];

/// A film that waits to be watched.
struct Take {
    scene: scene::Scene,
    stream: Stream,
    rate: Rate,
}

/// All figures of this benchmark.
///
/// # Errors
/// [`Trouble`] when GStreamer lacks a part, or a film can't be made.
pub fn run(options: &Options) -> Result<Vec<Figure>, Trouble> {
    gstreamer::init().map_err(|e| Trouble::new(format!("GStreamer: {e}")))?;
    let cast = cast()?;
    let takes = takes(options);
    if takes.is_empty() {
        return Err(Trouble::new("there is no such kind of scene; docs/reference/benchmarks.md has their names"));
    }
    let films = make(&takes, &cast)?;
    let mut rows = Vec::new();
    for (take, path) in takes.iter().zip(&films) {
        let film = Film::open(path)?;
        let labels = take.scene.labels(&cast);
        let hub = match take.stream {
            Stream::Sub => watch::hub(&film, Portion::Whole)?,
            Stream::Main => watch::hub(&film, Portion::KeyFrames)?,
        };
        let [frigate, three] = match options.alone {
            true => Default::default(),
            false => [watch::running_average(&film)?, watch::three_frames(&film)?],
        };
        let scores = [hub, frigate, three].map(|watched| score(&watched, &labels, take.scene.seconds));
        let Score { missed_at, false_at, .. } = &scores[0];
        if !missed_at.is_empty() || !false_at.is_empty() {
            let path = path.display();
            eprintln!("{path}: missed what began at {missed_at:.1?} s; false at {false_at:.1?} s; in it: {labels:.1?}");
        }
        rows.push(Row { kind: take.scene.kind, stream: take.stream, scores });
    }
    if !options.json {
        println!("{}", table::by_scene(&rows));
    }
    if let Some(folder) = &options.plots {
        plot::draw(&rows, folder)?;
    }
    Ok(figures(&rows, options))
}

fn cast() -> Result<Vec<Cutout>, Trouble> {
    let strips: [(&str, &[u8], usize); script::WALKERS + 2] = [
        ("walker-1.jpg", include_bytes!("../../clips/walker-1.jpg"), 7),
        ("walker-2.jpg", include_bytes!("../../clips/walker-2.jpg"), 7),
        ("walker-3.jpg", include_bytes!("../../clips/walker-3.jpg"), 7),
        ("walker-4.jpg", include_bytes!("../../clips/walker-4.jpg"), 8),
        ("walker-5.jpg", include_bytes!("../../clips/walker-5.jpg"), 9),
        ("walker-6.jpg", include_bytes!("../../clips/walker-6.jpg"), 8),
        ("car-1.jpg", include_bytes!("../../clips/car-1.jpg"), 2),
        ("car-2.jpg", include_bytes!("../../clips/car-2.jpg"), 2),
    ];
    strips.into_iter().map(|(name, jpeg, count)| Cutout::from_strip(name, jpeg, count)).collect()
}

/// Each kind of scene with either rate, as different scenes; main stream and substream show the same one.
fn takes(options: &Options) -> Vec<Take> {
    let seeds = if options.held_out { HELD_OUT_SEEDS } else { SEEDS };
    let mut takes = Vec::new();
    for (rate, seed) in seeds.into_iter().flat_map(|seed| [(Rate::Vbr, seed), (Rate::Cbr, seed + 1)]) {
        for scene in script::scenes(seed) {
            for stream in [Stream::Sub, Stream::Main] {
                takes.push(Take { scene: scene.clone(), stream, rate });
            }
        }
    }
    takes.retain(|take| options.only.as_ref().is_none_or(|only| take.scene.kind.contains(only)));
    takes
}

/// Encodes on all cores what is not there yet. Nothing is measured meanwhile.
fn make(takes: &[Take], cast: &[Cutout]) -> Result<Vec<PathBuf>, Trouble> {
    let folder = film::folder()?;
    let next = Mutex::new(0..takes.len());
    let made = Mutex::new(takes.iter().map(|_| None).collect::<Vec<_>>());
    let take_next = || next.lock().ok().and_then(|mut next| next.next());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(n) = take_next() {
                    let take = &takes[n];
                    let path = film::make(&folder, &take.scene, cast, take.stream, take.rate);
                    if let Ok(mut made) = made.lock() {
                        made[n] = Some(path);
                    }
                }
            });
        }
    });
    let made = made.into_inner().map_err(|_| Trouble::new("encoding a scene panicked"))?;
    made.into_iter().map(|path| path.unwrap_or_else(|| Err(Trouble::new("a scene was not encoded")))).collect()
}

/// The kinds of scenes in these rows, each once, in order.
pub fn kinds(rows: &[Row]) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    for row in rows {
        if !kinds.contains(&row.kind) {
            kinds.push(row.kind);
        }
    }
    kinds
}

/// Scores of these rows, added up, for each method.
pub fn total<'a>(rows: impl IntoIterator<Item = &'a Row>) -> [Score; 3] {
    let mut sums: [Score; 3] = Default::default();
    for row in rows {
        sums.iter_mut().zip(&row.scores).for_each(|(sum, score)| sum.add(score));
    }
    sums
}

fn figures(rows: &[Row], options: &Options) -> Vec<Figure> {
    let set = match (&options.only, options.held_out) {
        (Some(only), _) => format!("scenes of \"{only}\""),
        (None, true) => "held-out set".into(),
        (None, false) => "whole set".into(),
    };
    let methods = if options.alone { &METHODS[..1] } else { &METHODS };
    let known = |case: String, metric, value, unit| Figure::known(BENCH, case, metric, value, unit);
    let mut figures = Vec::new();
    let all = total(rows);
    for (method, score) in methods.iter().zip(&all) {
        // A part says little without what it is a part of.
        let (events, alarms) = (score.events, score.alarms());
        let case = format!("{set}, {method}");
        let mut recall = known(format!("{case}, {events} events"), "recall", score.recall(), "");
        let mut precision = known(format!("{case}, {alarms} alarms"), "precision", score.precision(), "");
        if *method == METHODS[0] {
            recall = recall.with_goal(Goal::AtLeast(0.98));
            precision = precision.with_goal(Goal::AtLeast(0.98));
        }
        figures.extend([recall, precision]);
        figures.push(known(case, "false events", score.false_per_hour(), "per hour"));
    }
    for (metric, of) in [
        ("recall above the better baseline", Score::recall as fn(&Score) -> f64),
        ("precision above the better baseline", Score::precision),
    ]
    .into_iter()
    .filter(|_| !options.alone)
    {
        let better = of(&all[1]).max(of(&all[2]));
        // More than nothing: one event of the set is about 0.01.
        let above = known(format!("{set}, {}", METHODS[0]), metric, of(&all[0]) - better, "");
        figures.push(above.with_goal(Goal::AtLeast(0.001)));
    }
    for (stream, name, most) in [(Stream::Sub, "substream", 0.25), (Stream::Main, "key frames only", 1.0)] {
        let scores = total(rows.iter().filter(|row| row.stream == stream));
        for (method, score) in methods.iter().zip(&scores) {
            let case = format!("{set}, {name}, {method}");
            if let Some(onset) = score.onset_s() {
                let case = format!("{case}, {} onsets", score.onsets.len());
                let mut figure = known(case, "onset, median", onset, "s");
                if *method == METHODS[0] {
                    figure = figure.with_goal(Goal::AtMost(most));
                }
                figures.push(figure);
            }
            figures.push(known(
                case,
                "processor",
                score.cpu_s / rows_seconds(rows, stream) * 1_000.0,
                "ms per camera-second",
            ));
        }
    }
    for kind in SILENT {
        let scores = total(rows.iter().filter(|row| row.kind == kind));
        let figure = known(format!("{set}, {kind}"), "false events", f64::from(scores[0].false_alarms), "");
        figures.push(figure.with_goal(Goal::AtMost(0.0)));
    }
    figures
}

/// Seconds of film, the warm-up with them: the processor's time is that of all of it.
fn rows_seconds(rows: &[Row], stream: Stream) -> f64 {
    rows.iter().filter(|row| row.stream == stream).map(Row::film_s).sum::<f64>().max(1e-9)
}

impl Row {
    fn film_s(&self) -> f64 {
        self.scores[0].seconds + f64::from(scene::WARM_UP_S)
    }
}
