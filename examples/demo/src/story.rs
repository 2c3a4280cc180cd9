//! The demo's story: build the house, pair, watch, fetch a clip, and look at what the relay got.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use privet_demo::Trouble;
use privet_demo::blind::Needles;
use privet_demo::film;
use privet_demo::house::{House, Phone, Plan, fake_camera, text};
use privet_demo::process::{Process, program, until};
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Args;

const CAMERA: &str = "BACK-GARDEN";
const PASSWORD: &str = "only-for-the-demo";

/// The one line of JSON. Everything in it was measured.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    paired: bool,
    pairing_ms: u64,
    live_frames: u64,
    live_segments_verified: u64,
    live_segments_broken: u64,
    live_gaps: u64,
    live_first_picture_ms: Option<f64>,
    /// From the hub's receiving an access unit to its decrypted form in the viewer.
    live_latency_ms_p50: Option<f64>,
    live_latency_ms_p99: Option<f64>,
    /// The same from the moment it left the camera's encoder.
    camera_to_viewer_ms_p50: Option<f64>,
    live_pictures_consecutive: bool,
    /// What the phone showed when the box crossed.
    notification: Option<String>,
    /// From the box's appearing before the camera to that; not known of a film.
    notification_ms: Option<i64>,
    notification_picture: bool,
    clips_verified: u64,
    clip_frames: u64,
    clip_pictures_consecutive: bool,
    exported_proof_verified: bool,
    relay_saw_plaintext: bool,
    relay_bytes_searched: u64,
    needles: u64,
    seconds: f64,
    all_well: bool,
}

/// Everything once, unattended.
pub fn once(args: &Args) -> Result<bool, Trouble> {
    let started = Instant::now();
    let (mut house, mut camera) = build(args)?;
    let mut outcome = Outcome::default();
    let phone = pair(&house, &mut outcome)?;
    watch(&phone, args, &house, &mut outcome)?;
    notified(&phone, &mut camera, args, &mut outcome)?;
    fetch_clip(&phone, args, &mut outcome)?;
    // Stopped first, so that all that was received is on the disk.
    for process in [house.hub.as_mut(), house.relay.as_mut()].into_iter().flatten() {
        process.stop(Duration::from_secs(20))?;
    }
    search(&house, args, &mut outcome)?;
    outcome.seconds = (started.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    outcome.all_well = all_well(&outcome, args.file.is_some());
    println!("{}", serde_json::to_string(&outcome).unwrap_or_default());
    Ok(outcome.all_well)
}

fn all_well(outcome: &Outcome, own_film: bool) -> bool {
    outcome.paired
        && outcome.live_segments_verified > 0
        && outcome.live_segments_broken == 0
        && outcome.live_latency_ms_p50.is_some()
        && (outcome.live_pictures_consecutive || own_film)
        && outcome.notification.is_some()
        && outcome.notification_picture
        && outcome.clips_verified > 0
        && (outcome.clip_pictures_consecutive || own_film)
        && outcome.exported_proof_verified
        && !outcome.relay_saw_plaintext
        && outcome.relay_bytes_searched > 0
        && outcome.needles > 0
}

/// All of it, until Ctrl-C.
pub fn on_and_on(args: &Args) -> Result<bool, Trouble> {
    let (mut house, mut camera) = build(args)?;
    let mut outcome = Outcome::default();
    let phone = pair(&house, &mut outcome)?;
    // One process at a time has a phone's store. This one is for whoever tries the commands below; the demo looks with another.
    let own = house.pair("demo")?;
    let viewer = format!("{} --home {}", shown("privet-viewer")?, phone.folder().display());
    say("");
    say("All is running. In another terminal:");
    say(&format!("  the live picture    {viewer} live {CAMERA} --play"));
    say(&format!("  clips of motion     {viewer} clips"));
    say(&format!("  notifications       {viewer} events --follow"));
    say(&format!("  quiet for an hour   {viewer} snooze all 1h"));
    say(&format!(
        "  the hub's state     {} --config {}/hub.toml status",
        shown("privet-hub")?,
        house.folder().display()
    ));
    say(&format!("  what the relay has  ls -R {}", house.relay_data().display()));
    say(&format!("  logs                {}/*.log", house.folder().display()));
    say(
        "A box crosses the picture every 15 seconds, and each time a clip is made; a second phone called 'demo' tells of it here.",
    );
    say("Ctrl-C ends everything.");
    let mut requests = Requests::new()?;
    let mut known = 0;
    loop {
        if requests.come_within(Duration::from_secs(3)) {
            return Ok(true);
        }
        let died = |process: &mut Process| (!process.is_running()).then(|| process.log().display().to_string());
        let processes = [house.hub.as_mut(), house.relay.as_mut(), Some(&mut camera)];
        if let Some(log) = processes.into_iter().flatten().find_map(died) {
            return Err(Trouble::new(format!("a part ended by itself; see {log}")));
        }
        // Whatever is wrong may pass, and who tries things may have caused it.
        let Ok(clips) = own.clips(None) else { continue };
        for clip in clips.iter().take(clips.len().saturating_sub(known)) {
            let id = text(clip, "id")?;
            let seconds = clip["duration_ms"].as_u64().unwrap_or(0) / 1000;
            say(&format!("A clip of {seconds} s is ready:  {viewer} clip {} --out clip.mp4", &id[..8.min(id.len())]));
        }
        known = known.max(clips.len());
    }
}

/// Ctrl-C and the polite signal. What comes while nobody waits is told at the next wait.
struct Requests {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Requests {
    fn new() -> Result<Self, Trouble> {
        let failed = |e: std::io::Error| Trouble::new(format!("can't listen for Ctrl-C: {e}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (interrupt, terminate) = {
            let _within = runtime.enter();
            (signal(SignalKind::interrupt()).map_err(failed)?, signal(SignalKind::terminate()).map_err(failed)?)
        };
        Ok(Self { runtime, interrupt, terminate })
    }

    fn come_within(&mut self, bound: Duration) -> bool {
        let Self { runtime, interrupt, terminate } = self;
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => true,
                _ = terminate.recv() => true,
                () = tokio::time::sleep(bound) => false,
            }
        })
    }
}

