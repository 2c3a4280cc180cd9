//! A house in a scratch folder: a relay, a hub, cameras and phones, each a process of its own.
//!
//! Layout of the folder: `relay/` and `hub/` hold their data, `phone-NAME/` a phone's, `*.toml` the configurations that were written for
//! them, `*.log` what each program said.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::Trouble;
use crate::process::{Process, Said, program, run, run_with};

/// How long a program may take to be ready.
const READY: Duration = Duration::from_secs(20);
/// How long a command of a phone may take that needs nothing new from a camera.
const COMMAND: Duration = Duration::from_secs(60);

/// What differs from house to house.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What the home is called.
    pub name: String,
    /// Seconds before motion.
    pub pre_roll_s: u32,
    /// Seconds after motion.
    pub post_roll_s: u32,
    /// Seconds after which a clip is continued in a new one.
    pub max_clip_s: u32,
    /// Where the relay listens, and where hub and phones find it.
    pub relay_host: Ipv4Addr,
    /// Seconds between signs of life.
    pub heartbeat_s: u64,
    /// More lines for the relay's `[limits]`.
    pub relay_limits: String,
    /// Bytes that the relay leaves free on its disk.
    pub relay_free_bytes: u64,
    /// Whether the relay keeps every byte it receives in `received/`, for [`crate::blind`].
    pub keep_received: bool,
    /// More tables for the hub's configuration.
    pub hub_tables: String,
    /// More tables for the relay's configuration.
    pub relay_tables: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            name: "House of the demo".into(),
            pre_roll_s: 3,
            post_roll_s: 3,
            max_clip_s: 60,
            relay_host: Ipv4Addr::LOCALHOST,
            heartbeat_s: 2,
            relay_limits: String::new(),
            relay_free_bytes: 1 << 20,
            keep_received: false,
            hub_tables: String::new(),
            relay_tables: String::new(),
        }
    }
}

/// A camera as the hub's configuration has it.
#[derive(Clone, Debug)]
pub struct Camera {
    /// What the family calls it.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// Whether motion makes clips.
    pub motion: bool,
    /// The URL of its second, smaller stream.
    pub sub_url: Option<String>,
    /// More lines of its configuration.
    pub lines: String,
}

/// Where a relay is, and its identity.
#[derive(Clone, Debug)]
pub struct RelayAt {
    /// Its UDP port on this machine.
    pub port: u16,
    /// SHA-256 of its key, hexadecimal.
    pub pin: String,
}

/// The house.
pub struct House {
    folder: PathBuf,
    plan: Plan,
    /// The relay, while it runs.
    pub relay: Option<Process>,
    /// The hub, while it runs.
    pub hub: Option<Process>,
    relay_at: Option<RelayAt>,
    /// Whom hub and phones take for their relay, if not the relay itself.
    pub front: Option<RelayAt>,
    /// The cameras that the hub knows.
    pub cameras: Vec<Camera>,
    /// What the hub finds in its environment besides the usual.
    pub hub_environment: Vec<(String, OsString)>,
    /// The same for the relay.
    pub relay_environment: Vec<(String, OsString)>,
}

impl House {
    /// An empty house in a folder that is made.
    ///
    /// # Errors
    /// [`Trouble`] when it can't be made.
    pub fn build(folder: &Path, plan: Plan) -> Result<Self, Trouble> {
        fs::create_dir_all(folder).map_err(|e| Trouble::new(format!("{}: {e}", folder.display())))?;
        let folder = folder.canonicalize().map_err(|e| Trouble::new(format!("{}: {e}", folder.display())))?;
        Ok(Self {
            folder,
            plan,
            relay: None,
            hub: None,
            relay_at: None,
            front: None,
            cameras: Vec::new(),
            hub_environment: Vec::new(),
            relay_environment: Vec::new(),
        })
    }

    /// The house's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the relay keeps what it stores.
    pub fn relay_data(&self) -> PathBuf {
        self.folder.join("relay")
    }

    /// Where the relay keeps what it received, if the plan says so.
    pub fn received(&self) -> PathBuf {
        self.folder.join("received")
    }

