//! `bench hostile`: what good clients feel while a thousand others attack the relay, and what each of these takes of its memory.
//!
//! The relay is a process of its own. Good clients are there before the attack: four homes, each with a live stream of 30 records of
//! 4 KiB a second and 25 followers. They connect from 127.0.0.1; attackers have addresses of their own (127.1.0.1 and on), because the
//! relay counts newcomers by network: an IPv4 address, or an IPv6 /64. What it may be asked for is what it is by default, but for the
//! connections of a key and of a home, which all have one owner here, and `connects_per_s`, which stands at 1000 in every house.

mod attack;
mod beside;
mod mute;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use attack::{ATTACKERS, Attack, Kind};
use beside::Seen;
use privet_demo::Trouble;
use privet_demo::process::pss_kib;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::sleep;

use crate::figure::{Figure, Goal};
use crate::folder;
use crate::relay::records::{Outcome, Tally, produce};
use crate::relay::{PATIENCE, Relay, fanout, runtime};

const BENCH: &str = "hostile";
const HOMES: usize = 4;
/// Of each home.
const FOLLOWERS: usize = 25;
/// Records a second of each home.
const RATE: u32 = 30;
/// Bytes of a record.
const RECORD: usize = 4096;
const LIMITS: &str = "key_connections = 1024\nhome_connections = 1024\nfollowers = 1024";
const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(10);
/// Time for what is under way.
const GRACE: Duration = Duration::from_secs(1);
/// So many of those that stay have to be there, by the relay's own count: some are always on their way.
const PRESENT: f64 = 0.9 * ATTACKERS as f64;
/// What an attacker may take of the relay's memory, in kB: a few times what an idle connection may.
const MEMORY_KB: f64 = 128.0;
/// How long a good newcomer may take while attackers come, in ms.
const NEWCOMER_MS: f64 = 2000.0;
/// After all attackers came once.
const SETTLE: Duration = Duration::from_secs(2);

/// All figures of this benchmark; of one kind of attack, if its name contains `only`.
///
/// # Errors
/// [`Trouble`] when the relay or its good clients fail.
pub fn run(only: Option<&str>) -> Result<Vec<Figure>, Trouble> {
    let folder = folder(BENCH)?;
    let mut figures = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| only.is_none_or(|only| kind.name().contains(only))) {
        eprintln!("{BENCH}: {}: about 35 s ...", kind.name());
        let place = folder.join(kind.name().replace(' ', "-"));
        figures.extend(measure(&place, kind).map_err(|e| e.during(kind.name()))?.figures(kind));
    }
    if figures.is_empty() {
        let names: Vec<_> = Kind::ALL.into_iter().map(Kind::name).collect();
        return Err(Trouble::new(format!("there is no such attack; there are: {}", names.join(", "))));
    }
    let _ = fs::remove_dir_all(&folder);
    Ok(figures)
}

struct Measured {
    alone: Outcome,
    attacked: Outcome,
    seen: Seen,
    /// How often an attacker came while it was measured.
    came_per_s: f64,
    bytes_each: f64,
}

impl Measured {
    fn figures(&self, kind: Kind) -> Vec<Figure> {
        let case = format!("{ATTACKERS} x {}", kind.name());
        let known = |metric, value, unit| Figure::known(BENCH, case.clone(), metric, value, unit);
        let ratio = self.attacked.p99_ms / self.alone.p99_ms;
        let good = (HOMES * (FOLLOWERS + 1)) as u64;
        let there = known("attackers there at once", self.seen.there.saturating_sub(good) as f64, "");
        vec![
            known("p99 alone", self.alone.p99_ms, "ms"),
            known("p50 under attack", self.attacked.p50_ms, "ms"),
            known("p99 under attack", self.attacked.p99_ms, "ms"),
            known("p99 against alone", ratio, "x").with_goal(Goal::AtMost(2.0)),
            known("delivered under attack", self.attacked.delivered * 100.0, "%").with_goal(Goal::AtLeast(99.0)),
            known("slowest newcomer under attack", self.seen.slowest_ms, "ms").with_goal(Goal::AtMost(NEWCOMER_MS)),
            known("newcomers turned away", self.seen.turned_away as f64, "").with_goal(Goal::AtMost(0.0)),
            known("attackers that came", self.came_per_s, "per s"),
            if kind.stays() { there.with_goal(Goal::AtLeast(PRESENT)) } else { there },
            known("memory for each attacker", self.bytes_each / 1000.0, "kB").with_goal(Goal::AtMost(MEMORY_KB)),
        ]
    }
}

/// Everything anew for each kind, so that none has what another left.
fn measure(folder: &Path, kind: Kind) -> Result<Measured, Trouble> {
    let metrics = beside::address()?;
    let relay = Relay::start_with(folder, &format!("{LIMITS}\n[metrics]\nlisten = \"{metrics}\""))?;
    let tally = Tally::of(RECORD);
    runtime()?.block_on(async {
        for _ in 0..HOMES {
            let (sender, records) = unbounded_channel();
            fanout::begin(&relay.target, FOLLOWERS, records, &tally).await?;
            tokio::spawn(produce(RATE, tally.clone(), sender));
        }
        sleep(WARM_UP).await;
        let alone = watch(&tally).await;
        let before_kib = pss_kib(relay.id)?;

        let attack = Attack::begin(kind, &relay.target)?;
        let began = Instant::now();
        while attack.came() < ATTACKERS as u64 {
            if began.elapsed() > PATIENCE {
                eprintln!("{BENCH}: {} of {ATTACKERS} came within {PATIENCE:?}", attack.came());
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        sleep(SETTLE).await;
        let came_before = attack.came();
        let (attacked, seen) = tokio::join!(watch(&tally), beside::watch(&relay.target, metrics, MEASURED));
        let came = attack.came() - came_before;
        let after_kib = pss_kib(relay.id)?;
        let bytes = after_kib.saturating_sub(before_kib) as f64 * 1024.0;
        Ok(Measured {
            alone,
            attacked,
            seen: seen?,
            came_per_s: came as f64 / (MEASURED + GRACE).as_secs_f64(),
            bytes_each: bytes / ATTACKERS as f64,
        })
    })
}

/// What good clients have of some seconds.
async fn watch(tally: &Tally) -> Outcome {
    let from_us = tally.now_us();
    sleep(MEASURED).await;
    let to_us = tally.now_us();
    sleep(GRACE).await;
    tally.outcome(from_us, to_us, FOLLOWERS)
}
