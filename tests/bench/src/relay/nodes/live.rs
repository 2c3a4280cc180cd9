//! Live streams whose hubs and followers are all at the wrong node: one node serves the homes, the hubs come to a second one, which
//! carries what they send, and the followers to a third one, which pulls each stream once and hands it out.
//!
//! It is measured with one follower of each stream and with a few: what a further one takes is told from what the stream takes that way.

use std::path::Path;
use std::time::Duration;

use privet_demo::Trouble;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::sleep;

use super::cluster::Cluster;
use crate::figure::{Figure, Goal};
use crate::relay::fanout::Audience;
use crate::relay::records::{Outcome, RECORD, Tally, produce};
use crate::relay::{BENCH, Meter, Used, memory_kib, runtime};

/// Homes, each with a stream.
const STREAMS: usize = 16;
/// Of each stream.
const FOLLOWERS: [usize; 2] = [1, 4];
/// Records a second of each.
const RATE: u32 = 30;
/// Nothing has to be swept meanwhile.
const SWEEP_S: u64 = 86_400;
/// Congestion control finds its pace.
const WARM_UP: Duration = Duration::from_secs(4);
const MEASURED: Duration = Duration::from_secs(10);
/// Time for what is under way.
const GRACE: Duration = Duration::from_secs(1);
/// Figures of a machine that does not carry the streams would say nothing.
const CARRIED: f64 = 99.0;

/// All figures of it.
pub fn run(folder: &Path) -> Result<Vec<Figure>, Trouble> {
    let [one, few] = FOLLOWERS;
    let (first, second) = (measure(folder, one)?, measure(folder, few)?);
    let mut figures = [first.figures(one), second.figures(few)].concat();
    let further = (few - one) as f64;
    let handing_ms = (ms(second.pulls, &second, few) - ms(first.pulls, &first, one)) / further;
    let case = format!("{STREAMS} live streams between nodes, the node of the followers");
    let known = |metric, value| Figure::known(BENCH, case.clone(), metric, value, "ms per MiB");
    figures.push(known("processor for each further follower", handing_ms));
    figures
        .push(known("processor for the pulled stream alone", ms(first.pulls, &first, one) - handing_ms * one as f64));
    Ok(figures)
}

struct Measured {
    outcome: Outcome,
    /// Of the node that serves the homes, of that of the hubs, and of that of the followers.
    serves: Used,
    carries: Used,
    pulls: Used,
    /// Growth of the memory of the node of the followers, for each stream.
    bytes_each: f64,
}

/// Processor time for a MiB of the streams themselves, however many follow them.
fn ms(used: Used, measured: &Measured, followers: usize) -> f64 {
    let mib = measured.outcome.bytes / followers as f64 / f64::from(1 << 20);
    used.cpu.as_secs_f64() * 1000.0 / mib
}

impl Measured {
    fn figures(&self, followers: usize) -> Vec<Figure> {
        let plural = if followers == 1 { "" } else { "s" };
        let case = format!(
            "{STREAMS} live streams of {RATE} x {} KiB/s between nodes, {followers} follower{plural} each",
            RECORD / 1024
        );
        let known = |metric, value, unit| Figure::known(BENCH, case.clone(), metric, value, unit);
        let ms = |used| ms(used, self, followers);
        vec![
            known("delivered", self.outcome.delivered * 100.0, "%").with_goal(Goal::AtLeast(CARRIED)),
            known("p50", self.outcome.p50_ms, "ms"),
            known("p99", self.outcome.p99_ms, "ms"),
            known("processor of the node that serves the homes", ms(self.serves), "ms per MiB"),
            known("processor of the node of the hubs", ms(self.carries), "ms per MiB"),
            known("processor of the node of the followers", ms(self.pulls), "ms per MiB"),
            known("memory of the node of the followers for each stream", self.bytes_each / 1e6, "MB"),
        ]
    }
}

/// Everything anew for each number of followers.
fn measure(folder: &Path, followers: usize) -> Result<Measured, Trouble> {
    let seconds = (WARM_UP + MEASURED + GRACE).as_secs() + 10;
    eprintln!("{BENCH}: {STREAMS} live streams between nodes, {followers} of each follow: about {seconds} s ...");
    let cluster = Cluster::start(&folder.join(format!("live-{followers}")), SWEEP_S)?;
    let [serves, carries, pulls] = &cluster.nodes[..] else {
        return Err(Trouble::new("three nodes are needed: one serves, one carries, one pulls"));
    };
    let tally = Tally::start();
    runtime()?.block_on(async {
        cluster.settle().await?;
        let mut audiences = Vec::new();
        for _ in 0..STREAMS {
            let home = serves.home().await?;
            audiences.push(Audience::gather(home, &carries.target, &pulls.target, followers).await?);
        }
        let before_kib = memory_kib(pulls.id())?;
        let mut publishing = Vec::new();
        for audience in audiences {
            let (sender, records) = unbounded_channel();
            publishing.push(audience.begin(records, &tally).await?);
            tokio::spawn(produce(RATE, tally.clone(), sender));
        }
        sleep(WARM_UP).await;
        let meters = [serves, carries, pulls].map(|node| Meter::start(node.id()));
        let from_us = tally.now_us();
        sleep(MEASURED).await;
        let to_us = tally.now_us();
        let [serves_used, carries_used, pulls_used] = meters.map(Meter::stop);
        let after_kib = memory_kib(pulls.id())?;
        sleep(GRACE).await;
        if publishing.iter().any(tokio::task::JoinHandle::is_finished) {
            return Err(Trouble::new("a node takes no more records"));
        }
        Ok(Measured {
            outcome: tally.outcome(from_us, to_us, followers),
            serves: serves_used?,
            carries: carries_used?,
            pulls: pulls_used?,
            bytes_each: after_kib.saturating_sub(before_kib) as f64 * 1024.0 / STREAMS as f64,
        })
    })
}
