//! The hub's configuration: one TOML file, defaults that work, errors that name file, line, key and what is allowed.
//! Page: `docs/reference/hub-config.md`.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use privet_config::ConfigError;
use privet_config::{Fault, Form, Number};
use serde::Deserialize;
use zeroize::Zeroizing;

mod constant_rate;
mod motion;
mod notifications;
mod outside;

pub use constant_rate::ConstantRate;
use motion::Outline;
pub use notifications::Notifications;
pub use outside::{Metrics, Mqtt};

use crate::motion::{Expert, Sensitivity};
use crate::outbox::retention::Policy;
use crate::recorder::Record;

/// Where the file is looked for when none is named.
pub const DEFAULT_PATH: &str = "/etc/privet/hub.toml";
/// Most cameras a hub takes.
const MAX_CAMERAS: usize = 256;

/// Keys and what may stand there; the other numbers are in [`RANGES`].
const KEYS: &[(&str, &str)] = &[
    ("name", "1 to 64 characters, in quotes"),
    ("data_dir", "a directory, in quotes"),
    ("relay", "a table, `[relay]`, with host and pin"),
    (
        "relay.host",
        "a host name or an IP address in quotes, such as \"relay.example.org\"; the port goes to relay.port",
    ),
    (
        "relay.pin",
        "64 hexadecimal digits in quotes, as `privet-relay` prints them at its start, or relay.webpki = true",
    ),
    ("relay.webpki", "true or false; either relay.pin or relay.webpki = true"),
    ("relay.invite", "a text in quotes: what the relay's operator gave you"),
    ("recording", "a table, `[recording]`"),
    ("log", "error, warn, info, debug, trace, or directives such as privet_hub=debug, in quotes"),
    ("camera", "tables, `[[camera]]`, 256 at most, each with name and url"),
    ("camera.name", "1 to 64 characters in quotes, a name that no other camera has"),
    ("camera.url", "\"rtsp://host[:port]/path\", without user and password"),
    (
        "camera.sub_url",
        "\"rtsp://host[:port]/path\" of the camera's smaller stream, without user and password, other than camera.url",
    ),
    ("camera.username", "a text in quotes, beside the password"),
    ("camera.password", "a text in quotes; either password or password_file"),
    (
        "camera.password_file",
        "a file, relative to the configuration, whose first line is the password; either password or password_file",
    ),
    ("camera.audio", "true or false"),
    ("camera.motion", "true or false"),
    ("camera.record", "\"events\", \"continuous\" or \"off\""),
];

/// The numbers of the configuration outside `[[camera]]`, each with what it may be.
const RANGES: &[Number<Config>] = &[
    ("heartbeat_s", |c| c.heartbeat_s, 1..=86_400),
    ("relay.port", |c| c.relay.port.into(), 1..=65_535),
    ("mqtt.port", |c| c.mqtt.as_ref().map_or(1883, Mqtt::port).into(), 1..=65_535),
    ("recording.pre_roll_s", |c| c.recording.pre_roll_s.into(), 0..=60),
    ("recording.post_roll_s", |c| c.recording.post_roll_s.into(), 1..=300),
    ("recording.max_clip_s", |c| c.recording.max_clip_s.into(), 10..=3600),
    ("recording.free_space_floor_mib", |c| c.recording.free_space_floor_mib, 16..=1 << 30),
    ("recording.pre_roll_mib", |c| c.recording.pre_roll_mib.into(), 8..=1024),
    ("recording.keep_days", |c| c.recording.keep_days.into(), 1..=3650),
    ("recording.keep_gib", |c| c.recording.keep_gib, 0..=1 << 20),
    ("recording.relay_keeps_days", |c| c.recording.relay_keeps_days.into(), 1..=3650),
    ("constant_rate.kbit_s", |c| rate(c).kbit_s, 16..=100_000),
    ("constant_rate.every_ms", |c| rate(c).every_ms, 100..=60_000),
    ("constant_rate.entry_s", |c| rate(c).entry_s, 1..=3_600),
    ("constant_rate.entry_kib", |c| rate(c).entry_kib, 4..=24),
    ("constant_rate.keep_h", |c| rate(c).keep_h, 1..=8_760),
    ("notifications.offline_grace_s", |c| c.notifications.offline_grace_s, 5..=86_400),
    ("notifications.relay_grace_s", |c| c.notifications.relay_grace_s, 5..=86_400),
    ("notifications.disk_margin_mib", |c| c.notifications.disk_margin_mib, 0..=1 << 30),
];

