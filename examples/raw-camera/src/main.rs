//! The raw camera as a process: `privet-raw-camera --file clip.mp4 --fault freeze --after 100`.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use privet_raw_camera::{Account, Clip, Fault, Options, Quirk, RawCamera};

/// A small RTSP camera with fault modes, for tests. Prints its URL as the first line, then plays until its input ends or it is
/// killed. A line with a fault's name switches the fault on, `ok` switches it off.
#[derive(Parser, Debug)]
struct Arguments {
    /// MP4 (H.264, AAC) or Annex B file; without it, a synthetic picture.
    #[arg(long)]
    file: Option<PathBuf>,
    /// The file that `--fault parameter-change` changes to.
    #[arg(long)]
    second: Option<PathBuf>,
    /// Pictures per second of an Annex B file.
    #[arg(long, default_value_t = 15)]
    fps: u32,
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Ask for this user name and password (Digest).
    #[arg(long, value_name = "USER:PASSWORD")]
    account: Option<String>,
    /// Do this wrong.
    #[arg(long)]
    fault: Option<Fault>,
    /// So many pictures before the fault.
    #[arg(long, default_value_t = 45)]
    after: u64,
    /// Be like this camera; may be given several times.
    #[arg(long)]
    quirk: Vec<Quirk>,
    /// Play so many times faster.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Leave the sound out.
    #[arg(long)]
    silent: bool,
    /// Do not end when the input ends (for use without a terminal).
    #[arg(long)]
    stay: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("privet-raw-camera: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut options = match &arguments.file {
        Some(path) => Options::new(Clip::open(path, arguments.fps)?),
        None => Options::synthetic(),
    };
    if let Some(path) = &arguments.second {
        options.second = Some(Arc::new(Clip::open(path, arguments.fps)?));
    }
    options.account = match &arguments.account {
        None => None,
        Some(text) => {
            let (user, password) = text.split_once(':').ok_or("--account wants USER:PASSWORD")?;
            Some(Account { user: user.to_owned(), password: password.to_owned() })
        }
    };
    options.listen = arguments.listen;
    let after = if arguments.fault.is_some_and(Fault::at_start) { 0 } else { arguments.after };
    options.fault = arguments.fault.map(|fault| (fault, after));
    options.quirks = arguments.quirk;
    options.speed = arguments.speed;
    options.silent = arguments.silent;
    let camera = RawCamera::start(options)?;
    println!("{}", camera.url());
    for line in std::io::stdin().lines() {
        match line?.trim() {
            "" => {}
            "ok" => camera.clear_fault(),
            "hang-up" => camera.hang_up(),
            name => match <Fault as clap::ValueEnum>::from_str(name, true) {
                Ok(fault) => camera.set_fault(fault),
                Err(_) => eprintln!("no fault '{name}'"),
            },
        }
    }
    if arguments.stay {
        loop {
            std::thread::park();
        }
    }
    Ok(())
}
