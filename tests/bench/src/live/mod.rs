//! `bench live`: what a viewer behind a bad link sees, and how late. The same records at the same time over Privet's relay and
//! over TCP with TLS, the congestion control of TCP set to BBR and to CUBIC; each over a link of its own of the same kind.
//!
//! The links are `privet-link`'s: network namespaces with delay, loss and rate in both directions, so this needs root. A real
//! relay process serves all; publisher and follower are `privet-relay-client`. Records are access units of the film of the other
//! benchmarks, as long as they are there, with the time in them at which they were made. Where the phone's own judgement of its link
//! (`privet_app_core::Pace`) asks for it, the publisher goes on with the same pictures of a smaller film, the camera's substream;
//! where a segment comes too late for a phone (`Lateness`), its rest is left out here too.

mod privet;
mod source;
mod tally;
mod tls;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use privet_demo::Trouble;
use privet_demo::house::{House, Plan, RelayAt};
use privet_link::{CENTRE, Centre, Conditions, Link, LinkError, Loss, Rate};
use tally::{Outcome, Tally};

use crate::figure::{Figure, Goal};
use crate::{film, folder};
use source::{Clock, Records, Source};

const BENCH: &str = "live";
const LOSS_PERCENT: [u32; 4] = [0, 2, 5, 10];
const ROUND_TRIP_MS: [u32; 3] = [10, 40, 150];
/// Mb/s; none is unlimited.
const RATES: [Option<u32>; 4] = [None, Some(5), Some(3), Some(1)];
/// Megabits a second of the film.
const FILM: f64 = 2.5;
/// After the last record that counts, time for what is under way, while others are made.
const GRACE: Duration = Duration::from_secs(3);

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only cells whose name contains this.
    pub only: Option<String>,
    /// Seconds of film in each cell.
    pub seconds: u64,
    /// Not beside TCP with BBR, where the kernel has none.
    pub without_bbr: bool,
    /// Whether every figure is wanted, not only the table and the goals.
    pub json: bool,
}

/// What carries the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Privet,
    Tls(&'static str),
}

impl Carrier {
    fn name(self) -> &'static str {
        match self {
            Self::Privet => "Privet",
            Self::Tls("bbr") => "TLS, TCP BBR",
            Self::Tls(_) => "TLS, TCP CUBIC",
        }
    }
}

/// One kind of link.
#[derive(Clone, Copy, Debug)]
struct Cell {
    loss_percent: u32,
    round_trip_ms: u32,
    rate: Option<u32>,
}

impl Cell {
    fn name(self) -> String {
        let rate = self.rate.map_or_else(|| "unlimited".into(), |rate| format!("{rate} Mb/s"));
        format!("{} %, {} ms, {rate}", self.loss_percent, self.round_trip_ms)
    }

    fn conditions(self) -> Conditions {
        let loss = match self.loss_percent {
            0 => Loss::None,
            percent => Loss::Each(f64::from(percent) / 100.0),
        };
        Conditions::delay(Duration::from_millis(self.round_trip_ms.into()) / 2)
            .with_loss(loss)
            .with_rate(self.rate.map(|rate| Rate::mbit(rate.into())))
    }

    /// What is promised of Privet here.
    fn goals(self, outcome: &Outcome) -> Vec<(&'static str, f64, &'static str, Goal)> {
        let mut goals = Vec::new();
        if let (2, 40, None) = (self.loss_percent, self.round_trip_ms, self.rate) {
            goals.push(("p50", outcome.p50_ms, "ms", Goal::AtMost(40.0)));
            goals.push(("p99", outcome.p99_ms, "ms", Goal::AtMost(150.0)));
            goals.push(("frozen", outcome.frozen_s, "s", Goal::AtMost(0.0)));
        }
        if let (10, 150, None) = (self.loss_percent, self.round_trip_ms, self.rate) {
            goals.push(("longest still", outcome.longest_still_s, "s", Goal::AtMost(2.0)));
        }
        if self.rate.is_some_and(|rate| f64::from(rate) < FILM) {
            goals.push(("oldest", outcome.oldest_ms, "ms", Goal::AtMost(3000.0)));
        }
        goals
    }
}

