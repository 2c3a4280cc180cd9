//! `privet-bench`: what things cost, and whether the goals hold.
//!
//! - [`seal`]: sealing and opening against the primitives they are made of;
//! - [`latency`]: from the camera's packet to the decrypted access unit, and what the hub adds;
//! - [`hub`]: processor and memory for each further camera;
//! - [`motion`]: what the detector finds and what it cries for, against two others, on a labelled set;
//! - [`notify`]: from a box's appearing before the camera to the notification on a phone;
//! - [`live`]: what a viewer behind a bad link sees, beside TCP with TLS;
//! - [`relay`]: what the relay's fan-out, store and connections cost;
//! - [`hostile`]: what a relay's good clients feel while others attack it;
//! - [`observer`]: how well the relay can guess when something moves, without and with a constant rate;
//! - [`phone`]: what app-core costs a phone: a month to catch up with, a notification, a picture's way into Kotlin, its size;
//! - [`start`]: how long a live picture takes to appear, and pairing;
//! - [`pull`]: retina alone, the floor that hub and latency are compared with;
//! - [`yardstick`]: decoding alone, what the hub's figures are held against.

#![forbid(unsafe_code)]

mod figure;
mod film;
mod hostile;
mod hub;
mod latency;
mod live;
mod motion;
mod notify;
mod observer;
mod phone;
mod pull;
mod relay;
mod seal;
mod start;
mod yardstick;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use figure::Figure;
use privet_demo::Trouble;

