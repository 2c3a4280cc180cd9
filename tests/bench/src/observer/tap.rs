//! Somebody on the wire: hands datagrams on between hub and relay and writes down when each came, how long it was and where it went.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use privet_demo::Trouble;

/// How long a thread waits before it looks whether it shall end.
const LOOK: Duration = Duration::from_millis(200);

/// A datagram, as seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Packet {
    /// Seconds since 1970.
    pub at_s: f64,
    /// From the hub to the relay, or back.
    pub up: bool,
    /// Bytes of its payload.
    pub bytes: usize,
}

/// The tap. Dropping it ends it.
pub struct Tap {
    port: u16,
    seen: Arc<Mutex<Vec<Packet>>>,
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Tap {
    /// A tap before the relay that listens at `relay` on this machine.
    ///
    /// # Errors
    /// [`Trouble`] when it gets no port.
    pub fn start(relay: u16) -> Result<Self, Trouble> {
        let failed = |e: std::io::Error| Trouble::new(format!("the tap: {e}"));
        let front = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?);
        front.set_read_timeout(Some(LOOK)).map_err(failed)?;
        let port = front.local_addr().map_err(failed)?.port();
        let (seen, ends) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let forward = Forward { front, relay: (Ipv4Addr::LOCALHOST, relay).into(), seen, ends };
        let (seen, ends) = (Arc::clone(&forward.seen), Arc::clone(&forward.ends));
        let thread = std::thread::spawn(move || forward.run());
        Ok(Self { port, seen, ends, threads: vec![thread] })
    }

    /// Where hubs find it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What was seen so far.
    pub fn seen(&self) -> Vec<Packet> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[derive(Clone)]
struct Forward {
    front: Arc<UdpSocket>,
    relay: SocketAddr,
    seen: Arc<Mutex<Vec<Packet>>>,
    ends: Arc<AtomicBool>,
}

impl Forward {
    /// Hands on what comes from clients, each over a socket of its own.
    fn run(&self) {
        let (mut clients, mut threads): (HashMap<SocketAddr, Arc<UdpSocket>>, _) = (HashMap::new(), Vec::new());
        let mut buffer = vec![0; 1 << 16];
        while let Some((bytes, from)) = self.receive(&self.front, &mut buffer) {
            let client = match clients.get(&from) {
                Some(client) => Arc::clone(client),
                None => {
                    let Ok(client) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map(Arc::new) else { continue };
                    if client.set_read_timeout(Some(LOOK)).and_then(|()| client.connect(self.relay)).is_err() {
                        continue;
                    }
                    clients.insert(from, Arc::clone(&client));
                    let (back, socket) = (self.clone(), Arc::clone(&client));
                    threads.push(std::thread::spawn(move || back.back(&socket, from)));
                    client
                }
            };
            self.note(true, bytes);
            let _ = client.send(&buffer[..bytes]);
        }
        for thread in threads {
            let _ = thread.join();
        }
    }

    /// Hands on what the relay says to one client.
    fn back(&self, client: &UdpSocket, to: SocketAddr) {
        let mut buffer = vec![0; 1 << 16];
        while let Some((bytes, _)) = self.receive(client, &mut buffer) {
            self.note(false, bytes);
            let _ = self.front.send_to(&buffer[..bytes], to);
        }
    }

    /// The next datagram; nothing when it is time to end.
    fn receive(&self, socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        while !self.ends.load(Ordering::Relaxed) {
            match socket.recv_from(buffer) {
                Ok(received) => return Some(received),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                // The other end may be gone for a moment.
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        None
    }

    fn note(&self, up: bool, bytes: usize) {
        let at_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(Packet { at_s, up, bytes });
    }
}
