//! A house that is told what to do in lines of JSON: the other side of `privet-house` (`docs/design/0020-phone-bindings.md`).
//!
//! When one is there, a phone can pair and every camera can be watched. What it is told has happened when it answers. All its processes
//! end when it is dropped, and its folder goes with them if it is a scratch one.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use privet_demo::Trouble;
use privet_demo::house::{self, Plan, RelayAt, fake_camera, text};
use privet_demo::process::{Process, until};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::lying::{Lie, LyingRelay};
use crate::{SMALL, SOON};

/// How long a program may take to end.
const END: Duration = Duration::from_secs(20);
/// A box crosses the picture every six seconds; with a second before and after it, there is a clip as often.
const GARDEN: &[&str] = &["--moving", "1", "--every", "6", "--quiet", "2"];
const PASSWORD: &str = "geheim";

/// What is wished for at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish<'a> {
    /// Where all is kept; in a scratch folder if not said.
    pub folder: Option<&'a Path>,
    /// How many cameras there are.
    pub cameras: usize,
    /// Whether phones and hub have the relay itself before them. Otherwise one stands in between that can be told to tamper, and at
    /// the relay all phones are then the home's owner.
    pub honest: bool,
    /// Whether the cameras have a microphone.
    pub sound: bool,
}

/// The house. The order of its fields is the order in which it ends.
pub struct Obedient {
    cameras: Vec<Option<Process>>,
    names: Vec<String>,
    sound: bool,
    house: house::House,
    liar: Option<LyingRelay>,
    runtime: Runtime,
    _scratch: Option<TempDir>,
}

impl Obedient {
    /// Starts all of it.
    ///
    /// # Errors
    /// [`Trouble`] when a part does not get ready.
    pub fn start(wish: &Wish<'_>) -> Result<Self, Trouble> {
        let failed = |e: std::io::Error| Trouble::new(e.to_string());
        let scratch = match wish.folder {
            Some(_) => None,
            None => Some(tempfile::Builder::new().prefix("privet-house-").tempdir().map_err(failed)?),
        };
        let folder = wish.folder.or(scratch.as_ref().map(TempDir::path)).unwrap_or(Path::new("."));
        // Behind the relay that tampers, all connections come under one key.
        let plan = Plan {
            name: "House".into(),
            pre_roll_s: 1,
            post_roll_s: 1,
            // Where the machine is so slow that one motion runs into the next, there are clips all the same.
            max_clip_s: 20,
            relay_limits: "key_connections = 64\nhome_connections = 128\n".into(),
            ..Plan::default()
        };
        let mut this = Self {
            cameras: Vec::new(),
            names: Vec::new(),
            sound: wish.sound,
            house: house::House::build(folder, plan)?,
            liar: None,
            runtime: Runtime::new().map_err(failed)?,
            _scratch: scratch,
        };
        for number in 1..=wish.cameras {
            let name = if number == 1 { "garden".into() } else { format!("garden-{number}") };
            let words = [SMALL, GARDEN, this.microphone()].concat();
            let (process, camera) = fake_camera(this.house.folder(), &name, Some(PASSWORD), &words)?;
            this.house.cameras.push(camera);
            this.cameras.push(Some(process));
            this.names.push(name);
        }
        let behind = this.house.start_relay()?;
        if !wish.honest {
            let _inside = this.runtime.enter();
            let liar = LyingRelay::start(SocketAddr::from((Ipv4Addr::LOCALHOST, behind.port)));
            this.house.front = Some(RelayAt { port: liar.address().port(), pin: liar.pin().to_owned() });
            this.liar = Some(liar);
        }
        this.house.start_hub()?;
        this.all_cameras_online()?;
        Ok(this)
    }

