//! Does what was asked, with app-core.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use privet_app_core::{
    Camera, Client, ClipInfo, Config, CoreError, FileKeys, LinkState, PairingOffer, Trust, VerifyReport, verify_file,
};
use serde_json::json;

use crate::args::{Args, SettingsVerb, Verb};
use crate::events;
use crate::live::{self, Wish};
use crate::outages;
use crate::say::{Say, utc};
use crate::serve;
use crate::wishes;

/// What failed, by class.
#[derive(Debug)]
pub enum Failure {
    /// The library said so.
    Core(CoreError),
    /// There are no cameras here whose keys could be trusted.
    NoRoot(CoreError),
    /// The pairing code can't be used.
    Pairing(String),
    /// An argument can't be used.
    Arguments(String),
    /// A file can't be written.
    Store(String),
    /// Something does not verify.
    NotVerified(String),
    /// Anything else.
    Other(String),
}

impl From<CoreError> for Failure {
    fn from(error: CoreError) -> Self {
        Self::Core(error)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Core(error @ (CoreError::Damaged { .. } | CoreError::KeyLost { .. })) => {
                write!(
                    f,
                    "{error}: `privet-viewer start-over`, then `privet-viewer pair` (with the --home that was said now)"
                )
            }
            Self::Core(error) => write!(f, "{error}"),
            Self::NoRoot(error) => write!(
                f,
                "no camera's key is known here to check with: {error}. Without a pairing, give the key of the camera that made the file: \
                 `privet-viewer verify FILE --root HEX` (whoever exported it finds it under \"roots\" in `privet-viewer cameras --json`)"
            ),
            Self::Pairing(text)
            | Self::Arguments(text)
            | Self::Store(text)
            | Self::NotVerified(text)
            | Self::Other(text) => f.write_str(text),
        }
    }
}

impl Failure {
    /// Its class, for machines.
    pub fn class(&self) -> &'static str {
        match self.exit() {
            2 => "arguments",
            3 => "pairing",
            4 => "not-paired",
            5 => "offline",
            6 => "not-verified",
            7 => "not-found",
            8 => "store",
            _ => "other",
        }
    }

    /// Its exit code; the list is in `--help`.
    pub fn exit(&self) -> u8 {
        use CoreError as Core;
        match self {
            Self::Arguments(_) | Self::Core(CoreError::Invalid { .. }) => 2,
            Self::Pairing(_) | Self::Core(CoreError::Pairing(_)) => 3,
            Self::NoRoot(_) | Self::Core(CoreError::NotPaired | CoreError::Revoked) => 4,
            Self::Core(CoreError::Network { .. } | CoreError::Timeout { .. }) => 5,
            Self::NotVerified(_) | Self::Core(CoreError::Tampered { .. }) => 6,
            Self::Core(CoreError::NotFound { .. }) => 7,
            Self::Store(_) | Self::Core(Core::Storage { .. } | Core::StorageFull { .. } | Core::Damaged { .. }) => 8,
            Self::Core(Core::NewerStore { .. } | Core::KeyLost { .. } | Core::Keystore { .. } | Core::Busy) => 8,
            Self::Core(_) | Self::Other(_) => 1,
        }
    }
}

/// Does it.
pub async fn run(args: &Args, say: &Say) -> Result<(), Failure> {
    // Strangers verify without a store.
    if let Verb::Verify { file, root } = &args.verb
        && !root.is_empty()
    {
        let roots = root.iter().map(|text| parse_root(text)).collect::<Result<Vec<_>, _>>()?;
        return verdict(&verify_file(file, &roots)?, file, say);
    }
    if let Verb::StartOver { yes } = args.verb {
        return start_over(&home(args)?, yes, say);
    }
    let client = Arc::new(open(args).await?);
    let outcome = with_client(args, &client, say).await;
    let closed = client.shut_down().await;
    outcome?;
    Ok(closed?)
}

fn home(args: &Args) -> Result<PathBuf, Failure> {
    args.home.clone().or_else(default_home).ok_or_else(|| {
        Failure::Arguments("neither HOME nor XDG_DATA_HOME is set: say where to keep keys with --home DIR".into())
    })
}