/// One of our programs as one types it: from here where it lies below.
fn shown(name: &str) -> Result<String, Trouble> {
    let path = program(name)?;
    let here = std::env::current_dir().unwrap_or_default();
    Ok(path.strip_prefix(here).unwrap_or(&path).display().to_string())
}

fn build(args: &Args) -> Result<(House, Process), Trouble> {
    if args.folder.exists() {
        fs::remove_dir_all(&args.folder).map_err(|e| Trouble::new(format!("{}: {e}", args.folder.display())))?;
    }
    let plan = Plan { keep_received: args.once, ..Plan::default() };
    let mut house = House::build(&args.folder, plan)?;
    let mut camera_words = vec!["--moving", "3", "--every", "15", "--quiet", "6", "--audio"];
    let file = args.file.as_ref().map(|file| file.to_string_lossy().into_owned());
    match &file {
        Some(file) => camera_words.extend(["--file", file]),
        None => camera_words.extend(["--sub", "640x360", "--say-crossings"]),
    }
    let (process, camera) = fake_camera(house.folder(), CAMERA, Some(PASSWORD), &camera_words)?;
    say(&format!("camera  {}, Digest authentication, 1280x720, H.264 and AAC", camera.url));
    let relay = house.start_relay()?;
    say(&format!("relay   127.0.0.1:{} (QUIC), key {}...", relay.port, &relay.pin[..16.min(relay.pin.len())]));
    house.cameras.push(camera);
    house.start_hub()?;
    say(&format!(
        "hub     '{}', connected to both; its data is in {}",
        "House of the demo",
        house.folder().join("hub").display()
    ));
    Ok((house, process))
}

