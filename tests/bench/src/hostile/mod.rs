//! `bench hostile`: what good clients feel while a thousand others attack the relay, and what each of these takes of its memory.
//!
//! The relay is a process of its own. Good clients are there before the attack: four homes, each with a live stream of 30 records of
//! 4 KiB a second and 25 followers. They connect from 127.0.0.1; attackers have addresses of their own (127.1.0.1 and on), because the
//! relay counts newcomers by network: an IPv4 address, or an IPv6 /64. What it may be asked for is what it is by default, but for the
//! connections of a key and of a home, which all have one owner here, and `connects_per_s`, which stands at 1000 in every house.
//!
//! Attackers are a process of their own ([`crowd`]) on a core of their own ([`cores`]). The relay and its good clients have the same
//! cores alone as under attack.

mod attack;
mod beside;
mod cores;
pub mod crowd;
mod mute;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use attack::{ATTACKERS, Kind};
use beside::Seen;
use cores::{Cores, Stay, interrupts};
use crowd::Attack;
use privet_demo::Trouble;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::sleep;

use crate::figure::{Figure, Goal};
use crate::folder;
use crate::relay::records::{Outcome, Tally, produce};
use crate::relay::{Meter, PATIENCE, Relay, Used, fanout, memory_kib, numbers, runtime};

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
/// Of the tries that those who don't stay would make if they were never kept waiting, so many have to be made.
const TRIED: f64 = 0.5;
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
    let wanted = |kind: &Kind| only.is_none_or(|only| kind.name().contains(only));
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(wanted).collect();
    if kinds.is_empty() {
        let names: Vec<_> = Kind::ALL.into_iter().map(Kind::name).collect();
        return Err(Trouble::new(format!("there is no such attack; there are: {}", names.join(", "))));
    }
    let folder = folder(BENCH)?;
    let cores = Cores::divide()?;
    eprintln!("{BENCH}: {}", cores.told());
    let mut figures = cores.figures().to_vec();
    // The good clients' threads and the relay begin below, and stay here too.
    let _stay = Stay::on(&cores.good)?;
    for kind in kinds {
        eprintln!("{BENCH}: {}: about 35 s ...", kind.name());
        let place = folder.join(kind.name().replace(' ', "-"));
        figures.extend(measure(&place, kind, &cores).map_err(|e| e.during(kind.name()))?.figures(kind));
    }
    let _ = fs::remove_dir_all(&folder);
    Ok(figures)
}

struct Measured {
    alone: Watched,
    attacked: Watched,
    seen: Seen,
    /// How often an attacker tried, and came, while it was measured.
    tries_per_s: f64,
    came_per_s: f64,
    bytes_each: f64,
}

/// What some seconds were like.
struct Watched {
    outcome: Outcome,
    relay: Used,
    /// Per cent of a core that interrupts took of those of the relay.
    interrupts: f64,
}

