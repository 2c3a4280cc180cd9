//! Motion detection on real clips, through decoder, sandbox and detector of the real worker process.
//!
//! one-by-one-person-detection.mp4 (Intel, CC-BY-4.0): a corridor; people come one by one, with empty scenes between.

use std::time::Duration;

use privet_hub::motion::MotionSettings;
use privet_hub::source::{MotionSample, OfflineReason, SourceEvent, Track};
use privet_raw_camera::{Clip, Options, RawCamera};
use rustix::process::{Pid, Signal};

use crate::source_support::{Watched, clip, h265_corridor, options, settings};

/// Every sample up to `until_us` of the clip.
async fn samples(clip: Clip, until_us: i64, speed: f64) -> Vec<MotionSample> {
    let camera = RawCamera::start(Options { speed, silent: true, ..Options::new(clip) }).unwrap();
    let mut wanted = settings(&camera.url());
    // The clip's clock runs `speed` times slower than ours here, and so does the detector's.
    wanted.motion = Some(MotionSettings::default());
    let mut watched = Watched::new(wanted);
    let mut samples: Vec<MotionSample> = Vec::new();
    while samples.last().is_none_or(|sample| sample.pts_us < until_us) {
        let sample = watched
            .until("a motion sample", |event| match event {
                SourceEvent::Motion(sample) => Some(sample),
                SourceEvent::Offline { reason, .. } => panic!("offline: {reason}"),
                _ => None,
            })
            .await;
        samples.push(sample);
    }
    samples
}

#[tokio::test]
async fn a_person_that_enters_is_found_and_the_empty_scene_before_is_quiet() {
    let Some(corridor) = clip("one-by-one-person-detection.mp4") else { return };
    found_in_the_corridor(&samples(corridor, 9_000_000, 1.5).await);
}

#[tokio::test]
async fn a_person_that_enters_is_found_in_h265_too() {
    let Some(corridor) = h265_corridor() else { return };
    found_in_the_corridor(&samples(corridor, 9_000_000, 1.5).await);
}

fn found_in_the_corridor(samples: &[MotionSample]) {
    let line: String = samples.iter().map(|sample| if sample.active { '#' } else { '.' }).collect();
    eprintln!("{line}");
    let onset = samples.iter().find(|sample| sample.active).expect("the person is found");
    assert!((5_200_000..7_000_000).contains(&onset.pts_us), "found at {} us", onset.pts_us);
    assert!(samples.iter().all(|sample| (0.0..=1.0).contains(&sample.score) && (0.0..=1.0).contains(&sample.area)));
}

#[tokio::test]
async fn motion_off_costs_no_decoder() {
    let camera = RawCamera::start(Options::synthetic()).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    watched.online().await;
    watched.units(Track::Video, 5).await;
    let pid = watched.handle.worker_pid().unwrap();
    assert!(!maps(&watched).contains("libavcodec"), "the decoder is loaded although nobody asked for it");
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map(Iterator::count).unwrap_or(1);
    assert_eq!(threads, 1);
    tokio::time::timeout(Duration::from_secs(5), watched.handle.stop()).await.unwrap();
}

#[tokio::test]
async fn a_decoder_that_ends_its_worker_again_and_again_costs_the_motion_and_not_the_pictures() {
    let camera = RawCamera::start(Options::synthetic()).unwrap();
    let mut wanted = settings(&camera.url());
    wanted.motion = Some(MotionSettings::default());
    let mut options = options();
    options.first_blind = Duration::from_secs(3);
    options.longest_blind = Duration::from_secs(6);
    let mut watched = Watched::with(wanted, options);
    // From outside: nobody can tell what a process died of.
    for signal in [Signal::ABORT, Signal::STOP, Signal::ABORT] {
        watched.online().await;
        let active = watched.until("a picture that was looked at", motion).await;
        assert!(active.is_some());
        let pid = Pid::from_raw(watched.handle.worker_pid().unwrap().try_into().unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
        watched.offline().await;
    }
    watched.online().await;
    let next = watched.until("the event behind online", Some).await;
    assert!(matches!(next, SourceEvent::Blind { pause } if pause == Duration::from_secs(3)), "{next:?}");
    assert!(watched.units(Track::Video, 5).await[0].key);
    assert!(!maps(&watched).contains("libavcodec"), "the decoder is loaded again");
    let notes = watched.until("notes", |event| if let SourceEvent::Health(h) = event { Some(h.notes) } else { None });
    let note = notes.await.into_iter().find(|note| note.starts_with("motion is not looked for")).unwrap();
    assert!(note.contains("aborted"), "{note}");
    // And after a while one tries again.
    let reason = watched.offline().await;
    assert!(matches!(reason, OfflineReason::MotionAgain), "{reason:?}");
    watched.online().await;
    watched.until("a picture that was looked at", motion).await;
}

fn motion(event: SourceEvent) -> Option<Option<bool>> {
    match event {
        SourceEvent::Motion(sample) => Some(Some(sample.active)),
        SourceEvent::Blind { .. } => Some(None),
        _ => None,
    }
}

fn maps(watched: &Watched) -> String {
    let pid = watched.handle.worker_pid().unwrap();
    std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default()
}
