//! One stream of 30 x 16 KiB a second to 1, 100 and 500 followers: what the relay takes of the processor for it and how late the
//! records are, beside a trivial fan-out.
//!
//! The stream is written as the hub writes live video: a passing segment for each second, opened with its first record, each record
//! sent as it is made, and no segment waits for the answer to the one before. Followers are those of the relay's client.
//!
//! Efficiency is bytes that arrive for each second of processor time of the server. Both are compared at a rate that both carry: where
//! one does not, because the machine has too little for servers and followers together, half that rate is tried.

use std::path::Path;
use std::time::Duration;

use privet_demo::Trouble;
use privet_protocol::id::{HomeId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_relay_client::{
    ClientError, Connection, FollowEvent, Follower, From, Principal, RelayTarget, Retention, Rights, SegmentWriter,
    connect,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::records::{Outcome, RECORD, Reader, Record, Tally, produce};
use super::{BENCH, Meter, PATIENCE, Relay, Used, key, runtime, trivial, trouble};
use crate::figure::{Figure, Goal};

const FOLLOWERS: [usize; 3] = [1, 100, 500];
/// Records a second.
const RATES: [u32; 3] = [30, 15, 8];
/// Who delivers this share carries the rate.
const CARRIED: f64 = 0.99;
/// Congestion control finds its pace.
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(10);
/// After the last record that counts, time for what is under way, while others are made.
const GRACE: Duration = Duration::from_secs(1);

/// All figures of this part.
pub fn run(folder: &Path) -> Result<Vec<Figure>, Trouble> {
    let mut figures = Vec::new();
    for followers in FOLLOWERS {
        for rate in RATES {
            let case = case(followers, rate);
            let relay = measure(folder, Server::Relay, followers, rate).map_err(|e| e.during(&case))?;
            let trivial = measure(folder, Server::Trivial, followers, rate).map_err(|e| e.during(&case))?;
            figures.extend(relay.figures(&format!("{case}: relay")));
            figures.extend(trivial.figures(&format!("{case}: trivial fan-out")));
            let both_carry = [&relay, &trivial].iter().all(|measured| measured.outcome.delivered >= CARRIED);
            if both_carry {
                let ratio = relay.efficiency() / trivial.efficiency();
                let figure = Figure::known(BENCH, case, "efficiency against the trivial fan-out", ratio, "x");
                figures.push(figure.with_goal(Goal::AtLeast(0.8)));
                break;
            }
            if RATES.last() == Some(&rate) {
                // Who delivers less does less for its processor time: there is nothing to compare.
                let worse = relay.outcome.delivered.min(trivial.outcome.delivered) * 100.0;
                let figure = Figure::known(BENCH, case, "delivered by both, to be compared", worse, "%");
                figures.push(figure.with_goal(Goal::AtLeast(CARRIED * 100.0)));
            }
        }
    }
    Ok(figures)
}

fn case(followers: usize, rate: u32) -> String {
    let plural = if followers == 1 { "" } else { "s" };
    format!("{rate} x {} KiB/s to {followers} follower{plural}", RECORD / 1024)
}

/// Who hands the records on.
#[derive(Clone, Copy, Debug)]
enum Server {
    Relay,
    Trivial,
}

impl Server {
    fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Trivial => "trivial",
        }
    }
}

struct Measured {
    outcome: Outcome,
    used: Used,
}

impl Measured {
    /// Bytes for each second of processor time.
    fn efficiency(&self) -> f64 {
        self.outcome.bytes / self.used.cpu.as_secs_f64()
    }

    fn figures(&self, case: &str) -> [Figure; 5] {
        let known = |metric, value, unit| Figure::known(BENCH, case, metric, value, unit);
        [
            known("delivered", self.outcome.delivered * 100.0, "%"),
            known("processor", self.used.percent_of_a_core(), "% of a core"),
            known("bytes for a second of processor time", self.efficiency() / 1e6, "MB"),
            known("p50", self.outcome.p50_ms, "ms"),
            known("p99", self.outcome.p99_ms, "ms"),
        ]
    }
}

