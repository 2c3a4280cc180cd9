//! A relay that lies.
//!
//! Hub and phones connect to it as if it were their relay: it has an identity of its own, and that is the one the hub's configuration pins.
//! Behind it stands a real relay, at which it owns the home under a key of its own (a proxy could not pass the clients' logins on: they are
//! signed over the TLS session). It passes every request on and tells phones whatever [`Lie`] it was told to tell. To the hub it is honest:
//! a relay that drops what the hub uploads is a relay that withholds from the phones.

mod stream;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use privet_protocol::id::HomeId;
use privet_protocol::relay::{Hello, HelloAnswer, Principal};
use quinn::{Connection, Endpoint};

use stream::{read_frame, write_frame};

/// What phones are told instead of the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Nothing: all is passed on.
    None,
    /// A log entry comes a second time under the next number.
    ReplayEntry,
    /// Two log entries change places.
    SwapEntries,
    /// A log entry is left out, and the numbers after it close up.
    DropEntry,
    /// A log entry is left out, and its number too.
    SkipEntry,
    /// A bit of a log entry is flipped.
    FlipEntry,
    /// A log entry is cut.
    CutEntry,
    /// No log entries come any more, and the relay says that there are none.
    WithholdEntries,
    /// A bit of a fetched segment is flipped.
    FlipSegment,
    /// A fetched segment is cut short.
    CutSegment,
    /// Instead of a segment comes the next (or previous) one of the same clip.
    SwapSegment,
    /// The relay says that a segment is not there.
    WithholdSegment,
    /// Something follows a fetched segment.
    ExtendSegment,
    /// A bit of a live segment is flipped on its way.
    FlipLive,
    /// A live segment is left out without a word.
    DropLive,
    /// A live segment comes again under the next number.
    ReplayLive,
    /// A bit of each segment is flipped, of fetched and of live ones.
    FlipEverySegment,
}

/// The relay in the middle.
pub struct LyingRelay {
    address: SocketAddr,
    pin: String,
    shared: Arc<Shared>,
    endpoint: Endpoint,
}

/// What all its connections know.
struct Shared {
    upstream: SocketAddr,
    key: tls::Key,
    home: Mutex<Option<HomeId>>,
    lie: Mutex<Lie>,
    told: AtomicU64,
}

impl Shared {
    fn lie(&self) -> Lie {
        *self.lie.lock().unwrap()
    }

    fn told_one(&self) {
        self.told.fetch_add(1, Ordering::SeqCst);
    }
}

impl LyingRelay {
    /// Stands in front of the relay at `upstream`; honest at first.
    pub fn start(upstream: SocketAddr) -> Self {
        let (config, pin) = tls::server();
        let endpoint = Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = endpoint.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream,
            key: tls::Key::generate(),
            home: Mutex::new(None),
            lie: Mutex::new(Lie::None),
            told: AtomicU64::new(0),
        });
        tokio::spawn(accept(endpoint.clone(), Arc::clone(&shared)));
        Self { address, pin, shared, endpoint }
    }

    /// Where hub and phones find it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its identity, as the hub's configuration has it.
    pub fn pin(&self) -> &str {
        &self.pin
    }

    /// From now on, phones are told this.
    pub fn tell(&self, lie: Lie) {
        *self.shared.lie.lock().unwrap() = lie;
        self.shared.told.store(0, Ordering::SeqCst);
    }

    /// How often the present lie was told.
    pub fn told(&self) -> u64 {
        self.shared.told.load(Ordering::SeqCst)
    }
}

impl Drop for LyingRelay {
    fn drop(&mut self) {
        self.endpoint.close(0_u32.into(), b"");
    }
}

async fn accept(endpoint: Endpoint, shared: Arc<Shared>) {
    while let Some(incoming) = endpoint.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Ok(client) = incoming.await {
                // A connection that ends is a connection that ends.
                let _ = serve(client, shared).await;
            }
        });
    }
}

/// One client's connection: whatever it says goes upstream over a connection of its own.
async fn serve(client: Connection, shared: Arc<Shared>) -> Result<(), Broken> {
    let (mut answer, mut hello) = client.accept_bi().await?;
    let hello: Hello = read_frame(&mut hello).await?.ok_or(Broken)?;
    let (home, is_phone) = match hello.principal {
        Principal::Founder { home, .. } => {
            *shared.home.lock().unwrap() = Some(home);
            (home, false)
        }
        Principal::Member { home } => (home, true),
        Principal::Mailbox { .. } => (shared.home.lock().unwrap().ok_or(Broken)?, false),
    };
    let (endpoint, upstream, welcome) = tls::login(shared.upstream, home, &shared.key).await.map_err(|_| Broken)?;
    let refused = matches!(welcome, HelloAnswer::Refused(_));
    write_frame(&mut answer, &welcome).await?;
    let _ = answer.finish();
    if refused {
        return Err(Broken);
    }

    let lies = is_phone.then(|| Arc::clone(&shared));
    let segments = tokio::spawn(stream::pass_segments(upstream.clone(), client.clone(), lies.clone()));
    let requests = async {
        // Streams are opened upstream in the order in which they came, so that both sides call them by the same number.
        while let Ok((to_client, from_client)) = client.accept_bi().await {
            let Ok((to_relay, from_relay)) = upstream.open_bi().await else { break };
            tokio::spawn(stream::pass_request(to_client, from_client, to_relay, from_relay, lies.clone()));
        }
    };
    tokio::select! {
        () = requests => {}
        _ = upstream.closed() => {}
        _ = client.closed() => {}
    }
    segments.abort();
    client.close(0_u32.into(), b"");
    upstream.close(0_u32.into(), b"");
    endpoint.wait_idle().await;
    Ok(())
}

/// A connection broke, or spoke another protocol.
#[derive(Debug)]
struct Broken;

macro_rules! broken {
    ($($error:ty),*) => {$(
        impl std::convert::From<$error> for Broken {
            fn from(_: $error) -> Self {
                Self
            }
        }
    )*};
}

broken!(
    quinn::ConnectionError,
    quinn::WriteError,
    quinn::ReadExactError,
    quinn::ReadError,
    quinn::ReadToEndError,
    privet_protocol::cbor::DecodeError
);
