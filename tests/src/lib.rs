//! What the whole-system tests stand on besides `privet-demo`'s house of real processes.
//!
//! - [`House`] with a scratch folder that goes with it, and cameras;
//! - [`chaos`]: a house whose programs are killed at random moments, and what must hold all the same;
//! - [`clock`]: a wall clock that somebody sets;
//! - [`dice`]: chance that can be had again;
//! - [`lying`]: a relay that lies;
//! - [`obedient`]: a house that other languages' tests tell what to do;
//! - [`space`]: disks that are full.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

pub mod chaos;
pub mod clock;
pub mod dice;
pub mod lying;
pub mod obedient;
pub mod space;

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use privet_demo::house::{self, Phone, Plan, fake_camera};
use privet_demo::process::{Process, until};
use serde_json::Value;
use tempfile::TempDir;

/// Cameras that make small pictures: many fit on two cores.
pub const SMALL: &[&str] = &["--size", "640x360", "--kbps", "600", "--gop", "15"];
/// How long anything may take that waits for a camera.
pub const SOON: Duration = Duration::from_secs(60);

/// A house in a folder that goes with it; kept when the test fails, and named.
pub struct House {
    house: house::House,
    cameras: Vec<Process>,
    folder: Option<TempDir>,
}

impl House {
    /// A house with nothing in it.
    pub fn new(plan: Plan) -> Self {
        let folder = tempfile::Builder::new().prefix("privet-").tempdir().unwrap();
        let house = house::House::build(folder.path(), plan).unwrap();
        Self { house, cameras: Vec::new(), folder: Some(folder) }
    }

    /// A house with a running relay, hub and one garden camera called "garden", whose box moves often.
    pub fn with_garden(plan: Plan) -> Self {
        let mut house = Self::new(plan);
        house.add_garden("garden", &["--moving", "2", "--every", "8", "--quiet", "4"]);
        house.start_relay().unwrap();
        house.start_hub().unwrap();
        house
    }

    /// Adds a fake camera; the hub knows it from its next start on.
    pub fn add_garden(&mut self, name: &str, more: &[&str]) {
        let words = [SMALL, more].concat();
        let (process, camera) = fake_camera(self.house.folder(), name, Some("geheim"), &words).unwrap();
        self.house.cameras.push(camera);
        self.cameras.push(process);
    }

    /// Adds a raw camera with these words; the hub knows it from its next start on.
    pub fn add_raw(&mut self, name: &str, more: &[&str]) {
        let (process, mut camera) = house::raw_camera(self.house.folder(), name, more).unwrap();
        camera.name = name.into();
        self.house.cameras.push(camera);
        self.cameras.push(process);
    }

    /// A camera's process.
    pub fn camera(&mut self, number: usize) -> &mut Process {
        &mut self.cameras[number]
    }

    /// The hub's state.
    pub fn status(&self) -> Value {
        self.house.hub_says(&["status"]).unwrap().first().unwrap()
    }

    /// What the hub says of a camera.
    pub fn camera_status(&self, name: &str) -> Value {
        let status = self.status();
        let cameras = status["cameras"].as_array().unwrap();
        cameras.iter().find(|camera| camera["name"] == name).unwrap_or_else(|| panic!("no {name} in {status}")).clone()
    }

    /// Waits until the hub says that a camera is as `wanted`.
    pub fn wait_for_camera(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        until(what, SOON, || {
            last = self.camera_status(name);
            wanted(&last).then(|| last.clone())
        })
        .unwrap_or_else(|trouble| panic!("{trouble}; {name} is {last}"))
    }

    /// Waits until the phone has at least `count` finished clips, and returns them, newest first.
    pub fn wait_for_clips(&self, phone: &Phone, camera: Option<&str>, count: usize) -> Vec<Value> {
        let mut last = Vec::new();
        until(&format!("{count} finished clips"), SOON * 2, || {
            last = phone.clips(camera).unwrap();
            (last.len() >= count).then(|| last.clone())
        })
        .unwrap_or_else(|trouble| panic!("{trouble}; there are {last:?}; the hub is {}", self.status()))
    }

    /// Fetches a clip as a film.
    pub fn fetch(&self, phone: &Phone, clip: &Value) -> (Value, PathBuf) {
        let id = clip["id"].as_str().unwrap();
        let film = self.house.folder().join(format!("{}-{id}.mp4", phone.name()));
        let said = phone.says(&["clip", id, "--out", film.to_str().unwrap()]).unwrap().first().unwrap();
        assert_eq!(said["verified"], true, "{said}");
        (said, film)
    }
}

impl Deref for House {
    type Target = house::House;

    fn deref(&self) -> &house::House {
        &self.house
    }
}

impl DerefMut for House {
    fn deref_mut(&mut self) -> &mut house::House {
        &mut self.house
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(folder) = self.folder.take()
        {
            eprintln!("the house is kept in {}", folder.keep().display());
        }
    }
}

/// The summary of a live view, and what was said of segments before it.
pub fn live(phone: &Phone, camera: &str, seconds: u64, film: &Path) -> (Value, Vec<Value>) {
    let seconds_text = seconds.to_string();
    let words = ["live", camera, "--seconds", &seconds_text, "--out", film.to_str().unwrap()];
    let said = phone.says_within(&words, Duration::from_secs(seconds + 40)).unwrap().ok().unwrap();
    let (summary, lines): (Vec<Value>, Vec<Value>) = said.lines.into_iter().partition(|line| line["kind"] == "summary");
    (summary.into_iter().next().expect("a summary"), lines)
}

/// The alerts that a phone shows.
pub fn alerts(phone: &Phone) -> Vec<String> {
    let status = phone.says(&["status"]).unwrap().first().unwrap();
    let alerts = status["alerts"].as_array().cloned().unwrap_or_default();
    alerts.iter().filter_map(|alert| alert["what"].as_str().map(str::to_owned)).collect()
}
