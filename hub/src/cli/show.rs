//! What the hub answered, for people or for programs.

use privet_hub::control::Answer;
use privet_hub::outbox::retention::Forecast;
use privet_hub::status::{CameraStatus, Status};
use privet_hub::time::wall;
use privet_hub::uplink::room::RelayRoom;

use super::{Failure, print_json, unexpected};

pub(super) fn status(answer: Answer, json: bool) -> Result<(), Failure> {
    let Answer::Status(status) = answer else { return Err(unexpected(&answer)) };
    if json {
        print_json(&status);
    } else {
        print!("{}", page(&status, wall().0));
    }
    Ok(())
}

pub(super) fn cameras(answer: Answer, json: bool) -> Result<(), Failure> {
    let Answer::Status(status) = answer else { return Err(unexpected(&answer)) };
    for camera in &status.cameras {
        if json {
            print_json(camera);
        } else {
            println!("{}  {}", camera.id, camera_line(camera));
        }
    }
    if status.cameras.is_empty() {
        eprintln!("no cameras: add a [[camera]] to the configuration");
    }
    Ok(())
}

pub(super) fn phones(answer: Answer, json: bool) -> Result<(), Failure> {
    let Answer::Phones { phones } = answer else { return Err(unexpected(&answer)) };
    for phone in &phones {
        if json {
            print_json(phone);
        } else {
            println!("{}  {} (last heard of {} ago)", phone.id.0, phone.name, ago(wall().0 - phone.last_seen_ms));
        }
    }
    if phones.is_empty() {
        eprintln!("no phones: run `privet-hub pair`");
    }
    Ok(())
}

pub(super) fn removed(answer: &Answer, json: bool) -> Result<(), Failure> {
    let Answer::Removed { device, relay_knows } = answer else { return Err(unexpected(answer)) };
    if json {
        print_json(answer);
    } else {
        println!("removed: {}", device.0);
    }
    if !relay_knows {
        eprintln!(
            "the relay can't be reached now; it is told as soon as it can. What is sealed from now on the phone can't open anyway"
        );
    }
    Ok(())
}

fn page(status: &Status, now_ms: i64) -> String {
    let mut lines = vec![format!("{} (privet-hub {}, up {})", status.name, status.version, ago_s(status.up_s))];
    for alarm in &status.alarms {
        lines.push(format!("ALARM    {} (for {})", alarm.text, ago(now_ms - alarm.since_ms)));
    }
    let relay = &status.relay;
    let mut line = format!("relay    {}: {}", relay.address, relay.state);
    if let Some(time) = relay.round_trip_ms {
        line += &format!(", round trip {time:.1} ms");
    }
    if let Some(why) = &relay.why {
        line += &format!("; {why}");
    }
    if let Some(next) = &relay.next {
        line += &format!("; {next}");
    }
    if let Some(room) = &status.relay_room {
        line += &format!("; {}", room_line(room));
    }
    lines.push(line);
    lines.extend(status.relay_room.as_ref().and_then(log_and_wakes_line).map(|line| format!("         {line}")));
    if let Some(rate) = &status.constant_rate {
        let (up, down) = (rate.up_mbit_a_day, rate.phone_mbit_a_day);
        let kept = bytes(rate.kept_bytes);
        lines.push(format!(
            "constant rate: {up} Mb a day to the relay, {down} Mb a day to each phone, {kept} kept there"
        ));
    }
    let outbox = &status.outbox;
    let mut line =
        format!("waiting  {} segments ({}), {} log entries", outbox.segments, bytes(outbox.bytes), status.log_waiting);
    if let Some(oldest) = outbox.oldest_ms {
        line += &format!(", the oldest for {}", ago(now_ms - oldest));
    }
    if outbox.given_up > 0 {
        line += &format!("; {} given up", outbox.given_up);
    }
    lines.push(line);
    let notices = &status.notices;
    if notices.waiting > 0 {
        let oldest =
            notices.oldest_ms.map_or_else(String::new, |at| format!(", the oldest of {} ago", ago(now_ms - at)));
        lines.push(format!("notices  {} wait for the relay{oldest}", notices.waiting));
    }
    lines.push(format!("disk     {} left for clips", bytes(status.room_bytes)));
    lines.push(format!("clips    {}", clips_line(&status.clips, now_ms)));
    lines.push(format!("phones   {}", status.phones));
    if let Some(mqtt) = &status.mqtt {
        let why = mqtt.why.as_ref().map_or_else(String::new, |why| format!("; {why}"));
        lines.push(format!("mqtt     {}: {}{why}", mqtt.broker, mqtt.state));
    }
    for camera in &status.cameras {
        lines.push(format!("camera   {}", camera_line(camera)));
        lines.extend(camera.notes.iter().map(|note| format!("         {note}")));
    }
    if status.delay.count > 0 {
        let delay = status.delay;
        lines.push(format!(
            "live     {} records, {} segments dropped; camera to QUIC {:.2} ms (p50), {:.2} ms (p99)",
            status.live.records,
            status.live.dropped_segments,
            delay.p50_us as f64 / 1000.0,
            delay.p99_us as f64 / 1000.0
        ));
    }
    lines.join("\n") + "\n"
}

