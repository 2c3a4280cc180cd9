//! `bench hub`: what each further 1080p15, 2.5 Mb/s camera costs the hub and its workers together: without detection, with motion found
//! on a 360p substream of 5 and of 15 frames a second, and with motion found on the main stream's key frames, in a quiet scene and in
//! one where something moves for a tenth of the time. From that, how many cameras one core carries.
//!
//! Then all the hub's processes are put on one core, with as many cameras as one core is meant to carry.
//!
//! Three numbers of cameras are measured, and the slopes between them count: what a further camera costs where there are two or a
//! few more, and what it costs where there are dozens, which is less, because the hub wakes for several at a time. Only the hub and
//! its workers are measured. Detection is the difference to the same cameras without it.
//!
//! How much of a core that is depends on the core. So what decoding alone takes is measured in the same run, and the goals for
//! detection are asked in proportion to it too, which tells a slow machine from a slow hub.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use privet_demo::Trouble;
use privet_demo::house::{House, Plan, raw_camera};
use privet_demo::process::{Process, cpu, pss_kib, until};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::figure::{Figure, Goal};
use crate::film::{self, Scene};
use crate::folder;
use crate::yardstick::{Pace, Which, decoding_alone};

/// The three numbers of cameras.
const COUNTS: [usize; 3] = [2, 6, 26];
/// On one core.
const CROWD: usize = 70;
const BENCH: &str = "hub";

/// How motion is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    Nowhere,
    /// A film of this scene.
    Substream(Scene),
    KeyFrames,
}

/// The films that the cameras play.
struct Films {
    quiet: PathBuf,
    small: PathBuf,
    small_slow: PathBuf,
    tenth: PathBuf,
}

/// What the hub and its workers used.
#[derive(Clone, Copy, Default)]
struct Use {
    /// Share of a core.
    core: f64,
    /// MiB without the pre-roll.
    mib: f64,
    /// Pre-roll, MiB.
    pre_roll_mib: f64,
}

/// What the first cameras used, and what each further one does.
struct Slope {
    first: Use,
    /// Of a few.
    few: Use,
    /// Of dozens.
    each: Use,
}

/// All figures of this benchmark; those of one way of finding motion, if its name contains `only`.
///
/// # Errors
/// [`Trouble`] when a part does not run.
pub fn run(only: Option<&str>) -> Result<Vec<Figure>, Trouble> {
    let wanted = |name: &str| only.is_none_or(|only| name.contains(only));
    let crowded = format!("{CROWD} cameras on one core, motion on 360p substreams, 5 frames a second");
    if !wanted(&crowded) && !WAYS.iter().any(|way| wanted(way.name)) {
        let mut names: Vec<&str> = WAYS.iter().map(|way| way.name).collect();
        names.push(&crowded);
        return Err(Trouble::new(format!("there is no such way; there are: {}", names.join("; "))));
    }
    let folder = folder(BENCH)?;
    let films = Films {
        quiet: film::make(&folder, Scene::Quiet)?,
        small: film::make(&folder, Scene::QuietSmall)?,
        small_slow: film::make(&folder, Scene::QuietSmallSlow)?,
        tenth: film::make(&folder, Scene::TenthMoving)?,
    };
    let alone = Alone::measure(&films)?;
    let mut figures = alone.figures();
    let plain = slope(&folder.join("plain"), &films.quiet, &films, Watch::Nowhere, 40)?;
    figures.extend(without_detection(&plain, retina_alone(&folder, &films.quiet)?));
    for way in WAYS.iter().filter(|way| wanted(way.name)) {
        let film = if way.moving { &films.tenth } else { &films.quiet };
        let seconds = if way.moving { 60 } else { 40 };
        let slope = slope(&folder.join(way.folder), film, &films, way.watch, seconds)?;
        figures.extend(way.figures(&slope, &plain, &alone));
    }
    if wanted(&crowded) {
        let used = crowd(&folder.join("crowd"), &films)?;
        let goal = Goal::AtMost(100.0);
        figures.push(Figure::known(BENCH, &*crowded, "processor", used.core * 100.0, CORE).with_goal(goal));
        figures.push(Figure::known(BENCH, &*crowded, "memory without pre-roll", used.mib, MIB));
    }
    Ok(figures)
}

const CORE: &str = "% of a core";
const MIB: &str = "MiB";