fn pair(house: &House, outcome: &mut Outcome) -> Result<Phone, Trouble> {
    let mut invitation = house.invite()?;
    let code = invitation.code().to_string();
    say("\nThe hub shows this code; a phone scans it within ten minutes:\n");
    if let Ok(picture) = qrcode::QrCode::new(code.as_bytes()) {
        say(&picture.render::<qrcode::render::unicode::Dense1x2>().quiet_zone(true).build());
    }
    let phone = house.phone("laptop");
    let joined = phone.pair(&code)?.first().map_err(|e| e.during("pairing"))?;
    outcome.paired = joined["paired"] == true;
    outcome.pairing_ms = joined["ms"].as_u64().unwrap_or(0);
    say(&format!("phone   paired with '{}' in {} ms", joined["hub"].as_str().unwrap_or_default(), outcome.pairing_ms));
    let number = joined["safety_number"].as_str().unwrap_or_default();
    let hubs = invitation.joined()?["safety_number"].as_str().unwrap_or_default().to_string();
    if hubs != number {
        return Err(Trouble::new(format!("phone and hub show different safety numbers: {number} and {hubs}")));
    }
    say(&format!("        safety number {number}, on the hub too"));
    until("the camera's being online", Duration::from_secs(15), || {
        let cameras = phone.says(&["cameras"]).ok()?.ok().ok()?;
        cameras.lines.into_iter().find(|camera| camera["name"] == CAMERA && camera["online"] == true)
    })?;
    Ok(phone)
}

fn watch(phone: &Phone, args: &Args, house: &House, outcome: &mut Outcome) -> Result<(), Trouble> {
    let film = house.folder().join("live.mp4");
    let seconds = args.live_seconds.to_string();
    say(&format!("\nWatching live for {seconds} s ..."));
    let words = ["live", CAMERA, "--sei-latency", "--seconds", &seconds, "--out", &film.to_string_lossy()];
    let said =
        phone.says_within(&words, Duration::from_secs(args.live_seconds + 30))?.ok().map_err(|e| e.during("live"))?;
    let summary = said.lines.iter().find(|line| line["kind"] == "summary");
    let summary = summary.ok_or_else(|| Trouble::new(format!("the viewer gave no summary: {}", said.out)))?;
    let count = |key: &str| summary[key].as_u64().unwrap_or(0);
    let tenth = |value: &Value| value.as_f64().map(|v| (v * 10.0).round() / 10.0);
    outcome.live_frames = count("frames");
    outcome.live_segments_verified = count("segments_verified");
    outcome.live_segments_broken = count("segments_broken");
    outcome.live_gaps = count("gaps");
    outcome.live_first_picture_ms = tenth(&summary["first_picture_ms"]);
    outcome.live_latency_ms_p50 = tenth(&summary["latency_ms"]["p50"]);
    outcome.live_latency_ms_p99 = tenth(&summary["latency_ms"]["p99"]);
    outcome.camera_to_viewer_ms_p50 = tenth(&summary["sei_latency_ms"]["p50"]);
    let picture = house.folder().join("live.png");
    film::save_picture(&film, &picture)?;
    outcome.live_pictures_consecutive = consecutive(&film)?;
    say(&format!(
        "live    {} segments verified, {} broken; first picture after {} ms; {} ms from hub to viewer (half of them)",
        outcome.live_segments_verified,
        outcome.live_segments_broken,
        outcome.live_first_picture_ms.unwrap_or(f64::NAN),
        outcome.live_latency_ms_p50.unwrap_or(f64::NAN),
    ));
    say(&format!("        {} and {}", film.display(), picture.display()));
    Ok(())
}

/// Waits for a motion and for what the phone then shows.
fn notified(phone: &Phone, camera: &mut Process, args: &Args, outcome: &mut Outcome) -> Result<(), Trouble> {
    say("\nWaiting until a box crosses the garden ...");
    // Otherwise a phone is told of the same camera once a minute at most.
    phone.says(&["settings", "set", "--camera", "all", "cooldown=0"])?.ok().map_err(|e| e.during("settings"))?;
    let pictures = args.folder.join("pictures");
    let mut follower = phone.start(&["events", "--follow", "--limit", "0", "--save", &pictures.to_string_lossy()])?;
    let mut crossing = None;
    if args.file.is_none() {
        // Those of the past were written meanwhile: the one that is waited for is the next.
        while crossing.is_none_or(|at| ms_since(at) > 500) {
            let line = camera.wait_for(Duration::from_secs(30), |line| line["crossing_at_ms"].is_i64())?;
            crossing = line["crossing_at_ms"].as_i64();
        }
    }
    let notification = follower.wait_for(Duration::from_secs(30), |line| {
        line["kind"] == "notification" && line["what"] == "motion" && line["at_ms"].as_i64() >= crossing
    })?;
    outcome.notification_ms = crossing.map(ms_since);
    let shown = text(&notification, "title")?;
    let picture = notification["saved"].as_str();
    outcome.notification_picture = picture.is_some();
    let after = outcome.notification_ms.map(|ms| format!(" {ms} ms after the box appeared")).unwrap_or_default();
    say(&format!("phone   shows '{shown}'{after}; with it {}", picture.unwrap_or("no picture")));
    outcome.notification = Some(shown);
    let clip = notification["clip"].as_str();
    let thumbnail = follower.wait_for(Duration::from_secs(30), |line| {
        line["kind"] == "thumbnail" && (clip.is_none() || line["clip"].as_str() == clip)
    })?;
    say(&format!("        the moment of most motion: {}", text(&thumbnail, "saved")?));
    follower.kill();
    Ok(())
}