fn room_line(room: &RelayRoom) -> String {
    let used = format!("{} of {} used", bytes(room.stored_bytes), bytes(room.limit_bytes));
    match room.full_in_days {
        _ if room.stored_bytes >= room.limit_bytes => format!("{used}: full"),
        Some(left) => format!("{used}, full in about {}", days(left)),
        None => used,
    }
}

/// What the relay keeps for the phones to read, and how often it still wakes them, as far as it says what there may be.
fn log_and_wakes_line(room: &RelayRoom) -> Option<String> {
    let log = room.log.map(|log| {
        let used = format!("log: {} of {} entries", log.entries, log.limit);
        match log.full_in_days {
            _ if log.entries >= log.limit => format!("{used}: full"),
            Some(left) => format!("{used}, full in about {}", days(left)),
            None => used,
        }
    });
    let wakes = room.wakes.map(|wakes| format!("wakes: {} of {} an hour are left", wakes.left, wakes.limit));
    let parts: Vec<_> = [log, wakes].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn clips_line(clips: &Forecast, now_ms: i64) -> String {
    let mut line = format!("{} ({})", clips.clips, bytes(clips.bytes));
    if clips.pinned > 0 {
        line += &format!(", {} of them pinned ({})", clips.pinned, bytes(clips.pinned_bytes));
    }
    if let Some(oldest) = clips.oldest_ms {
        line += &format!(", the oldest {} ago", ago(now_ms - oldest));
    }
    if let (Some(rate), Some(lasts), Some(keeps)) = (clips.bytes_per_day, clips.lasts_days, clips.keeps_days) {
        let rate = bytes(rate);
        line += &if lasts < keeps {
            format!("; at {rate} a day the room lasts {}, then the oldest of {} go", days(lasts), days(keeps))
        } else {
            format!("; at {rate} a day there is room for {}, more than the {} that are kept", days(lasts), days(keeps))
        };
    }
    line
}

/// Days in words that are not more exact than a forecast is.
fn days(count: f64) -> String {
    match count {
        ..2.0 => format!("{:.0} h", count * 24.0),
        ..1000.0 => format!("{count:.0} days"),
        _ => "more than 1000 days".into(),
    }
}

fn camera_line(camera: &CameraStatus) -> String {
    let mut line = format!("{}: ", camera.name);
    if camera.online {
        line += &format!("online, {}x{} {}", camera.width, camera.height, camera.codec);
    } else {
        line += &format!("offline; {}", camera.why.as_deref().unwrap_or("connecting"));
        if let Some(retry) = camera.retry_in_s {
            line += &format!("; tries again within {} s", retry.max(1));
        }
    }
    for (on, text) in [(camera.moving, ", something moves"), (camera.recording, ", recording")] {
        if on {
            line += text;
        }
    }
    if camera.viewers > 0 {
        line += &format!(", {} watching{}", camera.viewers, feed_words(camera));
    }
    line
}

/// Which of the camera's streams they see, where somebody asked for the smaller one, and why.
fn feed_words(camera: &CameraStatus) -> String {
    let viewers = camera.viewers;
    match (camera.live_substream, camera.want_substream) {
        (false, 0) => String::new(),
        (true, slow) if slow < viewers => " the substream, until the main stream's next key frame".into(),
        (true, _) => " the substream: the links are too slow for the main stream".into(),
        (false, slow) if slow < viewers => {
            format!(" the main stream: {slow} with a slow link asked for the substream, but all see the same")
        }
        (false, _) => " the main stream: the substream that was asked for does not come".into(),
    }
}

fn bytes(count: u64) -> String {
    match count {
        0..1_048_576 => format!("{} KiB", count.div_ceil(1024)),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", count as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", count as f64 / 1_073_741_824.0),
    }
}

fn ago(ms: i64) -> String {
    ago_s(u64::try_from(ms / 1000).unwrap_or(0))
}

