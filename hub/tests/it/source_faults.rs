//! Everything a camera can do wrong, through the real worker process: it is named, it ends, it stays in its camera.

use std::time::Duration;

use privet_hub::source::{Fault as Reason, OfflineReason, Phase, SourceEvent, Track, WorkerOptions};
use privet_raw_camera::{Fault, Options, Quirk, RawCamera};

use crate::common::alone::alone;
use crate::source_support::{PATIENCE, Watched, options, resident, settings};

fn quick() -> WorkerOptions {
    let mut options = options();
    // A mute camera would take ten seconds, one without key frames thirty.
    options.answer = Duration::from_secs(3);
    options.first_key_frame = Duration::from_secs(4);
    options
}

/// What each fault is called.
fn is_named(fault: Fault, reason: &OfflineReason) -> bool {
    use OfflineReason::Camera;
    match fault {
        Fault::Drop => matches!(reason, Camera(Reason::Closed { phase: Phase::Streaming })),
        Fault::Reset => matches!(reason, Camera(Reason::Broken { .. } | Reason::Closed { .. })),
        Fault::Freeze | Fault::StopWithin | Fault::UnassignedChannel => {
            matches!(reason, Camera(Reason::Frozen { seconds: 4, phase: Phase::Streaming }))
        }
        Fault::GarbageBytes | Fault::GarbageText | Fault::GarbageNal => {
            matches!(reason, Camera(Reason::Garbage { phase: Phase::Streaming, .. }))
        }
        // Packets of another stream or version are not taken, so nothing comes, or it is noticed.
        Fault::GarbageRtp => matches!(reason, Camera(Reason::Garbage { .. } | Reason::Frozen { .. })),
        Fault::EndlessFragment | Fault::EndlessNals => {
            matches!(reason, Camera(Reason::TooBig { limit: 4_194_304, phase: Phase::Streaming, .. }))
        }
        Fault::EndlessMessage => {
            matches!(reason, Camera(Reason::TooBig { limit: 4_194_304, phase: Phase::Streaming, .. }))
        }
        Fault::Mute => matches!(reason, Camera(Reason::Frozen { seconds: 3, phase: Phase::Describe })),
        Fault::HttpAnswer | Fault::GarbageAnswer => {
            matches!(
                reason,
                Camera(Reason::Garbage { phase: Phase::Describe, .. } | Reason::Frozen { phase: Phase::Describe, .. })
            )
        }
        Fault::EndlessHeader | Fault::EndlessBody => {
            matches!(reason, Camera(Reason::TooBig { limit: 4_194_304, phase: Phase::Describe, .. }))
        }
        Fault::NoVideo | Fault::WrongCodec => matches!(reason, Camera(Reason::NoVideo { .. })),
        Fault::NotFound => matches!(reason, Camera(Reason::Refused { status: 404, phase: Phase::Describe })),
        Fault::RefuseSetup => matches!(reason, Camera(Reason::Refused { status: 453, phase: Phase::Setup })),
        Fault::NoKeyFrame => matches!(reason, Camera(Reason::NoKeyFrame { seconds: 4 })),
        Fault::NoParameters => matches!(reason, Camera(Reason::NoParameters)),
        // These do not end a connection; each has its own test.
        Fault::JumpAhead | Fault::JumpBack | Fault::Loss | Fault::ParameterChange => false,
    }
}

/// Shows the fault while streaming (or at the next start), wants it named, and wants the camera back when it is over.
async fn named_and_over(fault: Fault) {
    let camera = RawCamera::start(Options::synthetic()).unwrap();
    let mut watched = Watched::with(settings(&camera.url()), quick());
    watched.online().await;
    watched.units(Track::Video, 5).await;
    if fault.at_start() {
        camera.fault_once(Fault::Drop);
        watched.offline().await;
        camera.set_fault(fault);
        // A connection made between the two was a good one: end it.
        loop {
            let event = watched
                .until("a start with the fault", |event| match event {
                    SourceEvent::Online { .. } => Some(None),
                    SourceEvent::Offline { reason, .. } => Some(Some(reason)),
                    _ => None,
                })
                .await;
            match event {
                Some(reason) => {
                    assert!(is_named(fault, &reason), "{fault:?} is called {reason:?}");
                    break;
                }
                None => {
                    camera.fault_once(Fault::Drop);
                    watched.offline().await;
                    camera.set_fault(fault);
                }
            }
        }
    } else {
        let begun = std::time::Instant::now();
        // One picture on a wrong channel is a lost one; all of them are a camera that shows nothing.
        if fault == Fault::UnassignedChannel {
            camera.set_fault(fault)
        } else {
            camera.fault_once(fault)
        }
        let reason = watched.offline().await;
        assert!(is_named(fault, &reason), "{fault:?} is called {reason:?}");
        eprintln!("{fault:?} after {:?}: {reason}", begun.elapsed());
    }
    camera.clear_fault();
    watched.online().await;
    let units = watched.units(Track::Video, 5).await;
    assert!(units[0].key);
}