/// Where the library keeps its part, and the key that wraps the store's.
fn parts(home: &Path) -> (PathBuf, PathBuf) {
    (home.join("data"), home.join("wrap.key"))
}

fn start_over(home: &Path, yes: bool, say: &Say) -> Result<(), Failure> {
    let (data, key) = parts(home);
    if !yes {
        return Err(Failure::Arguments(format!(
            "this throws away the keys, state and clips in {}, for good; if that is meant, say the same with --yes",
            home.display()
        )));
    }
    privet_app_core::start_over(&data)?;
    match std::fs::remove_file(&key) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::Store(format!("{}: {e}", key.display())));
        }
        _ => {}
    }
    say.item(&json!({"started_over": true}), || {
        "Nothing of a home is here any more. Remove this device from the home under its old name, on the hub or another phone, and pair it anew."
            .into()
    });
    Ok(())
}

async fn open(args: &Args) -> Result<Client, Failure> {
    let home = home(args)?;
    let (data, key) = parts(&home);
    std::fs::create_dir_all(&home).map_err(|e| Failure::Store(format!("{}: {e}", home.display())))?;
    let device_name = match &args.verb {
        Verb::Pair { name, .. } | Verb::Serve { name, .. } => name.clone(),
        _ => "laptop".into(),
    };
    let config = Config {
        storage_dir: data.to_string_lossy().into_owned(),
        device_name,
        cache_limit_mib: 2048,
        app_version: env!("CARGO_PKG_VERSION").into(),
    };
    Ok(Client::open(config, Arc::new(FileKeys::new(key))).await?)
}

fn default_home() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    data.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")))
        .map(|d| d.join("privet-viewer"))
}