/// A way of finding motion, and what was asked of it.
struct Way {
    name: &'static str,
    /// Short: a socket's path has at most 107 bytes.
    folder: &'static str,
    watch: Watch,
    /// Something moves for a tenth of the time.
    moving: bool,
    /// At most so many per cent of a core for detection, and in all, where decoding every picture of a 360p15 stream alone takes
    /// [`ALONE_WHERE_GOALS_WERE_SET`].
    detection: Option<f64>,
    all: Option<f64>,
    cameras: Option<f64>,
    mib: Option<f64>,
}

/// The goals were set where that took so many per cent of a core. They are asked as they are, and in proportion to what it takes here.
const ALONE_WHERE_GOALS_WERE_SET: f64 = 1.1;

const WAYS: [Way; 4] = [
    Way {
        name: "each further camera, motion on a 360p substream, 5 frames a second",
        folder: "sub-5",
        watch: Watch::Substream(Scene::QuietSmallSlow),
        moving: false,
        detection: Some(1.0),
        all: Some(1.4),
        cameras: Some(70.0),
        mib: Some(32.0),
    },
    Way {
        name: "each further camera, motion on a 360p substream, 15 frames a second",
        folder: "sub-15",
        watch: Watch::Substream(Scene::QuietSmall),
        moving: false,
        detection: None,
        all: None,
        cameras: None,
        mib: Some(32.0),
    },
    Way {
        name: "each further camera, motion on key frames, quiet scene",
        folder: "quiet",
        watch: Watch::KeyFrames,
        moving: false,
        detection: Some(1.2),
        all: None,
        cameras: None,
        mib: None,
    },
    Way {
        name: "each further camera, motion on key frames, a tenth of the time moving",
        folder: "tenth",
        watch: Watch::KeyFrames,
        moving: true,
        detection: Some(2.0),
        all: None,
        cameras: None,
        mib: None,
    },
];

impl Way {
    fn figures(&self, slope: &Slope, plain: &Slope, alone: &Alone) -> Vec<Figure> {
        let known = |metric, value, unit| Figure::known(BENCH, self.name, metric, value, unit);
        let mut figures = Vec::new();
        let bare = [
            ("processor, detection", slope.each.core - plain.each.core, self.detection),
            ("processor, all", slope.each.core, self.all),
            ("processor, detection, among a few", slope.few.core - plain.few.core, self.detection),
            ("processor, all, among a few", slope.few.core, self.all),
        ];
        for (metric, core, goal) in bare {
            figures.push(known(metric, core * 100.0, CORE).with_goal(goal.map_or(Goal::Known, Goal::AtMost)));
        }
        let ratios = [
            ("detection against decoding alone", slope.each.core - plain.each.core, self.detection),
            ("all against decoding alone", slope.each.core, self.all),
            ("detection against decoding alone, among a few", slope.few.core - plain.few.core, self.detection),
            ("all against decoding alone, among a few", slope.few.core, self.all),
        ];
        for (metric, core, goal) in ratios {
            if let Some(goal) = goal {
                // Two digits, as the goals have.
                let goal = (goal / ALONE_WHERE_GOALS_WERE_SET * 100.0).round() / 100.0;
                figures.push(known(metric, core / alone.every, "x").with_goal(Goal::AtMost(goal)));
            }
        }
        let cameras = known("cameras one core carries", 1.0 / slope.each.core, "");
        figures.push(cameras.with_goal(self.cameras.map_or(Goal::Known, Goal::AtLeast)));
        let memory = known("memory without pre-roll", slope.each.mib, MIB);
        figures.push(memory.with_goal(self.mib.map_or(Goal::Known, Goal::AtMost)));
        figures
    }
}

fn without_detection(plain: &Slope, retina: f64) -> [Figure; 8] {
    let known = |case, metric, value, unit| Figure::known(BENCH, case, metric, value, unit);
    let (case, first) = ("each further camera, no detection", "the first two cameras and the hub itself, no detection");
    [
        known(case, "processor", plain.each.core * 100.0, CORE).with_goal(Goal::AtMost(0.5)),
        known(case, "memory without pre-roll", plain.each.mib, MIB).with_goal(Goal::AtMost(12.0)),
        known(case, "pre-roll", plain.each.pre_roll_mib, MIB),
        known(case, "processor, among a few", plain.few.core * 100.0, CORE).with_goal(Goal::AtMost(0.5)),
        known(first, "processor", plain.first.core * 100.0, CORE),
        known(first, "memory without pre-roll", plain.first.mib, MIB),
        known("retina's own pull of the same camera", "processor", retina * 100.0, CORE),
        known("each further camera against retina's own pull", "ratio", plain.each.core / retina, "x"),
    ]
}

