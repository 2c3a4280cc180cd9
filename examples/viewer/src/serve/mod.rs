//! `serve`: the viewer's page, for a browser on this machine. What it may ask and who may: `docs/design/0019-viewer-page.md`.
//!
//! A request comes through the `door` (who asks), `routes` (what is asked) and leaves as one of the `answers`. Clips go through
//! `film` and `clip`, `range` says which part of one; `live` and `happenings` hold a `socket` each; `page` is the page's own files.

mod answers;
mod clip;
mod door;
mod film;
mod happenings;
mod live;
mod page;
mod range;
mod routes;
mod socket;

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use privet_app_core::Client;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::door::Door;
use self::film::Films;
use self::happenings::Happenings;
use crate::run::Failure;
use crate::say::Say;

/// How long what the browser still takes may last after the end.
const LEAVE: Duration = Duration::from_secs(3);

/// What was asked for.
pub struct Wish<'a> {
    /// The port, if a certain one.
    pub port: Option<u16>,
    /// What this device is called until it is in a home.
    pub name: &'a str,
    /// Open the browser.
    pub open: bool,
}

/// What all requests share.
struct Server {
    client: Arc<Client>,
    device_name: String,
    films: Films,
    happenings: Happenings,
    /// Whoever holds it decodes a picture.
    picture: Arc<tokio::sync::Mutex<()>>,
    /// The end of everything that goes on.
    stop: CancellationToken,
    /// What outlives its request.
    sockets: TaskTracker,
}

/// Serves the page until ctrl-c or SIGTERM.
pub async fn serve(client: Arc<Client>, wish: &Wish<'_>, say: &Say) -> Result<(), Failure> {
    let port = wish.port.unwrap_or(0);
    let failed = |error: std::io::Error| Failure::Other(format!("listening on 127.0.0.1, port {port}: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    let door = Arc::new(Door::new(listener.local_addr().map_err(failed)?.port())?);
    // From here on a signal is an end, and no abrupt one.
    let failed = |error: std::io::Error| Failure::Other(format!("signals: {error}"));
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;

    let server = Arc::new(Server {
        client,
        device_name: wish.name.to_owned(),
        films: Films::default(),
        happenings: Happenings::new(),
        picture: Arc::default(),
        stop: CancellationToken::new(),
        sockets: TaskTracker::new(),
    });
    let telling = server.clone();
    server.sockets.spawn(async move { telling.happenings.pull(&telling.client, &telling.stop).await });
    // A picture is not to wait for the one after it.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    let serving = axum::serve(listener, routes::router(server.clone(), door.clone()))
        .with_graceful_shutdown(server.stop.clone().cancelled_owned());
    let serving = tokio::spawn(serving.into_future());

    announce(&door.address(), wish.open, say);
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }

    server.stop.cancel();
    server.sockets.close();
    // A browser that does not read on would hold its connection for ever.
    let _ = tokio::time::timeout(LEAVE, async {
        let _ = serving.await;
        server.sockets.wait().await;
    })
    .await;
    Ok(())
}

fn announce(address: &str, open: bool, say: &Say) {
    say.item(&json!({"url": address}), || address.to_owned());
    say.note("open this in a browser on this machine; it lets one in. Ctrl-c ends it.");
    if !open {
        return;
    }
    // A group of its own: ctrl-c here is not meant for the browser.
    let opened = Command::new("xdg-open")
        .arg(address)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = opened {
        say.note(&format!("xdg-open can't be started ({error}): open the address yourself"));
    }
}