async fn with_client(args: &Args, client: &Arc<Client>, say: &Say) -> Result<(), Failure> {
    match &args.verb {
        Verb::Pair { code, .. } => pair(client, code, say).await,
        Verb::Cameras => {
            catch_up(client, args, say).await?;
            let cameras = client.cameras().await?;
            if cameras.is_empty() {
                say.note("no cameras yet: they are named in the hub's configuration");
            }
            for camera in cameras {
                let item = json!({"id": camera.id, "name": camera.name, "online": camera.online, "width": camera.width,
                    "height": camera.height, "codec": camera.codec, "signer": camera.signer,
                    "roots": client.trust_roots(&camera.id)?.iter().map(|k| data_encoding::HEXLOWER.encode(k)).collect::<Vec<_>>()});
                say.item(&item, || {
                    let state = if camera.online { "online" } else { "offline" };
                    format!(
                        "{}  {:<20} {state:<8} {}x{} {}",
                        camera.id, camera.name, camera.width, camera.height, camera.codec
                    )
                });
            }
            Ok(())
        }
        Verb::Live { camera, out, play, seconds, buffer, sei_latency } => {
            catch_up(client, args, say).await?;
            let camera = &find_camera(client, camera).await?;
            let (out, play, seconds) = (out.as_deref(), *play, *seconds);
            let wish = Wish { camera, out, play, seconds, buffer_ms: *buffer, stamps: *sei_latency };
            live::watch(client, &wish, say).await
        }
        Verb::Clips { camera, limit } => {
            catch_up(client, args, say).await?;
            clips(client, camera.as_deref(), *limit, say).await
        }
        Verb::Clip { id, out, plain } => {
            catch_up(client, args, say).await?;
            clip(client, id, out, !plain, say).await
        }
        Verb::Events { camera, limit, follow, seconds, save } => {
            catch_up(client, args, say).await?;
            let camera = match camera {
                Some(name) => Some(find_camera(client, name).await?.id),
                None => None,
            };
            let (limit, follow, seconds) = (*limit, *follow, *seconds);
            events::show(client, &events::Wish { camera, limit, follow, seconds, save: save.as_deref() }, say).await
        }
        Verb::Snooze { camera, duration } => {
            let until = match duration.as_str() {
                "off" => None,
                text => {
                    let for_ms = i64::try_from(wishes::duration(text)?.saturating_mul(1000)).unwrap_or(i64::MAX);
                    Some((crate::latency::wall_us() / 1000).saturating_add(for_ms))
                }
            };
            catch_up(client, args, say).await?;
            let camera = match camera.as_str() {
                "all" => None,
                name => Some(find_camera(client, name).await?.id),
            };
            client.snooze(camera.as_deref(), until).await?;
            settings(client, say).await
        }
        Verb::Settings { change } => {
            if let Some(SettingsVerb::Set { camera, pairs }) = change {
                // A slip of the pen is told at once, relay or not.
                wishes::check(camera.is_some(), pairs)?;
            }
            catch_up(client, args, say).await?;
            if let Some(SettingsVerb::Set { camera, pairs }) = change {
                set(client, camera.as_deref(), pairs).await?;
            }
            settings(client, say).await
        }
        Verb::Pin { clip } => pin(client, args, clip, true, say).await,
        Verb::Unpin { clip } => pin(client, args, clip, false, say).await,
        Verb::Verify { file, .. } => {
            let mut roots = Vec::new();
            let cameras = client.cameras().await.map_err(|error| match error {
                CoreError::NotPaired | CoreError::Revoked => Failure::NoRoot(error),
                other => other.into(),
            })?;
            for camera in cameras {
                roots.extend(client.trust_roots(&camera.id)?);
            }
            verdict(&verify_file(file, &roots)?, file, say)
        }
        Verb::StartOver { .. } => Err(Failure::Other("start-over works on a closed store only".into())),
        Verb::Status => status(client, args, say).await,
        Verb::Serve { port, name, open } => {
            serve::serve(client.clone(), &serve::Wish { port: *port, name, open: *open }, say).await
        }
        Verb::Devices => {
            catch_up(client, args, say).await?;
            for device in client.devices().await? {
                let item = json!({"id": device.id, "name": device.name, "this_device": device.this_device,
                    "added_ms": device.added_ms, "last_seen_ms": device.last_seen_ms, "fingerprint": device.fingerprint});
                say.item(&item, || {
                    let this = if device.this_device { " (this one)" } else { "" };
                    format!("{}  {}{this}  since {}", device.id, device.name, utc(device.added_ms))
                });
            }
            Ok(())
        }
        Verb::Remove { device } => {
            catch_up(client, args, say).await?;
            let devices = client.devices().await?;
            let found: Vec<_> = devices.iter().filter(|d| d.id == *device || d.name == *device).collect();
            let [found] = found[..] else {
                return Err(not_unique("device", device, found.len()));
            };
            client.remove_device(&found.id).await?;
            say.item(&json!({"removed": found.id, "name": found.name}), || format!("'{}' was removed", found.name));
            Ok(())
        }
    }
}

async fn pair(client: &Client, code: &str, say: &Say) -> Result<(), Failure> {
    let started = Instant::now();
    let offer = PairingOffer::parse(&crate::code::text(code)?)?;
    say.note(&format!("asking the hub through the relay {} (a minute at most)", offer.relay()));
    client.pair(&offer).await?;
    let paired_ms = started.elapsed().as_millis();
    let (status, number, cameras) = (client.status().await?, client.safety_number().await?, client.cameras().await?);
    let item = json!({"paired": true, "hub": status.hub_name, "home": status.home_id, "relay": status.relay,
        "safety_number": number, "cameras": cameras.len(), "ms": paired_ms});
    say.item(&item, || {
        format!(
            "paired with '{}' in {paired_ms} ms: {} cameras\nsafety number {number}\n(the hub shows the same for this device, or someone stands in between)",
            status.hub_name,
            cameras.len()
        )
    });
    Ok(())
}