    /// Starts the relay, where it was if it ran before.
    ///
    /// # Errors
    /// [`Trouble`] when it does not get ready.
    pub fn start_relay(&mut self) -> Result<RelayAt, Trouble> {
        let port = self.relay_at.as_ref().map_or(0, |at| at.port);
        let mut config = format!("listen = \"{}:{port}\"\ndata = {:?}\n", self.plan.relay_host, self.relay_data());
        if self.plan.keep_received {
            let _ = writeln!(config, "[log]\nreceived = {:?}", self.received());
        }
        // Tests connect often, and all from one address.
        let Plan { relay_limits, relay_free_bytes, .. } = &self.plan;
        let _ = writeln!(
            config,
            "[limits]\nconnects_per_s = 1000\nfree_bytes = {relay_free_bytes}\n{relay_limits}\n{}",
            self.plan.relay_tables
        );
        let file = self.write("relay.toml", &config)?;
        let mut relay = Process::start_with(
            "the relay",
            &program("privet-relay")?,
            &["run".as_ref(), "--config".as_ref(), file.as_os_str()],
            &self.relay_environment,
            &self.folder.join("relay.log"),
        )?;
        let ready = relay.ready(READY)?;
        let listening = text(&ready, "listening")?;
        let port = listening.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| Trouble::new(format!("no port in '{listening}'")))?;
        let at = RelayAt { port, pin: text(&ready, "pin")? };
        self.relay = Some(relay);
        self.relay_at = Some(at.clone());
        Ok(at)
    }

    /// Where the relay is, once it was started.
    pub fn relay_at(&self) -> Option<&RelayAt> {
        self.relay_at.as_ref()
    }

    /// Runs a command of the relay's command line on its data, with `--json`.
    ///
    /// # Errors
    /// [`Trouble`] when it is not done in time; an exit code is in [`Said`].
    pub fn relay_says(&self, words: &[&str]) -> Result<Said, Trouble> {
        let config = self.folder.join("relay.toml");
        let mut arguments: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        arguments.extend(["--config".as_ref(), config.as_os_str(), "--json".as_ref()]);
        run(&program("privet-relay")?, &arguments, COMMAND)
    }

    /// Writes the hub's configuration and starts the hub.
    ///
    /// # Errors
    /// [`Trouble`] when it does not get ready.
    pub fn start_hub(&mut self) -> Result<Value, Trouble> {
        let file = self.write("hub.toml", &self.hub_config()?)?;
        let mut hub = Process::start_with(
            "the hub",
            &program("privet-hub")?,
            &["--config".as_ref(), file.as_os_str(), "run".as_ref(), "--json".as_ref()],
            &self.hub_environment,
            &self.folder.join("hub.log"),
        )?;
        let ready = hub.ready(READY)?;
        self.hub = Some(hub);
        Ok(ready)
    }

    fn hub_config(&self) -> Result<String, Trouble> {
        let relay = self.front.as_ref().or(self.relay_at.as_ref());
        let relay = relay.ok_or_else(|| Trouble::new("the relay was not started"))?;
        let Plan { name, relay_host, pre_roll_s, post_roll_s, max_clip_s, heartbeat_s, .. } = &self.plan;
        let mut config = format!(
            "name = {name:?}\ndata_dir = {:?}\nheartbeat_s = {heartbeat_s}\n\
             [relay]\nhost = \"{relay_host}\"\nport = {}\npin = \"{}\"\n\
             [recording]\npre_roll_s = {pre_roll_s}\npost_roll_s = {post_roll_s}\nmax_clip_s = {max_clip_s}\nfree_space_floor_mib = 16\n",
            self.folder.join("hub"),
            relay.port,
            relay.pin,
        );
        for camera in &self.cameras {
            let _ = write!(
                config,
                "[[camera]]\nname = {:?}\nurl = {:?}\nmotion = {}\n",
                camera.name, camera.url, camera.motion
            );
            if let Some((user, password)) = &camera.credentials {
                let _ = write!(config, "username = {user:?}\npassword = {password:?}\n");
            }
            if let Some(sub_url) = &camera.sub_url {
                let _ = writeln!(config, "sub_url = {sub_url:?}");
            }
            let _ = writeln!(config, "{}", camera.lines);
        }
        config.push_str(&self.plan.hub_tables);
        Ok(config)
    }

    /// Runs a command of the hub's command line, with `--json`.
    ///
    /// # Errors
    /// [`Trouble`] when it is not done in time; an exit code is in [`Said`].
    pub fn hub_says(&self, words: &[&str]) -> Result<Said, Trouble> {
        let config = self.folder.join("hub.toml");
        let mut arguments = vec!["--config".as_ref(), config.as_os_str()];
        arguments.extend(words.iter().map(OsStr::new));
        arguments.push("--json".as_ref());
        run(&program("privet-hub")?, &arguments, COMMAND)
    }

    /// A new pairing code; a phone can use it when this returns. It is good for as long as it is held.
    ///
    /// # Errors
    /// [`Trouble`] when the hub does not make one, or the relay does not take it.
    pub fn invite(&self) -> Result<Invitation, Trouble> {
        self.invite_for(600)
    }

    /// A new pairing code that is good for so many seconds.
    ///
    /// # Errors
    /// As [`House::invite`].
    pub fn invite_for(&self, seconds: u64) -> Result<Invitation, Trouble> {
        let config = self.folder.join("hub.toml");
        let seconds = seconds.to_string();
        let words = [
            "--config".as_ref(),
            config.as_os_str(),
            "pair".as_ref(),
            "--json".as_ref(),
            "--ttl".as_ref(),
            seconds.as_ref(),
        ];
        let mut process = Process::start("pairing", &program("privet-hub")?, &words, &self.folder.join("pair.log"))?;
        let code = text(&process.wait_for(READY, |line| line["is"] == "code")?, "code")?;
        process.wait_for(READY, |line| line["is"] == "ready")?;
        Ok(Invitation { code, process })
    }

    /// A phone that belongs to nobody yet.
    pub fn phone(&self, name: &str) -> Phone {
        Phone { folder: self.folder.join(format!("phone-{name}")), name: name.into(), environment: Vec::new() }
    }

    /// A phone that is paired, and whose safety number is the hub's.
    ///
    /// # Errors
    /// [`Trouble`] when pairing fails.
    pub fn pair(&self, name: &str) -> Result<Phone, Trouble> {
        let phone = self.phone(name);
        let mut invitation = self.invite()?;
        let joined = phone.pair(invitation.code())?.first().map_err(|e| e.during("pairing"))?;
        let seen = invitation.joined()?;
        if seen["safety_number"] != joined["safety_number"] {
            return Err(Trouble::new(format!("the hub and '{name}' show different safety numbers: {seen} {joined}")));
        }
        Ok(phone)
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, Trouble> {
        let file = self.folder.join(name);
        fs::write(&file, text).map_err(|e| Trouble::new(format!("{}: {e}", file.display())))?;
        Ok(file)
    }
}

