//! `privet-fake-camera`: an RTSP camera for a house without one.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use privet_fake_camera::scene::Motion;
use privet_fake_camera::server::{Server, Settings};
use serde::Serialize;

/// An RTSP camera made of GStreamer: a synthetic garden in which a box moves now and then, or a film in a loop.
///
/// Every frame carries its number, as a row of black and white cells along the top edge for machines and in digits for people, and
/// every access unit carries the same number and the time in an SEI message. When the camera listens, one line of JSON
/// with its URL, user and password is written to standard output.
#[derive(Parser)]
#[command(name = "privet-fake-camera", version)]
struct Args {
    /// TCP port; 0 takes any free one.
    #[arg(long, default_value_t = 8554)]
    port: u16,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    address: String,
    /// Path of the stream in the URL.
    #[arg(long, default_value = "stream")]
    path: String,
    /// User who may watch (Digest authentication).
    #[arg(long, default_value = "admin")]
    user: String,
    /// The user's password. Without one, everyone may watch.
    #[arg(long, env = "PRIVET_CAMERA_PASSWORD")]
    password: Option<String>,
    /// Caption in the picture: letters, digits, '-' and ':'.
    #[arg(long, default_value = "GARDEN")]
    name: String,
    /// Width and height in pixels, both even.
    #[arg(long, default_value = "1280x720", value_parser = parse_size)]
    size: (u32, u32),
    /// Frames a second.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=60))]
    fps: u32,
    /// Bit rate in kilobits a second.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(50..=50_000))]
    kbps: u32,
    /// Frames from one key frame to the next.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=600))]
    gop: u32,
    /// B-frames between two other frames; live cameras have none, some newer ones do.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=4))]
    b_frames: u32,
    /// Adds an AAC track that ticks every second.
    #[arg(long)]
    audio: bool,
    /// Plays this film in a loop instead of the garden, in its own size and rate.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Seconds the box moves each time; 0 for a garden without motion.
    #[arg(long, default_value_t = 4.0)]
    moving: f64,
    /// Seconds from one crossing of the box to the next.
    #[arg(long, default_value_t = 30.0)]
    every: f64,
    /// Seconds of quiet before the first crossing.
    #[arg(long, default_value_t = 8.0)]
    quiet: f64,
    /// Half of the crossings, picked by this number, do not happen.
    #[arg(long, value_name = "SEED")]
    by_chance: Option<u64>,
    /// Sensor noise, in levels of 256.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=64))]
    noise: u8,
    /// Adds a second, smaller stream of the same garden for motion detection, at the path with '-sub' behind it.
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = parse_size, conflicts_with = "file")]
    sub: Option<(u32, u32)>,
    /// Writes a line of JSON to standard output whenever the box begins to cross.
    #[arg(long, conflicts_with = "file")]
    say_crossings: bool,
}

/// What the first line on standard output says.
#[derive(Serialize)]
struct Ready<'a> {
    ready: bool,
    url: String,
    sub_url: Option<String>,
    port: u16,
    user: Option<&'a str>,
    password: Option<&'a str>,
    width: u32,
    height: u32,
    fps: u32,
}

/// What is written when the box begins to cross.
#[derive(Serialize)]
struct Crossing {
    /// Milliseconds since 1970.
    crossing_at_ms: u128,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
    let settings = Settings {
        port: args.port,
        address: args.address,
        path: args.path,
        credentials: args.password.map(|password| (args.user, password)),
        name: args.name,
        size: args.size,
        fps: args.fps,
        kbps: args.kbps,
        gop: args.gop,
        b_frames: args.b_frames,
        audio: args.audio,
        file: args.file,
        motion: Motion {
            moving: seconds(args.moving),
            every: seconds(args.every),
            quiet: seconds(args.quiet),
            seed: args.by_chance,
        },
        noise: args.noise,
        sub: args.sub,
    };
    let server = match Server::start(settings) {
        Ok(server) => server,
        Err(e) => {
            eprintln!("privet-fake-camera: {e}");
            return ExitCode::FAILURE;
        }
    };
    let settings = server.settings();
    let (user, password) = settings.credentials.as_ref().map(|(u, p)| (u.as_str(), p.as_str())).unzip();
    let (width, height) = settings.size;
    let (url, sub_url) = (server.url(), server.sub_url());
    let ready =
        Ready { ready: true, url, sub_url, port: settings.port, user, password, width, height, fps: settings.fps };
    say(&ready);
    if args.say_crossings {
        server.on_crossing(|at| {
            let since = at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            say(&Crossing { crossing_at_ms: since.as_millis() });
        });
    }
    eprintln!("The camera is at {}; Ctrl-C stops it.", server.url());
    server.run();
    ExitCode::SUCCESS
}

fn say(line: &impl Serialize) {
    println!("{}", serde_json::to_string(line).unwrap_or_default());
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let (width, height) = text.split_once('x').ok_or("write it as WIDTHxHEIGHT, for example 1280x720")?;
    let side = |text: &str| {
        let side = text.parse().map_err(|_| format!("'{text}' is not a number"))?;
        if (160..=4096).contains(&side) && side % 2 == 0 {
            Ok(side)
        } else {
            Err(format!("{side} is not an even number from 160 to 4096"))
        }
    };
    Ok((side(width)?, side(height)?))
}
