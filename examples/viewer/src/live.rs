//! `live`: pulls items, shows or keeps them, measures.
//!
//! A file holds verified segments only: pictures wait here for their segment's verdict. A window shows them at once, as a
//! phone does, and goes dark for what turns out broken.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use privet_app_core::{Camera, Client, Event, Gap, GapReason, Live, LiveFormat, LiveItem, SegmentSeen, Track, Trust};
use serde::Serialize;
use serde_json::json;

use crate::files::FileOut;
use crate::latency::{self, Latencies, Summary};
use crate::player::Player;
use crate::run::Failure;
use crate::say::Say;

/// What was asked for.
pub struct Wish<'a> {
    /// The camera.
    pub camera: &'a Camera,
    /// The file to write.
    pub out: Option<&'a Path>,
    /// Show it.
    pub play: bool,
    /// How long.
    pub seconds: Option<u64>,
    /// How late the viewer may be.
    pub buffer_ms: u32,
    /// Read the test cameras' stamps.
    pub stamps: bool,
}

/// How it went: the last line that is printed.
#[derive(Debug, Serialize)]
struct Report {
    kind: &'static str,
    camera: String,
    camera_id: String,
    seconds: f64,
    first_picture_ms: Option<f64>,
    frames: u64,
    segments_verified: u64,
    segments_broken: u64,
    gaps: u64,
    frames_missed: u64,
    latency_ms: Option<Summary>,
    latency_clock: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sei_latency_ms: Option<Summary>,
    file: Option<PathBuf>,
    frames_written: u64,
}

/// How long past its end a timed view waits for the segment it is in.
const GRACE: Duration = Duration::from_secs(15);

/// Watches until it is enough.
pub async fn watch(client: &Client, wish: &Wish<'_>, say: &Say) -> Result<(), Failure> {
    let asked = Instant::now();
    let asked_us = latency::wall_us();
    let live = client.open_live(&wish.camera.id, LiveFormat::Fmp4, wish.buffer_ms).await?;
    let mut view = View {
        say,
        wish,
        asked,
        asked_us,
        player: wish.play.then(Player::start).transpose()?,
        file: wish.out.map(FileOut::create).transpose()?,
        hub: Latencies::default(),
        stamps: Latencies::default(),
        monotonic: true,
        report: Report {
            kind: "summary",
            camera: wish.camera.name.clone(),
            camera_id: wish.camera.id.clone(),
            seconds: 0.0,
            first_picture_ms: None,
            frames: 0,
            segments_verified: 0,
            segments_broken: 0,
            gaps: 0,
            frames_missed: 0,
            latency_ms: None,
            latency_clock: "monotonic",
            sei_latency_ms: None,
            file: wish.out.map(Path::to_owned),
            frames_written: 0,
        },
    };
    let outcome = view.run(client, &live).await;
    live.stop();
    view.finish()?;
    outcome
}

struct View<'a> {
    say: &'a Say,
    wish: &'a Wish<'a>,
    asked: Instant,
    asked_us: i64,
    player: Option<Player>,
    file: Option<FileOut>,
    hub: Latencies,
    stamps: Latencies,
    monotonic: bool,
    report: Report,
}

