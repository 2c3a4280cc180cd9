//! The connection to a camera, made by the hub: it resolves the name and connects, reads no byte, and hands the connection over.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::net::{TcpSocket, lookup_host};
use tokio::time::timeout;
use url::{Host, Url};

use super::OfflineReason;

const RESOLVE: Duration = Duration::from_secs(5);
const CONNECT: Duration = Duration::from_secs(5);
const MAX_ADDRESSES: usize = 3;
const RTSP_PORT: u16 = 554;
/// What the kernel keeps for a camera: 40 ms at 50 Mbit/s, and all that a hostile one can make the worker read in one go.
const RECEIVE_BUFFER: u32 = 256 << 10;

/// A checked camera URL.
#[derive(Clone, Debug)]
pub(super) struct Target {
    url: Url,
    host: String,
    port: u16,
}

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, OfflineReason> {
        let bad =
            |shown: &str, detail: &str| OfflineReason::BadUrl { url: shown.to_owned(), detail: detail.to_owned() };
        // Never show what may hold a password.
        let url = Url::parse(text).map_err(|e| bad("(not shown)", &e.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("(not shown)", "user and password belong in settings of their own, not in the URL"));
        }
        if url.scheme() != "rtsp" {
            return Err(bad(text, "the scheme must be rtsp"));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(bad(text, "it names no host")),
        };
        let port = url.port().unwrap_or(RTSP_PORT);
        Ok(Self { url, host, port })
    }

    /// The URL for the worker, which can't resolve names: with the address in the name's place.
    pub(super) fn url_at(&self, address: IpAddr) -> String {
        let mut url = self.url.clone();
        // An rtsp URL takes an IP address for a host.
        let _ = url.set_host(Some(&match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        }));
        url.into()
    }

    /// A connection, and where to.
    pub(super) async fn connect(&self) -> Result<(OwnedFd, SocketAddr), OfflineReason> {
        let unknown = |detail: String| OfflineReason::UnknownHost { host: self.host.clone(), detail };
        let addresses: Vec<SocketAddr> = match self.host.parse::<IpAddr>() {
            Ok(address) => vec![(address, self.port).into()],
            Err(_) => timeout(RESOLVE, lookup_host((self.host.as_str(), self.port)))
                .await
                .map_err(|_| unknown(format!("the name server did not answer within {RESOLVE:?}")))?
                .map_err(|e| unknown(e.to_string()))?
                .take(MAX_ADDRESSES)
                .collect(),
        };
        let mut failure = unknown("it has none".into());
        for address in addresses {
            match timeout(CONNECT, open(address)).await {
                Ok(Ok(socket)) => return Ok((socket, address)),
                Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => {
                    failure = OfflineReason::ConnectionRefused { address: address.to_string() };
                }
                Ok(Err(e)) => {
                    failure = OfflineReason::Unreachable { address: address.to_string(), detail: e.to_string() };
                }
                Err(_) => {
                    let detail = format!("no connection within {CONNECT:?}");
                    failure = OfflineReason::Unreachable { address: address.to_string(), detail };
                }
            }
        }
        Err(failure)
    }
}

async fn open(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_keepalive(true)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream.into_std()?.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn urls_that_are_none_of_a_camera_say_why_and_show_no_password() {
        for (url, word) in [
            ("http://192.0.2.1/", "scheme"),
            ("rtsp://user:secret@192.0.2.1/", "settings of their own"),
            ("camera", "not an RTSP URL"),
            ("rtsp:///x", "host"),
            ("rtsps://192.0.2.1/", "scheme"),
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.contains(word) && !error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn the_worker_gets_an_address_in_place_of_a_name() {
        let at = |url: &str, address: &str| Target::parse(url).unwrap().url_at(address.parse().unwrap());
        assert_eq!(at("rtsp://garden.local/a?b=c", "192.0.2.7"), "rtsp://192.0.2.7/a?b=c");
        assert_eq!(at("rtsp://garden.local:8554/a", "fe80::1"), "rtsp://[fe80::1]:8554/a");
    }
}