fn ago_s(s: u64) -> String {
    match s {
        0..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h", s / 3600),
        _ => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use privet_hub::status::Board;
    use privet_hub::uplink::room::{LogRoom, Said, WakeRoom};

    use super::*;

    #[test]
    fn the_page_says_which_why_and_what_next() {
        let board = Board::new();
        board.relay(
            "relay.example:4433",
            "waiting",
            Some("no relay answers there".into()),
            Some("tries again in 8 s".into()),
        );
        let mut status = board.page("Cottage", std::time::Duration::from_secs(61), Default::default(), 1, 3);
        status.notices = privet_hub::status::NoticesStatus { waiting: 2, oldest_ms: Some(-300_000) };
        let page = page(&status, 0);
        assert!(page.contains("notices  2 wait for the relay, the oldest of 5 min ago"), "{page}");
        assert!(page.starts_with("Cottage (privet-hub"), "{page}");
        assert!(page.contains("relay.example:4433: waiting; no relay answers there; tries again in 8 s"), "{page}");
        assert!(page.contains("0 segments (0 KiB), 3 log entries"), "{page}");
    }

    #[test]
    fn the_camera_line_says_which_stream_is_watched_and_why() {
        let line = |viewers, want_substream, live_substream| {
            let name = "Door".into();
            camera_line(&CameraStatus { name, viewers, want_substream, live_substream, ..CameraStatus::default() })
        };
        assert!(!line(0, 0, false).contains("watching"));
        assert!(line(2, 0, false).ends_with(", 2 watching"));
        assert!(line(1, 1, true).ends_with(", 1 watching the substream: the links are too slow for the main stream"));
        assert!(line(1, 1, false).ends_with("the main stream: the substream that was asked for does not come"));
        assert!(line(2, 1, false).contains("the main stream: 1 with a slow link"));
        assert!(line(2, 1, true).ends_with("the substream, until the main stream's next key frame"));
    }

    #[test]
    fn the_relay_line_says_when_its_room_is_full() {
        let board = Board::new();
        board.relay("relay.example:4433", "connected", None, None);
        let said = |stored_bytes, log_entries| Said {
            stored_bytes,
            limit_bytes: 10 << 30,
            log_entries,
            log_limit: Some(50_000),
            wakes: Some(WakeRoom { left: 7, limit: 600 }),
        };
        board.relay_said(0, said(2 << 30, 1000));
        board.relay_said(86_400_000, said(16 << 28, 2000));
        let status = board.page("Cottage", std::time::Duration::ZERO, Default::default(), 1, 3);
        let page = page(&status, 0);
        assert!(page.contains("4433: connected; 4.0 GiB of 10.0 GiB used, full in about 3 days"), "{page}");
        assert!(
            page.contains(
                "\n         log: 2000 of 50000 entries, full in about 48 days; wakes: 7 of 600 an hour are left\n"
            ),
            "{page}"
        );
        let full = RelayRoom {
            stored_bytes: 10 << 30,
            limit_bytes: 10 << 30,
            full_in_days: Some(0.0),
            log: Some(LogRoom { entries: 9, limit: 9, full_in_days: None }),
            wakes: None,
        };
        assert_eq!(room_line(&full), "10.0 GiB of 10.0 GiB used: full");
        assert_eq!(log_and_wakes_line(&full).as_deref(), Some("log: 9 of 9 entries: full"));
        assert_eq!(log_and_wakes_line(&RelayRoom::default()), None, "an older relay");
    }

    #[test]
    fn the_clips_line_says_how_long_the_room_lasts() {
        let now = 20 * 86_400_000;
        let mut clips =
            Forecast { clips: 12, bytes: 3 << 30, oldest_ms: Some(now - 5 * 86_400_000), ..Forecast::default() };
        assert_eq!(clips_line(&clips, now), "12 (3.0 GiB), the oldest 5 days ago", "no rate, no forecast");
        clips.bytes_per_day = Some(1 << 30);
        (clips.lasts_days, clips.keeps_days) = (Some(9.6), Some(12.6));
        (clips.pinned, clips.pinned_bytes) = (2, 1 << 30);
        assert_eq!(
            clips_line(&clips, now),
            "12 (3.0 GiB), 2 of them pinned (1.0 GiB), the oldest 5 days ago; at 1.0 GiB a day the room lasts 10 days, then the oldest of 13 days go"
        );
        (clips.lasts_days, clips.keeps_days) = (Some(50_000.0), Some(30.0));
        assert!(
            clips_line(&clips, now).ends_with(
                "at 1.0 GiB a day there is room for more than 1000 days, more than the 30 days that are kept"
            )
        );
        clips.lasts_days = Some(0.5);
        assert!(clips_line(&clips, now).contains("the room lasts 12 h"));
    }
}
