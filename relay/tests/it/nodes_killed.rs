//! Three relays that are one, as programs, on PostgreSQL: one is killed and PostgreSQL is restarted while a hub sends live video, uploads
//! and appends. What was acknowledged is there afterwards. One that is stopped in order says where it goes on.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use data_encoding::HEXLOWER;
use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Principal, Retention, Rights};
use privet_relay_client::{Connection, FollowEvent, From, Reconnect, RelayTarget, Trust, connect};
use rustix::process::{Pid, Signal, kill_process};

use crate::common::postgres::Postgres;
use crate::common::{PATIENCE, body, entries, in_time, keep, key, put, read_all, stream};

struct Program {
    child: Child,
    target: RelayTarget,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(dir: &Path, number: usize, database: &str) -> Program {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).unwrap();
    let address = socket.local_addr().unwrap();
    drop(socket);
    let text = format!(
        "listen = '127.0.0.1:0'\ndata = {:?}\n[limits]\nfree_bytes = 0\nconnects_per_s = 1000\n\
         [storage]\nkind = 'postgres'\npostgres = {database:?}\nobjects = 'file://{}'\nnode = 'node-{number}'\n\
         [nodes]\nlisten = '{address}'\naddress = '{address}'\npublic_addresses = ['127.0.0.1:0']\nsecret_file = {:?}\n\
         heartbeat_ms = 200\nlifetime_ms = 2000\n",
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
    Program { child, target: RelayTarget { host: "127.0.0.1".into(), port, trust: Trust::Pin(pin) } }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_and_a_restart_of_the_database_lose_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret"), "s".repeat(40)).unwrap();
    std::fs::create_dir(dir.path().join("objects")).unwrap();
    let database = Postgres::start();
    let mut programs: Vec<_> = (0..3).map(|number| start(dir.path(), number, &database.reached)).collect();
    let home = HomeId::generate(&SystemRandom);
    let (founder, member) = (Principal::Founder { home, invite: None }, Principal::Member { home });
    let (kept, live) = (stream(), stream());
    let mut hub = come(&programs, &founder, 1).await;
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    let mut acknowledged = 0;
    for round in 0..4_u64 {
        match round {
            1 => drop(programs.remove(0)),
            2 => {
                database.stop();
                database.start_again();
            }
            3 => drop(programs.remove(0)),
            _ => {}
        }
        // Whatever was lost is asked for again, as a hub does it.
        acknowledged = loop {
            // Who was killed says nothing: a hub finds out by QUIC's idle timeout, which is longer than a test wants to wait.
            let append = hub.append(acknowledged + 1, vec![round as u8; 500]);
            if let Ok(Ok(seq)) = tokio::time::timeout(Duration::from_secs(4), append).await {
                break seq;
            }
            hub = come(&programs, &founder, 1).await;
        };
        put(&hub, kept, round, keep(), body(round, 80_000)).await;
        let phone = come(&programs, &member, 2).await;
        let mut follower = in_time(phone.follow(live, From::Newest)).await.unwrap();
        put(&hub, live, round, Retention::Pass, body(round, 30_000)).await;
        // A node that has just taken the home over does not know what passed before: that is told as a gap.
        let mut segment = loop {
            match in_time(follower.next()).await.unwrap() {
                Some(FollowEvent::Segment(segment)) => break segment,
                Some(FollowEvent::Skipped { .. }) => {}
                ended => panic!("no live segment, but {ended:?}"),
            }
        };
        assert!(!read_all(&mut segment).await.unwrap().is_empty());
    }
    let phone = come(&programs, &member, 2).await;
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
    let programs: Vec<_> = (0..3).map(|number| start(dir.path(), number, &database.reached)).collect();
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
