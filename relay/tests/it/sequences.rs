//! Whatever is said on whatever stream in whatever order, by an owner, a member or a stranger: nothing panics, the offender is answered
//! or cut off with a code of the protocol's page, what it took is given back, and others do not feel it.
//!
//! `PRIVET_SEQUENCES` says how many sequences, `PRIVET_SEQUENCE` which one alone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use privet_protocol::cbor;
use privet_protocol::id::{HomeId, MailboxId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{
    ALPN, From as Start, Hello, HelloAnswer, MAX_MESSAGE, Principal, Request, Response, Retention, Rights, close,
    frame, reset,
};
use privet_relay::{Config, Server};
use privet_relay_client::{Connection, FollowEvent, connect};
use quinn::{ConnectionError, Endpoint, ReadError, RecvStream, SendStream, VarInt};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::alone::alone;
use crate::by_hand::{self, answer, raw_at, say, signed};
use crate::common::{
    self, House, PATIENCE, ask, body, config, entries, in_time, keep, key, put, read_all, stream, target, until,
};
use crate::openmetrics::{parse, value};
use crate::pages;
use crate::shared::Nodes;
use crate::steps::{Dice, END, FILMED, Known, Step};

const SEQUENCES: u64 = 60;
/// As many through another relay than the one that serves the home.
const CARRIED: u64 = 30;
/// How long an offender waits for what may never come. Nothing is concluded from it.
const BRIEF: Duration = Duration::from_millis(20);
/// Streams that an offender holds open, of the sixteen it may have.
const HELD: usize = 12;
/// Of the sequences, one of so many runs before memory is looked at: threads, and what the allocator keeps.
const WARM_UP: u64 = 3;
/// What homes in memory and the allocator may take for all sequences after that.
const MOST_GROWTH_KIB: u64 = 24 << 10;

/// What a log entry may take beside its own bytes.
const MOST_BESIDE: u64 = 80;

const OFFENDING_OWNER: u8 = 20;
const OFFENDING_MEMBER: u8 = 2;
const STRANGER: u8 = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_said_in_whatever_order_the_others_are_served() {
    if !alone("sequences::whatever_is_said_in_whatever_order_the_others_are_served") {
        return;
    }
    let relays = Relays::One(Box::new(House::with(set_up).await));
    all_is_said_to(relays, SEQUENCES).await;
}

/// Everybody comes to the wrong one of two relays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_said_through_another_relay_the_others_are_served() {
    if common::is_shared() {
        // These two have a store of their own.
        return;
    }
    if !alone("sequences::whatever_is_said_through_another_relay_the_others_are_served") {
        return;
    }
    all_is_said_to(Relays::Two(Box::new(Nodes::with(2, set_up).await)), CARRIED).await;
}

fn set_up(config: &mut Config) {
    config.metrics = Config::parse("relay.toml", "[metrics]\nlisten = '127.0.0.1:0'\n").unwrap().metrics;
    config.limits.segment_bytes = 64 << 10;
}

async fn all_is_said_to(relays: Relays, sequences: u64) {
    let panics = count_panics();
    let mut scene = Scene::new(relays).await;
    scene.serves_well().await;
    scene.connections = scene.relays.numbers(CONNECTIONS).await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let (tasks_before, mut memory_before_kib) = (tasks(), memory_kib());
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let seeds = match number("PRIVET_SEQUENCE") {
        Some(seed) => seed..seed + 1,
        None => 0..number("PRIVET_SEQUENCES").unwrap_or(sequences),
    };
    let count = seeds.end - seeds.start;
    let warm = seeds.start + count / WARM_UP;
    for seed in seeds {
        let _named = Named(seed);
        if seed == warm {
            memory_before_kib = memory_kib();
        }
        scene.offend(seed).await;
        scene.serves_well().await;
        scene.is_as_before().await;
        assert_eq!(panics.load(Ordering::Relaxed), 0, "something panicked");
    }
    // Connections linger for some round trips after their end, and with them their tasks.
    until(async || scene.relays.servers().iter().map(Server::connections).sum::<usize>() == 2).await;
    // Connections to PostgreSQL stay for the next who needs one.
    let pooled = if common::is_shared() { common::POSTGRES_CONNECTIONS as usize } else { 0 };
    until(async || tasks() <= tasks_before + pooled).await;
    let grown_kib = memory_kib().saturating_sub(memory_before_kib);
    assert!(grown_kib < MOST_GROWTH_KIB + 64 * count, "{grown_kib} KiB more after {count} sequences");
    let all = entries(scene.phone.read_log(1, false).await.unwrap()).await;
    assert_eq!(all.len() as u64, scene.appended, "an entry was lost");
}

