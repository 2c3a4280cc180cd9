//! The records over the relay: a publisher beside it, a follower behind the link, which asks for the substream as a phone does, with
//! a message through the relay's inbox.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use privet_app_core::{Lateness, Pace};
use privet_demo::Trouble;
use privet_demo::house::RelayAt;
use privet_home::Feed;
use privet_link::CENTRE;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Principal, Rights};
use privet_relay_client::{
    ClientError, Connection, FollowEvent, Follower, From, LogItem, LogReader, RelayTarget, Retention, SegmentReader,
    SegmentWriter, Trust, connect,
};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use super::source::{Arrived, Clock, Parser, Record};
use super::tally::Tally;
use crate::relay::{key, trouble};

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

/// Up to its end, or to where the relay cut it, which the follower is told, or to where it is too late, as on a phone.
async fn read(mut reader: SegmentReader, tally: Tally, judge: Judge) {
    let mut parser = Parser::default();
    while let Ok(Some(bytes)) = reader.read().await {
        let records = parser.push(&bytes);
        let shown = judge.arrived(reader.index(), &records);
        tally.arrived(&records[..shown]);
        if shown < records.len() {
            tally.dropped(1);
            return;
        }
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
    judged: Arc<Mutex<Judged>>,
    asked: Arc<watch::Sender<Feed>>,
}

#[derive(Default)]
struct Judged {
    pace: Pace,
    lateness: Lateness,
    /// The newest segment that pictures came of.
    newest: u64,
}

impl Judge {
    fn new(clock: Clock) -> Self {
        Self { clock, judged: Arc::default(), asked: Arc::new(watch::Sender::new(Feed::Main)) }
    }

    /// How many of these are shown; fewer than all when the rest of their segment comes too late.
    fn arrived(&self, segment: u64, records: &[Arrived]) -> usize {
        self.judge(|now, judged| {
            if segment < judged.newest {
                // Old news, which says nothing of the link as it is.
                return records.len();
            }
            judged.newest = segment;
            let late = records.iter().position(|record| {
                judged.pace.shows(now, if record.small { Feed::Substream } else { Feed::Main });
                let made_us = i64::try_from(record.made.as_micros()).unwrap_or(i64::MAX);
                let late_us = judged.pace.picture(now, made_us);
                judged.lateness.too_late(segment, now, late_us)
            });
            if late.is_some() {
                judged.pace.lost(now);
            }
            late.unwrap_or(records.len())
        })
    }

    fn lost(&self) {
        self.judge(|now, judged| judged.pace.lost(now));
    }

    fn judge<T>(&self, judge: impl FnOnce(Duration, &mut Judged) -> T) -> T {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = judge(self.clock.now(), &mut judged);
        let feed = judged.pace.feed();
        drop(judged);
        self.asked.send_if_modified(|asked| std::mem::replace(asked, feed) != feed);
        outcome
    }
}

fn target(relay: &RelayAt) -> Result<RelayTarget, Trouble> {
    let pin = HEXLOWER.decode(relay.pin.as_bytes()).ok().and_then(|pin| pin.try_into().ok());
    let pin = pin.ok_or_else(|| Trouble::new(format!("'{}' is no pin", relay.pin)))?;
    Ok(RelayTarget { host: CENTRE.to_string(), port: relay.port, trust: Trust::Pin(pin) })
}

/// On a thread of the runtime: sockets have to be opened there.
pub(super) fn wait<T: Send + 'static>(
    runtime: &Runtime,
    what: impl Future<Output = Result<T, Trouble>> + Send + 'static,
) -> Result<T, Trouble> {
    let task = runtime.spawn(what);
    runtime.block_on(task).map_err(|e| Trouble::new(e.to_string()))?
}
