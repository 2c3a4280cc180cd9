//! Why the broker is not connected, so that its owner knows what to do.

use std::path::PathBuf;

/// Why there is no connection to the broker, or not any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Nobody answers at the address.
    #[error("the broker can't be reached: {cause}; check mqtt.host and mqtt.port, and that it runs")]
    Unreachable {
        /// What the system said.
        cause: String,
    },
    /// It does not speak TLS as it should, or is not who it should be.
    #[error(
        "TLS with the broker failed: {cause}; check mqtt.tls, mqtt.ca and that mqtt.host is the name in its certificate"
    )]
    Tls {
        /// What TLS said.
        cause: String,
    },
    /// It does not know the user, or not with this password.
    #[error("the broker refuses user and password; check mqtt.username and mqtt.password_file")]
    Login,
    /// It refuses for another reason.
    #[error("the broker refuses the connection: {cause}; see its log")]
    Refused {
        /// What it said.
        cause: String,
    },
    /// What came is not MQTT 3.1.1.
    #[error("what answers does not speak MQTT: {cause}; check mqtt.port and mqtt.tls")]
    NotMqtt {
        /// What was wrong.
        cause: String,
    },
    /// It took the connection and is silent, or takes nothing.
    #[error("the broker does not answer any more ({doing})")]
    Silent {
        /// What was waited for.
        doing: &'static str,
    },
    /// It ended the connection.
    #[error("the broker ended the connection{}{cause}", if cause.is_empty() { "" } else { ": " })]
    Closed {
        /// What the system said.
        cause: String,
    },
}

/// Why the way to the broker can't be used at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The authority's file holds no certificate.
    #[error("mqtt.ca {} holds no certificate that can be used: {cause}; name a PEM file with the authority's certificate", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The system's authorities can't be used.
    #[error("the system's certificate authorities can't be used: {cause}; install ca-certificates or name mqtt.ca")]
    System {
        /// What the system said.
        cause: String,
    },
    /// The host is neither a name nor an address.
    #[error("mqtt.host {host:?} is neither a name nor an address that a certificate could hold")]
    Host {
        /// What stands there.
        host: String,
    },
}
