//! The records over the relay: a publisher beside it, a follower behind the link, which asks for the substream as a phone does, with
//! a message through the relay's inbox.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use privet_app_core::Pace;
use privet_demo::Trouble;
use privet_demo::house::RelayAt;
use privet_home::Feed;
use privet_link::CENTRE;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Principal, Rights};
use privet_relay_client::{
    ClientError, ClientKey, Connection, FollowEvent, Follower, From, LogItem, LogReader, RelayTarget, Retention,
    SegmentReader, SegmentWriter, Trust, connect,
};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use super::source::{Arrived, Clock, Parser, Record};
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
    clock: Clock,
) -> Result<impl Future<Output = Result<(), Trouble>> + Send + 'static, Trouble> {
    let target = target(relay)?;
    let (home, stream) = (HomeId::generate(&SystemRandom), StreamId::generate(&SystemRandom));
    let phone = key(2)?;
    let phone_key = phone.public();
    let at = target.clone();
    let (hub, inbox) = wait(here, async move {
        let founder = Principal::Founder { home, invite: None };
        let hub = connect(&at, founder, &key(1)?, PATIENCE).await.map_err(trouble)?;
        hub.grant(phone_key, Rights::PHONE).await.map_err(trouble)?;
        let inbox = hub.read_inbox(1, true).await.map_err(trouble)?;
        Ok((hub, inbox))
    })?;
    let (connection, follower) = wait(there, async move {
        let connection = connect(&target, Principal::Member { home }, &phone, PATIENCE).await.map_err(trouble)?;
        let follower = connection.follow(stream, From::Newest).await.map_err(trouble)?;
        Ok((connection, follower))
    })?;
    let following = there.spawn(follow(connection, follower, tally, clock));
    let (asked, feed) = watch::channel(Feed::Main);
    let listening = here.spawn(listen(inbox, asked));
    Ok(async move {
        publish(&hub, stream, live, feed).await.map_err(trouble)?;
        let followed = following.await.map_err(|e| Trouble::new(e.to_string()))?.map_err(trouble);
        listening.abort();
        followed
    })
}

/// What the phone asks for.
async fn listen(mut inbox: LogReader, asked: watch::Sender<Feed>) -> Result<(), ClientError> {
    while let Some(item) = inbox.next().await? {
        if let LogItem::Entry { bytes, .. } = item {
            asked.send_replace(if bytes == SUBSTREAM { Feed::Substream } else { Feed::Main });
        }
    }
    Ok(())
}

/// As the hub does it: a segment for each group, and none waits for the answer to the one before. It changes over with a group.
async fn publish(
    hub: &Connection,
    stream: StreamId,
    mut live: mpsc::UnboundedReceiver<Record>,
    feed: watch::Receiver<Feed>,
) -> Result<(), ClientError> {
    let mut open: Option<SegmentWriter> = None;
    let mut segments = 0;
    let mut shown = Feed::Main;
    while let Some(record) = live.recv().await {
        if record.first {
            segments = record.group + 1;
            shown = *feed.borrow();
            open = Some(hub.put(stream, record.group, Retention::Pass, false).await?);
        }
        if let Some(writer) = &mut open {
            let bytes = if shown == Feed::Substream { record.small } else { record.bytes };
            writer.write(bytes).await?;
        }
        if record.last
            && let Some(writer) = open.take()
        {
            tokio::spawn(writer.finish());
        }
    }
    hub.finish_stream(stream, segments).await
}

async fn follow(connection: Connection, mut follower: Follower, tally: Tally, clock: Clock) -> Result<(), ClientError> {
    let judge = Judge::new(clock);
    let telling = tokio::spawn(tell(connection.clone(), judge.asked.subscribe()));
    let mut readers = tokio::task::JoinSet::new();
    loop {
        match follower.next().await? {
            Some(FollowEvent::Segment(reader)) => {
                readers.spawn(read(reader, tally.clone(), judge.clone()));
            }
            Some(FollowEvent::Skipped { from, to }) => {
                tally.dropped(to - from);
                judge.lost();
            }
            Some(FollowEvent::Ended { .. }) | None => break,
        }
    }
    while readers.join_next().await.is_some() {}
    telling.abort();
    drop(connection);
    Ok(())
}

/// Up to its end, or to where the relay cut it, which the follower is told.
async fn read(mut reader: SegmentReader, tally: Tally, judge: Judge) {
    let mut parser = Parser::default();
    while let Ok(Some(bytes)) = reader.read().await {
        let records = parser.push(&bytes);
        tally.arrived(&records);
        judge.arrived(reader.index(), &records);
    }
}

/// Says what is asked for, over the same link.
async fn tell(connection: Connection, mut asked: watch::Receiver<Feed>) -> Result<(), ClientError> {
    while asked.changed().await.is_ok() {
        let feed = *asked.borrow_and_update();
        let word = if feed == Feed::Substream { SUBSTREAM } else { MAIN };
        connection.send(word.to_vec()).await?;
    }
    Ok(())
}

const MAIN: &[u8] = b"main";
const SUBSTREAM: &[u8] = b"substream";

/// What a phone thinks of its link. Clones share it.
#[derive(Clone)]
struct Judge {
    clock: Clock,
    /// And the newest segment that pictures came of: a phone shows nothing of older ones then.
    pace: Arc<Mutex<(Pace, u64)>>,
    asked: Arc<watch::Sender<Feed>>,
}

impl Judge {
    fn new(clock: Clock) -> Self {
        Self { clock, pace: Arc::default(), asked: Arc::new(watch::Sender::new(Feed::Main)) }
    }

    fn arrived(&self, segment: u64, records: &[Arrived]) {
        self.judge(|now, pace, newest| {
            if segment < *newest {
                return;
            }
            *newest = segment;
            for record in records {
                pace.shows(now, if record.small { Feed::Substream } else { Feed::Main });
                pace.picture(now, i64::try_from(record.made.as_micros()).unwrap_or(i64::MAX));
            }
        });
    }

    fn lost(&self) {
        self.judge(|now, pace, _| pace.lost(now));
    }

    fn judge(&self, judge: impl FnOnce(Duration, &mut Pace, &mut u64)) {
        let feed = {
            let mut state = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            let (pace, newest) = &mut *state;
            judge(self.clock.now(), pace, newest);
            pace.feed()
        };
        self.asked.send_if_modified(|asked| std::mem::replace(asked, feed) != feed);
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
