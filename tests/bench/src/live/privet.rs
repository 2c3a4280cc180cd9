//! The records over the relay: a publisher beside it, a follower behind the link.

use std::time::Duration;

use data_encoding::HEXLOWER;
use privet_demo::Trouble;
use privet_demo::house::RelayAt;
use privet_link::CENTRE;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Principal, Rights};
use privet_relay_client::{
    ClientError, ClientKey, Connection, FollowEvent, Follower, From, RelayTarget, Retention, SegmentReader,
    SegmentWriter, Trust, connect,
};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::source::{Parser, Record};
use super::tally::Tally;

/// A handshake over the worst of the links.
const PATIENCE: Duration = Duration::from_secs(30);

/// Gets everything ready; what it returns sends until the source ends.
pub fn begin(
    here: &Runtime,
    there: &Runtime,
    relay: &RelayAt,
    live: mpsc::UnboundedReceiver<Record>,
    tally: Tally,
) -> Result<impl Future<Output = Result<(), Trouble>> + Send + 'static, Trouble> {
    let target = target(relay)?;
    let (home, stream) = (HomeId::generate(&SystemRandom), StreamId::generate(&SystemRandom));
    let phone = key(2)?;
    let phone_key = phone.public();
    let at = target.clone();
    let hub = wait(here, async move {
        let founder = Principal::Founder { home, invite: None };
        let hub = connect(&at, founder, &key(1)?, PATIENCE).await.map_err(trouble)?;
        hub.grant(phone_key, Rights::PHONE).await.map_err(trouble)?;
        Ok(hub)
    })?;
    let (connection, follower) = wait(there, async move {
        let connection = connect(&target, Principal::Member { home }, &phone, PATIENCE).await.map_err(trouble)?;
        let follower = connection.follow(stream, From::Newest).await.map_err(trouble)?;
        Ok((connection, follower))
    })?;
    let following = there.spawn(follow(connection, follower, tally));
    Ok(async move {
        publish(&hub, stream, live).await.map_err(trouble)?;
        following.await.map_err(|e| Trouble::new(e.to_string()))?.map_err(trouble)
    })
}

/// As the hub does it: a segment for each group, and none waits for the answer to the one before.
async fn publish(
    hub: &Connection,
    stream: StreamId,
    mut live: mpsc::UnboundedReceiver<Record>,
) -> Result<(), ClientError> {
    let mut open: Option<SegmentWriter> = None;
    let mut segments = 0;
    while let Some(record) = live.recv().await {
        if record.first {
            segments = record.group + 1;
            open = Some(hub.put(stream, record.group, Retention::Pass, false).await?);
        }
        if let Some(writer) = &mut open {
            writer.write(record.bytes).await?;
        }
        if record.last
            && let Some(writer) = open.take()
        {
            tokio::spawn(writer.finish());
        }
    }
    hub.finish_stream(stream, segments).await
}

async fn follow(_connection: Connection, mut follower: Follower, tally: Tally) -> Result<(), ClientError> {
    let mut readers = tokio::task::JoinSet::new();
    loop {
        match follower.next().await? {
            Some(FollowEvent::Segment(reader)) => {
                readers.spawn(read(reader, tally.clone()));
            }
            Some(FollowEvent::Skipped { from, to }) => tally.dropped(to - from),
            Some(FollowEvent::Ended { .. }) | None => break,
        }
    }
    while readers.join_next().await.is_some() {}
    Ok(())
}

/// Up to its end, or to where the relay cut it, which the follower is told.
async fn read(mut reader: SegmentReader, tally: Tally) {
    let mut parser = Parser::default();
    while let Ok(Some(bytes)) = reader.read().await {
        tally.arrived(parser.push(&bytes));
    }
}

fn target(relay: &RelayAt) -> Result<RelayTarget, Trouble> {
    let pin = HEXLOWER.decode(relay.pin.as_bytes()).ok().and_then(|pin| pin.try_into().ok());
    let pin = pin.ok_or_else(|| Trouble::new(format!("'{}' is no pin", relay.pin)))?;
    Ok(RelayTarget { host: CENTRE.to_string(), port: relay.port, trust: Trust::Pin(pin) })
}

fn key(seed: u8) -> Result<ClientKey, Trouble> {
    ClientKey::from_seed(&[seed; 32]).map_err(trouble)
}

/// On a thread of the runtime: sockets have to be opened there.
pub(super) fn wait<T: Send + 'static>(
    runtime: &Runtime,
    what: impl Future<Output = Result<T, Trouble>> + Send + 'static,
) -> Result<T, Trouble> {
    let task = runtime.spawn(what);
    runtime.block_on(task).map_err(|e| Trouble::new(e.to_string()))?
}

fn trouble(error: ClientError) -> Trouble {
    Trouble::new(error.to_string())
}
