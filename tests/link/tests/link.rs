//! Real packets through a link: what was asked for happens to them, and to QUIC and TCP alike.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use privet_link::{CENTRE, Centre, Conditions, Counts, Link, Loss, Rate};
use quinn::crypto::rustls::QuicClientConfig;

const PATIENCE: Duration = Duration::from_secs(30);
const DELAY: Duration = Duration::from_millis(10);

fn udp(link: Option<&Link>, centre: &Centre) -> UdpSocket {
    let (namespace, address) = match link {
        Some(link) => (link.namespace(), link.address()),
        None => (centre.namespace(), CENTRE),
    };
    let socket = namespace.enter(|| UdpSocket::bind((address, 0))).unwrap().unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    socket
}

/// Sends `packets` numbered datagrams and gives the numbers that arrived, in the order in which they did.
fn send(from: &UdpSocket, to: &UdpSocket, packets: u32) -> Vec<u32> {
    let target = to.local_addr().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..packets {
                from.send_to(&number.to_be_bytes(), target).unwrap();
                if number % 20 == 19 {
                    // Sockets hold a few hundred.
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        });
        let mut numbers = Vec::new();
        let mut packet = [0; 4];
        // Ends with the silence after the last one.
        while numbers.last() != Some(&(packets - 1)) && to.recv(&mut packet).is_ok() {
            numbers.push(u32::from_be_bytes(packet));
        }
        numbers
    })
}

#[test]
fn packets_are_lost_as_asked_and_the_rest_arrives_in_order() {
    let Some(mut centre) = Centre::or_skip("loss of packets on a link") else { return };
    let good = Conditions::delay(DELAY);
    let link = centre.link(good.with_loss(Loss::Each(0.1)), good, 7).unwrap();
    let (near, far) = (udp(None, &centre), udp(Some(&link), &centre));

    let arrived = send(&near, &far, 2000);
    assert!(arrived.is_sorted());
    let Counts { arrived: counted, lost, no_room } = link.down();
    assert_eq!((counted as usize, counted + lost, no_room), (arrived.len(), 2000, 0));
    // Five standard deviations of a fair coin with this bias.
    assert!((133..=267).contains(&lost), "{lost} of 2000 lost");

    assert_eq!(send(&far, &near, 500), (0..500).collect::<Vec<_>>(), "the way back is good");
    link.change(good, good.with_loss(Loss::Each(1.0)));
    assert_eq!(send(&near, &far, 100).len(), 100);
    assert!(send(&far, &near, 100).is_empty(), "and now it is the other way round");
}

#[test]
fn a_round_trip_takes_both_delays_and_the_neighbour_s_does_not() {
    let Some(mut centre) = Centre::or_skip("delay on a link") else { return };
    let slow = Conditions::delay(Duration::from_millis(150));
    let (slow, quick) = (
        centre.link(slow, slow, 1).unwrap(),
        centre.link(Conditions::delay(DELAY), Conditions::delay(DELAY), 1).unwrap(),
    );
    let near = udp(None, &centre);
    let target = near.local_addr().unwrap();
    let mut packet = [0; 8];
    for (link, least) in [(&slow, Duration::from_millis(300)), (&quick, DELAY * 2)] {
        let far = udp(Some(link), &centre);
        let sent = Instant::now();
        far.send_to(b"ping", target).unwrap();
        let (length, from) = near.recv_from(&mut packet).unwrap();
        assert_eq!((&packet[..length], from), (&b"ping"[..], far.local_addr().unwrap()));
        near.send_to(b"pong", from).unwrap();
        assert_eq!(far.recv(&mut packet).unwrap(), 4);
        assert!(sent.elapsed() >= least, "{:?} for {least:?}", sent.elapsed());
    }
}

#[test]
fn a_queue_that_is_full_drops() {
    let Some(mut centre) = Centre::or_skip("the queue of a link") else { return };
    // Room for 100 packets of 32 bytes (4 and the headers), each of which takes 2.56 ms: fifty come while the queue empties.
    let rate = Rate { bits_per_s: 100_000, queue_bytes: 3200 };
    let good = Conditions::delay(DELAY);
    let link = centre.link(good.with_rate(Some(rate)), good, 1).unwrap();
    let (near, far) = (udp(None, &centre), udp(Some(&link), &centre));
    let arrived = send(&near, &far, 1000);
    let counts = link.down();
    assert_eq!((arrived.len() as u64, counts.lost), (counts.arrived, 0));
    assert_eq!(counts.arrived + counts.no_room, 1000);
    assert!(counts.arrived >= 100 && counts.no_room > 0, "{counts:?}");
}

fn body() -> Vec<u8> {
    (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn lossy() -> Conditions {
    Conditions::delay(DELAY).with_loss(Loss::Bursts { share: 0.02, length: 2.0 }).with_rate(Some(Rate::mbit(20.0)))
}

#[test]
fn tcp_passes() {
    let Some(mut centre) = Centre::or_skip("TCP over a link") else { return };
    let link = centre.link(lossy(), lossy(), 3).unwrap();
    let listener = centre.namespace().enter(|| TcpListener::bind((CENTRE, 0))).unwrap().unwrap();
    let address = listener.local_addr().unwrap();
    let sender = std::thread::spawn(move || listener.accept().unwrap().0.write_all(&body()).unwrap());
    let mut stream = link.namespace().enter(|| TcpStream::connect(address)).unwrap().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    sender.join().unwrap();
    assert!(got == body());
    assert!(link.down().lost > 0);
}

#[test]
fn quic_passes() {
    let Some(mut centre) = Centre::or_skip("QUIC over a link") else { return };
    let link = centre.link(lossy(), lossy(), 4).unwrap();
    let (server, certificate) = {
        let made = rcgen::generate_simple_self_signed(vec!["centre".into()]).unwrap();
        let key = rustls_pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let certificate = made.cert.der().clone();
        (quinn::ServerConfig::with_single_cert(vec![certificate.clone()], key.into()).unwrap(), certificate)
    };
    let (centre_runtime, link_runtime) = (centre.namespace().runtime().unwrap(), link.namespace().runtime().unwrap());
    let (said, address) = std::sync::mpsc::channel::<SocketAddr>();
    let sender = centre_runtime.spawn(async move {
        let endpoint = quinn::Endpoint::server(server, (CENTRE, 0).into()).unwrap();
        said.send(endpoint.local_addr().unwrap()).unwrap();
        let connection = endpoint.accept().await.unwrap().await.unwrap();
        let mut stream = connection.open_uni().await.unwrap();
        stream.write_all(&body()).await.unwrap();
        stream.finish().unwrap();
        connection.closed().await;
    });
    let address = address.recv_timeout(PATIENCE).unwrap();
    let got = link_runtime.spawn(async move {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let endpoint = quinn::Endpoint::client(([0, 0, 0, 0], 0).into()).unwrap();
        let connection = endpoint.connect_with(config, address, "centre").unwrap().await.unwrap();
        let mut stream = connection.accept_uni().await.unwrap();
        stream.read_to_end(2_000_000).await.unwrap()
    });
    let both = centre_runtime.block_on(async {
        let got = tokio::time::timeout(PATIENCE, got).await.expect("it takes too long").unwrap();
        tokio::time::timeout(PATIENCE, sender).await.expect("it takes too long").unwrap();
        got
    });
    assert!(both == body());
    assert!(link.down().lost > 0);
}
