//! A thousand attackers of one kind, from fifty addresses.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use privet_demo::Trouble;
use privet_protocol::id::StreamId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{ALPN, From, MAX_MESSAGE, Principal, Request, Retention, frame};
use privet_protocol::time::Timestamp;
use privet_relay_client::{RelayTarget, connect};
use quinn::{Connection, Endpoint, EndpointConfig, RecvStream, SendStream, TokioRuntime, TransportConfig, VarInt};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{interval, sleep, timeout};

use super::crowd::Done;
use super::{RATE, mute};
use crate::relay::idle::Newcomer;
use crate::relay::records::{Tally, produce};
use crate::relay::{PATIENCE, fanout, key, peer, trouble};

/// How many there are.
pub const ATTACKERS: usize = 1000;
const ADDRESSES: usize = 50;
/// They come so far from each other: all within three seconds.
const APART: Duration = Duration::from_millis(3);
/// Who was turned away comes again.
const AGAIN: Duration = Duration::from_millis(100);
/// The relay gives a handshake up after this.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// And a hello after this.
const HELLO: Duration = Duration::from_secs(3);
/// Of one who opens streams and resets them.
const FLOOD_BEAT: Duration = Duration::from_millis(100);
/// Within this a relay that lets something come has let it come.
const FILL: Duration = Duration::from_secs(2);
/// Of one who connects and goes.
const STORM_BEAT: Duration = Duration::from_secs(4);
/// As many as the relay allows.
const STREAMS: usize = 16;
/// Homes whose live streams are followed and not read.
const UNREAD_HOMES: usize = 5;

/// What they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Begin handshakes and answer nothing.
    HalfOpen,
    /// Send a hello, a byte a second.
    SlowHello,
    /// Open streams after a good hello, begin a request on each and reset it.
    StreamFlood,
    /// Announce the longest message there is on each stream, send the beginning and wait.
    GiantFrames,
    /// Follow a live stream and take nothing of it.
    NeverRead,
    /// Begin requests and go on with what nobody asked for, until the relay takes no more.
    FullWindows,
    /// Put a segment byte by byte, each in a datagram of its own.
    TinyFrames,
    /// Begin kept segments, one after the other, and break each off.
    Unfinished,
    /// Connect, say hello, close, come again.
    Storm,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::HalfOpen,
        Self::SlowHello,
        Self::StreamFlood,
        Self::GiantFrames,
        Self::NeverRead,
        Self::FullWindows,
        Self::TinyFrames,
        Self::Unfinished,
        Self::Storm,
    ];

    /// Whether those who came stay, and are clients to the relay for as long.
    pub fn stays(self) -> bool {
        self.beat().is_none()
    }

    /// How far apart the tries of one of them are who does not stay, where the relay keeps nobody waiting.
    pub fn beat(self) -> Option<Duration> {
        match self {
            Self::HalfOpen => Some(HANDSHAKE),
            Self::SlowHello => Some(HELLO),
            Self::Storm => Some(STORM_BEAT),
            _ => None,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::HalfOpen => "half-open handshakes",
            Self::SlowHello => "slow hello",
            Self::StreamFlood => "stream flood",
            Self::GiantFrames => "giant frames",
            Self::NeverRead => "followers that never read",
            Self::FullWindows => "full windows",
            Self::TinyFrames => "tiny frames",
            Self::Unfinished => "unfinished uploads",
            Self::Storm => "storm of connections",
        }
    }
}

/// What they do, counted.
#[derive(Debug, Default)]
pub struct Deeds {
    tries: AtomicU64,
    came: AtomicU64,
}

impl Deeds {
    /// How far they are.
    pub fn done(&self) -> Done {
        Done { tries: self.tries.load(Ordering::Relaxed), came: self.came.load(Ordering::Relaxed) }
    }