/// Waits for what is new, but not for ever: what is known can be shown without the relay.
async fn catch_up(client: &Client, args: &Args, say: &Say) -> Result<(), Failure> {
    let mut progress = say.progress("connecting");
    let started = Instant::now();
    while started.elapsed().as_secs() < u64::from(args.wait) {
        if client.wait_synced(250).await? {
            return Ok(());
        }
        let status = client.status().await?;
        if status.link == LinkState::Refused {
            break;
        }
        progress.at(&status.link_reason.unwrap_or_else(|| "waiting for the relay".into()));
    }
    drop(progress);
    let why = client.status().await?.link_reason.unwrap_or_else(|| "no answer yet".into());
    say.note(&format!("not up to date: {why}"));
    Ok(())
}

async fn find_camera(client: &Client, name: &str) -> Result<Camera, Failure> {
    let mut found: Vec<Camera> =
        client.cameras().await?.into_iter().filter(|c| c.id == name || c.name == name).collect();
    match (found.pop(), found.len()) {
        (Some(camera), 0) => Ok(camera),
        (_, others) => Err(not_unique("camera", name, if others == 0 { 0 } else { others + 1 })),
    }
}

fn not_unique(kind: &str, name: &str, count: usize) -> Failure {
    if count == 0 {
        CoreError::NotFound { what: format!("{kind} '{name}'; the list is in `privet-viewer {kind}s`") }.into()
    } else {
        Failure::Arguments(format!("{count} {kind}s are called '{name}'; use the id from `privet-viewer {kind}s`"))
    }
}

async fn all_clips(client: &Client, camera: Option<&str>, limit: u32) -> Result<Vec<ClipInfo>, Failure> {
    let mut clips = Vec::new();
    let mut page: Option<String> = None;
    while clips.len() < limit as usize {
        let left = limit - u32::try_from(clips.len()).unwrap_or(limit);
        let next = client.clips(camera, i64::MIN, i64::MAX, page.as_deref(), left).await?;
        clips.extend(next.clips);
        page = next.next;
        if page.is_none() {
            break;
        }
    }
    Ok(clips)
}

async fn clips(client: &Client, camera: Option<&str>, limit: u32, say: &Say) -> Result<(), Failure> {
    let camera = match camera {
        Some(name) => Some(find_camera(client, name).await?.id),
        None => None,
    };
    let cameras = client.cameras().await?;
    let clips = all_clips(client, camera.as_deref(), limit).await?;
    if clips.is_empty() {
        say.note("no clips yet: one is made when a camera sees something move");
    }
    for clip in clips {
        let name = cameras.iter().find(|c| c.id == clip.camera_id).map_or(clip.camera_id.as_str(), |c| c.name.as_str());
        let item = json!({"id": clip.id, "camera": name, "camera_id": clip.camera_id, "start_ms": clip.start_ms,
            "duration_ms": clip.duration_ms, "bytes": clip.bytes, "segments": clip.segments,
            "first_segment": clip.first_segment, "finished": clip.finished,
            "local": clip.local, "trust": trust_word(&clip.trust),
            "pinned": clip.notes.as_ref().map(|notes| notes.pinned), "zones": clip.notes.as_ref().map(|notes| &notes.zones),
            "peak_ms": clip.notes.as_ref().map(|notes| notes.peak_ms),
            "thumbnail": clip.notes.as_ref().is_some_and(|notes| notes.thumbnail)});
        say.item(&item, || {
            let state = if clip.finished { trust_word(&clip.trust) } else { "recording" };
            let here = if clip.local { "here" } else { "relay" };
            let seconds = clip.duration_ms as f64 / 1000.0;
            let part =
                if clip.first_segment > 0 { "  (the part since this phone joined, or joined again)" } else { "" };
            let pinned = if clip.notes.as_ref().is_some_and(|notes| notes.pinned) { "  pinned" } else { "" };
            format!("{}  {}  {name:<20} {seconds:>6.1} s  {state:<9} {here}{pinned}{part}", clip.id, utc(clip.start_ms))
        });
    }
    Ok(())
}

fn trust_word(trust: &Trust) -> &'static str {
    match trust {
        Trust::Verified { .. } => "verified",
        Trust::Pending => "pending",
        Trust::Broken { .. } => "broken",
    }
}