/// What decoding the cameras' films alone takes here, as shares of a core.
struct Alone {
    /// Every picture of 360p15, one after the other.
    every: f64,
    every_as_they_come: f64,
    slow_as_they_come: f64,
    key: f64,
    key_as_they_come: f64,
    /// Without the loop filter.
    key_unfiltered: f64,
}

impl Alone {
    fn measure(films: &Films) -> Result<Self, Trouble> {
        let small = |pace| decoding_alone(&films.small, Scene::QuietSmall.fps(), Which::Every, pace);
        let key = |pace| decoding_alone(&films.quiet, Scene::Quiet.fps(), Which::Key, pace);
        let (bulk, as_they_come) = (Pace::Bulk, Pace::AsTheyCome);
        // Loads libraries and wakes the processor.
        small(bulk)?;
        Ok(Self {
            every: small(bulk)?,
            every_as_they_come: small(as_they_come)?,
            slow_as_they_come: decoding_alone(
                &films.small_slow,
                Scene::QuietSmallSlow.fps(),
                Which::Every,
                as_they_come,
            )?,
            key: key(bulk)?,
            key_as_they_come: key(as_they_come)?,
            key_unfiltered: decoding_alone(&films.quiet, Scene::Quiet.fps(), Which::KeyUnfiltered, bulk)?,
        })
    }

    fn figures(&self) -> Vec<Figure> {
        let known = |case, metric, value: f64| Figure::known(BENCH, case, metric, value * 100.0, CORE);
        let (every, slow) = ("decoding alone, every picture of 360p15", "decoding alone, every picture of 360p5");
        let key = "decoding alone, key frames of 1080p15";
        vec![
            known(every, "processor, in bulk", self.every),
            known(every, "processor, as they come", self.every_as_they_come),
            known(slow, "processor, as they come", self.slow_as_they_come),
            known(key, "processor, in bulk", self.key),
            known(key, "processor, as they come", self.key_as_they_come),
            known(
                "decoding alone, key frames of 1080p15, without the loop filter",
                "processor, in bulk",
                self.key_unfiltered,
            ),
        ]
    }
}

/// Measures two cameras, a few, and dozens.
fn slope(folder: &Path, film: &Path, films: &Films, watch: Watch, seconds: u64) -> Result<Slope, Trouble> {
    let mut house = House::build(folder, Plan { pre_roll_s: 5, ..Plan::default() })?;
    house.start_relay()?;
    let mut processes = Vec::new();
    let mut used = [Use::default(); COUNTS.len()];
    for (count, used) in COUNTS.into_iter().zip(&mut used) {
        while house.cameras.len() < count {
            processes.extend(add(&mut house, folder, film, films, watch)?);
        }
        *used = measure(&mut house, seconds)?;
    }
    if let Some(mut hub) = house.hub.take() {
        hub.stop(Duration::from_secs(20))?;
    }
    let each = |from: usize, to: usize| {
        let each = |of: fn(&Use) -> f64| (of(&used[to]) - of(&used[from])) / (COUNTS[to] - COUNTS[from]) as f64;
        Use { core: each(|used| used.core), mib: each(|used| used.mib), pre_roll_mib: each(|used| used.pre_roll_mib) }
    };
    Ok(Slope { first: used[0], few: each(0, 1), each: each(1, 2) })
}

/// What as many cameras as one core is meant to carry use of it.
fn crowd(folder: &Path, films: &Films) -> Result<Use, Trouble> {
    let mut house = House::build(folder, Plan { pre_roll_s: 5, ..Plan::default() })?;
    house.start_relay()?;
    let mut processes = Vec::new();
    for _ in 0..CROWD {
        let watch = Watch::Substream(Scene::QuietSmallSlow);
        processes.extend(add(&mut house, folder, &films.quiet, films, watch)?);
    }
    // What a thread starts inherits where it may run.
    let all = sched_getaffinity(None).map_err(|e| Trouble::new(format!("which cores there are: {e}")))?;
    let mut first = CpuSet::new();
    first.set((0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)).unwrap_or(0));
    let pin = |to| sched_setaffinity(None, to).map_err(|e| Trouble::new(format!("can't stay on one core: {e}")));
    pin(&first)?;
    let used = measure(&mut house, 30);
    pin(&all)?;
    if let Some(mut hub) = house.hub.take() {
        hub.stop(Duration::from_secs(60))?;
    }
    used
}