impl View<'_> {
    async fn run(&mut self, client: &Client, live: &Live) -> Result<(), Failure> {
        let mut progress = self.say.progress(format!("watching '{}'", self.wish.camera.name));
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        loop {
            let over = self.wish.seconds.is_some_and(|s| self.asked.elapsed() >= Duration::from_secs(s));
            if over && self.asked.elapsed() >= Duration::from_secs(self.wish.seconds.unwrap_or(0)) + GRACE {
                return Ok(());
            }
            let item = tokio::select! {
                item = live.next(500) => item?,
                _ = &mut interrupted => return Ok(()),
            };
            while let Ok(Some(event)) = client.next_event(0).await {
                match event {
                    Event::TrustAlert(alert) => {
                        self.say
                            .item(&json!({"kind": "alert", "what": alert.to_string()}), || format!("ALERT: {alert}"));
                    }
                    Event::Notification(told) => {
                        self.say.item(&json!({"kind": "notification", "what": told.text}), || told.text.clone());
                    }
                    _ => {}
                }
            }
            let verdict = matches!(item, LiveItem::Segment(_));
            if let Some(why) = self.take(item)? {
                self.say.note(&why);
                return Ok(());
            }
            if over && verdict {
                return Ok(());
            }
            progress.at(&format!(
                "{} pictures, {} segments verified, {} broken, {} ms behind",
                self.report.frames,
                self.report.segments_verified,
                self.report.segments_broken,
                live.stats().latency_ms
            ));
        }
    }

    /// Takes an item; says why it was the last one.
    fn take(&mut self, item: LiveItem) -> Result<Option<String>, Failure> {
        match item {
            LiveItem::Format { codec, width, height, audio_codec, substream, header } => {
                let which =
                    if substream { ", the camera's smaller stream: the link is too slow for the other" } else { "" };
                self.say.item(
                    &json!({
                        "kind": "format", "codec": codec, "width": width, "height": height, "audio": audio_codec,
                        "substream": substream,
                    }),
                    || format!("format {codec} {width}x{height}{which}"),
                );
                if let Some(file) = &mut self.file {
                    file.format(&header)?;
                }
                if self.player.as_mut().is_some_and(|player| !player.write(&header)) {
                    return Ok(Some("the player's window was closed".into()));
                }
            }
            LiveItem::Media { track, capture_ms, capture_us, data, .. } => {
                if track == Track::Video {
                    self.picture(capture_ms, capture_us, &data);
                }
                if self.player.as_mut().is_some_and(|player| !player.write(&data)) {
                    return Ok(Some("the player's window was closed".into()));
                }
                if let Some(file) = &mut self.file {
                    file.media(track == Track::Video, data);
                }
            }
            LiveItem::Gap(gap) => self.gap(gap),
            LiveItem::Segment(seen) => self.segment(seen)?,
            LiveItem::Idle => {}
            LiveItem::End { reason } => return Ok(Some(format!("the view ended: {reason}"))),
        }
        Ok(None)
    }

    fn picture(&mut self, capture_ms: i64, capture_us: u64, data: &[u8]) {
        self.report.frames += 1;
        if self.report.first_picture_ms.is_none() {
            self.report.first_picture_ms = Some(self.asked.elapsed().as_secs_f64() * 1000.0);
        }
        // What was made before we asked is there for the start only; its age says nothing.
        if capture_ms * 1000 <= self.asked_us {
            return;
        }
        let (age, monotonic) = latency::age_us(capture_us, capture_ms);
        self.monotonic &= monotonic;
        self.hub.add(age);
        if self.wish.stamps
            && let Some(age) = crate::files::stamp_age_us(data)
        {
            self.stamps.add(age);
        }
    }

    fn gap(&mut self, gap: Gap) {
        let frames = gap.to_seq.saturating_sub(gap.from_seq);
        self.report.gaps += 1;
        self.report.frames_missed += frames;
        self.say.item(
            &json!({"kind": "gap", "from": gap.from_seq, "to": gap.to_seq, "reason": format!("{:?}", gap.reason)}),
            || match (frames, gap.reason) {
                (0, GapReason::NewStream) => "gap: the hub began another stream; nothing is missing".to_owned(),
                (0, GapReason::CameraRestart) => "gap: the camera made no pictures for a while".to_owned(),
                (0, reason) => format!("gap: no pictures for a while ({reason:?})"),
                _ => format!("gap: {frames} pictures not seen ({:?})", gap.reason),
            },
        );
        if let Some(file) = &mut self.file {
            file.forget();
        }
    }

    fn segment(&mut self, seen: SegmentSeen) -> Result<(), Failure> {
        match &seen.trust {
            Trust::Verified { signer, .. } => {
                self.report.segments_verified += 1;
                if let Some(file) = &mut self.file {
                    self.report.frames_written += file.verified()?;
                }
                self.say.item(
                    &json!({"kind": "segment", "stream": seen.stream, "index": seen.index, "trust": "verified",
                        "first_frame": seen.first_frame, "last_frame": seen.last_frame, "signer": signer}),
                    || format!("segment {} verified: frames {}-{}", seen.index, seen.first_frame, seen.last_frame),
                );
            }
            trust => {
                self.report.segments_broken += 1;
                if let Some(file) = &mut self.file {
                    file.forget();
                }
                let why = match trust {
                    Trust::Broken { why } => why.clone(),
                    other => format!("{other:?}"),
                };
                self.say.item(
                    &json!({"kind": "segment", "stream": seen.stream, "index": seen.index, "trust": "broken", "why": why}),
                    || format!("segment {} BROKEN: {why}", seen.index),
                );
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.player.take();
        if let Some(file) = self.file.take() {
            file.finish()?;
        }
        let mut report = self.report;
        report.seconds = self.asked.elapsed().as_secs_f64();
        report.latency_ms = self.hub.summary();
        report.latency_clock = if self.monotonic { "monotonic" } else { "wall" };
        report.sei_latency_ms = self.stamps.summary();
        let latency = |summary: &Option<Summary>| {
            summary
                .as_ref()
                .map_or_else(|| "not measured".into(), |l| format!("p50 {:.1} ms, p99 {:.1} ms", l.p50, l.p99))
        };
        self.say.item(&report, || {
            let mut text = format!(
                "{} pictures in {:.1} s, {} segments verified, {} broken, {} gaps\nfirst picture after {} ms\nlatency from the hub: {} ({} clock)",
                report.frames,
                report.seconds,
                report.segments_verified,
                report.segments_broken,
                report.gaps,
                report.first_picture_ms.map_or_else(|| "-".into(), |ms| format!("{ms:.0}")),
                latency(&report.latency_ms),
                report.latency_clock,
            );
            if self.wish.stamps {
                text.push_str(&format!("\nlatency from the camera's stamp: {}", latency(&report.sei_latency_ms)));
            }
            if let Some(file) = &report.file {
                text.push_str(&format!("\n{} verified pictures written to {}", report.frames_written, file.display()));
            }
            text
        });
        Ok(())
    }
}
