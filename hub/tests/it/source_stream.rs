//! A good camera, through the real worker process: what arrives, when, and in what order.

use std::time::Duration;

use privet_hub::source::{SourceEvent, Track, WorkerOptions, probe};
use privet_raw_camera::stamp::{Stamp, mono_us};
use privet_raw_camera::{Account, Options, Quirk, RawCamera};
use zeroize::Zeroizing;

use crate::source_support::{self, PATIENCE, Watched, clip, options, settings};

#[tokio::test]
async fn every_picture_arrives_once_in_order_with_its_time() {
    let camera = RawCamera::start(Options::synthetic()).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    let format = watched.online().await;
    assert_eq!((format.width, format.height, format.codec.as_str()), (64, 64, "avc1.42C028"));
    assert_eq!(&format.video_sample_entry[4..8], b"avc1");
    assert_eq!((format.nominal_fps(), format.audio.is_none()), (Some(15.0), true));
    let units = watched.units(Track::Video, 40).await;
    assert!(units[0].key && units[15].key && !units[1].key);
    for (number, unit) in units.iter().enumerate() {
        let stamp = Stamp::find(&unit.data).expect("the camera's stamp");
        assert_eq!((unit.frame, stamp.frame, unit.loss), (number as u64, number as u64, 0));
        assert!((unit.pts_us - number as i64 * 1_000_000 / 15).abs() < 100, "{} at {number}", unit.pts_us);
        assert!(unit.received_mono_us >= stamp.mono_us && unit.received_mono_us <= mono_us());
    }
    watched.handle.stop().await;
    assert!(camera.torn_down() >= 1, "the camera was told that we go");
}

#[tokio::test]
async fn b_frames_arrive_in_decode_order_with_the_time_they_show() {
    let Some(clip) = clip("one-by-one-person-detection.mp4") else { return };
    assert!(clip.reorders());
    let camera = RawCamera::start(Options { speed: 4.0, ..Options::new(clip) }).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    watched.online().await;
    let units = watched.units(Track::Video, 100).await;
    let stamps: Vec<_> = units.iter().map(|unit| Stamp::find(&unit.data).unwrap().frame).collect();
    assert!(stamps.windows(2).all(|pair| pair[1] == pair[0] + 1), "decode order: {stamps:?}");
    assert!(units.windows(2).any(|pair| pair[1].pts_us < pair[0].pts_us), "shown in another order");
    let mut shown: Vec<_> = units.iter().map(|unit| unit.pts_us).collect();
    shown.sort_unstable();
    assert!(shown.windows(2).all(|pair| pair[1] > pair[0]), "no two at the same time");
}

#[tokio::test]
async fn sound_is_passed_through_and_keeps_time_with_the_picture() {
    let Some(clip) = clip("car-detection.mp4") else { return };
    let camera = RawCamera::start(Options::new(clip)).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    let audio = watched.online().await.audio.expect("a sound track");
    assert_eq!(audio.codec, "mp4a.40.2");
    assert_eq!(&audio.sample_entry[4..8], b"mp4a");
    let (mut video, mut sound) = (Vec::new(), Vec::new());
    while video.len() < 50 || sound.len() < 50 {
        let unit = watched
            .until("unit", |event| match event {
                SourceEvent::Unit(unit) => Some(unit),
                _ => None,
            })
            .await;
        if unit.track == Track::Video { video.push(unit) } else { sound.push(unit) }
    }
    let step = 1024 * 1_000_000 / i64::from(audio.sample_rate);
    assert!(sound.windows(2).all(|pair| (pair[1].pts_us - pair[0].pts_us - step).abs() < 200));
    let apart = (video.last().unwrap().pts_us - sound.last().unwrap().pts_us).abs();
    assert!(apart < 1_000_000, "{apart} us between the latest sound and picture");
}

#[tokio::test]
async fn sound_can_be_left_out_and_other_codecs_are_told() {
    let camera = RawCamera::start(Options { quirks: vec![Quirk::PcmuSound], ..Options::synthetic() }).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    assert!(watched.online().await.audio.is_none());
    let note = watched
        .until("a note about the sound", |event| match event {
            SourceEvent::Health(health) => health.notes.into_iter().find(|note| note.contains("sound is pcmu")),
            _ => None,
        })
        .await;
    assert!(note.contains("AAC"));
}

#[tokio::test]
async fn digest_is_answered_and_a_wrong_password_said() {
    let account = Account { user: "admin".into(), password: "s3cret, \"quoted\"".into() };
    let camera = RawCamera::start(Options { account: Some(account), ..Options::synthetic() }).unwrap();
    let mut right = settings(&camera.url());
    right.username = Some("admin".into());
    right.password = Some(Zeroizing::new("s3cret, \"quoted\"".into()));
    let mut watched = Watched::new(right.clone());
    watched.online().await;
    watched.units(Track::Video, 3).await;

    for wrong in [Some("s3cret"), None] {
        let mut camera_settings = settings(&camera.url());
        if let Some(password) = wrong {
            camera_settings.username = Some("admin".into());
            camera_settings.password = Some(Zeroizing::new(password.into()));
        }
        let mut options = options();
        options.longest_pause = Duration::from_secs(60);
        let mut watched = Watched::with(camera_settings, options);
        let (reason, retry_in) = watched
            .until("offline", |event| match event {
                SourceEvent::Offline { reason, retry_in } => Some((reason, retry_in)),
                _ => None,
            })
            .await;
        assert!(reason.is_credentials() && !reason.to_string().contains("s3cret"), "{reason}");
        assert!(retry_in >= Duration::from_secs(48), "slow, so that the account is not locked: {retry_in:?}");
    }
}