/// One more camera for the house, with its substream if there is to be one; its processes.
fn add(house: &mut House, folder: &Path, film: &Path, films: &Films, watch: Watch) -> Result<Vec<Process>, Trouble> {
    let name = format!("camera-{}", house.cameras.len());
    let (process, mut camera) = play(folder, &name, film, Scene::Quiet)?;
    let mut processes = vec![process];
    camera.motion = watch != Watch::Nowhere;
    if let Watch::Substream(scene) = watch {
        let film = if scene == Scene::QuietSmall { &films.small } else { &films.small_slow };
        let (process, sub) = play(folder, &format!("{name}-sub"), film, scene)?;
        processes.push(process);
        camera.sub_url = Some(sub.url);
    }
    camera.name = name;
    house.cameras.push(camera);
    Ok(processes)
}

fn play(
    folder: &Path,
    name: &str,
    film: &Path,
    scene: Scene,
) -> Result<(Process, privet_demo::house::Camera), Trouble> {
    raw_camera(folder, name, &["--file", &film.to_string_lossy(), "--fps", &scene.fps().to_string()])
}

/// Starts the hub with the cameras that there are, and measures it once all of them send and the pre-roll is full.
fn measure(house: &mut House, seconds: u64) -> Result<Use, Trouble> {
    if let Some(mut hub) = house.hub.take() {
        hub.stop(Duration::from_secs(20))?;
    }
    house.start_hub()?;
    let id = house.hub.as_ref().map_or(0, Process::id);
    let status = |house: &House| house.hub_says(&["status"]).ok()?.first().ok();
    let patience = Duration::from_secs(60 + 4 * house.cameras.len() as u64);
    until("all cameras' being online, with a full pre-roll", patience, || {
        let status = status(house)?;
        let cameras = status["cameras"].as_array()?;
        let full = |camera: &serde_json::Value| camera["online"] == true && camera["frames"].as_u64() > Some(15 * 8);
        (cameras.len() == house.cameras.len() && cameras.iter().all(full)).then_some(())
    })?;
    let (before, since) = (cpu(id), Instant::now());
    thread::sleep(Duration::from_secs(seconds));
    let core = (cpu(id).saturating_sub(before)).as_secs_f64() / since.elapsed().as_secs_f64();
    let status = status(house).ok_or_else(|| Trouble::new("the hub does not say its status"))?;
    let cameras = status["cameras"].as_array().map(Vec::as_slice).unwrap_or_default();
    // A camera that is off would flatter.
    if let Some(camera) = cameras.iter().find(|camera| camera["online"] != true) {
        return Err(Trouble::new(format!("a camera went offline: {camera}")));
    }
    if let Some(note) = cameras.iter().find(|camera| camera["notes"].to_string().contains("substream")) {
        return Err(Trouble::new(format!("a camera without its substream: {note}")));
    }
    let pre_roll: u64 = cameras.iter().filter_map(|camera| camera["pre_roll_bytes"].as_u64()).sum();
    let pre_roll_mib = pre_roll as f64 / (1 << 20) as f64;
    Ok(Use { core, mib: pss_kib(id)? as f64 / 1024.0 - pre_roll_mib, pre_roll_mib })
}

/// The share of a core that a process takes which only pulls the camera.
fn retina_alone(folder: &Path, film: &Path) -> Result<f64, Trouble> {
    const SECONDS: u64 = 20;
    let (_camera, camera) = play(folder, "alone", film, Scene::Quiet)?;
    let own = std::env::current_exe().map_err(|e| Trouble::new(e.to_string()))?;
    let seconds = (SECONDS + 10).to_string();
    let mut pull = Process::start("retina", &own, &["pull", &camera.url, &seconds], &folder.join("pull.log"))?;
    thread::sleep(Duration::from_secs(3));
    let (before, since) = (cpu(pull.id()), Instant::now());
    thread::sleep(Duration::from_secs(SECONDS));
    let used = cpu(pull.id()).saturating_sub(before).as_secs_f64() / since.elapsed().as_secs_f64();
    if !pull.is_running() {
        return Err(Trouble::new(format!(
            "retina's own pull ended before its time; {} says why",
            pull.log().display()
        )));
    }
    Ok(used)
}