macro_rules! faults {
    ($($name:ident: $fault:ident,)*) => {$(
        #[tokio::test]
        async fn $name() {
            named_and_over(Fault::$fault).await;
        }
    )*};
}

faults! {
    closing: Drop,
    resetting: Reset,
    freezing: Freeze,
    stopping_within_a_picture: StopWithin,
    garbage_bytes: GarbageBytes,
    garbage_text: GarbageText,
    garbage_in_frames: GarbageRtp,
    garbage_in_packets: GarbageNal,
    a_channel_nobody_set_up: UnassignedChannel,
    a_fragment_without_end: EndlessFragment,
    units_without_end: EndlessNals,
    a_message_without_end: EndlessMessage,
    no_answer: Mute,
    an_http_answer: HttpAnswer,
    a_garbage_answer: GarbageAnswer,
    a_header_without_end: EndlessHeader,
    a_body_without_end: EndlessBody,
    no_video: NoVideo,
    another_codec: WrongCodec,
    not_found: NotFound,
    setup_refused: RefuseSetup,
    no_key_frame: NoKeyFrame,
    no_parameters: NoParameters,
}

#[tokio::test]
async fn a_clock_that_jumps_is_set_right_and_counted() {
    for fault in [Fault::JumpAhead, Fault::JumpBack] {
        let camera = RawCamera::start(Options::synthetic()).unwrap();
        let mut watched = Watched::new(settings(&camera.url()));
        watched.online().await;
        let mut units = watched.units(Track::Video, 10).await;
        camera.set_fault(fault);
        units.extend(watched.units(Track::Video, 30).await);
        for pair in units.windows(2) {
            let step = pair[1].pts_us - pair[0].pts_us;
            assert!((1_000..1_000_000).contains(&step), "{fault:?}: a step of {step} us");
            assert_eq!(pair[1].frame, pair[0].frame + 1);
        }
        let jumps = watched
            .until("a count of the jump", |event| match event {
                SourceEvent::Health(health) if health.clock_jumps > 0 => Some(health.clock_jumps),
                _ => None,
            })
            .await;
        assert_eq!(jumps, 1);
    }
}

#[tokio::test]
async fn a_change_of_parameters_is_a_new_format_at_a_key_frame() {
    let camera = RawCamera::start(Options::synthetic()).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    let first = watched.online().await;
    watched.units(Track::Video, 5).await;
    camera.set_fault(Fault::ParameterChange);
    let second = watched
        .until("a new format", |event| match event {
            SourceEvent::Format(format) => Some(format),
            SourceEvent::Offline { reason, .. } => panic!("offline: {reason}"),
            _ => None,
        })
        .await;
    assert_eq!((first.width, first.height, second.width, second.height), (64, 64, 128, 96));
    assert!(watched.unit(Track::Video).await.key);
}

#[tokio::test]
async fn lost_packets_are_counted_and_told_with_the_unit() {
    let clip = privet_raw_camera::synthetic::clip(8, 6, 15, 15, 450);
    let camera = RawCamera::start(Options::new(clip)).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    watched.online().await;
    watched.units(Track::Video, 5).await;
    camera.set_fault(Fault::Loss);
    let lossy = watched
        .until("a unit with loss", |event| match event {
            SourceEvent::Unit(unit) if unit.loss > 0 => Some(unit),
            SourceEvent::Offline { reason, .. } => panic!("offline: {reason}"),
            _ => None,
        })
        .await;
    assert_eq!(lossy.track, Track::Video);
    watched
        .until("a count of the loss", |event| match event {
            SourceEvent::Health(health) if health.lost_packets > 0 => Some(()),
            _ => None,
        })
        .await;
}

#[tokio::test]
async fn every_vendor_quirk_is_coped_with() {
    for &quirk in Quirk::all() {
        if UNREADABLE.contains(&quirk) {
            continue;
        }
        let camera = RawCamera::start(Options { quirks: vec![quirk], ..Options::synthetic() }).unwrap();
        let mut watched = Watched::new(settings(&camera.url()));
        let format = watched.online().await;
        assert_eq!((format.width, format.height), (64, 64), "{quirk:?}");
        let units = watched.units(Track::Video, 20).await;
        assert!(units[0].key, "{quirk:?}");
        let steps: Vec<_> = units.windows(2).map(|pair| pair[1].pts_us - pair[0].pts_us).collect();
        assert!(steps.iter().all(|step| (60_000..73_000).contains(step)), "{quirk:?}: {steps:?}");
        assert!(units.windows(2).all(|pair| pair[1].frame == pair[0].frame + 1), "{quirk:?}");
    }
}

/// retina 0.4.21's SDP parser refuses the whole description for these; so we say what is wrong instead of showing a picture.
const UNREADABLE: [Quirk; 2] = [Quirk::EmptyConnection, Quirk::TwoSessionNames];

