//! `privet-viewer`: the phone's part on a laptop. Page: `docs/guide/viewer.md`.
//!
//! `args` says what can be asked, `run` does it with app-core, `live` and `files` move media, `events` and `wishes` are about
//! notifications, `serve` is the same for a browser, `say` is the one place that prints: data on stdout (with `--json` one JSON
//! line an item), talk on stderr.

#![forbid(unsafe_code)]

mod args;
mod code;
mod events;
mod files;
mod latency;
mod live;
mod outages;
mod player;
mod run;
mod say;
mod serve;
mod wishes;

use clap::Parser;

fn main() -> std::process::ExitCode {
    let args = args::Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_env("PRIVET_LOG").unwrap_or_else(|_| "off".into()))
        .with_writer(std::io::stderr)
        .init();
    let say = say::Say::new(args.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return say.failed(&run::Failure::Other(error.to_string())),
    };
    match runtime.block_on(run::run(&args, &say)) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => say.failed(&error),
    }
}
