//! A server of the bench's own to hold the relay against: QUIC as the relay speaks it, and nothing above it but what [`super::trivial`] or
//! [`super::receiver`] put there. It is this program once more, so that what it takes can be measured for it alone.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use privet_demo::Trouble;
use privet_demo::process::Process;
use quinn::{Connection, Endpoint};

use super::{PATIENCE, peer, runtime, trouble};

const ALPN: &[u8] = b"bare";
const READY: Duration = Duration::from_secs(10);

/// The server's process. It ends when this is dropped.
pub struct Bare {
    process: Process,
    port: u16,
}

impl Bare {
    /// Starts this program with the words of a hidden command, its log in a folder that is made.
    pub fn start<A: AsRef<OsStr>>(words: &[A], folder: &Path) -> Result<Self, Trouble> {
        std::fs::create_dir_all(folder).map_err(trouble)?;
        let own = std::env::current_exe().map_err(trouble)?;
        let mut process = Process::start("the bare server", &own, words, &folder.join("bare.log"))?;
        let line = process.line(READY)?;
        let port = line.trim().parse().map_err(|_| Trouble::new(format!("'{line}' is no port")))?;
        Ok(Self { process, port })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// What a hidden command is: serves until the bench ends.
pub fn main(serve: impl Future<Output = Result<(), Trouble>>) -> ExitCode {
    // When the bench is killed, its end of this pipe closes, and nobody is left behind.
    thread::spawn(|| {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        std::process::exit(0);
    });
    match runtime().and_then(|runtime| runtime.block_on(serve)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Listens, and says where; a client may have so many requests under way.
pub fn listen(requests: u32) -> Result<Endpoint, Trouble> {
    let endpoint = peer::endpoint(Some(peer::server_config(ALPN, requests)?))?;
    println!("{}", endpoint.local_addr().map_err(trouble)?.port());
    Ok(endpoint)
}

/// A client's connection, with a socket of its own.
pub async fn connect(port: u16) -> Result<(Endpoint, Connection), Trouble> {
    let endpoint = peer::endpoint(None)?;
    let address = ([127, 0, 0, 1], port).into();
    let connecting = endpoint.connect_with(peer::client_config(ALPN)?, address, peer::NAME).map_err(trouble)?;
    let connection = tokio::time::timeout(PATIENCE, connecting).await.map_err(trouble)?.map_err(trouble)?;
    Ok((endpoint, connection))
}
