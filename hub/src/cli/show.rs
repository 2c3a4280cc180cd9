//! What the hub answered, for people or for programs.

use privet_hub::control::Answer;
use privet_hub::status::{CameraStatus, Status};
use privet_hub::time::wall;

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
    lines.push(line);
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
    lines.push(format!("phones   {}", status.phones));
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
        line += &format!(", {} watching", camera.viewers);
    }
    line
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
}