/// A pairing code that the hub shows.
pub struct Invitation {
    code: String,
    process: Process,
}

impl Invitation {
    /// The code's text.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Waits until the hub says that a phone joined with it.
    ///
    /// # Errors
    /// [`Trouble`] when none does in time.
    pub fn joined(&mut self) -> Result<Value, Trouble> {
        self.process.wait_for(READY, |line| line["is"] == "joined")
    }

    /// Waits for the hub's next word on it that `wanted` accepts.
    ///
    /// # Errors
    /// [`Trouble`] when there is none in time.
    pub fn wait_for(&mut self, wanted: impl FnMut(&Value) -> bool) -> Result<Value, Trouble> {
        self.process.wait_for(READY, wanted)
    }
}

/// A phone: `privet-viewer` with a folder of its own.
#[derive(Clone, Debug)]
pub struct Phone {
    folder: PathBuf,
    name: String,
    /// What its program has in its environment beside the usual: `LD_PRELOAD`, say.
    pub environment: Vec<(String, OsString)>,
}

impl Phone {
    /// What the others see it as.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Joins a home with the text or the picture of a pairing code.
    ///
    /// # Errors
    /// [`Trouble`] when it is not done in time; an exit code is in [`Said`].
    pub fn pair(&self, code: &str) -> Result<Said, Trouble> {
        self.says(&["pair", code, "--name", &self.name])
    }

