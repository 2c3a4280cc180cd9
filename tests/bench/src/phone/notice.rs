//! A notification opened as an extension opens it: in a process that does nothing else, with two keys.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use privet_app_core::{NotificationKeys, open_notification};
use privet_demo::Trouble;
use privet_home::{Env, Happening, HomeEvent, HubHome, Thumbnail};
use privet_notice::{Notice, NotificationSecret, seal};
use privet_protocol::id::{CameraId, EventId, StreamId};
use privet_protocol::random::SystemRandom;
use privet_protocol::storage::MemoryStore;
use privet_protocol::time::Timestamp;
use serde_json::json;

use super::{BENCH, core, cpu_ms, number, part, peak_kib};
use crate::figure::{Figure, Goal};
use crate::folder;

/// How often it is opened after the first time, for what one more takes.
const MORE: u32 = 100;

pub(super) fn run() -> Result<Vec<Figure>, Trouble> {
    let folder = folder("phone-notice")?;
    make(&folder)?;
    let said = part(&["notice", &folder.to_string_lossy()])?;
    let figure = |metric, value, unit| Figure::known(BENCH, "open_notification, with a picture", metric, value, unit);
    Ok(vec![
        figure("processor time of the first", number(&said, "first_ms")?, "ms").with_goal(Goal::AtMost(20.0)),
        figure("processor time of one more", number(&said, "more_ms")?, "ms"),
        figure("memory beyond the process", number(&said, "kib")? / 1024.0, "MiB").with_goal(Goal::AtMost(12.0)),
    ])
}

/// In a process of its own: opens it.
pub(super) fn open(folder: &Path) -> Result<serde_json::Value, Trouble> {
    let read = |name: &str| std::fs::read(folder.join(name)).map_err(|e| Trouble::new(format!("{name}: {e}")));
    let keys = NotificationKeys { secret: read("secret")?, hub: read("hub")? };
    let payload = read("payload")?;
    let (memory, before) = (peak_kib()?, cpu_ms());
    let opened = open_notification(&keys, &payload, now().0).map_err(core)?;
    let first_ms = cpu_ms() - before;
    let kib = peak_kib()? - memory;
    if opened.picture.is_none() {
        return Err(Trouble::new("the notification lost its picture"));
    }
    let before = cpu_ms();
    for _ in 0..MORE {
        open_notification(&keys, &payload, now().0).map_err(core)?;
    }
    Ok(json!({"first_ms": first_ms, "more_ms": (cpu_ms() - before) / f64::from(MORE), "kib": kib}))
}

fn make(folder: &Path) -> Result<(), Trouble> {
    let random = &SystemRandom;
    let home =
        HubHome::create(std::sync::Arc::new(MemoryStore::new()), "Home", Env::new(now(), random)).map_err(any)?;
    let secret = NotificationSecret::generate(random);
    let event = HomeEvent {
        id: EventId::generate(random),
        at: now(),
        camera: Some(CameraId::generate(random)),
        what: Happening::Motion,
        clip: Some(StreamId::generate(random)),
        zones: vec!["path".into()],
    };
    let picture = Some(Thumbnail { mime: "image/jpeg".into(), width: 96, height: 54, bytes: vec![7; 1_300].into() });
    let notice = Notice {
        event,
        home: "Home".into(),
        camera: "Door".into(),
        counter: 1,
        sealed_at: now(),
        late: false,
        picture,
    };
    let sealed = seal(&notice, &secret.public().map_err(any)?, |message| home.sign_notice(message)).map_err(any)?;
    for (name, bytes) in [("secret", &secret.expose()[..]), ("hub", &home.identity()[..]), ("payload", &sealed[..])] {
        std::fs::write(folder.join(name), bytes).map_err(any)?;
    }
    Ok(())
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

fn any(error: impl std::fmt::Display) -> Trouble {
    Trouble::new(error.to_string())
}
