//! `privet-house`: a relay, a hub and cameras that do what lines of JSON on standard input say. What the tests in other languages stand on;
//! the lines are in `docs/design/0020-phone-bindings.md`.

#![forbid(unsafe_code)]

use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use privet_demo::Trouble;
use privet_tests::obedient::{Obedient, Wish};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const USAGE: &str = "privet-house [--folder DIR] [--cameras N] [--honest] [--sound]

Runs a relay, a hub and N cameras (1 if not said) and does what lines of JSON on its standard input say, each with one line of answer
(docs/design/0020-phone-bindings.md). All is kept in DIR, or in a scratch folder. With --honest nobody stands before the relay, so
`tamper` can't be asked for; with --sound the cameras have a microphone. Ends when its input does, or on SIGTERM, and everything that it started with it.";

struct Args {
    folder: Option<PathBuf>,
    cameras: usize,
    honest: bool,
    sound: bool,
}

fn main() -> ExitCode {
    let args = match parse(std::env::args().skip(1)) {
        Ok(Some(args)) => args,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("privet-house: {why}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("privet-house: {trouble}");
            ExitCode::FAILURE
        }
    }
}

/// What is asked for; nothing when help is.
fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Args>, String> {
    let mut args = Args { folder: None, cameras: 1, honest: false, sound: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word}: what?"));
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--honest" => args.honest = true,
            "--sound" => args.sound = true,
            "--folder" => args.folder = Some(PathBuf::from(value()?)),
            "--cameras" => {
                let number = value()?;
                args.cameras = number.parse().map_err(|_| format!("--cameras: '{number}' is not a number"))?;
            }
            _ => return Err(format!("there is no '{word}'")),
        }
    }
    Ok(Some(args))
}

fn run(args: &Args) -> Result<(), Trouble> {
    let wish = Wish { folder: args.folder.as_deref(), cameras: args.cameras, honest: args.honest, sound: args.sound };
    // Listened for before anything is started that would be left behind.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (mut terminate, mut interrupt) = {
        let _within = runtime.enter();
        (signal(SignalKind::terminate()).map_err(failed)?, signal(SignalKind::interrupt()).map_err(failed)?)
    };
    let mut lines = lines();
    let mut house = Obedient::start(&wish)?;
    say(&house.ready())?;
    loop {
        let line = runtime.block_on(async {
            tokio::select! {
                line = lines.recv() => line,
                _ = terminate.recv() => None,
                _ = interrupt.recv() => None,
            }
        });
        let Some(line) = line else { return Ok(()) };
        match serde_json::from_str::<Value>(&line) {
            Ok(line) if line["do"] == "stop" => {
                // Everything has ended when it says so.
                drop(house);
                return say(&json!({}));
            }
            Ok(line) => say(&house.obey(&line).unwrap_or_else(|trouble| json!({ "error": trouble.to_string() })))?,
            Err(e) => say(&json!({ "error": format!("that is no JSON: {e}") }))?,
        }
    }
}

/// The lines of standard input, from a thread of their own: it ends with the process.
fn lines() -> UnboundedReceiver<String> {
    let (sender, lines) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn say(line: &Value) -> Result<(), Trouble> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(failed)
}

fn failed(e: std::io::Error) -> Trouble {
    Trouble::new(e.to_string())
}