/// Whom all of them talk to.
enum Relays {
    One(Box<House>),
    Two(Box<Nodes>),
}

impl Relays {
    fn servers(&self) -> &[Server] {
        match self {
            Self::One(house) => std::slice::from_ref(&house.server),
            Self::Two(nodes) => &nodes.servers,
        }
    }

    /// Where somebody of this home comes: where it is not served, if there is such a relay.
    fn door(&self, home: HomeId) -> &Server {
        let servers = self.servers();
        servers.iter().find(|server| !server.serves(home)).unwrap_or(&servers[0])
    }

    async fn connect(&self, home: HomeId, principal: Principal, number: u8) -> Connection {
        connect(&target(self.door(home)), principal, &key(number), PATIENCE).await.unwrap()
    }

    /// Each of these numbers of their pages, of all relays together.
    async fn numbers<const N: usize>(&self, names: [(&str, &[(&str, &str)]); N]) -> [f64; N] {
        let mut sums = [0.0; N];
        for server in self.servers() {
            until(async || server.metrics().is_some()).await;
            let samples = parse(&pages::page(server.metrics().unwrap(), "/metrics").await.1);
            for (sum, (name, labels)) in sums.iter_mut().zip(names) {
                *sum += value(&samples, &format!("privet_relay_{name}"), labels);
            }
        }
        sums
    }

    /// Uploads that are there, and those of them that are open files.
    fn uploads(&self) -> (usize, usize) {
        let folder = match self {
            // They are no files there.
            Self::One(house) if common::is_shared() => {
                let count = ask(&config(house.dir.path()), "SELECT count(*) FROM body WHERE NOT whole");
                return (count[0].parse().unwrap(), 0);
            }
            Self::One(house) => house.dir.path().join("bodies/partial"),
            Self::Two(nodes) => nodes.stored().join("bodies/partial"),
        };
        let files = std::fs::read_dir(&folder).unwrap().count();
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let open = open.filter(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.starts_with(&folder)));
        (files, open.count())
    }
}

/// Relays, and a home that plays by the rules.
struct Scene {
    relays: Relays,
    home: HomeId,
    hub: Connection,
    phone: Connection,
    kept: StreamId,
    appended: u64,
    /// Bytes and entries that homes of offenders keep, as they may.
    left: (u64, u64),
    /// Connections by kind while only this home's are there.
    connections: [f64; 3],
}

const NO_LABELS: &[(&str, &str)] = &[];
const CONNECTIONS: [(&str, &[(&str, &str)]); 3] = [
    ("connections", &[("kind", "owner")]),
    ("connections", &[("kind", "member")]),
    ("connections", &[("kind", "mailbox")]),
];

impl Scene {
    async fn new(relays: Relays) -> Self {
        let home = HomeId::generate(&SystemRandom);
        let hub = relays.connect(home, Principal::Founder { home, invite: None }, 1).await;
        for number in [3, OFFENDING_MEMBER] {
            hub.grant(key(number).public(), Rights::PHONE).await.unwrap();
        }
        // It acknowledges nothing, so that nothing of its home may go.
        let phone = relays.connect(home, Principal::Member { home }, 3).await;
        let kept = stream();
        put(&hub, kept, 0, keep(), body(7, 50_000)).await;
        hub.finish_stream(kept, 1).await.unwrap();
        let connections = [1.0, 1.0, 0.0];
        // Of two relays each counts those who come through the other one in its own way.
        if matches!(relays, Relays::One(_)) {
            until(async || relays.numbers(CONNECTIONS).await == connections).await;
        }
        Self { relays, home, hub, phone, kept, appended: 0, left: (0, 0), connections }
    }

