//! A small RTSP/TCP camera in pure Rust for tests: plays a clip in a loop at its own speed, and does wrong on request.
//!
//! ```no_run
//! use privet_raw_camera::{Fault, Options, RawCamera};
//! let camera = RawCamera::start(Options::synthetic())?;
//! println!("{}", camera.url());
//! camera.set_fault(Fault::Freeze);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Every picture carries two SEI messages ([`stamp`]) that say which it is and when it left, so that latency can be measured to the
//! far end. Faults ([`Fault`]) are switched at run time; quirks ([`Quirk`]) are how a vendor's camera is, named after it.

#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

mod auth;
pub mod clip;
mod connection;
mod fault;
mod rtp;
mod sdp;
pub mod stamp;
pub mod synthetic;

pub use auth::Account;
pub use clip::{Clip, ClipError};
pub use fault::{Fault, Quirk};

/// How a camera is.
#[derive(Clone, Debug)]
pub struct Options {
    /// What it plays.
    pub clip: Arc<Clip>,
    /// What it plays under [`Fault::ParameterChange`].
    pub second: Option<Arc<Clip>>,
    /// Where it listens; port 0 for any free one.
    pub listen: SocketAddr,
    /// Who may watch; everybody without.
    pub account: Option<Account>,
    /// A fault from the start, and the number of pictures before it shows.
    pub fault: Option<(Fault, u64)>,
    /// How it differs from the RFCs.
    pub quirks: Vec<Quirk>,
    /// Play so many times faster.
    pub speed: f64,
    /// Leave the sound out.
    pub silent: bool,
}

impl Options {
    /// A camera on any free port of this machine that plays `clip`.
    pub fn new(clip: Clip) -> Self {
        Self {
            clip: Arc::new(clip),
            second: None,
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            account: None,
            fault: None,
            quirks: Vec::new(),
            speed: 1.0,
            silent: false,
        }
    }

    /// A camera that needs no file: 64x64 pixels, 15 pictures per second, a key frame every second, its number in the picture;
    /// 128x96 for a change of parameters.
    pub fn synthetic() -> Self {
        Self {
            second: Some(Arc::new(synthetic::clip(8, 6, 15, 15, 450))),
            ..Self::new(synthetic::clip(4, 4, 15, 15, 450))
        }
    }
}

/// A running camera. Dropping it stops it.
#[derive(Debug)]
pub struct RawCamera {
    shared: Arc<Shared>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl RawCamera {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the address is in use.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen)?;
        let address = listener.local_addr()?;
        let fault = options.fault.map(|(fault, after)| Active { fault, after, once: false });
        let shared = Arc::new(Shared {
            options,
            fault: Mutex::new(fault),
            stopping: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
            playing: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            torn_down: AtomicU64::new(0),
            streams: Mutex::new(Vec::new()),
        });
        let for_thread = shared.clone();
        let thread =
            std::thread::Builder::new().name("raw-camera".into()).spawn(move || accept(&listener, &for_thread))?;
        Ok(Self { shared, address, thread: Some(thread) })
    }

    /// Where to watch.
    pub fn url(&self) -> String {
        format!("rtsp://{}/live", self.address)
    }

    /// Address and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the next picture on, every connection shows this fault, until it is cleared.
    pub fn set_fault(&self, fault: Fault) {
        *self.shared.fault() = Some(Active { fault, after: 0, once: false });
    }

    /// The first connection that comes to it shows this fault; then all is well again.
    pub fn fault_once(&self, fault: Fault) {
        *self.shared.fault() = Some(Active { fault, after: 0, once: true });
    }

    /// All is well again for what has not failed yet.
    pub fn clear_fault(&self) {
        *self.shared.fault() = None;
    }

    /// Connections taken so far.
    pub fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Connections that play now.
    pub fn playing(&self) -> u64 {
        self.shared.playing.load(Ordering::Relaxed)
    }

    /// Pictures sent so far over all connections.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// TEARDOWN requests so far.
    pub fn torn_down(&self) -> u64 {
        self.shared.torn_down.load(Ordering::Relaxed)
    }

    /// Closes the connections that there are; new ones are taken.
    pub fn hang_up(&self) {
        for stream in self.shared.streams().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Stops listening and closes all connections.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.hang_up();
        // Wakes `accept`.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for RawCamera {
    fn drop(&mut self) {
        self.end();
    }
}

#[derive(Clone, Copy, Debug)]
struct Active {
    fault: Fault,
    after: u64,
    once: bool,
}

#[derive(Debug)]
struct Shared {
    options: Options,
    fault: Mutex<Option<Active>>,
    stopping: AtomicBool,
    accepted: AtomicU64,
    playing: AtomicU64,
    sent: AtomicU64,
    torn_down: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

impl Shared {
    fn fault(&self) -> MutexGuard<'_, Option<Active>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn has(&self, quirk: Quirk) -> bool {
        self.options.quirks.contains(&quirk)
    }

    /// The fault that is due at picture number `frame`, if it is one that `wanted` takes; a single one is used up.
    fn take_fault(&self, frame: u64, wanted: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut slot = self.fault();
        let active = (*slot)?;
        if frame < active.after || !wanted(active.fault) {
            return None;
        }
        if active.once {
            *slot = None;
        }
        Some(active.fault)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping() {
            return;
        }
        let Ok(stream) = stream else { continue };
        let number = shared.accepted.fetch_add(1, Ordering::Relaxed);
        if let Ok(copy) = stream.try_clone() {
            let mut streams = shared.streams();
            streams.retain(|stream| stream.peer_addr().is_ok());
            streams.push(copy);
        }
        let shared = shared.clone();
        let started = std::thread::Builder::new()
            .name(format!("raw-camera-{number}"))
            .stack_size(256 << 10)
            .spawn(move || connection::serve(&stream, number, &shared));
        if let Err(e) = started {
            eprintln!("raw camera: no thread for a connection: {e}");
        }
    }
}