/// Changes settings, beginning with what was asked for last.
async fn set(client: &Client, camera: Option<&str>, pairs: &[String]) -> Result<(), Failure> {
    let state = client.settings().await?;
    let mut settings = state.pending.unwrap_or(state.kept);
    let chosen = match camera {
        None => Vec::new(),
        Some("all") => (0..settings.cameras.len()).collect(),
        Some(name) => {
            let id = find_camera(client, name).await?.id;
            settings.cameras.iter().position(|camera| camera.camera_id == id).into_iter().collect()
        }
    };
    wishes::change(&mut settings, &chosen, pairs)?;
    Ok(client.set_settings(settings).await?)
}

async fn settings(client: &Client, say: &Say) -> Result<(), Failure> {
    let (state, cameras) = (client.settings().await?, client.cameras().await?);
    let item = json!({"kept": wishes::as_json(&state.kept, &cameras), "known": state.known,
        "pending": state.pending.as_ref().map(|pending| wishes::as_json(pending, &cameras))});
    say.item(&item, || wishes::as_text(&state, &cameras, crate::latency::wall_us() / 1000));
    Ok(())
}

async fn pin(client: &Client, args: &Args, id: &str, pinned: bool, say: &Say) -> Result<(), Failure> {
    catch_up(client, args, say).await?;
    let clip = find_clip(client, id).await?;
    client.pin(&clip.id, pinned).await?;
    let what = if pinned { "is kept" } else { "goes when its time comes" };
    say.item(&json!({"id": clip.id, "pinned": pinned}), || format!("clip {} {what}", clip.id));
    Ok(())
}

async fn find_clip(client: &Client, id: &str) -> Result<ClipInfo, Failure> {
    let mut found: Vec<ClipInfo> =
        all_clips(client, None, u32::MAX).await?.into_iter().filter(|clip| clip.id.starts_with(id)).collect();
    match (found.pop(), found.len()) {
        (Some(clip), 0) => Ok(clip),
        (_, others) => Err(not_unique("clip", id, if others == 0 { 0 } else { others + 1 })),
    }
}

async fn clip(client: &Client, id: &str, out: &Path, with_evidence: bool, say: &Say) -> Result<(), Failure> {
    let found = find_clip(client, id).await?;
    let clip = client.open_clip(&found.id).await?;
    let mut progress = say.progress(format!("fetching clip {}", found.id));
    let report = {
        let verify = clip.verify();
        tokio::pin!(verify);
        loop {
            tokio::select! {
                report = &mut verify => break report?,
                () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {
                    let at = clip.progress();
                    progress.at(&format!("{} of {} segments verified", at.ready, at.segments));
                }
            }
        }
    };
    drop(progress);
    if !report.ok {
        return Err(Failure::NotVerified(format!("clip {}: {}", found.id, report.problems.join("; "))));
    }
    clip.export_to(out, with_evidence).await?;
    let item = json!({"id": found.id, "file": out, "bytes": clip.len().await?, "segments": report.segments,
        "first_segment": report.first_segment, "frames": report.frames_checked, "gaps": outages::items(&report.gaps),
        "clock_set_back": report.clock_set_back, "from_ms": report.time_claim_ms, "until_ms": report.time_end_ms,
        "signer": report.signer, "verified": report.ok, "evidence": with_evidence});
    say.item(&item, || {
        format!(
            "{}: {} segments, {} pictures, all verified\nsigned by {}{}{}{}",
            out.display(),
            report.segments,
            report.frames_checked,
            report.signer,
            part_note(&report),
            outages::note(&report.gaps),
            clock_note(&report)
        )
    });
    Ok(())
}

/// A word on what is not in it.
fn part_note(report: &VerifyReport) -> String {
    match report.first_segment {
        0 => String::new(),
        1 => {
            "\nthe clip's first segment is not in it: it was recorded before this phone joined, or joined again".into()
        }
        more => {
            format!(
                "\nthe clip's first {more} segments are not in it: they were recorded before this phone joined, or joined again"
            )
        }
    }
}

