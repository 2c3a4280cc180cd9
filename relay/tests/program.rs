//! The program itself: its words, its exit codes, and `kill -9` in a loop with everything acknowledged still there.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use common::{PATIENCE, body, entries, in_time, keep, key, read_all, stream};
use data_encoding::HEXLOWER;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::{Random, SystemRandom};
use privet_protocol::relay::{Principal, Rights};
use privet_relay_client::{Connection, RelayTarget, Trust, connect};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_privet-relay"));
    command.env_remove("RUST_LOG").env_remove("PRIVET_RELAY_CONFIG");
    command
}

fn output(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

struct Running {
    child: Child,
    target: RelayTarget,
    port: u16,
}

impl Running {
    fn start(config: &Path, port: u16) -> Self {
        let mut child = program()
            .args(["run", "--config", config.to_str().unwrap(), "--listen", &format!("127.0.0.1:{port}")])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).expect("one line of JSON");
        let port = ready["listening"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        let pin = HEXLOWER.decode(ready["pin"].as_str().unwrap().as_bytes()).unwrap().try_into().unwrap();
        Self { child, target: RelayTarget { host: "127.0.0.1".into(), port, trust: Trust::Pin(pin) }, port }
    }

    fn kill(mut self) -> u16 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.port
    }
}

fn write_config(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("relay.toml");
    let text = format!(
        "data = {:?}\n[limits]\nfree_bytes = 0\nconnects_per_s = 1000\nrequests_per_s = 10000\n",
        dir.join("data").to_str().unwrap()
    );
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn it_says_what_is_wrong_and_where() {
    let dir = tempfile::tempdir().unwrap();
    let config = write_config(dir.path());
    let config = config.to_str().unwrap();
    let good = output(&["config", "check", "--config", config]);
    assert!(good.status.success());
    assert!(String::from_utf8(good.stdout).unwrap().ends_with("relay.toml: good\n"));

    let wrong = dir.path().join("wrong.toml");
    std::fs::write(&wrong, "data = '/tmp'\nlisten = 'everywhere'\n").unwrap();
    let wrong = wrong.to_str().unwrap();
    let bad = output(&["config", "check", "--config", wrong]);
    assert_eq!(bad.status.code(), Some(3));
    assert!(bad.stdout.is_empty());
    let text = String::from_utf8(bad.stderr).unwrap();
    assert!(text.contains("wrong.toml:2: listen is 'everywhere'; allowed: an IP address and a UDP port"), "{text}");
    let bad = output(&["config", "check", "--config", wrong, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&bad.stdout).unwrap();
    assert_eq!((bad.status.code(), &json["ok"]), (Some(3), &false.into()));
    assert_eq!(output(&["run", "--config", "/does/not/exist.toml"]).status.code(), Some(3));
    let bad = output(&["run", "--listen", "localhost:4433"]);
    let text = String::from_utf8(bad.stderr).unwrap();
    assert!(bad.status.code() == Some(2) && text.contains("an IP address and a UDP port, such as [::]:4433"), "{text}");
    assert_eq!(output(&["walk"]).status.code(), Some(2));
    let taken = output(&["run", "--config", config, "--data", "/proc/nowhere"]);
    assert_eq!(taken.status.code(), Some(5), "{taken:?}");
}

#[test]
fn its_identity_is_made_once_and_kept_to_itself() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let config = write_config(dir.path());
    let config = config.to_str().unwrap();
    let pin = String::from_utf8(output(&["identity", "--config", config]).stdout).unwrap();
    assert_eq!(pin.trim().len(), 64);
    assert_eq!(String::from_utf8(output(&["identity", "--config", config]).stdout).unwrap(), pin);
    let json: serde_json::Value =
        serde_json::from_slice(&output(&["identity", "--config", config, "--json"]).stdout).unwrap();
    assert_eq!(json["pin"], pin.trim());
    let mode = std::fs::metadata(dir.path().join("data/identity.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let relay = Running::start(Path::new(config), 0);
    let Trust::Pin(running) = relay.target.trust else { unreachable!() };
    assert_eq!(HEXLOWER.encode(&running), pin.trim());
    let second = output(&["run", "--config", config]);
    assert_eq!(second.status.code(), Some(5), "the storage is in use");
    relay.kill();
}

#[tokio::test]
async fn it_ends_in_order_when_it_is_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut relay = Running::start(&write_config(dir.path()), 0);
    let principal = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: None };
    let hub = connect(&relay.target, principal, &key(1), PATIENCE).await.unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(relay.child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let reason = in_time(hub.closed()).await.to_string();
    assert!(reason.contains("shuts down"), "{reason}");
    let status = tokio::task::spawn_blocking(move || relay.child.wait().unwrap()).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

/// What the relay acknowledged.
#[derive(Default)]
struct Promised {
    log: u64,
    inbox: u64,
    segments: Vec<(StreamId, u64, usize)>,
}

/// Works until the relay is gone.
async fn work(hub: Connection, phone: Connection, promised: &mut Promised) {
    let id = stream();
    for index in 0.. {
        if hub.append(promised.log + 1, vec![7; 500]).await.is_err() {
            return;
        }
        promised.log += 1;
        if index < 100 {
            if phone.send(vec![8; 300]).await.is_err() {
                return;
            }
            promised.inbox += 1;
        }
        let length = 10_000 + usize::try_from(index).unwrap() * 777;
        let Ok(mut writer) = hub.put(id, index, keep(), index % 2 == 0).await else { return };
        if writer.write(body(index, length)).await.is_err() || writer.finish().await.is_err() {
            return;
        }
        promised.segments.push((id, index, length));
    }
}

async fn verify(hub: &Connection, phone: &Connection, promised: &mut Promised) {
    let log = entries(phone.read_log(1, false).await.unwrap()).await;
    // The last request may have been carried out without its answer having come.
    assert!([promised.log, promised.log + 1].contains(&(log.len() as u64)), "{} of {}", log.len(), promised.log);
    assert!(log.iter().enumerate().all(|(at, (seq, bytes))| *seq == at as u64 + 1 && *bytes == [7; 500]));
    promised.log = log.len() as u64;
    let inbox = entries(hub.read_inbox(1, false).await.unwrap()).await;
    let read = inbox.last().map_or(promised.inbox, |(seq, _)| *seq);
    assert!([promised.inbox, promised.inbox + 1].contains(&read), "{read} of {}", promised.inbox);
    promised.inbox = read;
    hub.ack_inbox(read).await.unwrap();
    for (stream, index, length) in &promised.segments {
        let mut reader = phone.get(*stream, *index, 0).await.unwrap();
        assert_eq!(read_all(&mut reader).await.unwrap(), body(*index, *length), "{index}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_killed_relay_are_told_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let config = write_config(dir.path());
    let relay = Running::start(&config, 0);
    let founder = Principal::Founder { home: HomeId::generate(&SystemRandom), invite: None };
    let hub = connect(&relay.target, founder, &key(1), PATIENCE).await.unwrap();
    let relay = Running::start(&config, relay.kill());
    // Told, not timed out: the words are those of a stateless reset.
    let error = hub.usage().await.unwrap_err().to_string();
    assert!(error.contains("reset by peer"), "{error}");
    relay.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_it_keeps_what_it_acknowledged() {
    let rounds = std::env::var("PRIVET_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let dir = tempfile::tempdir().unwrap();
    let config = write_config(dir.path());
    let home = HomeId::generate(&SystemRandom);
    let mut promised = Promised::default();
    let mut port = 0;
    for round in 0..rounds {
        let relay = Running::start(&config, port);
        let founder = Principal::Founder { home, invite: None };
        let hub = connect(&relay.target, founder, &key(1), PATIENCE).await.unwrap();
        hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
        let phone = connect(&relay.target, Principal::Member { home }, &key(2), PATIENCE).await.unwrap();
        verify(&hub, &phone, &mut promised).await;
        let mut byte = [0; 1];
        SystemRandom.fill(&mut byte);
        let moment = Duration::from_millis(20 + u64::from(byte[0]));
        let killer = tokio::task::spawn_blocking(move || {
            std::thread::sleep(moment);
            relay.kill()
        });
        // A dead relay says nothing: the work ends when the killing is done.
        let before = promised.segments.len();
        tokio::select! {
            () = work(hub.clone(), phone.clone(), &mut promised) => {}
            killed = killer => port = killed.unwrap(),
        }
        if port == 0 {
            panic!("round {round}: the relay refused to work");
        }
        println!("round {round}: {} segments more", promised.segments.len() - before);
    }
    let relay = Running::start(&config, port);
    let hub = connect(&relay.target, Principal::Founder { home, invite: None }, &key(1), PATIENCE).await.unwrap();
    let phone = connect(&relay.target, Principal::Member { home }, &key(2), PATIENCE).await.unwrap();
    verify(&hub, &phone, &mut promised).await;
    assert!(promised.segments.len() > 10);
    let partial = dir.path().join("data/bodies/partial").read_dir().unwrap().count();
    assert!(partial <= rounds, "{partial} unfinished files");
    relay.kill();
}
