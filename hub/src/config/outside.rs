//! Who outside the home's phones is told how things stand: `[mqtt]` and `[metrics]`. Neither exists without its table.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use privet_config::Fault;
use privet_mqtt::{Broker, BrokerError, Login};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{fault_at, first_line, is_host};

/// The credential of systemd that holds the broker's password.
const CREDENTIAL: &str = "privet-mqtt-password";
/// Where numbers are read when nothing else is said: what exporters use by convention starts at 9100.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Keys and what may stand there.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("mqtt", "a table, `[mqtt]`, with host"),
    (
        "mqtt.host",
        "a host name or an IP address in quotes, such as \"homeassistant.local\"; the port goes to mqtt.port",
    ),
    ("mqtt.tls", "true or false"),
    (
        "mqtt.ca",
        "a PEM file, relative to the configuration, with the authority of the broker's certificate; needs mqtt.tls = true",
    ),
    ("mqtt.username", "a text in quotes of 1 to 256 bytes; needed with a password"),
    ("mqtt.password_file", "a file, relative to the configuration, whose first line is the password"),
    ("mqtt.discovery_prefix", TOPIC),
    ("mqtt.base_topic", TOPIC),
    ("metrics", "a table, `[metrics]`"),
    ("metrics.listen", "an address with a port in quotes, such as \"127.0.0.1:9464\""),
];

const TOPIC: &str =
    "1 to 128 characters in quotes, no + # or control character, not beginning with $, no empty part between /";

/// The broker that home automation listens to.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Mqtt {
    /// Name or address.
    pub host: String,
    /// TCP port; 1883 if none is said, with TLS 8883.
    port: Option<u16>,
    /// Over TLS only.
    #[serde(default)]
    pub tls: bool,
    /// PEM file with the authority to believe, instead of the system's.
    ca: Option<PathBuf>,
    /// User at the broker.
    username: Option<String>,
    password_file: Option<PathBuf>,
    #[serde(skip)]
    password: Zeroizing<String>,
    /// Where Home Assistant looks for devices.
    #[serde(default = "default_discovery")]
    pub discovery_prefix: String,
    /// Where states stand.
    #[serde(default = "default_base")]
    pub base_topic: String,
}

/// Numbers for Prometheus.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Metrics {
    /// Where they are read.
    pub listen: SocketAddr,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { listen: LISTEN }
    }
}

impl std::fmt::Debug for Mqtt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mqtt").field("host", &self.host).field("port", &self.port()).finish_non_exhaustive()
    }
}

impl Mqtt {
    /// TCP port.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.tls { 8883 } else { 1883 })
    }

    /// The broker; an authority's file is read now.
    ///
    /// # Errors
    /// [`BrokerError`].
    pub fn broker(&self) -> Result<Broker, BrokerError> {
        let login = |username: &String| Login { username: username.clone(), password: self.password.clone() };
        let broker = Broker::new(&self.host, self.port(), self.username.as_ref().map(login));
        if self.tls { broker.over_tls(self.ca.as_deref()) } else { Ok(broker) }
    }

    pub(super) fn fault(&self) -> Option<Fault> {
        let fault = |key: &str, found: &str| Some(fault_at(key, found));
        if self.host.contains('@') {
            // It may hold the password.
            return fault("mqtt.host", "a text with @");
        }
        if !is_host(&self.host) {
            return fault("mqtt.host", &format!("{:?}", self.host));
        }
        for (key, topic) in [("mqtt.discovery_prefix", &self.discovery_prefix), ("mqtt.base_topic", &self.base_topic)] {
            if !is_topic(topic) {
                return fault(key, &format!("{topic:?}"));
            }
        }
        if self.ca.is_some() && !self.tls {
            return fault("mqtt.ca", "there without mqtt.tls = true");
        }
        if self.username.as_ref().is_some_and(|name| name.is_empty() || name.len() > 256) {
            return fault("mqtt.username", "empty or too long");
        }
        if self.username.is_none() && self.password_file.is_some() {
            return fault("mqtt.username", "missing");
        }
        None
    }

    /// Reads the files that it names, relative to the configuration, and what systemd gives.
    pub(super) fn read_files(&mut self, config: &Path, credentials: Option<&Path>) -> Result<(), Fault> {
        let beside = |file: &Path| config.parent().unwrap_or(Path::new("")).join(file);
        let credential = credentials.map(|folder| folder.join(CREDENTIAL)).filter(|file| file.exists());
        let file = self.password_file.as_deref().map(beside);
        if let Some(file) = file.or_else(|| credential.filter(|_| self.username.is_some())) {
            self.password = first_line("mqtt.password_file", &file)?;
        }
        self.ca = self.ca.as_deref().map(beside);
        self.broker().map_err(|error| {
            let key = if matches!(error, BrokerError::Authority { .. }) { "mqtt.ca" } else { "mqtt.tls" };
            Fault::new(key, "refused").instead(&error.to_string())
        })?;
        Ok(())
    }
}

fn is_topic(text: &str) -> bool {
    text.chars().count() <= 128
        && !text.starts_with('$')
        && !text.contains(['+', '#'])
        && !text.chars().any(char::is_control)
        && text.split('/').all(|part| !part.is_empty())
}

fn default_discovery() -> String {
    "homeassistant".into()
}

fn default_base() -> String {
    "privet".into()
}

#[cfg(test)]
#[path = "outside_tests.rs"]
mod tests;