/// Measures Privet and says whether its goals hold.
#[derive(Parser)]
#[command(name = "privet-bench", version)]
struct Args {
    /// What to measure; all if not said.
    #[command(subcommand)]
    bench: Option<Bench>,
    /// One line of JSON for each figure instead of a table.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum Bench {
    /// Sealing and opening segments, against the bare primitives and against MLS messages.
    Seal,
    /// Camera to viewer, and what the hub adds.
    Latency,
    /// Processor and memory for each further camera.
    Hub {
        /// Only ways of finding motion whose name contains this, like 'substream, 5 frames', 'quiet scene' or 'one core'.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
    /// What the motion detector finds, misses and cries for, on a labelled set, beside two other detectors.
    Motion {
        /// The scenes that the detector was not tuned with.
        #[arg(long)]
        held_out: bool,
        /// Draws the result into this folder, as PNG and SVG.
        #[arg(long, value_name = "FOLDER")]
        plots: Option<PathBuf>,
        /// Only kinds of scenes whose name contains this.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
        /// Without the other detectors.
        #[arg(long)]
        alone: bool,
    },
    /// From what a camera sees to the notification on a phone.
    Notify,
    /// Latency and frozen pictures behind bad links, beside TCP with TLS. Needs root.
    Live {
        /// Only links whose name contains this, like '2 %, 40 ms, 5 Mb/s'.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
        /// Seconds of film over each link.
        #[arg(long, value_name = "N", default_value_t = 30)]
        seconds: u64,
        /// Not beside TCP with BBR, on a kernel that has none. Without this such a kernel ends it.
        #[arg(long)]
        without_bbr: bool,
    },
    /// The relay: fan-out beside a trivial one, clips made durable beside files, idle connections, handshakes, many nodes.
    Relay {
        /// Only parts whose name contains this: fanout, store, idle, handshakes, nodes.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
    /// The relay under attack: how late the records of good clients are, and what each attacker takes of its memory.
    Hostile {
        /// Only kinds of attack whose name contains this: half-open, slow hello, stream flood, giant frames, never read, storm.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
    /// How well somebody who sees what a relay sees guesses when something moves, without and with a constant rate.
    Observer {
        /// Windows of five seconds that are watched in all; half of them have motion.
        #[arg(long, value_name = "N", default_value_t = 600)]
        windows: usize,
    },
    /// From asking for a live picture to having it.
    LiveStart,
    /// From the text of the pairing code to the list of cameras.
    Pairing,
    /// What the library costs a phone.
    Phone {
        /// Only parts whose name contains this: offline, notice, library, crossing.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
    },
    /// A process of the phone's benchmark that measures itself; used by phone.
    #[command(hide = true)]
    PhonePart {
        /// What it does.
        #[command(subcommand)]
        part: phone::Part,
    },
    /// Pulls a camera with retina and nothing else, for so many seconds; used by the others.
    #[command(hide = true)]
    Pull {
        /// The camera.
        url: String,
        /// How long.
        seconds: u64,
    },
    /// Hands on what the first client sends to all others, and nothing else; used by the relay's.
    #[command(hide = true)]
    TrivialFanout,
    /// Keeps what clients send in files of this folder, and nothing else; used by the relay's.
    #[command(hide = true)]
    Receiver {
        /// The folder.
        folder: PathBuf,
        /// What is synced before a clip is answered.
        keeping: relay::receiver::Keeping,
    },
    /// Attacks a relay on this machine until its standard input ends; used by hostile.
    #[command(hide = true)]
    Attackers {
        /// The kind of attack.
        kind: String,
        /// The relay's UDP port.
        port: u16,
        /// Its pin.
        pin: String,
        /// The core to stay on.
        #[arg(long, value_name = "N")]
        core: Option<usize>,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let benches = match args.bench {
        Some(Bench::Pull { url, seconds }) => return pull::main(&url, seconds),
        Some(Bench::PhonePart { part }) => return phone::main(&part),
        Some(Bench::TrivialFanout) => return relay::trivial::main(),
        Some(Bench::Receiver { folder, keeping }) => return relay::receiver::main(folder, keeping),
        Some(Bench::Attackers { kind, port, pin, core }) => return hostile::crowd::main(&kind, port, &pin, core),
        Some(bench) => vec![bench],
        None => vec![
            Bench::Seal,
            Bench::Latency,
            Bench::Hub { only: None },
            Bench::motion(),
            Bench::Notify,
            Bench::Live { only: None, seconds: 30, without_bbr: false },
            Bench::Relay { only: None },
            Bench::Hostile { only: None },
            Bench::Observer { windows: 600 },
            Bench::LiveStart,
            Bench::Pairing,
            Bench::Phone { only: None },
        ],
    };
    let (mut all_well, mut headed) = (true, args.json);
    for bench in benches {
        match run(&bench, args.json) {
            Ok(figures) => {
                if !std::mem::replace(&mut headed, true) {
                    println!("{}", Figure::heading());
                }
                for figure in figures {
                    println!("{}", if args.json { figure.json() } else { figure.row() });
                    if !figure.is_measured() {
                        eprintln!("NOT MEASURED: {}, {}, {}", figure.bench, figure.case, figure.metric);
                    }
                    all_well &= figure.is_measured() && figure.met() != Some(false);
                }
            }
            Err(trouble) => {
                eprintln!("privet-bench {bench:?}: {trouble}");
                all_well = false;
            }
        }
    }
    if !all_well {
        eprintln!("Not every goal was met, or not everything was measured.");
    }
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Bench {
    /// The detector's benchmark without options.
    fn motion() -> Self {
        Self::Motion { held_out: false, plots: None, only: None, alone: false }
    }
}

fn run(bench: &Bench, json: bool) -> Result<Vec<Figure>, Trouble> {
    match bench {
        Bench::Seal => Ok(seal::run()),
        Bench::Latency => latency::run(),
        Bench::Hub { only } => hub::run(only.as_deref()),
        Bench::Motion { held_out, plots, only, alone } => motion::run(&motion::Options {
            held_out: *held_out,
            plots: plots.clone(),
            only: only.clone(),
            alone: *alone,
            json,
        }),
        Bench::Notify => notify::run(),
        Bench::Live { only, seconds, without_bbr } => {
            live::run(&live::Options { only: only.clone(), seconds: *seconds, without_bbr: *without_bbr, json })
        }
        Bench::Relay { only } => relay::run(only.as_deref()),
        Bench::Hostile { only } => hostile::run(only.as_deref()),
        Bench::Observer { windows } => observer::run(*windows),
        Bench::LiveStart => start::live(),
        Bench::Pairing => start::pairing(),
        Bench::Phone { only } => phone::run(only.as_deref()),
        Bench::Pull { .. }
        | Bench::PhonePart { .. }
        | Bench::TrivialFanout
        | Bench::Receiver { .. }
        | Bench::Attackers { .. } => Ok(Vec::new()),
    }
}

/// A folder for one benchmark, made anew.
fn folder(name: &str) -> Result<PathBuf, Trouble> {
    let folder = std::env::temp_dir().join(format!("privet-bench-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|e| Trouble::new(format!("{}: {e}", folder.display())))?;
    Ok(folder)
}
