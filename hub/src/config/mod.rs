//! The hub's configuration: one TOML file, defaults that work, errors that name file, line, key and what is allowed.
//! Page: `docs/reference/hub-config.md`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

mod error;

pub use error::ConfigError;

/// Where the file is looked for when none is named.
pub const DEFAULT_PATH: &str = "/etc/privet/hub.toml";
/// Most cameras a hub takes.
const MAX_CAMERAS: usize = 256;

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
    /// Seconds between signs of life in the log while connected.
    #[serde(default = "default_heartbeat")]
    pub heartbeat_s: u64,
    /// What is logged: a level, or `tracing` directives.
    #[serde(default = "default_log")]
    pub log: String,
    /// The cameras.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<Camera>,
}

/// The relay that carries everything out of the house.
#[derive(Clone, Debug, Deserialize)]
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
    /// The operator's invite, where the relay asks for one.
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
            relay_keeps_days: 30,
        }
    }
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
    /// User name at the camera.
    pub username: Option<String>,
    /// Password at the camera.
    password: Option<Zeroizing<String>>,
    /// File whose first line is the password.
    password_file: Option<PathBuf>,
    /// Pass the sound on (AAC).
    #[serde(default = "yes")]
    pub audio: bool,
    /// Make clips of what moves.
    #[serde(default = "yes")]
    pub motion: bool,
    /// How small a thing counts, from 1 (large ones) to 10 (small ones).
    #[serde(default = "default_sensitivity")]
    pub sensitivity: u8,
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
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ConfigError::Unreadable { file: path.to_owned(), cause: cause.to_string() })?;
        let mut config = Self::parse(path, &text)?;
        for (place, camera) in config.cameras.iter_mut().enumerate() {
            camera.read_password(path, place)?;
        }
        Ok(config)
    }

    /// Checks the text of `path` without reading any other file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|e| ConfigError::from_toml(path, text, &e))?;
        match config.fault() {
            None => Ok(config),
            Some(fault) => Err(fault.at(path, text)),
        }
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
        let recording = &self.recording;
        let fault = |key: &str, found: &dyn ToString, allowed: &str| Some(Fault::new(key, found.to_string(), allowed));
        if !(1..=64).contains(&self.name.chars().count()) {
            return fault("name", &self.name, "1 to 64 characters");
        }
        if relay.host.is_empty() || relay.host.len() > 253 || relay.host.contains([' ', '/', '@']) {
            return fault("relay.host", &relay.host, "a host name or an IP address, such as relay.example.org");
        }
        if relay.port == 0 {
            return fault("relay.port", &relay.port, "1 to 65535");
        }
        match (&relay.pin, relay.webpki) {
            (Some(pin), false) if self.relay_pin().is_none() => {
                return fault("relay.pin", pin, "64 hexadecimal digits, as `privet-relay` prints them at its start");
            }
            (Some(_), true) => return fault("relay.webpki", &true, "either `pin` or `webpki = true`, not both"),
            (None, false) => {
                return fault("relay.pin", &"nothing", "`pin = \"64 hexadecimal digits\"` or `webpki = true`");
            }
            _ => {}
        }
        for (key, value, range) in [
            ("recording.pre_roll_s", u64::from(recording.pre_roll_s), 0..=60),
            ("recording.post_roll_s", u64::from(recording.post_roll_s), 1..=300),
            ("recording.max_clip_s", u64::from(recording.max_clip_s), 10..=3600),
            ("recording.free_space_floor_mib", recording.free_space_floor_mib, 16..=1 << 30),
            ("recording.pre_roll_mib", u64::from(recording.pre_roll_mib), 8..=1024),
            ("recording.relay_keeps_days", u64::from(recording.relay_keeps_days), 1..=3650),
            ("heartbeat_s", self.heartbeat_s, 1..=86_400),
        ] {
            if !range.contains(&value) {
                return fault(key, &value, &format!("{} to {}", range.start(), range.end()));
            }
        }
        if self.log.parse::<tracing_subscriber::filter::Targets>().is_err() {
            return fault("log", &self.log, "error, warn, info, debug, trace, or directives such as privet_hub=debug");
        }
        if self.cameras.len() > MAX_CAMERAS {
            return fault("camera", &self.cameras.len(), "at most 256 cameras");
        }
        let mut names = HashSet::new();
        for (place, camera) in self.cameras.iter().enumerate() {
            if let Some(fault) = camera.fault() {
                return Some(fault.of_camera(place));
            }
            if !names.insert(&camera.name) {
                let allowed = "a name that no other camera has";
                return Some(Fault::new("name", camera.name.clone(), allowed).of_camera(place));
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
        let fault = |key: &str, found: &str, allowed: &str| Some(Fault::new(key, found.to_owned(), allowed));
        if !(1..=64).contains(&self.name.chars().count()) || self.name.chars().any(char::is_control) {
            return fault("name", &self.name, "1 to 64 characters");
        }
        let rtsp = "rtsp://host[:port]/path";
        match url::Url::parse(&self.url) {
            // What stands in the URL is not repeated: it might hold the password.
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                return fault(
                    "url",
                    "a URL with user and password",
                    "a URL without them; use `username` and `password`",
                );
            }
            Ok(url) if url.scheme() == "rtsp" && url.host().is_some() => {}
            Ok(url) if url.scheme() == "rtsps" => {
                return fault(
                    "url",
                    "rtsps",
                    "rtsp: cameras over TLS are not supported; keep the camera's network to itself",
                );
            }
            _ => return fault("url", "something else", rtsp),
        }
        if self.password.is_some() && self.password_file.is_some() {
            return fault("password_file", "a second password", "either `password` or `password_file`");
        }
        if self.username.is_none() && (self.password.is_some() || self.password_file.is_some()) {
            return fault("username", "nothing", "a user name beside the password");
        }
        if !(1..=10).contains(&self.sensitivity) {
            return fault("sensitivity", &self.sensitivity.to_string(), "1 to 10");
        }
        None
    }

    fn read_password(&mut self, config: &Path, place: usize) -> Result<(), ConfigError> {
        let Some(file) = &self.password_file else { return Ok(()) };
        let file = config.parent().unwrap_or(Path::new("")).join(file);
        let text = std::fs::read_to_string(&file).map(Zeroizing::new).map_err(|cause| ConfigError::PasswordFile {
            file: config.to_owned(),
            camera: self.name.clone(),
            place: place + 1,
            password_file: file.clone(),
            cause: cause.to_string(),
        })?;
        self.password = Some(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()));
        Ok(())
    }
}

/// A value that is of the right type and still not allowed.
struct Fault {
    camera: Option<usize>,
    key: String,
    found: String,
    allowed: String,
}

impl Fault {
    fn new(key: &str, found: String, allowed: &str) -> Self {
        Self { camera: None, key: key.into(), found: found.chars().take(80).collect(), allowed: allowed.into() }
    }

    fn of_camera(mut self, place: usize) -> Self {
        self.camera = Some(place);
        self
    }

    fn at(self, path: &Path, text: &str) -> ConfigError {
        let key = match self.camera {
            Some(_) => format!("camera.{}", self.key),
            None => self.key.clone(),
        };
        let line = error::line_of(text, &key, self.camera.unwrap_or(0));
        ConfigError::NotAllowed { file: path.to_owned(), line, key, found: self.found, allowed: self.allowed }
    }
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

fn default_sensitivity() -> u8 {
    5
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests;
