//! Three relays that are one, as programs, on PostgreSQL: a node is killed, and PostgreSQL is restarted, between and in the middle of
//! uploads and live video. Clients go elsewhere, and what was acknowledged is there afterwards, once and in order. One that is stopped
//! in order says where it goes on.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Principal, Retention, Rights, Urgency};
use privet_relay_client::{
    ClientError, Connection, FollowEvent, Follower, From, Reconnect, RelayTarget, SegmentReader, SegmentWriter, Trust,
    connect,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::common::postgres::Postgres;
use crate::common::{PATIENCE, body, entries, in_time, keep, key, put, read_all, stream, until};
use crate::openmetrics::{parse, value};
use crate::pages::page;

/// Killed when it is dropped, with SIGKILL.
struct Program {
    child: Child,
    target: RelayTarget,
    metrics: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(dir: &Path, number: usize, database: &str, lifetime_ms: u64) -> Program {
    let address = UdpSocket::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let metrics = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let text = format!(
        "listen = '127.0.0.1:0'\ndata = {:?}\n[limits]\nfree_bytes = 0\nconnects_per_s = 1000\nrequests_per_s = 10000\n\
         [storage]\nkind = 'postgres'\npostgres = {database:?}\nobjects = 'file://{}'\nnode = 'node-{number}'\n\
         [nodes]\nlisten = '{address}'\naddress = '{address}'\npublic_addresses = ['127.0.0.1:0']\nsecret_file = {:?}\n\
         heartbeat_ms = 200\nlifetime_ms = {lifetime_ms}\n[metrics]\nlisten = '{metrics}'\n",
        dir.join("data"),
        dir.join("objects").display(),
        dir.join("secret"),
    );
    let config = dir.join(format!("{number}.toml"));
    std::fs::write(&config, text).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_privet-relay"))
        .args(["run", "--config"])
        .arg(&config)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
    let port = ready["listening"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let pin = HEXLOWER.decode(ready["pin"].as_str().unwrap().as_bytes()).unwrap().try_into().unwrap();
    Program { child, target: RelayTarget { host: "127.0.0.1".into(), port, trust: Trust::Pin(pin) }, metrics }
}

/// Comes to the first program that serves it, as often as it takes.
async fn come(programs: &[Program], principal: &Principal, number: u8) -> Connection {
    in_time(async {
        loop {
            for program in programs {
                let patience = Duration::from_secs(4);
                if let Ok(connection) = connect(&program.target, principal.clone(), &key(number), patience).await {
                    return connection;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

/// The relays, and the one home that they have.
struct Nodes {
    programs: Vec<Program>,
    database: Postgres,
    founder: Principal,
    member: Principal,
    _dir: TempDir,
}

impl Nodes {
    /// Three that know of each other; who is silent for so long counts as gone.
    async fn start(lifetime_ms: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("secret"), "s".repeat(40)).unwrap();
        std::fs::create_dir(dir.path().join("objects")).unwrap();
        let database = Postgres::start();
        let programs = (0..3).map(|number| start(dir.path(), number, &database.reached, lifetime_ms)).collect();
        let home = HomeId::generate(&SystemRandom);
        let (founder, member) = (Principal::Founder { home, invite: None }, Principal::Member { home });
        let nodes = Self { programs, database, founder, member, _dir: dir };
        for at in 0..3 {
            let metrics = nodes.programs[at].metrics;
            until(|| async { tokio::net::TcpStream::connect(metrics).await.is_ok() }).await;
            until(|| async { nodes.number(at, "privet_relay_nodes").await == 3.0 }).await;
        }
        nodes
    }

    async fn number(&self, at: usize, name: &str) -> f64 {
        value(&parse(&page(self.programs[at].metrics, "/metrics").await.1), name, &[])
    }

    /// Which of them serves the home.
    async fn serving(&self) -> usize {
        in_time(async {
            loop {
                let mut serving = Vec::new();
                for at in 0..self.programs.len() {
                    if self.number(at, "privet_relay_homes_in_memory").await == 1.0 {
                        serving.push(at);
                    }
                }
                if let [at] = serving[..] {
                    return at;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }

    /// The hub, at any of them.
    async fn hub(&self) -> Connection {
        come(&self.programs, &self.founder, 1).await
    }

    async fn hub_at(&self, at: usize) -> Connection {
        come(&self.programs[at..=at], &self.founder, 1).await
    }

    /// A phone, at any of them.
    async fn phone(&self) -> Connection {
        come(&self.programs, &self.member, 2).await
    }

    async fn phone_at(&self, at: usize) -> Connection {
        come(&self.programs[at..=at], &self.member, 2).await
    }

    /// Founds the home; which of them serves it, and hub and phone, each of them at another one.
    async fn found(&self) -> (usize, Connection, Connection) {
        self.hub().await.grant(key(2).public(), Rights::PHONE).await.unwrap();
        let at = self.serving().await;
        (at, self.hub_at((at + 1) % 3).await, self.phone_at((at + 2) % 3).await)
    }

    /// Kills one with SIGKILL. The numbers of those after it change.
    fn kill(&mut self, at: usize) {
        drop(self.programs.remove(at));
    }
}

/// Has something of everything acknowledged; in which stream the segments are.
async fn promise(hub: &Connection, phone: &Connection) -> StreamId {
    for seq in 1..=3 {
        assert_eq!(hub.append(seq, vec![seq as u8; 500]).await.unwrap(), seq);
    }
    for number in 1..=2 {
        assert_eq!(phone.send(vec![number; 300]).await.unwrap(), u64::from(number));
    }
    let film = stream();
    for index in 0..2 {
        put(hub, film, index, keep(), body(index, 80_000)).await;
    }
    hub.finish_stream(film, 2).await.unwrap();
    for id in 1..=3 {
        wake(hub, id).await;
    }
    let first = wakes(phone).await[0].0;
    phone.ack_wakes(first).await.unwrap();
    film
}

/// What was promised is there once and in order, with a log that has become so long.
async fn is_kept(hub: &Connection, phone: &Connection, film: StreamId, log: u64) {
    let entry = |seq: u64| (seq, vec![seq as u8; 500]);
    assert_eq!(entries(phone.read_log(1, false).await.unwrap()).await, (1..=log).map(entry).collect::<Vec<_>>());
    let inbox = entries(hub.read_inbox(1, false).await.unwrap()).await;
    assert_eq!(inbox, [(1, vec![1; 300]), (2, vec![2; 300])]);
    for index in 0..2 {
        let mut reader = phone.get(film, index, 0).await.unwrap();
        assert!(read_all(&mut reader).await.unwrap() == body(index, 80_000), "segment {index} of the film");
    }
    assert_eq!(phone.stat(film).await.unwrap().finished, Some(2));
    // Said once more, as by a hub that did not hear the answer: nothing comes twice.
    hub.finish_stream(film, 2).await.unwrap();
    wake(hub, 2).await;
    let waiting: Vec<_> = wakes(phone).await.into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(waiting, [vec![2], vec![3]]);
}

async fn wake(hub: &Connection, id: u8) {
    let until = hub.server_time().after(Duration::from_secs(3600));
    hub.wake(key(2).public(), [id; 16], vec![id], Urgency::High, until).await.unwrap();
}

async fn wakes(phone: &Connection) -> Vec<(u64, Vec<u8>)> {
    entries(phone.read_wakes(1, false).await.unwrap()).await
}

/// Bytes of an upload, and how many of them have come when something happens: more than one object's worth.
const LENGTH: usize = 4_000_000;
const SENT: usize = 2_500_000;

/// An upload and a live segment, each half sent: the relay has these bytes of the one, the phone those of the other.
struct Half {
    kept: StreamId,
    bytes: Bytes,
    upload: SegmentWriter,
    live: StreamId,
    /// Its second one.
    segment: SegmentWriter,
    follower: Follower,
    picture: SegmentReader,
}

impl Half {
    async fn begin(hub: &Connection, phone: &Connection) -> Self {
        let (kept, live, bytes) = (stream(), stream(), body(9, LENGTH));
        let mut upload = in_time(hub.put(kept, 0, keep(), true)).await.unwrap();
        assert_eq!(upload.offset(), 0);
        in_time(upload.write(bytes.slice(..SENT))).await.unwrap();
        // What a reader gets of it the relay has; nothing of it is under way any more.
        let mut there = in_time(phone.get(kept, 0, 0)).await.unwrap();
        assert!(read(&mut there, SENT).await == bytes[..SENT]);

        let mut follower = in_time(phone.follow(live, From::Newest)).await.unwrap();
        put(hub, live, 0, Retention::Pass, body(0, 30_000)).await;
        assert_eq!(whole(&mut follower).await, (Vec::new(), 0, body(0, 30_000).to_vec()));
        let mut segment = hub.put(live, 1, Retention::Pass, false).await.unwrap();
        segment.write(body(1, 40_000).slice(..20_000)).await.unwrap();
        let Some(FollowEvent::Segment(mut picture)) = in_time(follower.next()).await.unwrap() else {
            panic!("no segment");
        };
        assert_eq!(picture.index(), 1);
        assert!(read(&mut picture, 20_000).await == body(1, 40_000)[..20_000]);
        Self { kept, bytes, upload, live, segment, follower, picture }
    }
}

/// So many bytes of a segment, of which no more have been sent.
async fn read(reader: &mut SegmentReader, length: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < length {
        got.extend_from_slice(&in_time(reader.read()).await.unwrap().expect("more of the segment"));
    }
    got
}

/// The next segment that a follower gets, whole, with its number, and what it was told before that it does not get.
async fn whole(follower: &mut Follower) -> (Vec<(u64, u64)>, u64, Vec<u8>) {
    let mut skipped = Vec::new();
    loop {
        match in_time(follower.next()).await.unwrap().expect("the next segment") {
            FollowEvent::Segment(mut segment) => {
                let index = segment.index();
                return (skipped, index, read_all(&mut segment).await.unwrap());
            }
            FollowEvent::Skipped { from, to } => skipped.push((from, to)),
            FollowEvent::Ended { .. } => panic!("the stream ended"),
        }
    }
}

/// Why the rest of a segment does not come. What came of it must not be taken for all of it.
async fn broken_off(picture: &mut SegmentReader) -> ClientError {
    loop {
        match in_time(picture.read()).await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("half a segment ended like a whole one"),
            Err(error) => return error,
        }
    }
}

/// Why a follower gets nothing any more.
async fn ended(follower: &mut Follower) -> ClientError {
    loop {
        match in_time(follower.next()).await {
            Ok(Some(FollowEvent::Skipped { .. })) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => return error,
        }
    }
}

/// Writes until it is told that nobody takes it.
async fn told(writer: &mut SegmentWriter) -> ClientError {
    in_time(async {
        loop {
            if let Err(error) = writer.write(Bytes::from_static(&[0; 4096])).await {
                return error;
            }
        }
    })
    .await
}

/// Goes on with an upload at the byte that the relay says, to its end: at which one that was.
async fn go_on(hub: &Connection, kept: StreamId, bytes: &Bytes) -> usize {
    let mut writer = in_time(hub.put(kept, 0, keep(), true)).await.unwrap();
    let offset = usize::try_from(writer.offset()).unwrap();
    in_time(writer.write(bytes.slice(offset..))).await.unwrap();
    assert_eq!(in_time(writer.finish()).await.unwrap(), bytes.len() as u64);
    offset
}

async fn is_whole(phone: &Connection, kept: StreamId, bytes: &Bytes) {
    let mut reader = in_time(phone.get(kept, 0, 0)).await.unwrap();
    assert_eq!(reader.length(), Some(bytes.len() as u64));
    assert!(read_all(&mut reader).await.unwrap() == *bytes, "the upload has other bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_that_serves_a_home_is_killed_in_the_middle_of_an_upload_and_of_live_video() {
    let mut nodes = Nodes::start(2000).await;
    let (at, hub, phone) = nodes.found().await;
    let film = promise(&hub, &phone).await;
    let half = Half::begin(&hub, &phone).await;
    let Half { kept, bytes, mut upload, live, mut segment, mut follower, mut picture } = half;
    assert_eq!(nodes.number((at + 2) % 3, "privet_relay_pulled_streams").await, 1.0, "it comes from another node");

    // One request more, of which nobody knows whether it is carried out.
    let asked = hub.clone();
    let asked = tokio::spawn(async move { asked.append(4, vec![4; 500]).await });
    nodes.kill(at);

    // Everybody is told, and told to come again, by the node where they are.
    let mut errors = vec![told(&mut upload).await, told(&mut segment).await];
    errors.extend([broken_off(&mut picture).await, ended(&mut follower).await]);
    errors.extend([in_time(hub.closed()).await, in_time(phone.closed()).await]);
    errors.extend(in_time(asked).await.unwrap().err());
    assert!(errors.iter().all(ClientError::is_retryable), "{errors:?}");

    let hub = nodes.hub().await;
    let at = nodes.serving().await;
    let phone = nodes.phone_at(1 - at).await;
    assert_eq!(hub.append(4, vec![4; 500]).await.unwrap(), 4);
    is_kept(&hub, &phone, film, 4).await;
    // What was one object by then is there; the rest had gathered in the node that died.
    let offset = go_on(&hub, kept, &bytes).await;
    assert!(offset > 0 && offset <= SENT, "it went on at {offset}");
    is_whole(&phone, kept, &bytes).await;
    // The node that has the home now knows nothing of what passed before, and says so.
    let mut follower = in_time(phone.follow(live, From::Newest)).await.unwrap();
    put(&hub, live, 2, Retention::Pass, body(2, 40_000)).await;
    assert_eq!(whole(&mut follower).await, (vec![(0, 2)], 2, body(2, 40_000).to_vec()));
    put(&hub, live, 3, Retention::Pass, body(3, 40_000)).await;
    assert_eq!(whole(&mut follower).await, (Vec::new(), 3, body(3, 40_000).to_vec()));
    is_kept(&hub, &phone, film, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_that_a_hub_came_to_is_killed_in_the_middle_of_an_upload_and_of_live_video() {
    let mut nodes = Nodes::start(2000).await;
    let (at, before, phone) = nodes.found().await;
    let film = promise(&before, &phone).await;
    let half = Half::begin(&before, &phone).await;
    let Half { kept, bytes, upload: _upload, live, segment: _segment, mut follower, mut picture } = half;

    nodes.kill((at + 1) % 3);
    // The hub goes elsewhere before it, or the node that serves its home, has found out; its streams are still open there.
    let hub = nodes.hub().await;
    assert_eq!(go_on(&hub, kept, &bytes).await, SENT, "the node that serves the home has every byte");
    is_whole(&phone, kept, &bytes).await;
    // Who follows is told of the segment that broke off, and goes on where it is.
    put(&hub, live, 2, Retention::Pass, body(2, 40_000)).await;
    let error = broken_off(&mut picture).await;
    assert!(matches!(error, ClientError::GaveUp { .. }), "{error}");
    // The gap is told on a stream of its own: the next segments may overtake that, the end does not.
    let mut gaps = Vec::new();
    for index in 2..4 {
        if index == 3 {
            put(&hub, live, index, Retention::Pass, body(index, 40_000)).await;
        }
        let (told, came, bytes) = whole(&mut follower).await;
        assert_eq!((came, bytes), (index, body(index, 40_000).to_vec()));
        gaps.extend(told);
    }
    hub.finish_stream(live, 4).await.unwrap();
    loop {
        match in_time(follower.next()).await.unwrap().unwrap() {
            FollowEvent::Skipped { from, to } => gaps.push((from, to)),
            FollowEvent::Ended { segments: 4 } => break,
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(gaps, [(1, 2)]);
    assert_eq!(hub.append(4, vec![4; 500]).await.unwrap(), 4);
    is_kept(&hub, &phone, film, 4).await;
    // Who waits where nobody is any more hears so from QUIC, after half a minute.
    let silence = tokio::time::timeout(Duration::from_secs(60), before.closed()).await.expect("it takes too long");
    assert!(silence.is_retryable(), "{silence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_is_restarted_in_the_middle_of_an_upload_and_of_live_video() {
    // Longer than a restart: nobody is taken for gone who could not say that it is there.
    let nodes = Nodes::start(10_000).await;
    let (_, hub, phone) = nodes.found().await;
    let film = promise(&hub, &phone).await;
    let mut log = 3;
    // In order, and as when its machine dies.
    let ends: [fn(&Postgres); 2] = [Postgres::stop, Postgres::kill];
    for end in ends {
        let half = Half::begin(&hub, &phone).await;
        let Half { kept, bytes, mut upload, live, mut segment, mut follower, mut picture } = half;
        end(&nodes.database);
        // Live video needs no database.
        in_time(segment.write(body(1, 40_000).slice(20_000..))).await.unwrap();
        assert_eq!(in_time(segment.finish()).await.unwrap(), 40_000);
        assert!(read_all(&mut picture).await.unwrap() == body(1, 40_000)[20_000..]);
        put(&hub, live, 2, Retention::Pass, body(2, 40_000)).await;
        assert_eq!(whole(&mut follower).await, (Vec::new(), 2, body(2, 40_000).to_vec()));

        // What has to be durable waits; and where that takes too long it is refused in words, and asked for again.
        log += 1;
        let (asked, rest) = (hub.clone(), bytes.slice(SENT..));
        let appending = tokio::spawn(async move { asked.append(log, vec![log as u8; 500]).await });
        let uploading = tokio::spawn(async move {
            upload.write(rest).await?;
            upload.finish().await
        });
        nodes.database.start_again();
        let outcomes = [(in_time(appending).await.unwrap(), log), (in_time(uploading).await.unwrap(), LENGTH as u64)];
        for (outcome, expected) in outcomes {
            match outcome {
                Ok(answer) => assert_eq!(answer, expected),
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
        assert_eq!(hub.append(log, vec![log as u8; 500]).await.unwrap(), log);
        go_on(&hub, kept, &bytes).await;
        is_whole(&phone, kept, &bytes).await;
        put(&hub, live, 3, Retention::Pass, body(3, 40_000)).await;
        assert_eq!(whole(&mut follower).await, (Vec::new(), 3, body(3, 40_000).to_vec()));
        is_kept(&hub, &phone, film, log).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_and_a_restart_of_the_database_lose_nothing_that_was_acknowledged() {
    let mut nodes = Nodes::start(2000).await;
    let (kept, live) = (stream(), stream());
    let mut hub = nodes.hub().await;
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    let mut acknowledged = 0;
    for round in 0..4_u64 {
        match round {
            1 | 3 => nodes.kill(0),
            2 => {
                nodes.database.stop();
                nodes.database.start_again();
            }
            _ => {}
        }
        // Whatever was lost is asked for again, as a hub does it.
        acknowledged = loop {
            // Who was killed says nothing: a hub finds out by QUIC's idle timeout, which is longer than a test wants to wait.
            let append = hub.append(acknowledged + 1, vec![round as u8; 500]);
            if let Ok(Ok(seq)) = tokio::time::timeout(Duration::from_secs(4), append).await {
                break seq;
            }
            hub = nodes.hub().await;
        };
        put(&hub, kept, round, keep(), body(round, 80_000)).await;
        let phone = nodes.phone().await;
        let mut follower = in_time(phone.follow(live, From::Newest)).await.unwrap();
        put(&hub, live, round, Retention::Pass, body(round, 30_000)).await;
        // A node that has just taken the home over does not know what passed before: that is told as a gap.
        assert!(!whole(&mut follower).await.2.is_empty());
    }
    let phone = nodes.phone().await;
    let log = entries(phone.read_log(1, false).await.unwrap()).await;
    assert_eq!(log, (0..4).map(|round| (round + 1, vec![round as u8; 500])).collect::<Vec<_>>());
    for round in 0..4 {
        let mut reader = phone.get(kept, round, 0).await.unwrap();
        assert_eq!(read_all(&mut reader).await.unwrap(), body(round, 80_000));
    }
}

/// Once its connection is over, comes again as hub and phone do, who know one address.
async fn come_again(known: &RelayTarget, principal: &Principal, number: u8, lost: &Connection) -> Connection {
    in_time(lost.closed()).await;
    let mut reconnect = Reconnect::default();
    reconnect.lost(known, lost);
    tokio::time::sleep(reconnect.wait(&SystemRandom)).await;
    in_time(reconnect.connect(known, principal.clone(), &key(number), PATIENCE)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_node_that_is_stopped_go_on_where_it_said() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret"), "s".repeat(40)).unwrap();
    std::fs::create_dir(dir.path().join("objects")).unwrap();
    let database = Postgres::start();
    // The last one knows of all others from its start on.
    let programs: Vec<_> = (0..3).map(|number| start(dir.path(), number, &database.reached, 2000)).collect();
    let stopped = &programs[2..];
    let known = &stopped[0].target;
    let home = HomeId::generate(&SystemRandom);
    let (founder, member) = (Principal::Founder { home, invite: None }, Principal::Member { home });
    let (kept, live) = (stream(), stream());
    let hub = come(stopped, &founder, 1).await;
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    let phone = come(stopped, &member, 2).await;
    hub.append(1, b"before".to_vec()).await.unwrap();
    put(&hub, kept, 0, keep(), body(1, 80_000)).await;
    let mut begun = hub.put(kept, 1, keep(), true).await.unwrap();
    begun.write(body(2, 40_000)).await.unwrap();

    let pid = Pid::from_raw(i32::try_from(stopped[0].child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let (hub, phone) = tokio::join!(come_again(known, &founder, 1, &hub), come_again(known, &member, 2, &phone));
    drop(begun);
    let others = [programs[0].target.port, programs[1].target.port];
    for connection in [&hub, &phone] {
        assert!(others.contains(&connection.peer().port()), "{} is none of {others:?}", connection.peer());
    }
    assert_eq!(entries(phone.read_log(1, false).await.unwrap()).await, [(1, b"before".to_vec())]);
    assert_eq!(hub.append(2, b"after".to_vec()).await.unwrap(), 2);
    let mut rest = hub.put(kept, 1, keep(), true).await.unwrap();
    let from = usize::try_from(rest.offset()).unwrap();
    rest.write(body(2, 80_000).slice(from..)).await.unwrap();
    assert_eq!(in_time(rest.finish()).await.unwrap(), 80_000);
    for (index, seed) in [(0, 1), (1, 2)] {
        assert_eq!(read_all(&mut phone.get(kept, index, 0).await.unwrap()).await.unwrap(), body(seed, 80_000));
    }
    let mut follower = in_time(phone.follow(live, From::Newest)).await.unwrap();
    put(&hub, live, 0, Retention::Pass, body(3, 30_000)).await;
    let Some(FollowEvent::Segment(mut segment)) = in_time(follower.next()).await.unwrap() else {
        panic!("the first live segment does not come");
    };
    assert_eq!(read_all(&mut segment).await.unwrap(), body(3, 30_000));
}