    fn microphone(&self) -> &'static [&'static str] {
        if self.sound { &["--audio"] } else { &[] }
    }

    /// The line that says that it is ready.
    pub fn ready(&self) -> Value {
        let at = self.house.front.as_ref().or(self.house.relay_at());
        let port = at.map_or(0, |at| at.port);
        json!({
            "ready": true,
            "relay": format!("{}:{port}", Ipv4Addr::LOCALHOST),
            "cameras": self.names,
            "folder": self.house.folder(),
        })
    }

    /// Does what a line says, and answers.
    ///
    /// # Errors
    /// [`Trouble`] when it can't be done; the house goes on.
    pub fn obey(&mut self, line: &Value) -> Result<Value, Trouble> {
        let on = || line["on"].as_bool().ok_or_else(|| Trouble::new(format!("on or not? {line}")));
        match text(line, "do")?.as_str() {
            "offer" => self.offer(),
            "devices" => Ok(json!({ "devices": self.devices()? })),
            "remove" => self.remove(&text(line, "name")?),
            "status" => self.house.hub_says(&["status"])?.first(),
            "hub" => self.hub(on()?),
            "relay" => self.relay(on()?),
            "camera" => self.camera(line["name"].as_str(), on()?),
            "tamper" => self.tamper(on()?),
            other => Err(Trouble::new(format!("there is no '{other}'"))),
        }
    }

    fn offer(&self) -> Result<Value, Trouble> {
        // The hub keeps it open by itself.
        let said = self.house.hub_says(&["pair", "--no-wait"])?.ok()?;
        let code = said.lines.iter().find(|line| line["is"] == "code");
        let code = code.ok_or_else(|| Trouble::new(format!("the hub showed no code: {}", said.out)))?;
        Ok(json!({ "offer": text(code, "code")? }))
    }

    fn devices(&self) -> Result<Vec<Value>, Trouble> {
        let said = self.house.hub_says(&["phones", "list"])?.ok()?;
        Ok(said.lines.iter().map(|phone| json!({ "id": phone["id"], "name": phone["name"] })).collect())
    }

    fn remove(&self, name: &str) -> Result<Value, Trouble> {
        let devices = self.devices()?;
        let device = devices.iter().find(|device| device["name"] == name);
        let device = device.ok_or_else(|| Trouble::new(format!("there is no '{name}' among {devices:?}")))?;
        self.house.hub_says(&["phones", "remove", &text(device, "id")?])?.ok()?;
        Ok(json!({}))
    }

    fn hub(&mut self, on: bool) -> Result<Value, Trouble> {
        if !on {
            stop(&mut self.house.hub)?;
        } else if self.house.hub.is_none() {
            self.house.start_hub()?;
        }
        Ok(json!({}))
    }

    fn relay(&mut self, on: bool) -> Result<Value, Trouble> {
        if !on {
            stop(&mut self.house.relay)?;
        } else if self.house.relay.is_none() {
            self.house.start_relay()?;
        }
        Ok(json!({}))
    }

    /// One camera, or all. One that comes back comes back where it was.
    fn camera(&mut self, name: Option<&str>, on: bool) -> Result<Value, Trouble> {
        if let Some(name) = name.filter(|name| !self.names.iter().any(|known| known == name)) {
            return Err(Trouble::new(format!("there is no camera '{name}'")));
        }
        for (number, known) in self.names.iter().enumerate() {
            if name.is_some_and(|name| name != known) {
                continue;
            }
            if !on {
                self.cameras[number] = None;
            } else if self.cameras[number].is_none() {
                let port = port_of(&self.house.cameras[number].url)?;
                let words = [SMALL, GARDEN, self.microphone(), &["--port", &port]].concat();
                let (process, _) = fake_camera(self.house.folder(), known, Some(PASSWORD), &words)?;
                self.cameras[number] = Some(process);
            }
        }
        Ok(json!({}))
    }

    fn tamper(&self, on: bool) -> Result<Value, Trouble> {
        let liar = self.liar.as_ref();
        let liar = liar.ok_or_else(|| Trouble::new("with --honest there is nobody who could tamper"))?;
        liar.tell(if on { Lie::FlipEverySegment } else { Lie::None });
        Ok(json!({}))
    }

    fn all_cameras_online(&self) -> Result<(), Trouble> {
        until("all cameras being online", SOON, || {
            let status = self.house.hub_says(&["status"]).ok()?.first().ok()?;
            let online = |camera: &Value| camera["online"] == true;
            status["cameras"].as_array().is_some_and(|cameras| cameras.iter().all(online)).then_some(())
        })
    }
}

fn stop(process: &mut Option<Process>) -> Result<(), Trouble> {
    process.take().map_or(Ok(()), |mut process| process.stop(END))
}

fn port_of(url: &str) -> Result<String, Trouble> {
    let after = url.rsplit_once(':').map(|(_, after)| after.split('/').next().unwrap_or_default().to_owned());
    after.ok_or_else(|| Trouble::new(format!("no port in '{url}'")))
}
