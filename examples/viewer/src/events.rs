//! What happened, listed and as it comes, with pictures as files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use privet_app_core::{Client, Event, EventInfo, Notification};
use serde_json::json;

use crate::run::Failure;
use crate::say::{Say, utc};

/// What is to be shown.
pub struct Wish<'a> {
    /// Only of this camera, by id.
    pub camera: Option<String>,
    /// At most so many of those that were.
    pub limit: u32,
    /// Also those that come.
    pub follow: bool,
    /// Stop to follow after so many seconds.
    pub seconds: Option<u64>,
    /// Where pictures are written.
    pub save: Option<&'a Path>,
}

/// Lists events, newest first; following, the oldest of them first, so that what comes goes on below.
pub async fn show(client: &Client, wish: &Wish<'_>, say: &Say) -> Result<(), Failure> {
    if let Some(folder) = wish.save {
        std::fs::create_dir_all(folder).map_err(|e| Failure::Store(format!("{}: {e}", folder.display())))?;
    }
    let mut events: Vec<EventInfo> = Vec::new();
    let mut page: Option<String> = None;
    while events.len() < wish.limit as usize {
        let left = wish.limit - u32::try_from(events.len()).unwrap_or(wish.limit);
        let next = client.events(wish.camera.as_deref(), i64::MIN, i64::MAX, page.as_deref(), left).await?;
        events.extend(next.events);
        page = next.next;
        if page.is_none() {
            break;
        }
    }
    if events.is_empty() {
        say.note("no events yet: one is told when a camera sees something move, is covered, or is lost");
    }
    if wish.follow {
        events.reverse();
    }
    for event in &events {
        let picture = match (&event.clip_id, wish.save) {
            (Some(clip), Some(folder)) => save_thumbnail(client, clip, folder).await?,
            _ => None,
        };
        tell(event, picture.as_deref(), say);
    }
    // What came while this caught up is in the list, and comes once more by itself.
    let listed = events.into_iter().map(|event| event.id).collect();
    if wish.follow { follow(client, wish, listed, say).await } else { Ok(()) }
}

async fn follow(client: &Client, wish: &Wish<'_>, listed: BTreeSet<String>, say: &Say) -> Result<(), Failure> {
    if let Some(why) = client.status().await?.notifications {
        say.note(&why);
    }
    let started = Instant::now();
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    while wish.seconds.is_none_or(|seconds| started.elapsed() < Duration::from_secs(seconds)) {
        let event = tokio::select! {
            event = client.next_event(200) => event?,
            _ = &mut interrupted => return Ok(()),
        };
        let wanted = |camera: Option<&str>| wish.camera.is_none() || wish.camera.as_deref() == camera;
        match event {
            Some(Event::Happened(event)) if wanted(event.camera_id.as_deref()) && !listed.contains(&event.id) => {
                tell(&event, None, say);
            }
            Some(Event::Notification(notification)) if wanted(notification.camera_id.as_deref()) => {
                notify(&notification, wish.save, say)?;
            }
            Some(Event::ClipNotes { clip_id, camera_id }) if wanted(Some(&camera_id)) => {
                if let Some(folder) = wish.save
                    && let Some(path) = save_thumbnail(client, &clip_id, folder).await?
                {
                    let item = json!({"kind": "thumbnail", "clip": clip_id, "camera_id": camera_id, "saved": path});
                    say.item(&item, || format!("{:20}  clip {clip_id}: {}", "picture", path.display()));
                }
            }
            Some(Event::TrustAlert(alert)) => {
                say.item(&json!({"kind": "alert", "what": alert.to_string()}), || format!("ALERT: {alert}"));
            }
            Some(Event::Missed { count }) => say.note(&format!("{count} were not shown: they came too fast")),
            Some(Event::Removed) => return Err(privet_app_core::CoreError::Revoked.into()),
            _ => {}
        }
    }
    Ok(())
}

fn tell(event: &EventInfo, picture: Option<&Path>, say: &Say) {
    let item = json!({"kind": "event", "id": event.id, "what": event.kind, "severity": event.severity, "title": event.title,
        "body": event.body, "camera": event.camera, "camera_id": event.camera_id, "clip": event.clip_id,
        "zones": event.zones, "at_ms": event.at_ms, "saved": picture});
    say.item(&item, || {
        let mut text = format!("{}  {:<7}  {}", utc(event.at_ms), event.severity, event.title);
        if !event.body.is_empty() {
            text.push_str(&format!(": {}", event.body));
        }
        if let Some(clip) = &event.clip_id {
            text.push_str(&format!("  (clip {})", clip.get(..8).unwrap_or(clip)));
        }
        if let Some(picture) = picture {
            text.push_str(&format!("  {}", picture.display()));
        }
        text
    });
}

/// A notification, with the small picture it may have as a file.
fn notify(notification: &Notification, save: Option<&Path>, say: &Say) -> Result<(), Failure> {
    let picture = match (&notification.picture, save) {
        (Some(picture), Some(folder)) => Some(write(folder, &format!("{}-small", notification.event_id), picture)?),
        _ => None,
    };
    let item = json!({"kind": "notification", "id": notification.event_id, "what": notification.kind,
        "severity": notification.severity, "title": notification.title, "body": notification.body, "home": notification.home,
        "camera": notification.camera, "camera_id": notification.camera_id, "clip": notification.clip_id,
        "zones": notification.zones, "at_ms": notification.at_ms, "late": notification.late,
        "picture_bytes": notification.picture.as_ref().map(Vec::len), "saved": picture});
    say.item(&item, || {
        format!(
            "{}  NOTIFICATION  {}{}{}",
            utc(notification.at_ms),
            notification.text,
            if notification.late { " (late)" } else { "" },
            picture.map(|path| format!("  {}", path.display())).unwrap_or_default()
        )
    });
    Ok(())
}

/// Writes the thumbnail of a clip: where, or nothing when there is none.
async fn save_thumbnail(client: &Client, clip: &str, folder: &Path) -> Result<Option<PathBuf>, Failure> {
    match client.thumbnail(clip).await {
        Ok(Some(thumbnail)) => write(folder, clip, &thumbnail.bytes).map(Some),
        // The event outlives its clip.
        Ok(None) | Err(privet_app_core::CoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Under a name of hexadecimal digits: nobody outside chooses a path.
fn write(folder: &Path, id: &str, picture: &[u8]) -> Result<PathBuf, Failure> {
    let path = folder.join(format!("{id}.jpg"));
    std::fs::write(&path, picture).map_err(|e| Failure::Store(format!("{}: {e}", path.display())))?;
    Ok(path)
}