fn parse_root(text: &str) -> Result<Vec<u8>, Failure> {
    data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok().filter(|key| key.len() == 65).ok_or_else(
        || Failure::Arguments("--root is an evidence key: 130 hexadecimal digits, from `cameras --json`".into()),
    )
}

/// A word on times that don't rise.
fn clock_note(report: &VerifyReport) -> &'static str {
    if report.clock_set_back > 0 {
        "\nthe hub's clock was set back before or in it: its times don't rise there"
    } else {
        ""
    }
}

fn verdict(report: &VerifyReport, file: &Path, say: &Say) -> Result<(), Failure> {
    let item = json!({"file": file, "ok": report.ok, "signer": report.signer, "signer_known": report.signer_known,
        "segments": report.segments, "frames": report.frames_checked, "gaps": outages::items(&report.gaps),
        "clock_set_back": report.clock_set_back, "from_ms": report.time_claim_ms, "until_ms": report.time_end_ms, "problems": report.problems});
    say.item(&item, || {
        let mut text = format!(
            "{}: {}\nsigned by {}{}\n{} segments, {} pictures, {} to {} by the hub's clock{}",
            file.display(),
            if report.ok { "authentic" } else { "NOT authentic" },
            report.signer,
            if report.signer_known { "" } else { " (a key that is not trusted here)" },
            report.segments,
            report.frames_checked,
            utc(report.time_claim_ms),
            utc(report.time_end_ms),
            outages::note(&report.gaps)
        );
        text.push_str(clock_note(report));
        for problem in &report.problems {
            text.push_str(&format!("\n- {problem}"));
        }
        text
    });
    if report.ok { Ok(()) } else { Err(Failure::NotVerified(format!("{}: not authentic", file.display()))) }
}

async fn status(client: &Client, args: &Args, say: &Say) -> Result<(), Failure> {
    let mut status = client.status().await?;
    if status.paired {
        catch_up(client, args, say).await?;
        status = client.status().await?;
    }
    let alerts: Vec<_> =
        status.alerts.iter().map(|(at, alert)| json!({"at_ms": at, "what": alert.to_string()})).collect();
    let item = json!({"paired": status.paired, "removed": status.removed, "hub": status.hub_name, "home": status.home_id,
        "relay": status.relay, "link": format!("{:?}", status.link), "link_reason": status.link_reason,
        "caught_up": status.caught_up, "position": status.position, "relay_head": status.relay_head,
        "hub_seen_ms": status.hub_seen_ms, "outbox": status.outbox, "cache_bytes": status.cache_bytes, "alerts": alerts,
        "notifications": status.notifications});
    say.item(&item, || {
        if status.removed {
            return "removed from its home; `pair` to join again".into();
        }
        if !status.paired {
            return "not paired; `privet-hub pair` shows a code, `privet-viewer pair CODE` takes it".into();
        }
        let mut text = format!(
            "home '{}' through {}: {:?}{}\nlog entry {} of {}, hub last heard {}\n{} messages wait for the hub, {} MiB of clips here",
            status.hub_name,
            status.relay,
            status.link,
            status.link_reason.as_ref().map(|why| format!(" ({why})")).unwrap_or_default(),
            status.position,
            status.relay_head.max(status.position),
            status.hub_seen_ms.map_or_else(|| "not yet".into(), utc),
            status.outbox,
            status.cache_bytes >> 20
        );
        if let Some(why) = &status.notifications {
            text.push_str(&format!("\n{why}"));
        }
        for (at, alert) in &status.alerts {
            text.push_str(&format!("\nALERT {}: {alert}", utc(*at)));
        }
        text
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_a_clip_is_said_in_words() {
        let of = |first_segment| part_note(&VerifyReport { first_segment, ..VerifyReport::default() });
        assert_eq!(of(0), "");
        assert!(
            of(1).contains("first segment is not in it") && of(1).contains("before this phone joined, or joined again")
        );
        assert!(of(3).contains("first 3 segments are not in it"));
    }
}
