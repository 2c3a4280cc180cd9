//! The store that relays share, and the other relays, asked one after the other: who does not answer holds up the rest for some seconds.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use privet_protocol::random::{Random as _, SystemRandom};
use tokio::net::UdpSocket;

use super::{Finding, existing, shared_verdict as judge, verdict, writable};
use crate::config::{self, Config, ObjectsPlace, Storage};
use crate::nodes::{self, ClusterSecret, Listed, There};
use crate::storage::probe::{self, Told, Unasked};
use crate::storage::{Act, Cause};

/// How long PostgreSQL or the object store may take for all that it is asked.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a datagram may take from this machine to this machine.
const ROUND_TRIP: Duration = Duration::from_millis(300);
/// How many are sent: one may get lost.
const DATAGRAMS: usize = 3;

/// Looks at everything that relays share.
pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let (storage, mut findings) = (&config.storage, Vec::new());
    let asked = tokio::time::timeout(PATIENCE, Box::pin(ask(storage))).await;
    let place = probe::place(storage);
    let listed = match asked.unwrap_or_else(|_| Err(Unasked::silent())) {
        Ok((told, listed)) => {
            findings.extend(judge::told(&told, &place));
            findings.push(judge::room(&told, config, &listed));
            Some(listed)
        }
        Err(unasked) => {
            findings.push(judge::unasked(&unasked, &place));
            None
        }
    };
    findings.extend(Box::pin(objects(storage)).await);
    if let Some(nodes) = &config.nodes {
        findings.extend(Box::pin(others(nodes, listed.as_deref())).await);
    }
    findings
}

async fn ask(storage: &Storage) -> Result<(Told, Vec<Listed>), Unasked> {
    let client = probe::connect(storage).await?;
    let told = probe::ask(&client, &[nodes::TABLE]).await?;
    // Who may not look at it is told so by then.
    let listed = match told.barred.iter().any(|table| table == nodes::TABLE) {
        true => Vec::new(),
        false => nodes::listed(&client).await?,
    };
    Ok((told, listed))
}

/// Tries one object out.
async fn objects(storage: &Storage) -> Vec<Finding> {
    let place = match storage.objects_place() {
        Ok(ObjectsPlace::Directory(directory)) => {
            if let Some(finding) = absent(&directory) {
                return vec![finding];
            }
            directory.display().to_string()
        }
        Ok(ObjectsPlace::Bucket { bucket, .. }) => judge::bucket(&bucket, storage.s3_endpoint.as_deref()),
        Err(found) => return vec![Finding::fail("objects", format!("storage.objects is {found}"))],
    };
    match tokio::time::timeout(PATIENCE, probe::try_out(storage)).await {
        Ok((name, failed)) => judge::objects(&place, &name, &failed),
        Err(_) => judge::objects(&place, "", &[(Act::Write, Cause::Other("no answer in time".into()))]),
    }
}

/// What is to be said of a directory for bodies in which nothing can be tried out: it is made by a relay, not by a doctor.
fn absent(directory: &Path) -> Option<Finding> {
    let shown = directory.display();
    match directory.metadata() {
        Ok(metadata) if metadata.is_dir() => None,
        Ok(_) => {
            Some(Finding::fail("objects", format!("{shown} is no directory; name another one in storage.objects")))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Some(match writable(existing(directory)) {
            Ok(()) => {
                Finding::ok("objects", format!("{shown} is not there yet; the relay makes it at its first start"))
            }
            Err(error) => Finding::fail(
                "objects",
                format!("{shown} is not there and can't be made ({error}); make it, for the relay's user, or mount it"),
            ),
        }),
        Err(error) => Some(Finding::fail("objects", format!("{shown}: {error}; run this as the relay's user"))),
    }
}

/// Whether this node is where the others look for it, and whether they are there.
async fn others(config: &config::Nodes, listed: Option<&[Listed]>) -> Vec<Finding> {
    let secret = match ClusterSecret::read(&config.secret_file) {
        Ok(secret) => secret,
        Err(found) => {
            let words = format!("nodes.secret_file: {} {found}", config.secret_file.display());
            return vec![Finding::fail("nodes", words)];
        }
    };
    let (listen, address) = (config.listen, config.address);
    let mut findings = vec![match UdpSocket::bind(listen).await {
        Ok(socket) => judge::arrives(listen, address, arrives(&socket, address).await),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            judge::is_there(listen, address, nodes::knock(address, &secret).await)
        }
        Err(error) => verdict::taken("nodes", "UDP", listen, error.kind(), &error.to_string()),
    }];
    let Some(listed) = listed else { return findings };
    let lifetime = Duration::from_millis(config.lifetime_ms);
    let there = judge::there(listed, lifetime);
    findings.extend(judge::silent(listed, lifetime));
    let others: Vec<SocketAddr> = there.into_iter().filter(|other| *other != address).collect();
    let knocks = others.iter().map(|other| nodes::knock(*other, &secret));
    let answers: Vec<There> = futures::future::join_all(knocks).await;
    findings.extend(judge::others(&others.into_iter().zip(answers).collect::<Vec<_>>()));
    findings
}

/// Whether what is sent to `address` comes to this socket.
async fn arrives(socket: &UdpSocket, address: SocketAddr) -> bool {
    let any: SocketAddr =
        if address.is_ipv6() { (Ipv6Addr::UNSPECIFIED, 0).into() } else { (Ipv4Addr::UNSPECIFIED, 0).into() };
    let Ok(sender) = UdpSocket::bind(any).await else { return false };
    let mut token = [0; 16];
    SystemRandom.fill(&mut token);
    for _ in 0..DATAGRAMS {
        if sender.send_to(&token, address).await.is_err() {
            return false;
        }
        if tokio::time::timeout(ROUND_TRIP, hears(socket, &token)).await.is_ok() {
            return true;
        }
    }
    false
}

/// Resolves when this has come.
async fn hears(socket: &UdpSocket, token: &[u8]) {
    let mut came = [0; 64];
    loop {
        match socket.recv_from(&mut came).await {
            Ok((length, _)) if came.get(..length) == Some(token) => return,
            Ok(_) => {}
            // Of a datagram that was sent from here, and that does not matter.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}