    /// The good home does what homes do, and has what it stored.
    async fn serves_well(&mut self) {
        self.appended += 1;
        let entry = |seq| body(seq, 300).to_vec();
        assert_eq!(in_time(self.hub.append(self.appended, entry(self.appended))).await.unwrap(), self.appended);
        let from = self.appended.saturating_sub(9).max(1);
        let read = entries(in_time(self.phone.read_log(from, false)).await.unwrap()).await;
        let expected: Vec<_> = (from..=self.appended).map(|seq| (seq, entry(seq))).collect();
        assert!(read == expected, "the log is another one");
        let mut kept = in_time(self.phone.get(self.kept, 0, 0)).await.unwrap();
        assert!(read_all(&mut kept).await.unwrap() == body(7, 50_000), "the segment is another one");
        let live = stream();
        let mut follower = in_time(self.phone.follow(live, Start::Newest)).await.unwrap();
        put(&self.hub, live, 0, Retention::Pass, body(self.appended, 20_000)).await;
        let Some(FollowEvent::Segment(mut segment)) = in_time(follower.next()).await.unwrap() else {
            panic!("no segment");
        };
        assert!(read_all(&mut segment).await.unwrap() == body(self.appended, 20_000), "live is another one");
        in_time(self.hub.drop_stream(live)).await.unwrap();
    }

    /// Nothing that an offender took is held any more.
    async fn is_as_before(&self) {
        until(async || self.relays.uploads() == (0, 0)).await;
        let usage = in_time(self.hub.usage()).await.unwrap();
        let (bytes, entries) = (usage.stored_bytes + self.left.0, usage.log_entries() + self.left.1);
        until(async || {
            let rest = [("handshakes", NO_LABELS), ("followers", NO_LABELS), ("passing_bytes", NO_LABELS)];
            let kept = [("stored_bytes", NO_LABELS), ("log_entries", NO_LABELS)];
            self.relays.numbers(CONNECTIONS).await == self.connections
                && self.relays.numbers(kept).await == [bytes as f64, entries as f64]
                && self.relays.numbers(rest).await == [0.0; 3]
        })
        .await;
    }

    /// One sequence.
    async fn offend(&mut self, seed: u64) {
        let mut dice = Dice::new(seed);
        // A home of its own for each that owns one.
        let own = HomeId::from_bytes(dice.id());
        let streams = [dice.id(), dice.id(), dice.id(), *self.kept.as_bytes()].map(StreamId::from_bytes);
        let films = [dice.id(), dice.id()].map(StreamId::from_bytes);
        let mailboxes = [dice.id(), dice.id()].map(MailboxId::from_bytes);
        let keys = [OFFENDING_OWNER, 21, 22].map(|number| key(number).public());
        let known = Known { homes: [own, self.home], streams, films, mailboxes, keys };

        let (who, principal) = match seed % 3 {
            0 => (OFFENDING_OWNER, Some(Principal::Founder { home: own, invite: None })),
            1 => (OFFENDING_MEMBER, Some(Principal::Member { home: self.home })),
            _ => (STRANGER, None),
        };
        let mut second_dice = Dice::new(seed.wrapping_add(1 << 40));
        let first = Offender::come(self, who, principal.clone(), &known, &mut dice).await;
        // Owners are two at once, who write, resume and drop the same.
        match principal.filter(|_| who == OFFENDING_OWNER) {
            None => first.offend(&known, &mut dice).await,
            again => {
                let second = Offender::come(self, who, again, &known, &mut second_dice).await;
                tokio::join!(first.offend(&known, &mut dice), second.offend(&known, &mut second_dice));
            }
        }

        if who == OFFENDING_OWNER {
            let principal = Principal::Founder { home: own, invite: None };
            let owner = self.relays.connect(own, principal, who).await;
            for film in films {
                only_whole_ones_are_stored(&owner, film).await;
            }
            for number in [21, 22] {
                in_time(owner.revoke(key(number).public())).await.unwrap();
            }
            in_time(owner.ack_inbox(u64::MAX)).await.unwrap();
            let usage = in_time(owner.usage()).await.unwrap();
            let log = entries(in_time(owner.read_log(usage.log_first, false)).await.unwrap()).await;
            let (bytes, number) = (log.iter().map(|(_, entry)| entry.len() as u64).sum::<u64>(), log.len() as u64);
            assert_eq!(usage.log_entries(), number);
            // What is left is its log, and counts as no more and no less. The last of what was asked for may begin a moment later.
            until(async || {
                for stream in streams.into_iter().chain(films) {
                    in_time(owner.drop_stream(stream)).await.unwrap();
                }
                let stored = in_time(owner.usage()).await.unwrap().stored_bytes;
                (bytes..=bytes + number * MOST_BESIDE).contains(&stored)
            })
            .await;
            let stored = in_time(owner.usage()).await.unwrap().stored_bytes;
            self.left = (self.left.0 + stored, self.left.1 + number);
            owner.close();
        }
    }
}