/// All figures of this benchmark; with a table, those that have a goal.
///
/// # Errors
/// [`Trouble`] when links can't be made here, or a part does not run.
pub fn run(options: &Options) -> Result<Vec<Figure>, Trouble> {
    let carriers = carriers(options.without_bbr)?;
    let wanted = |cell: &Cell| options.only.as_ref().is_none_or(|only| cell.name().contains(only));
    if !LOSS_PERCENT.iter().any(|loss| ROUND_TRIP_MS.iter().any(|trip| cells(*loss, *trip).iter().any(wanted))) {
        return Err(Trouble::new("there is no such cell; they are called like '2 %, 40 ms, 5 Mb/s'"));
    }
    let folder = folder(BENCH)?;
    let (large, small) = (film::Scene::Moving, film::Scene::QuietSmall);
    let records = Records::of_films(&film::make(&folder, large)?, &film::make(&folder, small)?, large.fps())?;
    let mut centre = Centre::new().map_err(link)?;
    let plan = Plan { relay_host: CENTRE, ..Plan::default() };
    let started = centre.namespace().enter(|| {
        let mut house = House::build(&folder, plan)?;
        let at = house.start_relay()?;
        Ok::<_, Trouble>((house, at))
    });
    let (_house, relay) = started.map_err(link)??;

    let mut figures = Vec::new();
    if !options.json {
        println!("{}", Outcome::heading());
    }
    for loss_percent in LOSS_PERCENT {
        for round_trip_ms in ROUND_TRIP_MS {
            let cells: Vec<Cell> = cells(loss_percent, round_trip_ms).into_iter().filter(wanted).collect();
            if cells.is_empty() {
                continue;
            }
            // The links of one row beside each other: together they carry little.
            for (cell, carrier, outcome) in row(&mut centre, &relay, &records, &cells, &carriers, options.seconds)? {
                let case = format!("{}: {}", cell.name(), carrier.name());
                if options.json {
                    figures.extend(outcome.figures(BENCH, &case));
                } else {
                    println!("{}", outcome.row(&cell.name(), carrier.name()));
                }
                if carrier == Carrier::Privet {
                    let goals = cell.goals(&outcome);
                    figures.extend(goals.into_iter().map(|(metric, value, unit, goal)| {
                        Figure::known(BENCH, case.clone(), metric, value, unit).with_goal(goal)
                    }));
                }
            }
        }
    }
    Ok(figures)
}

/// A row of links, one of each rate.
fn cells(loss_percent: u32, round_trip_ms: u32) -> [Cell; 4] {
    RATES.map(|rate| Cell { loss_percent, round_trip_ms, rate })
}

type Sending = Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send>>;

fn row(
    centre: &mut Centre,
    relay: &RelayAt,
    records: &Records,
    cells: &[Cell],
    carriers: &[Carrier],
    seconds: u64,
) -> Result<Vec<(Cell, Carrier, Outcome)>, Trouble> {
    let runtime = centre.namespace().runtime().map_err(link)?;
    let clock = Clock::start();
    let mut source = Source::new(records.clone(), clock);
    let mut subjects = Vec::new();
    let mut sending: Vec<Sending> = Vec::new();
    for (number, cell) in (1..).zip(cells) {
        for carrier in carriers {
            // All carriers of a cell have the same luck, packet by packet.
            let way: Link = centre.link(cell.conditions(), cell.conditions(), number).map_err(link)?;
            let there = way.namespace().runtime().map_err(link)?;
            let (tally, live) = (Tally::new(clock), source.subscribe());
            let name = format!("{}: {}", cell.name(), carrier.name());
            let send: Sending = match carrier {
                Carrier::Privet => {
                    let begun = privet::begin(&runtime, &there, relay, live, tally.clone(), clock);
                    Box::pin(begun.map_err(|e| e.during(&name))?)
                }
                Carrier::Tls(congestion) => {
                    let begun = tls::begin(&runtime, &there, congestion, live, tally.clone());
                    Box::pin(begun.map_err(|e| e.during(&name))?)
                }
            };
            sending.push(send);
            subjects.push((*cell, *carrier, tally, way, there));
        }
    }
    let sending: Vec<_> = sending.into_iter().map(|send| runtime.spawn(send)).collect();
    let made = runtime.block_on(async {
        let made = source.play(Duration::from_secs(seconds), GRACE).await;
        let end = tokio::time::Instant::now();
        for task in sending {
            let abort = task.abort_handle();
            match tokio::time::timeout_at(end, task).await {
                Ok(Ok(done)) => done?,
                Ok(Err(e)) => return Err(Trouble::new(e.to_string())),
                // Still sending: what has not arrived by now counts as not arrived.
                Err(_) => abort.abort(),
            }
        }
        Ok(made)
    })?;
    Ok(subjects
        .into_iter()
        .map(|(cell, carrier, tally, _way, there)| {
            there.shutdown_background();
            (cell, carrier, tally.outcome(&made))
        })
        .collect())
}

/// Privet, and TCP with both congestion controls: a comparison that leaves the better one out is none, unless that was asked for.
fn carriers(without_bbr: bool) -> Result<Vec<Carrier>, Trouble> {
    const AVAILABLE: &str = "/proc/sys/net/ipv4/tcp_available_congestion_control";
    let available = std::fs::read_to_string(AVAILABLE).map_err(|e| Trouble::new(format!("{AVAILABLE}: {e}")))?;
    let mut carriers = vec![Carrier::Privet];
    for congestion in ["bbr", "cubic"] {
        if congestion == "bbr" && without_bbr {
            eprintln!("{BENCH}: NOT COMPARED with TCP and BBR: --without-bbr was said");
        } else if available.split_whitespace().any(|name| name == congestion) {
            carriers.push(Carrier::Tls(congestion));
        } else {
            let way_out = if congestion == "bbr" { ", or leave it out with --without-bbr" } else { "" };
            return Err(Trouble::new(format!(
                "this kernel has no {congestion} for TCP, with which live video is compared: modprobe tcp_{congestion}{way_out}"
            )));
        }
    }
    Ok(carriers)
}

fn link(error: LinkError) -> Trouble {
    Trouble::new(error.to_string())
}