#[tokio::test]
async fn a_new_connection_goes_on_counting_frames() {
    let camera = RawCamera::start(Options::synthetic()).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    watched.online().await;
    let last = watched.units(Track::Video, 5).await.pop().unwrap().frame;
    camera.fault_once(privet_raw_camera::Fault::Drop);
    watched.offline().await;
    watched.online().await;
    let first = watched.unit(Track::Video).await;
    assert!(first.key && first.frame > last && first.pts_us == 0, "{first:?}");
}

#[tokio::test]
async fn a_slow_hub_loses_whole_groups_and_the_worker_does_not_grow() {
    // 320x240 without compression, only key frames: 1.7 MB a second at 15 per second; eight times that.
    let clip = privet_raw_camera::synthetic::clip(20, 15, 15, 1, 60);
    let camera = RawCamera::start(Options { speed: 8.0, ..Options::new(clip) }).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    watched.online().await;
    watched.unit(Track::Video).await;
    let pid = watched.handle.worker_pid().expect("a worker");
    // The channel has 64 places; nobody reads while the camera sends 900 pictures of 115 kB.
    let sent = camera.sent();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while camera.sent() < sent + 900 {
        assert!(tokio::time::Instant::now() < deadline, "the camera is held up: the worker does not read");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(source_support::resident(pid) < 40 << 20, "the worker grows: {}", source_support::resident(pid));
    }
    let mut last = watched.unit(Track::Video).await;
    let mut holes = 0;
    while holes == 0 {
        let unit = watched.unit(Track::Video).await;
        assert!(unit.frame > last.frame);
        if unit.frame > last.frame + 1 {
            holes += 1;
            assert!(unit.key, "goes on with a key frame");
        }
        last = unit;
    }
    let dropped = watched
        .until("a count of what was dropped", |event| match event {
            SourceEvent::Health(health) if health.dropped_units > 0 => Some(health.dropped_units),
            _ => None,
        })
        .await;
    assert!(dropped > 100, "{dropped}");
}

#[tokio::test]
async fn a_probe_tells_what_is_there() {
    let Some(clip) = clip("car-detection.mp4") else { return };
    let camera = RawCamera::start(Options::new(clip)).unwrap();
    let report = probe(settings(&camera.url()), options(), Duration::from_secs(12)).await.unwrap();
    assert_eq!((report.format.width, report.format.height), (768, 432));
    assert!((11.5..13.5).contains(&report.fps), "{report:?}");
    assert!(report.bits_per_second > 100_000 && report.audio_units > 10 && !report.b_frames, "{report:?}");
    assert!(report.first_key_frame < Duration::from_secs(10));

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = probe(settings(&format!("rtsp://{nobody}/x")), options(), Duration::from_secs(5)).await.unwrap_err();
    assert!(error.to_string().contains("refuses the connection"), "{error}");
    let error = probe(settings("rtsp://no-such-host.invalid/x"), options(), Duration::from_secs(8)).await.unwrap_err();
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let camera = RawCamera::start(Options::synthetic()).unwrap();
    let mut options = WorkerOptions::default();
    options.executable = "/no/such/privet-hub".into();
    let mut watched = Watched::with(settings(&camera.url()), options);
    let reason = watched.offline().await.to_string();
    assert!(reason.contains("/no/such/privet-hub"), "{reason}");
}

#[tokio::test]
async fn while_nobody_is_in_a_hurry_units_come_a_few_at_a_time_and_none_is_lost() {
    let camera = RawCamera::start(Options::synthetic()).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    watched.online().await;
    watched.handle.prompt().set(false);
    let mut before = watched.unit(Track::Video).await;
    let (mut together, mut heard_us) = (0, mono_us());
    // Pictures that the camera sent a fifteenth of a second apart come at once.
    for _ in 0..450 {
        if together >= 12 {
            break;
        }
        let unit = watched.unit(Track::Video).await;
        assert_eq!((unit.frame, unit.loss), (before.frame + 1, 0));
        assert!(unit.received_mono_us >= before.received_mono_us && unit.received_mono_us <= mono_us());
        together += usize::from(mono_us() - heard_us < 10_000);
        (before, heard_us) = (unit, mono_us());
    }
    assert!(together >= 12, "{together} of 450 units came with the one before");
    watched.handle.prompt().set(true);
    for unit in watched.units(Track::Video, 30).await {
        assert_eq!((unit.frame, unit.loss), (before.frame + 1, 0));
        before = unit;
    }
}