impl Measured {
    fn figures(&self, kind: Kind) -> Vec<Figure> {
        let case = format!("{ATTACKERS} x {}", kind.name());
        let known = |metric, value, unit| Figure::known(BENCH, case.clone(), metric, value, unit);
        let (alone, attacked) = (&self.alone, &self.attacked);
        let ratio = attacked.outcome.p99_ms / alone.outcome.p99_ms;
        let good = (HOMES * (FOLLOWERS + 1)) as u64;
        let there = known("attackers there at once", self.seen.there.saturating_sub(good) as f64, "");
        let tries = known("tries of attackers", self.tries_per_s, "per s");
        let enough = kind.beat().map(|beat| Goal::AtLeast(TRIED * ATTACKERS as f64 / beat.as_secs_f64()));
        vec![
            known("p99 alone", alone.outcome.p99_ms, "ms"),
            known("p50 under attack", attacked.outcome.p50_ms, "ms"),
            known("p99 under attack", attacked.outcome.p99_ms, "ms"),
            known("p99 against alone", ratio, "x").with_goal(Goal::AtMost(2.0)),
            known("delivered under attack", attacked.outcome.delivered * 100.0, "%").with_goal(Goal::AtLeast(99.0)),
            known("slowest newcomer under attack", self.seen.slowest_ms, "ms").with_goal(Goal::AtMost(NEWCOMER_MS)),
            known("newcomers turned away", self.seen.turned_away as f64, "").with_goal(Goal::AtMost(0.0)),
            tries.with_goal(enough.unwrap_or(Goal::Known)),
            known("attackers that came", self.came_per_s, "per s"),
            if kind.stays() { there.with_goal(Goal::AtLeast(PRESENT)) } else { there },
            known("memory for each attacker", self.bytes_each / 1000.0, "kB").with_goal(Goal::AtMost(MEMORY_KB)),
            known("processor of the relay alone", alone.relay.percent_of_a_core(), "% of a core"),
            known("processor of the relay under attack", attacked.relay.percent_of_a_core(), "% of a core"),
            known("interrupts on its cores alone", alone.interrupts, "% of a core"),
            known("interrupts on its cores under attack", attacked.interrupts, "% of a core"),
        ]
    }
}

/// Everything anew for each kind, so that none has what another left.
fn measure(folder: &Path, kind: Kind, cores: &Cores) -> Result<Measured, Trouble> {
    let metrics = numbers::address()?;
    let relay = Relay::start_with(folder, &format!("{LIMITS}\n[metrics]\nlisten = \"{metrics}\""))?;
    let tally = Tally::of(RECORD);
    runtime()?.block_on(async {
        for _ in 0..HOMES {
            let (sender, records) = unbounded_channel();
            fanout::begin(&relay.target, FOLLOWERS, records, &tally).await?;
            tokio::spawn(produce(RATE, tally.clone(), sender));
        }
        sleep(WARM_UP).await;
        let alone = watch(&tally, relay.id, cores).await?;
        let before_kib = memory_kib(relay.id)?;

        let mut attack = Attack::begin(kind, &relay.target, cores.attackers, folder)?;
        let began = Instant::now();
        while attack.done()?.came < ATTACKERS as u64 {
            if began.elapsed() > PATIENCE {
                // Whether it was an attack, its tries or its being there say.
                eprintln!("{BENCH}: {} of {ATTACKERS} came within {PATIENCE:?}", attack.done()?.came);
                break;
            }
            sleep(Duration::from_millis(100)).await;
        }
        sleep(SETTLE).await;
        let (before, since) = (attack.done()?, Instant::now());
        let (attacked, seen) =
            tokio::join!(watch(&tally, relay.id, cores), beside::watch(&relay.target, metrics, MEASURED));
        let (after, seconds) = (attack.done()?, since.elapsed().as_secs_f64());
        let after_kib = memory_kib(relay.id)?;
        let bytes = after_kib.saturating_sub(before_kib) as f64 * 1024.0;
        Ok(Measured {
            alone,
            attacked: attacked?,
            seen: seen?,
            tries_per_s: (after.tries - before.tries) as f64 / seconds,
            came_per_s: (after.came - before.came) as f64 / seconds,
            bytes_each: bytes / ATTACKERS as f64,
        })
    })
}

/// What good clients have of some seconds, and what these take.
async fn watch(tally: &Tally, relay: u32, cores: &Cores) -> Result<Watched, Trouble> {
    let (from_us, before, meter) = (tally.now_us(), interrupts(&cores.good)?, Meter::start(relay));
    sleep(MEASURED).await;
    let (to_us, after, relay) = (tally.now_us(), interrupts(&cores.good)?, meter.stop()?);
    let taken = after.saturating_sub(before).as_secs_f64();
    sleep(GRACE).await;
    let outcome = tally.outcome(from_us, to_us, FOLLOWERS);
    Ok(Watched { outcome, relay, interrupts: taken * 100.0 / relay.lasted.as_secs_f64() })
}
