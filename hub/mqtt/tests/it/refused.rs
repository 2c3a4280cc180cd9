//! Brokers that refuse, hang or talk nonsense: each has its name, none holds the hub up, and all are tried again.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use privet_mqtt::{Broker, House, LinkError, LinkState, Login, Mqtt, News, Topics};
use privet_protocol::id::CameraId;
use privet_protocol::random::SystemRandom;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common::*;

fn login(password: &str) -> Option<Login> {
    Some(Login { username: "privet".into(), password: password.to_owned().into() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named_and_never_shown_and_the_hub_goes_on() {
    let log = logged();
    let mut broker = Mosquitto::with(|folder| {
        format!("allow_anonymous false\npassword_file {}\n", password_file(folder, "privet", "right-horse").display())
    });
    drop(Listener::when_up(broker.port).await);
    let right = spawn(Broker::new("127.0.0.1", broker.port, login("right-horse")), &Arc::default());
    state(&right.handle(), "the right one gets in", |s| *s == LinkState::Connected).await;
    right.stop().await;

    let to = Broker::new("127.0.0.1", broker.port, login("wrong-battery"));
    assert!(!format!("{to:?}").contains("battery"));
    let mqtt = spawn(to, &Arc::default());
    let handle = mqtt.handle();
    let refused = state(&handle, "it is refused", |s| matches!(s, LinkState::Waiting { .. })).await;
    let LinkState::Waiting { why } = refused else { unreachable!() };
    assert_eq!(why, LinkError::Login);
    assert_eq!(why.to_string(), "the broker refuses user and password; check mqtt.username and mqtt.password_file");
    handle.camera(DOOR, News::Online(true));
    // The owner of the broker lets it in: it comes by itself, and nothing was lost.
    broker.kill();
    broker.start_with("allow_anonymous true\n");
    state(&handle, "it gets in", |s| *s == LinkState::Connected).await;
    Listener::when_up(broker.port).await.hears("privet/door_01010101/online", "ON").await;
    let said = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    assert!(said.contains("the broker refuses user and password"), "{said}");
    assert!(!said.contains("horse") && !said.contains("battery"), "{said}");
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_only_the_named_authority_is_believed() {
    let (ours, other) = (authority("ours"), authority("other"));
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &ours).unwrap();
    let broker = Mosquitto::with(|folder| {
        let write = |name: &str, text: String| {
            let file = folder.join(name);
            std::fs::write(&file, text).unwrap();
            file.display().to_string()
        };
        let (cert, key) = (write("server.pem", server.pem()), write("server.key", key.serialize_pem()));
        write("ours.pem", ours.pem());
        write("other.pem", other.pem());
        write("nothing.pem", "no certificate\n".into());
        format!("allow_anonymous true\ncertfile {cert}\nkeyfile {key}\n")
    });
    within("the broker starts", async {
        while TcpStream::connect(("127.0.0.1", broker.port)).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let ca = |name: &str| broker.file(name);
    let mqtt = spawn(broker.broker().over_tls(Some(&ca("ours.pem"))).unwrap(), &Arc::default());
    state(&mqtt.handle(), "the right authority", |s| *s == LinkState::Connected).await;
    mqtt.stop().await;

    let wrong = spawn(broker.broker().over_tls(Some(&ca("other.pem"))).unwrap(), &Arc::default());
    let refused = state(&wrong.handle(), "another authority", |s| matches!(s, LinkState::Waiting { .. })).await;
    let LinkState::Waiting { why } = refused else { unreachable!() };
    assert!(matches!(&why, LinkError::Tls { .. }) && why.to_string().contains("check mqtt.tls, mqtt.ca"), "{why}");

    let plain = spawn(broker.broker(), &Arc::default());
    let refused = state(&plain.handle(), "no TLS", |s| matches!(s, LinkState::Waiting { .. })).await;
    let LinkState::Waiting { why } = refused else { unreachable!() };
    assert!(why.to_string().contains("check mqtt.port and mqtt.tls"), "{why}");

    let error = broker.broker().over_tls(Some(&ca("nothing.pem"))).unwrap_err().to_string();
    assert!(error.contains("nothing.pem holds no certificate"), "{error}");
    let error = broker.broker().over_tls(Some(Path::new("/nowhere.pem"))).unwrap_err().to_string();
    assert!(error.contains("/nowhere.pem"), "{error}");
}

/// A broker of which each connection is answered by `answer`.
async fn false_broker<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    address
}

/// What becomes of a connection to it.
async fn outcome(address: SocketAddr, house: House) -> LinkError {
    let broker = Broker::new("127.0.0.1", address.port(), None);
    let mqtt = Mqtt::spawn(broker, house, Arc::new(Book::default()), Arc::new(|| NOW), Arc::new(SystemRandom), quick());
    let handle = mqtt.handle();
    let why = |state: LinkState| match state {
        LinkState::Waiting { why } => why,
        other => panic!("{other:?}"),
    };
    let first = why(state(&handle, "it fails", |s| matches!(s, LinkState::Waiting { .. })).await);
    state(&handle, "it is tried again", |s| !matches!(s, LinkState::Waiting { .. })).await;
    mqtt.stop().await;
    first
}

const GREETING: [u8; 4] = [0x20, 2, 0, 0];

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_or_talks_nonsense_is_given_up_and_tried_again() {
    let silent = false_broker(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(outcome(silent.await, house()).await, LinkError::Silent { doing: "a greeting" });

    let web = false_broker(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let why = outcome(web.await, house()).await;
    assert!(matches!(why, LinkError::NotMqtt { .. }), "{why}");

    let closing = false_broker(|stream| async move { drop(stream) });
    let why = outcome(closing.await, house()).await;
    assert!(matches!(why, LinkError::Closed { .. }), "{why}");

    let refusing = false_broker(|mut stream| async move {
        let _ = stream.write_all(&[0x20, 2, 0, 3]).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(outcome(refusing.await, house()).await, LinkError::Refused { cause: "ServiceUnavailable".into() });

    for nonsense in [
        &[0xff; 64][..],
        &[0x20, 2, 0, 0],
        &[0x10, 4, 0, 4, b'M', b'Q'],
        &[0x36, 5, 0, 1, b'a', 0, 1],
        &[0x30, 0xff, 0xff, 0xff, 0x7f],
    ] {
        let talking = false_broker(move |mut stream| async move {
            let _ = stream.write_all(&GREETING).await;
            let _ = stream.write_all(nonsense).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
        let why = outcome(talking.await, house()).await;
        assert!(matches!(why, LinkError::NotMqtt { .. }), "{nonsense:?}: {why}");
    }

    let mute = false_broker(|mut stream| async move {
        let _ = stream.write_all(&GREETING).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(outcome(mute.await, house()).await, LinkError::Silent { doing: "a sign of life" });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_takes_nothing_is_given_up() {
    let greedy = false_broker(|mut stream| async move {
        let _ = stream.write_all(&GREETING).await;
        std::future::pending::<()>().await;
    });
    // More than the system keeps for a reader that does not read.
    let cameras = (0..3000_u128).map(|n| (CameraId::from_bytes((n << 96 | 1).to_be_bytes()), format!("Camera {n}")));
    let topics = Topics::new("privet", "homeassistant", "Cottage", "0123456789abcdef");
    let many = House::new(topics, "Cottage", "0.1.0", cameras);
    assert_eq!(outcome(greedy.await, many).await, LinkError::Silent { doing: "room to write" });
}