/// A client that keeps to no rule.
struct Offender {
    _endpoint: Endpoint,
    connection: quinn::Connection,
    hello: Hello,
    welcome: bool,
    /// Streams of which nothing is read.
    held: Vec<(SendStream, RecvStream)>,
}

impl Offender {
    /// With a hello that is accepted as this principal, or as a stranger.
    async fn come(scene: &Scene, who: u8, principal: Option<Principal>, known: &Known, dice: &mut Dice) -> Self {
        let welcome = principal.is_some();
        let principal = principal.unwrap_or_else(|| known.principal(dice));
        let door = match principal {
            Principal::Founder { home, .. } | Principal::Member { home } => scene.relays.door(home),
            Principal::Mailbox { .. } => scene.relays.door(scene.home),
        };
        let (endpoint, connection) = raw_at(door.address(), by_hand::config(ALPN)).await.unwrap();
        let mut hello = signed(&connection, principal, who);
        if welcome {
            let welcomed: HelloAnswer = answer(&say(&connection, &frame(&hello)).await);
            assert!(matches!(welcomed, HelloAnswer::Welcome { .. }), "{welcomed:?}");
        } else if matches!(hello.principal, Principal::Founder { home, .. } if home != scene.home) {
            // To found a home is anyone's right here: not with another's signature.
            hello.signature.0[dice.below(64) as usize] ^= 1;
        }
        Self { _endpoint: endpoint, connection, hello, welcome, held: Vec::new() }
    }