    /// One of them came as far as it wanted.
    fn came(&self) {
        self.came.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends all of them off, one after the other; each goes on until this process ends.
pub async fn send_off(kind: Kind, target: &RelayTarget, deeds: &Arc<Deeds>) -> Result<(), Trouble> {
    let mut first = Newcomer::new(target.port)?;
    let mut unread = Vec::new();
    if kind == Kind::NeverRead {
        first = first.with(narrow()?);
        for home in 0..UNREAD_HOMES {
            unread.push(film(&first, home, target).await?);
        }
    }
    let mut newcomers = Vec::new();
    for number in 0..ADDRESSES {
        let address = Ipv4Addr::new(127, 1, 0, 1 + u8::try_from(number).map_err(trouble)?);
        let endpoint = match kind {
            Kind::HalfOpen => mute::endpoint(address)?,
            _ => {
                let (config, socket) = (EndpointConfig::default(), peer::socket(address)?);
                Endpoint::new(config, None, socket, Arc::new(TokioRuntime)).map_err(trouble)?
            }
        };
        newcomers.push(first.on(endpoint));
    }
    for number in 0..ATTACKERS {
        let newcomer = newcomers[number % ADDRESSES].clone();
        let stream = unread.get(number % UNREAD_HOMES).copied();
        let attacker = Attacker { kind, number, newcomer, stream, deeds: Arc::clone(deeds) };
        tokio::spawn(attacker.go_on());
        sleep(APART).await;
    }
    Ok(())
}

/// Lets a live stream go in a home of the attackers, as long as they are there: which.
async fn film(newcomer: &Newcomer, home: usize, target: &RelayTarget) -> Result<StreamId, Trouble> {
    let founder = Principal::Founder { home: newcomer.home(home), invite: None };
    let hub = connect(target, founder, &key(1)?, PATIENCE).await.map_err(trouble)?;
    let stream = StreamId::generate(&SystemRandom);
    let (sender, records) = unbounded_channel();
    tokio::spawn(produce(RATE, Tally::of(super::RECORD), sender));
    tokio::spawn(async move { fanout::publish(&hub, stream, records).await });
    Ok(stream)
}

/// A client with hardly any room for what comes.
fn narrow() -> Result<quinn::ClientConfig, Trouble> {
    let mut config = peer::client_config(ALPN)?;
    let mut transport = TransportConfig::default();
    transport
        .keep_alive_interval(Some(Duration::from_secs(5)))
        .stream_receive_window(VarInt::from_u32(2048))
        .receive_window(VarInt::from_u32(4096));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

struct Attacker {
    kind: Kind,
    number: usize,
    newcomer: Newcomer,
    stream: Option<StreamId>,
    deeds: Arc<Deeds>,
}

impl Attacker {
    /// Does it again and again.
    async fn go_on(self) {
        loop {
            self.deeds.tries.fetch_add(1, Ordering::Relaxed);
            if self.go().await.is_err() {
                sleep(AGAIN).await;
            }
        }
    }

    /// Does it once.
    async fn go(&self) -> Result<(), Trouble> {
        match self.kind {
            Kind::HalfOpen => {
                let connecting = self.newcomer.begin()?;
                self.deeds.came();
                drop(timeout(HANDSHAKE, connecting).await);
                Ok(())
            }
            Kind::SlowHello => {
                let connection = self.newcomer.begin()?.await.map_err(trouble)?;
                self.deeds.came();
                say_slowly(&connection).await
            }
            Kind::StreamFlood => flood(&self.come(self.number).await?).await,
            Kind::GiantFrames => announce(&self.come(self.number).await?).await,
            Kind::NeverRead => {
                let stream = self.stream.ok_or_else(|| Trouble::new("nothing to follow"))?;
                let connection = self.come(self.number % UNREAD_HOMES).await?;
                let (mut send, _receive) = connection.open_bi().await.map_err(trouble)?;
                let request = frame(&Request::Follow { stream, from: From::Newest });
                send.write_all(&request).await.map_err(trouble)?;
                let reason = connection.closed().await;
                Err(trouble(reason))
            }
            Kind::FullWindows => fill(&self.come(self.number).await?).await,
            Kind::TinyFrames => trickle(&self.come(self.number).await?).await,
            Kind::Unfinished => break_off(&self.come(self.number).await?).await,
            Kind::Storm => {
                let connection = self.come(self.number).await?;
                connection.close(VarInt::from_u32(0), b"");
                sleep(STORM_BEAT).await;
                Ok(())
            }
        }
    }

    /// With a hello that is answered.
    async fn come(&self, home: usize) -> Result<Connection, Trouble> {
        let connection = self.newcomer.connect(home).await?;
        self.deeds.came();
        Ok(connection)
    }
}

async fn say_slowly(connection: &Connection) -> Result<(), Trouble> {
    let (mut send, _receive) = connection.open_bi().await.map_err(trouble)?;
    // The length first: a kilobyte is to come.
    for byte in [0, 0, 4, 0].into_iter().chain(std::iter::repeat(0xa4)) {
        send.write_all(&[byte]).await.map_err(trouble)?;
        if timeout(Duration::from_secs(1), connection.closed()).await.is_ok() {
            break;
        }
    }
    Ok(())
}

async fn flood(connection: &Connection) -> Result<(), Trouble> {
    let mut beat = interval(FLOOD_BEAT);
    loop {
        beat.tick().await;
        let (mut send, _receive) = connection.open_bi().await.map_err(trouble)?;
        send.write_all(&[0, 0, 1, 0, 0xa1]).await.map_err(trouble)?;
        send.reset(VarInt::from_u32(0)).map_err(trouble)?;
    }
}

/// Half a megabyte that no request has room for: what a relay lets come, it holds.
async fn fill(connection: &Connection) -> Result<(), Trouble> {
    let (mut streams, junk) = (Vec::new(), vec![0x55; 64 * 1024]);
    for _ in 0..STREAMS / 2 {
        let (mut send, receive) = connection.open_bi().await.map_err(trouble)?;
        let stream = StreamId::generate(&SystemRandom);
        send.write_all(&frame(&Request::Follow { stream, from: From::Newest })).await.map_err(trouble)?;
        // Ends as well where the relay wants no more, or lets no more come.
        let _ = timeout(FILL, send.write_all(&junk)).await;
        streams.push((send, receive));
    }
    let reason = connection.closed().await;
    Err(trouble(reason))
}

async fn trickle(connection: &Connection) -> Result<(), Trouble> {
    let mut beat = interval(FLOOD_BEAT);
    let (mut send, _receive) = put(connection, StreamId::generate(&SystemRandom), 0, Retention::Pass).await?;
    loop {
        beat.tick().await;
        send.write_all(&[0x55]).await.map_err(trouble)?;
    }
}

async fn break_off(connection: &Connection) -> Result<(), Trouble> {
    let mut beat = interval(FLOOD_BEAT);
    let stream = StreamId::generate(&SystemRandom);
    for index in 0.. {
        let until = Timestamp::from(SystemTime::now()).after(Duration::from_secs(3600));
        let (mut send, _receive) = put(connection, stream, index, Retention::Keep { until }).await?;
        send.write_all(&[0x55]).await.map_err(trouble)?;
        beat.tick().await;
        // An answer may have ended it before.
        let _ = send.reset(VarInt::from_u32(0));
    }
    Ok(())
}

async fn put(
    connection: &Connection,
    stream: StreamId,
    index: u64,
    retention: Retention,
) -> Result<(SendStream, RecvStream), Trouble> {
    let (mut send, receive) = connection.open_bi().await.map_err(trouble)?;
    let request = frame(&Request::Put { stream, index, retention, resume: false });
    send.write_all(&request).await.map_err(trouble)?;
    Ok((send, receive))
}

async fn announce(connection: &Connection) -> Result<(), Trouble> {
    let length = u32::try_from(MAX_MESSAGE).map_err(trouble)?;
    let beginning = [&length.to_be_bytes()[..], &[0x55; 1000]].concat();
    loop {
        let mut streams = Vec::new();
        for _ in 0..STREAMS {
            let (mut send, receive) = connection.open_bi().await.map_err(trouble)?;
            send.write_all(&beginning).await.map_err(trouble)?;
            streams.push((send, receive));
        }
        // Until the relay has waited long enough.
        for (_send, receive) in &mut streams {
            receive.read_to_end(MAX_MESSAGE).await.map_err(trouble)?;
        }
    }
}