/// Keys whose values no error repeats, nor those of what holds them.
const SECRETS: &[&str] =
    &["mqtt", "relay", "relay.invite", "camera", "camera.url", "camera.sub_url", "camera.password"];

const FORM: Form<Config> = Form {
    named_with: "--config or PRIVET_HUB_CONFIG",
    keys: &[KEYS, constant_rate::KEYS, motion::KEYS, notifications::KEYS, outside::KEYS],
    numbers: RANGES,
    lists: &["camera"],
    named: &["camera.zones", "camera.masks"],
    secrets: SECRETS,
};

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// What phones call this home.
    #[serde(default = "default_name")]
    pub name: String,
    /// Where keys, state and clips not yet sent are kept.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    /// The relay.
    pub relay: Relay,
    /// When and how long is recorded.
    #[serde(default)]
    pub recording: Recording,
    /// When the hub tells of itself and its cameras.
    #[serde(default)]
    pub notifications: Notifications,
    /// Seconds between signs of life in the log while connected.
    #[serde(default = "default_heartbeat")]
    pub heartbeat_s: u64,
    /// What is logged: a level, or `tracing` directives.
    #[serde(default = "default_log")]
    pub log: String,
    /// How much is sent whether something happens or not, if that shall be.
    pub constant_rate: Option<ConstantRate>,
    /// The broker that home automation listens to, if any.
    pub mqtt: Option<Mqtt>,
    /// Numbers for Prometheus, if anybody wants them.
    pub metrics: Option<Metrics>,
    /// The cameras.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<Camera>,
}

/// The relay that carries everything out of the house.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Relay {
    /// Name or address, as phones can reach it too.
    pub host: String,
    /// UDP port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// SHA-256 of the relay's public key, 64 hexadecimal digits, as it prints at its start.
    pub pin: Option<String>,
    /// Trust the certificate authorities of the system instead of a pin.
    #[serde(default)]
    pub webpki: bool,
    /// The operator's invite or token, where the relay asks for one.
    pub invite: Option<String>,
}

/// When and how long is recorded, and how much room is left alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Recording {
    /// Seconds of video before the motion.
    pub pre_roll_s: u32,
    /// Seconds after the motion; motion within them extends the same clip.
    pub post_roll_s: u32,
    /// Seconds after which a clip that goes on and on is continued in a new one.
    pub max_clip_s: u32,
    /// Mebibytes on the disk below which recording stops with an alarm.
    pub free_space_floor_mib: u64,
    /// Mebibytes of memory a camera's pre-roll may take.
    pub pre_roll_mib: u32,
    /// Days after which a clip is forgotten, unless it is pinned.
    pub keep_days: u32,
    /// Gibibytes that clips which are not pinned take at most; 0: as much as the disk has room for.
    pub keep_gib: u64,
    /// Days the relay keeps a clip that a phone has not fetched.
    pub relay_keeps_days: u32,
}

impl Default for Recording {
    fn default() -> Self {
        Self {
            pre_roll_s: 5,
            post_roll_s: 10,
            max_clip_s: 300,
            free_space_floor_mib: 512,
            pre_roll_mib: 32,
            keep_days: 30,
            keep_gib: 0,
            relay_keeps_days: 30,
        }
    }
}

/// Room above the floor that clips which the relay has make for new ones, in bytes: some seconds of many cameras.
const ROOM_WANTED: u64 = 256 << 20;

impl Recording {
    /// Which clips go, and when.
    pub fn policy(&self) -> Policy {
        let keep_bytes = (self.keep_gib > 0).then_some(self.keep_gib << 30);
        Policy { keep: days(self.keep_days), keep_bytes, room: ROOM_WANTED }
    }
}