#[tokio::test]
async fn quirks_that_are_not_coped_with_are_named() {
    for quirk in UNREADABLE {
        let camera = RawCamera::start(Options { quirks: vec![quirk], ..Options::synthetic() }).unwrap();
        let reason = Watched::new(settings(&camera.url())).offline().await;
        let named = matches!(&reason, OfflineReason::Camera(Reason::Garbage { phase: Phase::Describe, detail }) if detail.contains("SDP"));
        assert!(named, "{quirk:?}: {reason:?}");
    }
}

#[tokio::test]
async fn a_camera_that_is_not_there_is_told_from_one_that_refuses() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let cases = [
        (format!("rtsp://127.0.0.1:{port}/x"), "refuses the connection"),
        ("rtsp://no-such-camera.invalid/x".to_owned(), "no address for 'no-such-camera.invalid'"),
        ("http://127.0.0.1/x".to_owned(), "the scheme must be rtsp"),
        ("rtsp://user:secret@127.0.0.1/x".to_owned(), "settings of their own"),
    ];
    for (url, words) in cases {
        let reason = Watched::new(settings(&url)).offline().await.to_string();
        assert!(reason.contains(words) && !reason.contains("secret"), "{url}: {reason}");
    }
}

#[tokio::test]
async fn groups_that_are_too_long_are_told_once_whatever_their_lengths() {
    // Key frames at 0 and 6 s of 11 s.
    let clip = privet_raw_camera::synthetic::clip(4, 4, 15, 90, 165);
    let camera = RawCamera::start(Options { speed: 4.0, ..Options::new(clip) }).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    watched.online().await;
    let mut keys = 0;
    // 6, 5 and 6 seconds, and the notes after them.
    let notes = watched
        .until("notes after four key frames", |event| match event {
            SourceEvent::Unit(unit) if unit.track == Track::Video && unit.key => {
                keys += 1;
                None
            }
            SourceEvent::Health(health) if keys >= 4 => Some(health.notes),
            SourceEvent::Offline { reason, .. } => panic!("offline: {reason}"),
            _ => None,
        })
        .await;
    let told: Vec<_> = notes.iter().filter(|note| note.starts_with("key frames are")).collect();
    assert_eq!(told.len(), 1, "{notes:?}");
}

#[tokio::test]
async fn a_dead_and_a_stopped_worker_are_replaced() {
    let camera = RawCamera::start(Options::synthetic()).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    watched.online().await;
    let first = watched.handle.worker_pid().unwrap();
    signal(first, rustix::process::Signal::KILL);
    let reason = watched.offline().await;
    assert!(
        matches!(&reason, OfflineReason::Crashed { phase: Phase::Streaming, how } if how == "killed"),
        "{reason:?}"
    );
    watched.online().await;
    watched.unit(Track::Video).await;
    let second = watched.handle.worker_pid().unwrap();
    assert_ne!(first, second);
    signal(second, rustix::process::Signal::STOP);
    let reason = watched.offline().await;
    assert!(matches!(reason, OfflineReason::Hung { phase: Phase::Streaming }), "{reason:?}");
    watched.online().await;
    watched.unit(Track::Video).await;
}

#[tokio::test]
async fn a_worker_ends_with_its_hub() {
    let camera = RawCamera::start(Options::synthetic()).unwrap();
    let mut watched = Watched::new(settings(&camera.url()));
    watched.online().await;
    let pid = watched.handle.worker_pid().unwrap();
    drop(watched);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while std::path::Path::new(&format!("/proc/{pid}/statm")).exists() {
        assert!(tokio::time::Instant::now() < deadline, "worker {pid} lives on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The hub (this process) and a second camera, while the first sends without end again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_camera_harms_neither_the_hub_nor_another_camera() {
    if !alone("source_faults::an_endless_camera_harms_neither_the_hub_nor_another_camera") {
        return;
    }
    let good = RawCamera::start(Options::synthetic()).unwrap();
    let bad = RawCamera::start(Options::synthetic()).unwrap();
    let mut watched_good = Watched::new(settings(&good.url()));
    let mut watched_bad = Watched::with(settings(&bad.url()), quick());
    watched_good.online().await;
    watched_bad.online().await;
    let before = resident(std::process::id());
    let witness = tokio::spawn(async move {
        let mut last: Option<u64> = None;
        let mut longest_gap = 0;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while tokio::time::Instant::now() < deadline {
            let unit = watched_good.unit(Track::Video).await;
            if let Some(last) = last {
                longest_gap = longest_gap.max(unit.frame - last);
            }
            last = Some(unit.frame);
        }
        (last.unwrap_or(0), longest_gap)
    });
    for fault in [Fault::EndlessFragment, Fault::EndlessNals, Fault::EndlessMessage, Fault::EndlessFragment] {
        watched_bad.unit(Track::Video).await;
        bad.fault_once(fault);
        let reason = watched_bad.offline().await;
        assert!(is_named(fault, &reason), "{fault:?}: {reason:?}");
    }
    let (frames, longest_gap) = witness.await.unwrap();
    assert!(frames > 100 && longest_gap == 1, "the good camera: {frames} frames, a hole of {longest_gap}");
    let grown = resident(std::process::id()).saturating_sub(before);
    assert!(grown < 32 << 20, "the hub grew by {grown} bytes");
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}