    /// Does what the dice say, and leaves.
    async fn offend(mut self, known: &Known, dice: &mut Dice) {
        for _ in 0..=dice.below(40) {
            if self.connection.close_reason().is_some() {
                break;
            }
            self.take(known.step(dice)).await;
        }
        self.leave().await;
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Trickle { request, body } => self.trickle(&frame(&request), &body).await,
            Step::Ask { request, body } => self.exchange(&[frame(&request), body].concat()).await,
            Step::Say(bytes) => self.exchange(&bytes).await,
            Step::Hello => self.exchange(&frame(&self.hello)).await,
            Step::BreakOff(bytes) => {
                if let Some((mut send, _receive)) = self.open().await {
                    let _ = timeout(BRIEF, send.write_all(&bytes)).await;
                    let _ = send.reset(VarInt::from_u32(reset::CANCELLED));
                }
            }
            Step::Ignore(request) => {
                if let Some((mut send, receive)) = self.open().await {
                    let _ = timeout(BRIEF, send.write_all(&frame(&request))).await;
                    self.held.push((send, receive));
                }
            }
            Step::Uni => drop(timeout(BRIEF, self.connection.open_uni()).await),
            Step::Datagram => assert!(self.connection.send_datagram(vec![1; 10].into()).is_err(), "a datagram went"),
        }
    }

    /// A stream, as soon as one may be opened. A stranger has one only.
    async fn open(&mut self) -> Option<(SendStream, RecvStream)> {
        if self.held.len() >= HELD {
            self.held.clear();
        }
        if !self.welcome {
            return timeout(BRIEF, self.connection.open_bi()).await.ok()?.ok();
        }
        // What was given up counts no more.
        in_time(self.connection.open_bi()).await.ok()
    }

    async fn trickle(&mut self, request: &[u8], body: &[u8]) {
        let Some((mut send, receive)) = self.open().await else { return };
        let mut whole = body.last() == Some(&END);
        for piece in std::iter::once(request).chain(body.chunks(10_000)) {
            if !matches!(timeout(BRIEF, send.write_all(piece)).await, Ok(Ok(()))) {
                whole = false;
                break;
            }
            tokio::time::sleep(BRIEF / 8).await;
        }
        // It ends now, or when it is let go, or breaks off.
        let _ = match body.len() % 2 {
            _ if !whole => send.reset(VarInt::from_u32(reset::CANCELLED)),
            0 => send.finish(),
            _ => Ok(()),
        };
        self.held.push((send, receive));
    }

    async fn exchange(&mut self, bytes: &[u8]) {
        let Some((mut send, mut receive)) = self.open().await else { return };
        let _ = match timeout(10 * BRIEF, send.write_all(bytes)).await {
            Ok(_) => send.finish(),
            Err(_) => send.reset(VarInt::from_u32(reset::CANCELLED)),
        };
        let mut answered = Vec::new();
        while answered.len() < 1 << 20 {
            match timeout(BRIEF, receive.read_chunk(1 << 16, true)).await {
                Ok(Ok(Some(chunk))) => answered.extend_from_slice(&chunk.bytes),
                Ok(Err(ReadError::Reset(code))) => {
                    assert!(code.into_inner() <= u64::from(reset::STORAGE), "a stream was reset with {code}");
                    break;
                }
                // The end, or it takes longer than anybody waits here.
                Ok(Ok(None) | Err(_)) | Err(_) => break,
            }
        }
        is_typed(&answered);
    }

    /// It was answered until now, or it was told why not.
    async fn leave(mut self) {
        self.held.clear();
        if self.welcome
            && let Ok((mut send, mut receive)) = in_time(self.connection.open_bi()).await
        {
            let _ = send.write_all(&frame(&Request::Usage)).await;
            let _ = send.finish();
            match in_time(receive.read_to_end(1 << 20)).await {
                Ok(answered) => {
                    let usage: Response = answer(&answered);
                    assert!(matches!(usage, Response::Usage(_) | Response::Refused(_)), "{usage:?}");
                }
                Err(error) => {
                    assert!(self.connection.close_reason().is_some(), "not answered: {error}");
                }
            }
        }
        match self.connection.close_reason() {
            None => self.connection.close(VarInt::from_u32(close::DONE), b""),
            Some(ConnectionError::ApplicationClosed(closed)) => {
                let codes = u64::from(close::REFUSED)..=u64::from(close::CURTAILED);
                assert!(codes.contains(&closed.error_code.into_inner()), "closed with {closed:?}");
            }
            Some(other) => panic!("not closed in words: {other:?}"),
        }
    }
}

/// Whatever is answered begins with a message of the protocol.
fn is_typed(answered: &[u8]) {
    let Some((prefix, rest)) = answered.split_first_chunk::<4>() else { return };
    let length = u32::from_be_bytes(*prefix) as usize;
    assert!(length <= MAX_MESSAGE, "an answer of {length} bytes");
    // Cut off by impatience.
    let Some(message) = rest.get(..length) else { return };
    let response = cbor::decode::<Response>(message, MAX_MESSAGE);
    let typed = response.is_ok() || cbor::decode::<HelloAnswer>(message, MAX_MESSAGE).is_ok();
    assert!(typed, "no message of the protocol: {response:?}");
}

/// Of a film whatever was written to its end, and nothing that broke off.
async fn only_whole_ones_are_stored(owner: &Connection, film: StreamId) {
    for index in 0..FILMED {
        // Refused where the film was finished before, or was there and is not any more.
        let Ok(writer) = in_time(owner.put(film, index, keep(), true)).await else { continue };
        if writer.stored().is_none() {
            continue;
        }
        let mut reader = in_time(owner.get(film, index, 0)).await.unwrap();
        let stored = read_all(&mut reader).await.unwrap();
        assert_eq!(stored.last(), Some(&END), "a segment of {} bytes is stored that nobody ended", stored.len());
    }
}

/// Panics of any thread and task from now on.
fn count_panics() -> &'static AtomicUsize {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(panic);
    }));
    &PANICS
}

/// What this process wrote itself, in KiB.
fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Says which sequence failed.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("sequence {} failed; PRIVET_SEQUENCE={} runs it alone", self.0, self.0);
        }
    }
}