/// So many days.
pub fn days(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 86_400)
}

/// A camera.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Camera {
    /// What the family calls it; also how the hub knows it again, so a new name is a new camera.
    pub name: String,
    /// `rtsp://host[:port]/path`, without user and password.
    pub url: String,
    /// The camera's smaller stream, where motion is found; the same user and password.
    pub sub_url: Option<String>,
    /// User name at the camera.
    pub username: Option<String>,
    /// Password at the camera.
    password: Option<Zeroizing<String>>,
    /// File whose first line is the password.
    password_file: Option<PathBuf>,
    /// Pass the sound on (AAC).
    #[serde(default = "yes")]
    pub audio: bool,
    /// Look for what moves.
    #[serde(default = "yes")]
    pub motion: bool,
    /// What is kept of it.
    #[serde(default)]
    pub record: Record,
    /// How small a thing counts.
    #[serde(default)]
    pub sensitivity: Sensitivity,
    /// Where motion counts; none: the whole frame.
    #[serde(default)]
    zones: BTreeMap<String, Outline>,
    /// Where none counts.
    #[serde(default)]
    masks: BTreeMap<String, Outline>,
    /// The detector's expert keys.
    #[serde(default)]
    pub detector: Expert,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the invite.
        f.debug_struct("Relay").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Camera {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Camera").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Config {
    /// Reads and checks the file, and the password files that it names.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = FORM.read(path)?;
        let mut config = Self::parse(path, &text)?;
        for (place, camera) in config.cameras.iter_mut().enumerate() {
            camera.read_password(path).map_err(|fault| FORM.refused(path, &text, fault.of_item(place)))?;
        }
        if let Some(mqtt) = &mut config.mqtt {
            let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
            mqtt.read_files(path, credentials.as_deref()).map_err(|fault| FORM.refused(path, &text, fault))?;
        }
        Ok(config)
    }

    /// Checks the text of `path` without reading any other file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        FORM.parse(path, text, Self::fault)
    }

    /// The pin of the relay, if the configuration holds one.
    pub fn relay_pin(&self) -> Option<[u8; 32]> {
        let text = self.relay.pin.as_deref()?;
        data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
    }

    /// The time between signs of life.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_secs(self.heartbeat_s)
    }

    fn fault(&self) -> Option<Fault> {
        let relay = &self.relay;
        let fault = |key: &str, found: &str| Some(fault_at(key, found));
        if !is_name(&self.name) {
            return fault("name", &length(&self.name));
        }
        if self.data_dir.as_os_str().is_empty() {
            return fault("data_dir", "empty");
        }
        if !is_host(&relay.host) {
            return fault("relay.host", &format!("{:?}", relay.host));
        }
        match (&relay.pin, relay.webpki) {
            (Some(pin), false) if self.relay_pin().is_none() => return fault("relay.pin", &format!("{pin:?}")),
            (Some(_), true) => return fault("relay.webpki", "true beside a relay.pin"),
            (None, false) => return fault("relay.pin", "missing"),
            _ => {}
        }
        if relay.invite.as_ref().is_some_and(String::is_empty) {
            return fault("relay.invite", "empty");
        }
        if let Some(fault) = FORM.number_out_of_bounds(self) {
            return Some(fault);
        }
        if let Some(fault) = self.constant_rate.as_ref().and_then(ConstantRate::fault) {
            return Some(fault);
        }
        if let Some(fault) = self.mqtt.as_ref().and_then(Mqtt::fault) {
            return Some(fault);
        }
        if self.log.is_empty() || self.log.parse::<tracing_subscriber::filter::Targets>().is_err() {
            return fault("log", &format!("{:?}", self.log));
        }
        if self.cameras.len() > MAX_CAMERAS {
            return fault("camera", &format!("there {} times", self.cameras.len()));
        }
        let mut names = HashSet::new();
        for (place, camera) in self.cameras.iter().enumerate() {
            if let Some(fault) = camera.fault() {
                return Some(fault.of_item(place));
            }
            if !names.insert(&camera.name) {
                return Some(fault_at("camera.name", &format!("{:?} a second time", camera.name)).of_item(place));
            }
        }
        None
    }
}

