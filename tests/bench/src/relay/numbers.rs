//! A relay's own numbers, from the page that it has for Prometheus.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use privet_demo::Trouble;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::trouble;

/// For an answer of a relay that is busy with others.
const PATIENCE: Duration = Duration::from_secs(10);

/// A free address for a relay's page.
pub fn address() -> Result<SocketAddr, Trouble> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(trouble)?;
    listener.local_addr().map_err(trouble)
}

/// The page, as it was when it was read.
#[derive(Debug)]
pub struct Numbers(String);

impl Numbers {
    /// Reads the page at this address.
    pub async fn read(at: SocketAddr) -> Result<Self, Trouble> {
        timeout(PATIENCE, fetch(at)).await.map_err(|_| Trouble::new(format!("no page of numbers came from {at}")))?
    }

    /// The number of this name; with several labels the sum over all, with `name{label="word"}` that of one.
    pub fn of(&self, name: &str) -> Result<f64, Trouble> {
        let samples = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix(name).filter(|rest| rest.starts_with(['{', ' ']))?;
            rest.rsplit(' ').next()?.parse::<f64>().ok()
        });
        let samples: Vec<f64> = samples.collect();
        if samples.is_empty() {
            return Err(Trouble::new(format!("the relay's page has no number {name}")));
        }
        Ok(samples.iter().sum())
    }
}

async fn fetch(at: SocketAddr) -> Result<Numbers, Trouble> {
    let mut stream = TcpStream::connect(at).await.map_err(trouble)?;
    let request = b"GET /metrics HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n";
    stream.write_all(request).await.map_err(trouble)?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await.map_err(trouble)?;
    Ok(Numbers(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_whole_name() -> Result<(), Trouble> {
        let page = "# TYPE privet_relay_homes gauge\nprivet_relay_homes 3.0\nprivet_relay_homes_in_memory 2.0\n\
                    privet_relay_connections{kind=\"owner\"} 4.0\nprivet_relay_connections{kind=\"member\"} 100.0\n";
        let numbers = Numbers(page.into());
        assert_eq!(numbers.of("privet_relay_homes")?, 3.0);
        assert_eq!(numbers.of("privet_relay_connections")?, 104.0);
        assert_eq!(numbers.of("privet_relay_connections{kind=\"owner\"}")?, 4.0);
        assert!(numbers.of("privet_relay_home").is_err());
        Ok(())
    }
}
