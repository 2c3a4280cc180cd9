//! Those who came to another node: each comes over a connection of its own between the nodes, and is served like any other. Its node has
//! seen that its key is there; what the key may do is looked at here.

use std::sync::Arc;
use std::time::Duration;

use privet_protocol::relay::close;
use quinn::Incoming;

use super::Relay;
use super::connection::{self, Session};
use super::received::Received;
use super::wire::{Answers, Failure, read_message};
use crate::nodes::Nodes;
use crate::nodes::link::{Behalf, MAX_OPENING, Opened, Opening};

/// Until it is known for whom a node comes, and until it has taken the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Accepts other nodes until the relay shuts down.
pub(super) async fn run(relay: Arc<Relay>, nodes: Arc<Nodes>) {
    loop {
        let incoming = tokio::select! {
            () = relay.shutdown.cancelled() => return,
            incoming = nodes.endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { return };
        let served = relay.serving.track_future(serve(Arc::clone(&relay), Arc::clone(&nodes), incoming));
        relay.tasks.spawn(served);
    }
}

async fn serve(relay: Arc<Relay>, nodes: Arc<Nodes>, incoming: Incoming) {
    let shaken = async { incoming.accept()?.await };
    let Ok(Ok(link)) = tokio::time::timeout(PATIENCE, shaken).await else { return };
    let Some(session) = greet(&relay, &nodes, &link).await else { return };
    Arc::new(session).serve().await;
    relay.tally.ended(&link);
}

/// Reads and answers the opening; `None` when nobody is served on this link.
async fn greet(relay: &Arc<Relay>, nodes: &Nodes, link: &quinn::Connection) -> Option<Session> {
    let Ok(heard) = tokio::time::timeout(PATIENCE, hear(relay, nodes, link)).await else {
        relay.tally.close(link, close::LATE, b"");
        return None;
    };
    let Heard { behalf, mut answers, receive: _receive } = heard?;
    let opening = tokio::time::timeout(relay.limits.now().home(), open(relay, nodes, link, behalf)).await;
    let (opened, session) = match opening.unwrap_or_else(|_| Err(Failure::reading())) {
        Ok(Some(session)) => (Opened::Answer(session.welcome()), Some(session)),
        Ok(None) => (Opened::Elsewhere, None),
        Err(Failure::Refused(refusal)) => {
            relay.tally.refused.add(refusal.code);
            (Opened::Answer(privet_protocol::relay::HelloAnswer::Refused(refusal)), None)
        }
        Err(_) => return None,
    };
    let telling = async {
        answers.send(&opened).await?;
        let told = answers.stopped();
        answers.finish();
        if session.is_none() {
            told.await;
        }
        Ok::<_, Failure>(())
    };
    let told = tokio::time::timeout(PATIENCE, telling).await;
    if session.is_none() || !matches!(told, Ok(Ok(()))) {
        link.close(close::DONE.into(), b"");
        return None;
    }
    session
}

/// For whom a node comes, and the way to answer it.
struct Heard {
    behalf: Behalf,
    answers: Answers,
    /// Kept until it is answered.
    receive: Received,
}

/// Reads the opening; `None` when that is none, or the node is gone.
async fn hear(relay: &Relay, nodes: &Nodes, link: &quinn::Connection) -> Option<Heard> {
    let (send, receive) = link.accept_bi().await.ok()?;
    let mut receive = Received::new(receive, None, Arc::clone(&relay.tally));
    let answers = Answers::new(send, Arc::clone(&relay.tally));
    let opening = read_message::<Opening>(&mut receive, MAX_OPENING, &relay.hellos.share()).await;
    let Some(Opening { behalf, .. }) = opening.ok().filter(|opening| nodes.secret.is_proven(link, &opening.proof))
    else {
        tracing::warn!("somebody who is none of the nodes asked as one");
        link.close(close::MALFORMED.into(), b"");
        return None;
    };
    Some(Heard { behalf, answers, receive })
}

/// `None` when the home is not this node's.
async fn open(
    relay: &Arc<Relay>,
    nodes: &Nodes,
    link: &quinn::Connection,
    behalf: Behalf,
) -> Result<Option<Session>, Failure> {
    let home = match &behalf {
        Behalf::Client(client) => connection::home_of(relay, &client.principal, &client.key).await?,
        Behalf::Puller { home } => *home,
    };
    if !nodes.is_mine(home) {
        return Ok(None);
    }
    let opened = match behalf {
        Behalf::Client(client) => connection::open(relay, link, client, true).await,
        Behalf::Puller { home } => connection::open_for_node(relay, link, home).await,
    };
    match opened {
        Err(_) if !nodes.is_mine(home) => Ok(None),
        opened => opened.map(Some),
    }
}