impl Camera {
    /// The password, from the file or beside the name.
    pub fn password(&self) -> Option<Zeroizing<String>> {
        self.password.clone()
    }

    fn fault(&self) -> Option<Fault> {
        let fault = |key: &str, found: &str| Some(fault_at(key, found));
        if !is_name(&self.name) {
            return fault("camera.name", &length(&self.name));
        }
        if let Some(fault) = url_fault("camera.url", &self.url) {
            return Some(fault);
        }
        if let Some(sub_url) = &self.sub_url {
            if let Some(fault) = url_fault("camera.sub_url", sub_url) {
                return Some(fault);
            }
            if *sub_url == self.url {
                return fault("camera.sub_url", "camera.url again");
            }
        }
        if self.password.is_some() && self.password_file.is_some() {
            return fault("camera.password_file", "a second password");
        }
        if self.password.as_ref().is_some_and(|password| password.is_empty()) {
            return fault("camera.password", "empty");
        }
        if self.username.is_none() && (self.password.is_some() || self.password_file.is_some()) {
            return fault("camera.username", "missing");
        }
        self.motion_fault()
    }

    fn read_password(&mut self, config: &Path) -> Result<(), Fault> {
        let Some(file) = &self.password_file else { return Ok(()) };
        let file = config.parent().unwrap_or(Path::new("")).join(file);
        self.password = Some(first_line("camera.password_file", &file)?);
        Ok(())
    }
}

/// What is wrong with a camera's URL. What stands in it is not repeated: it might hold the password.
fn url_fault(key: &str, text: &str) -> Option<Fault> {
    match url::Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            let allowed = "a URL without them; use camera.username and camera.password";
            Some(Fault::new(key, "a URL with user and password").instead(allowed))
        }
        Ok(url) if url.scheme() == "rtsp" && url.host().is_some() => None,
        Ok(url) if url.scheme() == "rtsps" => {
            let allowed = "rtsp: cameras over TLS are not supported; keep the camera's network to itself";
            Some(Fault::new(key, "rtsps").instead(allowed))
        }
        Ok(_) => Some(fault_at(key, "another URL")),
        Err(_) => Some(fault_at(key, "no URL")),
    }
}

/// The constant rate, or what it would be.
fn rate(config: &Config) -> ConstantRate {
    config.constant_rate.clone().unwrap_or_default()
}

/// A fault that stays one short line, whatever the file holds.
fn fault_at(key: &str, found: &str) -> Fault {
    Fault::new(key, found.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
}

/// The first line of a file that a key names: a password.
fn first_line(key: &str, file: &Path) -> Result<Zeroizing<String>, Fault> {
    let fault = |cause: &str| fault_at(key, &format!("{} ({cause})", file.display()));
    let text = std::fs::read_to_string(file).map(Zeroizing::new).map_err(|e| fault(&e.to_string()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() { Err(fault("its first line is empty")) } else { Ok(Zeroizing::new(line.to_owned())) }
}

/// A name or an address, without a port.
fn is_host(text: &str) -> bool {
    let host = text.trim_start_matches('[').trim_end_matches(']');
    let address = !host.contains(':') || host.parse::<std::net::Ipv6Addr>().is_ok();
    (1..=253).contains(&host.len()) && !host.contains(char::is_whitespace) && !host.contains(['/', '@']) && address
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// Why a text is no name, for an error.
fn length(text: &str) -> String {
    if text.chars().any(char::is_control) {
        return "a text with control characters".into();
    }
    format!("a text of {} characters", text.chars().count())
}

fn default_name() -> String {
    "Home".into()
}

fn default_data_dir() -> PathBuf {
    "/var/lib/privet".into()
}

fn default_port() -> u16 {
    4433
}

fn default_heartbeat() -> u64 {
    60
}

fn default_log() -> String {
    "info".into()
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