/// Everything anew for each measurement, so that none has what another left.
fn measure(folder: &Path, server: Server, followers: usize, rate: u32) -> Result<Measured, Trouble> {
    eprintln!(
        "{BENCH}: {}, {}: {} s ...",
        case(followers, rate),
        server.name(),
        (WARM_UP + MEASURED + GRACE).as_secs()
    );
    let folder = folder.join(format!("fanout-{}-{followers}-{rate}", server.name()));
    let runtime = runtime()?;
    let tally = Tally::start();
    let (sender, records) = unbounded_channel();
    match server {
        Server::Relay => {
            let relay = Relay::start(&folder)?;
            runtime.block_on(async {
                let publishing = begin(&relay.target, followers, records, &tally).await?;
                watch(relay.id, followers, rate, sender, publishing, &tally).await
            })
        }
        Server::Trivial => {
            let fanout = trivial::start(&folder)?;
            runtime.block_on(async {
                let publishing = trivial::begin(fanout.port(), followers, records, &tally).await?;
                watch(fanout.id(), followers, rate, sender, publishing, &tally).await
            })
        }
    }
}

/// Makes records for as long as the measurement takes, and watches the server meanwhile.
async fn watch(
    server: u32,
    followers: usize,
    rate: u32,
    to: UnboundedSender<Record>,
    publishing: JoinHandle<Result<(), Trouble>>,
    tally: &Tally,
) -> Result<Measured, Trouble> {
    let producing = tokio::spawn(produce(rate, tally.clone(), to));
    sleep(WARM_UP).await;
    let (from_us, meter) = (tally.now_us(), Meter::start(server));
    sleep(MEASURED).await;
    let (to_us, used) = (tally.now_us(), meter.stop()?);
    sleep(GRACE).await;
    if publishing.is_finished() {
        publishing.await.map_err(trouble)??;
        return Err(Trouble::new("the server takes no more records"));
    }
    producing.abort();
    Ok(Measured { outcome: tally.outcome(from_us, to_us, followers), used })
}

/// Connects a hub and its followers to the relay, and sends what comes.
pub async fn begin(
    target: &RelayTarget,
    followers: usize,
    records: UnboundedReceiver<Record>,
    tally: &Tally,
) -> Result<JoinHandle<Result<(), Trouble>>, Trouble> {
    let home = HomeId::generate(&SystemRandom);
    Audience::gather(home, target, target, followers).await?.begin(records, tally).await
}

/// A hub and its phones, which are connected and follow nothing yet.
pub struct Audience {
    hub: Connection,
    phones: Vec<Connection>,
}

impl Audience {
    /// Connects them, the hub to one relay and its phones to another, or the same.
    pub async fn gather(
        home: HomeId,
        hub: &RelayTarget,
        phones: &RelayTarget,
        followers: usize,
    ) -> Result<Self, Trouble> {
        let (owner, phone) = (key(1)?, key(2)?);
        let founder = Principal::Founder { home, invite: None };
        let hub = connect(hub, founder, &owner, PATIENCE).await.map_err(trouble)?;
        hub.grant(phone.public(), Rights::PHONE).await.map_err(trouble)?;
        let mut connected = Vec::with_capacity(followers);
        for _ in 0..followers {
            let member = Principal::Member { home };
            connected.push(connect(phones, member, &phone, PATIENCE).await.map_err(trouble)?);
        }
        Ok(Self { hub, phones: connected })
    }

    /// All phones follow a stream, and the hub sends what comes.
    pub async fn begin(
        self,
        records: UnboundedReceiver<Record>,
        tally: &Tally,
    ) -> Result<JoinHandle<Result<(), Trouble>>, Trouble> {
        let Self { hub, phones } = self;
        let stream = StreamId::generate(&SystemRandom);
        for phone in phones {
            let follower = phone.follow(stream, From::Newest).await.map_err(trouble)?;
            tokio::spawn(follow(phone, follower, tally.clone()));
        }
        Ok(tokio::spawn(async move { publish(&hub, stream, records).await.map_err(trouble) }))
    }
}

/// Writes what comes as the hub writes live video.
pub async fn publish(
    hub: &Connection,
    stream: StreamId,
    mut records: UnboundedReceiver<Record>,
) -> Result<(), ClientError> {
    let mut open: Option<SegmentWriter> = None;
    while let Some(record) = records.recv().await {
        if record.first {
            open = Some(hub.put(stream, record.segment, Retention::Pass, false).await?);
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
    Ok(())
}

/// Until the stream or the connection ends. What does not arrive is missing in the tally.
async fn follow(_connection: Connection, mut follower: Follower, tally: Tally) {
    loop {
        match follower.next().await {
            Ok(Some(FollowEvent::Segment(mut segment))) => {
                let mut reader = Reader::new(tally.clone());
                while let Ok(Some(bytes)) = segment.read().await {
                    reader.push(&bytes);
                }
            }
            Ok(Some(FollowEvent::Skipped { .. })) => {}
            Ok(Some(FollowEvent::Ended { .. }) | None) | Err(_) => return,
        }
    }
}
