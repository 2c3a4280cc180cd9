//! `privet-hub`: the hub and the command line that talks to it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    // The worker shuts itself in before it touches anything, so nothing else may be set up before it.
    if std::env::args_os().nth(1).is_some_and(|word| word == "camera-worker") {
        return privet_hub::source::worker::main();
    }
    cli::main()
}