    /// Runs a command of the viewer, with `--json`.
    ///
    /// # Errors
    /// [`Trouble`] when it is not done in time; an exit code is in [`Said`].
    pub fn says(&self, words: &[&str]) -> Result<Said, Trouble> {
        self.says_within(words, COMMAND)
    }

    /// The same, within `bound`.
    ///
    /// # Errors
    /// [`Trouble`] when it is not done in time; an exit code is in [`Said`].
    pub fn says_within(&self, words: &[&str], bound: Duration) -> Result<Said, Trouble> {
        run_with(&program("privet-viewer")?, &self.arguments(words), &self.environment, bound)
    }

    /// Starts a command of the viewer that goes on.
    ///
    /// # Errors
    /// [`Trouble`] when it can't be started.
    pub fn start(&self, words: &[&str]) -> Result<Process, Trouble> {
        let log = self.folder.with_extension("log");
        Process::start_with(&self.name, &program("privet-viewer")?, &self.arguments(words), &self.environment, &log)
    }

    /// The finished clips it knows, newest first, of one camera or all.
    ///
    /// # Errors
    /// [`Trouble`] when it can't say.
    pub fn clips(&self, camera: Option<&str>) -> Result<Vec<Value>, Trouble> {
        let mut words = vec!["clips"];
        words.extend(camera.iter().flat_map(|camera| ["--camera", camera]));
        let said = self.says(&words)?.ok()?;
        Ok(said.lines.into_iter().filter(|clip| clip["finished"] == true).collect())
    }

    fn arguments(&self, words: &[&str]) -> Vec<OsString> {
        let mut arguments = vec!["--home".into(), self.folder.clone().into_os_string(), "--json".into()];
        arguments.extend(words.iter().map(Into::into));
        arguments
    }
}

/// Starts `privet-fake-camera`.
///
/// # Errors
/// [`Trouble`] when it does not get ready.
pub fn fake_camera(
    folder: &Path,
    name: &str,
    password: Option<&str>,
    more: &[&str],
) -> Result<(Process, Camera), Trouble> {
    let mut arguments = vec!["--name", name];
    if !more.contains(&"--port") {
        arguments.extend(["--port", "0"]);
    }
    arguments.extend(password.iter().flat_map(|password| ["--password", password]));
    arguments.extend(more);
    let log = folder.join(format!("camera-{name}.log"));
    let mut camera = Process::start(&format!("camera {name}"), &program("privet-fake-camera")?, &arguments, &log)?;
    let ready = camera.ready(READY)?;
    let credentials = password.map(|password| ("admin".to_string(), password.to_string()));
    let sub_url = ready["sub_url"].as_str().map(str::to_owned);
    let url = text(&ready, "url")?;
    Ok((camera, Camera { name: name.into(), url, credentials, motion: true, sub_url, lines: String::new() }))
}

/// Starts `privet-raw-camera`; [`Process::tell`] switches its faults.
///
/// # Errors
/// [`Trouble`] when it does not get ready.
pub fn raw_camera(folder: &Path, name: &str, more: &[&str]) -> Result<(Process, Camera), Trouble> {
    let log = folder.join(format!("camera-{name}.log"));
    let mut camera = Process::start(&format!("camera {name}"), &program("privet-raw-camera")?, more, &log)?;
    let url = camera.line(READY)?;
    let (credentials, sub_url) = (None, None);
    Ok((camera, Camera { name: name.into(), url, credentials, motion: true, sub_url, lines: String::new() }))
}

/// A text field of a line of JSON.
///
/// # Errors
/// [`Trouble`] with the line when it has none.
pub fn text(line: &Value, key: &str) -> Result<String, Trouble> {
    line[key].as_str().map(str::to_owned).ok_or_else(|| Trouble::new(format!("no text '{key}' in {line}")))
}