fn ms_since(at_ms: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX).saturating_sub(at_ms)
}

fn fetch_clip(phone: &Phone, args: &Args, outcome: &mut Outcome) -> Result<(), Trouble> {
    say("\nWaiting for the first clip: a box crosses the garden, the hub keeps what came before and after ...");
    let clips =
        until("a finished clip", Duration::from_secs(30), || phone.clips(None).ok().filter(|clips| !clips.is_empty()))?;
    let first = clips.last().map(|clip| text(clip, "id")).transpose()?.unwrap_or_default();
    let film = args.folder.join("clip.mp4");
    let name = film.to_string_lossy();
    let clip = phone.says(&["clip", &first, "--out", &name])?.first().map_err(|e| e.during("fetching the clip"))?;
    if clip["verified"] == true {
        outcome.clips_verified += 1;
    }
    outcome.clip_frames = clip["frames"].as_u64().unwrap_or(0);
    outcome.clip_pictures_consecutive = consecutive(&film)?;
    let verdict = phone.says(&["verify", &name])?.first().map_err(|e| e.during("verifying the exported clip"))?;
    outcome.exported_proof_verified = verdict["ok"] == true && verdict["signer_known"] == true;
    say(&format!(
        "clip    {} segments, {} pictures, all verified: {}",
        clip["segments"],
        outcome.clip_frames,
        film.display()
    ));
    Ok(())
}

fn search(house: &House, args: &Args, outcome: &mut Outcome) -> Result<(), Trouble> {
    let mut needles = Needles::new();
    let films = [house.folder().join("live.mp4"), args.folder.join("clip.mp4")];
    for film in &films {
        needles.add_film(&name_of(film), &film::contents(film)?);
    }
    for name in [CAMERA, PASSWORD, "House of the demo"] {
        needles.add_name(name);
    }
    // The search itself is tried first, on the films: what can't find a plaintext would call anything blind.
    let films: Vec<&Path> = films.iter().map(|film| film.as_path()).collect();
    if needles.search(&films)?.finds.is_empty() {
        return Err(Trouble::new("the search for plaintext does not even find it in the decrypted films"));
    }
    let searched = needles.search(&[&house.relay_data(), &house.received(), &house.folder().join("relay.log")])?;
    outcome.needles = needles.count();
    outcome.relay_bytes_searched = searched.bytes;
    outcome.relay_saw_plaintext = !searched.finds.is_empty();
    for find in searched.finds.iter().take(5) {
        say(&format!("LEAK    {} in {} at byte {}", find.what, find.file.display(), find.offset));
    }
    say(&format!(
        "relay   {:.1} MB that it stored and received, searched for {} pieces of video and names: {} found",
        searched.bytes as f64 / 1e6,
        needles.count(),
        searched.finds.len()
    ));
    Ok(())
}

/// Whether every picture has a number and each follows the one before it.
fn consecutive(film: &Path) -> Result<bool, Trouble> {
    match film::numbers(film) {
        Ok(numbers) => Ok(numbers.breaks.is_empty() && numbers.unreadable == 0),
        // A film of somebody's own has no numbers; the caller knows.
        Err(trouble) if trouble.to_string().contains("has a number") => Ok(false),
        Err(trouble) => Err(trouble),
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn say(line: &str) {
    eprintln!("{line}");
}
