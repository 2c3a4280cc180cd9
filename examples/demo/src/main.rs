//! `privet-demo`: a camera, a relay, a hub and a phone on this machine, and what they do.

#![forbid(unsafe_code)]

mod story;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Runs a whole Privet on this machine: a camera (synthetic), a relay, a hub and a phone, each a process of its own.
///
/// Without `--once` it goes on until Ctrl-C, and says where to look.
#[derive(Parser)]
#[command(name = "privet-demo", version)]
pub struct Args {
    /// Does everything once, saves a picture and films, prints one line of JSON with what was measured, and ends; exit
    /// code 0 only if all is well.
    #[arg(long)]
    once: bool,
    /// Where everything is kept; made anew every time.
    #[arg(long, default_value = "target/demo")]
    folder: PathBuf,
    /// Seconds of live picture to watch with `--once`.
    #[arg(long, default_value_t = 8)]
    live_seconds: u64,
    /// Plays this film in a loop instead of the synthetic garden.
    #[arg(long)]
    file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = if args.once { story::once(&args) } else { story::on_and_on(&args) };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            eprintln!("privet-demo: {trouble}");
            ExitCode::FAILURE
        }
    }
}
