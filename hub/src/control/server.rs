//! The hub's end of the socket.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::{Answer, Class, ControlError, DeviceIdText, MAX_REQUEST, Phone, Request, socket};
use crate::hub::View;
use crate::uplink::home::Stopping;
use crate::uplink::pairing::PairingEvent;

/// Shortest and longest life of a QR code.
const TTL: std::ops::RangeInclusive<u64> = 10..=3600;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections at once.
const MAX_CLIENTS: usize = 32;

/// The socket; it is gone when this is dropped.
pub struct Control {
    path: PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Control {
    /// Listens in `data_dir`. The caller holds the store's lock, so a socket that is there belongs to a dead hub.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn listen(data_dir: &Path, view: View) -> Result<Self, ControlError> {
        let path = socket(data_dir);
        let failed = |e: std::io::Error| ControlError::Socket { socket: path.clone(), cause: e.to_string() };
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(failed)?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).map_err(failed)?;
        let task = tokio::spawn(serve(listener, view));
        Ok(Self { path, task })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve(listener: UnixListener, view: View) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if clients.len() < MAX_CLIENTS => {
                    clients.spawn(client(stream, view.clone()));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection of the command line failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = clients.join_next() => {}
        }
    }
}

async fn client(stream: UnixStream, view: View) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read.take(MAX_REQUEST as u64));
    let mut line = String::new();
    match tokio::time::timeout(PATIENCE, read.read_line(&mut line)).await {
        Ok(Ok(1..)) => {}
        _ => return,
    }
    let answered = match serde_json::from_str(&line) {
        Ok(Request::Pair { ttl_s, detached }) => {
            pair(&view, ttl_s, detached, read.into_inner().into_inner(), &mut write).await
        }
        Ok(request) => answer(&view, request, &mut write).await,
        Err(error) => say(&mut write, &failed(Class::Request, format!("not a request: {error}"))).await,
    };
    if let Err(error) = answered {
        tracing::debug!(%error, "the command line hung up");
    }
}

async fn answer(view: &View, request: Request, write: &mut OwnedWriteHalf) -> std::io::Result<()> {
    let answer = match request {
        Request::Status {} => view.status().await.map(|status| Answer::Status(Box::new(status))),
        Request::Phones {} => phones(view).await,
        Request::RemovePhone { device } => Ok(remove(view, &device).await),
        Request::Pair { .. } => return Ok(()),
    };
    let answer = answer.unwrap_or_else(|stopping| failed(Class::State, stopping.to_string()));
    say(write, &answer).await
}

async fn phones(view: &View) -> Result<Answer, Stopping> {
    let phones = view.home().call(|home, _| {
        let shown = |m: &privet_home::Member| Phone::new(m, home.safety_number(m.device).map(|n| n.to_string()));
        home.members().iter().map(shown).collect()
    });
    Ok(Answer::Phones { phones: phones.await? })
}

async fn remove(view: &View, device: &DeviceIdText) -> Answer {
    let id = match device.0.parse() {
        Ok(id) => id,
        Err(error) => return failed(Class::Request, format!("{error}; `privet-hub phones list` shows them")),
    };
    match view.remove(id).await {
        Ok(Some(relay_knows)) => Answer::Removed { device: device.clone(), relay_knows },
        Ok(None) => {
            failed(Class::Request, format!("{id} is no phone of this home; `privet-hub phones list` shows them"))
        }
        Err(error) => failed(Class::State, error.to_string()),
    }
}

async fn pair(
    view: &View,
    ttl_s: u64,
    detached: bool,
    mut read: OwnedReadHalf,
    write: &mut OwnedWriteHalf,
) -> std::io::Result<()> {
    if !TTL.contains(&ttl_s) {
        let text = format!("a QR code can't be good for {ttl_s} s; {} to {} are allowed", TTL.start(), TTL.end());
        return say(write, &failed(Class::Request, text)).await;
    }
    let relay = view.relay_address();
    let address = format!("{}:{}", relay.host, relay.port);
    let (invitation, mut events) = match view.pairings().open(view.home(), relay, Duration::from_secs(ttl_s)).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return say(write, &failed(Class::State, error.to_string())).await,
        Err(stopping) => return say(write, &failed(Class::State, stopping.to_string())).await,
    };
    let code = Answer::Code { code: invitation.qr_text.clone(), until_ms: invitation.until.0, relay: address };
    let mut told = say(write, &code).await;
    let mut hung_up = [0];
    while told.is_ok() {
        let event = tokio::select! {
            event = events.recv() => event,
            read = read.read(&mut hung_up) => match read {
                Ok(1..) => continue,
                _ => break,
            },
        };
        let Some(event) = event else { return Ok(()) };
        let answer = shown(event);
        told = say(write, &answer).await;
        match answer {
            Answer::Paired { .. } | Answer::Expired {} | Answer::Refused { over: true, .. } => return told,
            Answer::Ready {} if detached => return told,
            _ => {}
        }
    }
    if !detached && view.pairings().cancel(view.home(), invitation.pairing).await.is_err() {
        tracing::debug!("the hub stops");
    }
    told
}

fn shown(event: PairingEvent) -> Answer {
    match event {
        PairingEvent::Ready => Answer::Ready {},
        PairingEvent::Refused { cause, over } => Answer::Refused { cause, over },
        PairingEvent::Joined { device, name, safety_number } => {
            Answer::Joined { device: device.into(), name, safety_number }
        }
        PairingEvent::Arrived { device } => Answer::Paired { device: device.into() },
        PairingEvent::Expired => Answer::Expired {},
    }
}

fn failed(class: Class, text: String) -> Answer {
    Answer::Failed { class, text }
}

async fn say(write: &mut OwnedWriteHalf, answer: &Answer) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(std::io::Error::other)?;
    line.push(b'\n');
    write.write_all(&line).await
}
