//! `bench phone`: what app-core costs a phone, where nobody waits gladly: a month offline to be caught up with, a notification to be opened within
//! the memory of an extension, a picture's way into Kotlin, the library's size.
//!
//! - [`offline`]: a real relay, a hub made of [`privet_home::HubHome`], and a phone in a process of its own;
//! - [`notice`]: a notification opened in a process that does nothing else;
//! - [`library`]: the stripped library, and what is in it;
//! - [`crossing`]: a live view in Kotlin, on the JVM.

mod crossing;
mod library;
mod notice;
mod offline;

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use privet_demo::Trouble;

use crate::figure::Figure;

const BENCH: &str = "phone";

/// What a process of this benchmark does that measures itself.
#[derive(Clone, Debug, Subcommand)]
pub enum Part {
    /// Pairs and ends.
    Pair {
        /// The phone's folder.
        folder: std::path::PathBuf,
        /// The text of the code.
        code: String,
    },
    /// Opens the store and follows the log to its end, or until it has so many entries.
    CatchUp {
        /// The phone's folder.
        folder: std::path::PathBuf,
        /// The entry to end at, as if it were killed.
        #[arg(long)]
        until: Option<u64>,
    },
    /// Opens the notification in a file with the keys in another.
    Notice {
        /// The folder of both.
        folder: std::path::PathBuf,
    },
}

/// All figures of this benchmark, or those whose part's name contains `only`.
///
/// # Errors
/// [`Trouble`] when a part does not run.
pub fn run(only: Option<&str>) -> Result<Vec<Figure>, Trouble> {
    type Run = fn() -> Result<Vec<Figure>, Trouble>;
    let parts: [(&str, Run); 4] =
        [("offline", offline::run), ("notice", notice::run), ("library", library::run), ("crossing", crossing::run)];
    let wanted = parts.iter().filter(|(name, _)| only.is_none_or(|only| name.contains(only)));
    let mut figures = Vec::new();
    for (name, part) in wanted {
        eprintln!("phone: {name} ...");
        figures.extend(part()?);
    }
    if figures.is_empty() {
        return Err(Trouble::new(format!("bench phone has the parts {}", parts.map(|(name, _)| name).join(", "))));
    }
    Ok(figures)
}

/// The main function of a part's process: prints one line of JSON.
pub fn main(part: &Part) -> ExitCode {
    let said = match part {
        Part::Pair { folder, code } => offline::pair(folder, code),
        Part::CatchUp { folder, until } => offline::catch_up(folder, *until),
        Part::Notice { folder } => notice::open(folder),
    };
    match said {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(trouble) => {
            eprintln!("{trouble}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a part in a process of its own, and gives what it says.
fn part(words: &[&str]) -> Result<serde_json::Value, Trouble> {
    let own = std::env::current_exe().map_err(|e| Trouble::new(format!("this program: {e}")))?;
    let said = std::process::Command::new(own)
        .arg("phone-part")
        .args(words)
        .output()
        .map_err(|e| Trouble::new(format!("a part of the benchmark: {e}")))?;
    if !said.status.success() {
        return Err(Trouble::new(format!("{words:?}: {}", String::from_utf8_lossy(&said.stderr))));
    }
    serde_json::from_slice(&said.stdout).map_err(|e| Trouble::new(format!("{words:?} said no JSON: {e}")))
}

/// Processor time of this process so far, of all threads, in milliseconds.
fn cpu_ms() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// The most memory that this process ever had, in KiB.
fn peak_kib() -> Result<f64, Trouble> {
    field(Path::new("/proc/self/status"), "VmHWM:")
}

fn field(path: &Path, name: &str) -> Result<f64, Trouble> {
    let text = std::fs::read_to_string(path).map_err(|e| Trouble::new(format!("{}: {e}", path.display())))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok());
    value.ok_or_else(|| Trouble::new(format!("{} says no {name}", path.display())))
}

/// A number that a part said.
fn number(said: &serde_json::Value, name: &str) -> Result<f64, Trouble> {
    said[name].as_f64().ok_or_else(|| Trouble::new(format!("no {name} in {said}")))
}

fn core(error: privet_app_core::CoreError) -> Trouble {
    Trouble::new(error.to_string())
}

fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Trouble::new(format!("no runtime: {e}")))
}
