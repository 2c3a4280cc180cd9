//! `privet-hub camera test`: connects once through a sandboxed worker, as the hub would, and says what is there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use privet_hub::config::Config;
use privet_hub::source::{CameraSettings, WorkerOptions, probe};
use privet_protocol::id::CameraId;
use privet_protocol::random::SystemRandom;
use zeroize::Zeroizing;

use super::{Failure, print_json};

/// How long to listen: two key frames of most cameras.
const LISTEN: Duration = Duration::from_secs(12);

#[derive(Debug, Args)]
pub(super) struct TestOptions {
    /// `rtsp://host[:port]/path`, or the name of a camera in the configuration.
    camera: String,
    /// User name at the camera.
    #[arg(long)]
    username: Option<String>,
    /// File whose first line is the password; or set CAMERA_PASSWORD.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) fn test(config: &Path, options: &TestOptions, json: bool) -> Result<(), Failure> {
    let settings = settings(config, options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::Other(format!("the runtime can't start: {e}")))?;
    if !json {
        eprintln!("connecting; this takes up to {} s", LISTEN.as_secs());
    }
    let report = runtime.block_on(Box::pin(probe(settings, WorkerOptions::default(), LISTEN)));
    let report = report.map_err(|e| Failure::Camera(e.to_string()))?;
    let format = &report.format;
    let interval = report.key_frame_interval.map(|i| i.as_secs_f64());
    if json {
        print_json(&serde_json::json!({
            "codec": format.codec, "width": format.width, "height": format.height, "fps": report.fps,
            "bits_per_s": report.bits_per_second, "audio": format.audio.as_ref().map(|a| a.codec.clone()),
            "first_key_frame_ms": report.first_key_frame.as_secs_f64() * 1000.0, "key_frame_interval_s": interval,
            "b_frames": report.b_frames, "notes": report.notes,
        }));
        return Ok(());
    }
    println!(
        "video    {} {}x{}, {:.1} pictures/s, {:.2} Mbit/s",
        format.codec,
        format.width,
        format.height,
        report.fps,
        report.bits_per_second as f64 / 1e6
    );
    match &format.audio {
        Some(audio) => println!("sound    {} {} Hz", audio.codec, audio.sample_rate),
        None => println!("sound    none that can be passed on"),
    }
    println!("start    first key frame after {:.0} ms", report.first_key_frame.as_secs_f64() * 1000.0);
    if let Some(interval) = interval {
        println!("groups   a key frame every {interval:.1} s");
    }
    if report.b_frames {
        println!("order    B-frames (pictures come in another order than they are shown)");
    }
    for note in &report.notes {
        println!("note     {note}");
    }
    Ok(())
}

fn settings(config: &Path, options: &TestOptions) -> Result<CameraSettings, Failure> {
    let id = CameraId::generate(&SystemRandom);
    let mut settings = CameraSettings::new(id, "test", options.camera.clone());
    if !options.camera.contains("://") {
        let config = Config::load(config)?;
        let known = config.cameras.iter().find(|c| c.name == options.camera).ok_or_else(|| {
            Failure::Usage(format!("'{}' is neither an rtsp:// URL nor a camera of the configuration", options.camera))
        })?;
        settings.url.clone_from(&known.url);
        settings.username.clone_from(&known.username);
        settings.password = known.password();
        settings.audio = known.audio;
    }
    if url_holds_password(&settings.url) {
        return Err(Failure::Usage(
            "the URL must not hold user and password; use --username and --password-file".into(),
        ));
    }
    if let Some(username) = &options.username {
        settings.username = Some(username.clone());
    }
    if let Some(file) = &options.password_file {
        let text = std::fs::read_to_string(file).map(Zeroizing::new);
        let text = text.map_err(|e| Failure::Usage(format!("{} can't be read: {e}", file.display())))?;
        settings.password = Some(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()));
    } else if let Ok(password) = std::env::var("CAMERA_PASSWORD") {
        settings.password = Some(Zeroizing::new(password));
    }
    Ok(settings)
}

fn url_holds_password(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| !url.username().is_empty() || url.password().is_some())
}
