//! Clips after their end: notes, pins, what goes and what the relay is told, with a crash at every write.

use privet_home::{ClipNotes, Env, HubHome, HubMessage, Thumbnail};
use privet_protocol::random::SeededRandom;

use super::*;

/// When the relay's time is over: after the pause between two puts.
const LATER: Timestamp = Timestamp(100 * 86_400_000);

impl Disk {
    fn home(&self) -> HubHome {
        let random = SeededRandom::new(b"archive");
        HubHome::create(Arc::new(self.store.clone()), "Hub", Env::new(NOW, &random)).unwrap()
    }
}

/// An outbox with a whole clip that the relay has, all of it or nothing.
fn clip_of(disk: &Disk, at_relay: bool) -> Outbox {
    let outbox = disk.outbox();
    assert_eq!(live_once(&outbox), (3, true));
    if at_relay {
        while let Some((number, _)) = outbox.claim() {
            outbox.stored(number, KEPT).unwrap();
        }
        outbox.finished(STREAM).unwrap();
    }
    outbox
}

fn notes() -> ClipNotes {
    let bytes = serde_bytes::ByteBuf::from(vec![7; 20_000]);
    let thumbnail = Thumbnail { mime: "image/jpeg".into(), width: 320, height: 180, bytes };
    let zones = vec!["gate".into()];
    ClipNotes { stream: STREAM, heat: [9; 256], thumbnail: Some(thumbnail), peak: Timestamp(50), zones, pinned: false }
}

/// As the keeper does.
fn note(outbox: &Outbox, notes: ClipNotes) -> Result<Option<ClipNotes>, StoreError> {
    let Some((message, batch)) = outbox.note(notes) else { return Ok(None) };
    outbox.store.commit(batch)?;
    outbox.noted(STREAM);
    let HubMessage::ClipNotes(notes) = message else { panic!("{message:?}") };
    Ok(Some(*notes))
}

#[test]
fn a_crash_after_the_end_of_a_clip_loses_its_picture_but_neither_its_end_nor_that_it_has_notes() {
    let disk = Disk::new();
    drop(clip_of(&disk, false));
    // Killed between StreamEnded and ClipNotes.
    let outbox = disk.outbox();
    assert!(outbox.open_streams().is_empty(), "the end was said");
    let [left] = &outbox.unnoted()[..] else { panic!() };
    assert_eq!((left.stream, left.peak, &left.thumbnail), (STREAM, Timestamp(7), &None));
    assert!(note(&outbox, left.clone()).unwrap().is_some());
    assert_eq!(note(&outbox, notes()).unwrap(), None, "once");
    assert!(disk.outbox().unnoted().is_empty());

    for fault in [Fault::Refuse, Fault::WrittenButFailed] {
        let disk = Disk::new();
        let outbox = clip_of(&disk, false);
        disk.store.fail_after(0, fault);
        note(&outbox, notes()).unwrap_err();
        drop(outbox);
        assert_eq!(disk.outbox().unnoted().len(), usize::from(fault == Fault::Refuse), "{fault:?}");
    }
}

#[test]
fn a_clip_of_which_nothing_is_durable_has_no_notes() {
    let disk = Disk::new();
    let outbox = disk.outbox();
    announce(&outbox, StreamKind::Clip).unwrap();
    assert_eq!(note(&outbox, notes()).unwrap(), None, "it is not over");
    end(&outbox).unwrap();
    assert_eq!(note(&outbox, notes()).unwrap(), None);
    assert!(outbox.clips().is_empty() && outbox.unnoted().is_empty());
}

#[test]
fn a_pin_holds_over_restarts_is_told_with_all_there_is_and_keeps_the_clip() {
    let disk = Disk::new();
    let mut home = disk.home();
    let random = SeededRandom::new(b"pin");
    let env = Env::new(NOW, &random);
    let outbox = disk.outbox();
    assert!(!outbox.pin(&mut home, env, STREAM, true).unwrap(), "there is no such clip");
    announce(&outbox, StreamKind::Clip).unwrap();
    outbox.keep(&segment(0), UNTIL, NOW).unwrap();
    let head = home.head().seq;
    assert!(outbox.pin(&mut home, env, STREAM, true).unwrap(), "also while it is made");
    assert_eq!(home.head().seq, head, "its notes will say so");
    drop(outbox);

    let outbox = disk.outbox();
    end(&outbox).unwrap();
    assert!(note(&outbox, notes()).unwrap().unwrap().pinned);
    assert_eq!(outbox.forget(&mut home, env, &[STREAM]).unwrap(), 0);
    outbox.thin(STREAM).unwrap();
    assert_eq!((disk.files(), outbox.clips()[0].here), (1, true));
    assert!(disk.outbox().clips()[0].pinned);

    let outbox = disk.outbox();
    let (Some(HubMessage::ClipNotes(told)), _) = outbox.pinning(STREAM, false).unwrap().unwrap() else { panic!() };
    assert_eq!(*told, notes(), "nothing of them is lost");
    assert!(outbox.pin(&mut home, env, STREAM, false).unwrap());
    assert_eq!(home.head().seq, head + 1);
    assert_eq!(disk.outbox().forget(&mut home, env, &[STREAM]).unwrap(), 1);
    assert_eq!(disk.files(), 0);
}

#[test]
fn a_crash_while_a_pin_is_set_does_all_of_it_or_nothing() {
    for fault in [Fault::Refuse, Fault::WrittenButFailed] {
        let disk = Disk::new();
        let mut home = disk.home();
        let outbox = clip_of(&disk, true);
        note(&outbox, notes()).unwrap();
        let random = SeededRandom::new(b"pin");
        let head = home.head().seq;
        disk.store.fail_after(0, fault);
        outbox.pin(&mut home, Env::new(NOW, &random), STREAM, true).unwrap_err();
        drop(outbox);
        let outbox = disk.outbox();
        let home = HubHome::load(Arc::new(disk.store.clone())).unwrap().unwrap();
        let written = fault == Fault::WrittenButFailed;
        assert_eq!((outbox.clips()[0].pinned, home.head().seq), (written, head + u64::from(written)), "{fault:?}");
    }
}

#[test]
fn forgetting_is_one_commit_with_what_phones_are_told_and_the_relay_is_told_until_it_knows() {
    for fault in [Fault::Refuse, Fault::WrittenButFailed] {
        for at_relay in [true, false] {
            let disk = Disk::new();
            let mut home = disk.home();
            let outbox = clip_of(&disk, at_relay);
            let head = home.head().seq;
            disk.store.fail_after(0, fault);
            let random = SeededRandom::new(b"forget");
            outbox.forget(&mut home, Env::new(NOW, &random), &[STREAM]).unwrap_err();
            drop(outbox);

            let outbox = disk.outbox();
            let home = HubHome::load(Arc::new(disk.store.clone())).unwrap().unwrap();
            let said = home.head().seq > head;
            assert_eq!(said, fault == Fault::WrittenButFailed);
            assert_eq!(disk.files(), if said { 0 } else { 3 }, "{fault:?}: files are there as long as the clip is");
            assert_eq!((outbox.clips().is_empty(), outbox.drops().len()), (said, usize::from(said)));
            assert_eq!(outbox.waiting().segments, if said || at_relay { 0 } else { 3 });
            if said {
                disk.store.fail_after(0, Fault::Refuse);
                outbox.dropped(STREAM).unwrap_err();
                assert_eq!(disk.outbox().drops(), [STREAM], "asked again");
                disk.outbox().dropped(STREAM).unwrap();
                assert!(disk.outbox().drops().is_empty());
            }
        }
    }
}

#[test]
fn the_relay_is_told_to_forget_only_when_nobody_is_sending_to_it() {
    let disk = Disk::new();
    let outbox = clip_of(&disk, false);
    let (number, pending) = outbox.claim().unwrap();
    let (streams, batch) = outbox.forgetting(&[STREAM]);
    outbox.store.commit(batch).unwrap();
    outbox.forgotten(&streams).unwrap();
    assert!(outbox.claim().is_none() && outbox.drops().is_empty());
    outbox.read(&pending).unwrap_err();
    outbox.stored(number, KEPT).unwrap();
    assert_eq!(outbox.drops(), [STREAM]);
    assert_eq!(outbox.waiting(), Waiting::default());
    assert!(outbox.finishes().is_empty());
}

#[test]
fn a_clip_that_makes_room_is_still_a_clip_and_its_files_are_gone_after_any_crash() {
    for fault in [None, Some(Fault::Refuse), Some(Fault::WrittenButFailed)] {
        let disk = Disk::new();
        let outbox = clip_of(&disk, true);
        if let Some(fault) = fault {
            disk.store.fail_after(0, fault);
        }
        assert_eq!(outbox.thin(STREAM).is_err(), fault.is_some());
        drop(outbox);
        let clips = disk.outbox().clips();
        let thinned = fault != Some(Fault::Refuse);
        assert_eq!((clips.len(), clips[0].here), (1, !thinned), "{fault:?}");
        assert_eq!(disk.files(), if thinned { 0 } else { 3 });
    }
}

#[test]
fn a_clip_whose_file_somebody_removed_is_not_taken_for_whole() {
    let disk = Disk::new();
    drop(clip_of(&disk, true));
    Blobs::open(disk.folder.path(), 0).unwrap().remove(&file_name(STREAM, 1).unwrap()).unwrap();
    let outbox = disk.outbox();
    assert!(!outbox.clips()[0].here);
    assert_eq!(disk.files(), 0, "the rest of it is of no use");
    assert!(!disk.outbox().clips()[0].here);
}

#[test]
fn a_pinned_clip_is_put_again_before_the_relay_s_time_is_over_and_the_relay_forgets_it_first() {
    for fault in [None, Some(Fault::Refuse), Some(Fault::WrittenButFailed)] {
        let disk = Disk::new();
        let outbox = clip_of(&disk, true);
        assert!(outbox.expiring(LATER).is_empty(), "nobody wants it kept");
        outbox.store.commit(outbox.pinning(STREAM, true).unwrap().unwrap().1).unwrap();
        outbox.set_pinned(STREAM, true);
        assert!(
            outbox.expiring(Timestamp(NOW.0 + 3_600_000)).is_empty(),
            "not at once, however short the relay keeps it"
        );
        assert_eq!(outbox.expiring(LATER), [STREAM]);
        let until = LATER.after(std::time::Duration::from_secs(86_400));
        if let Some(fault) = fault {
            disk.store.fail_after(0, fault);
            outbox.put_again(STREAM, until, LATER).unwrap_err();
            drop(outbox);
        } else {
            outbox.put_again(STREAM, until, LATER).unwrap();
        }

        let outbox = disk.outbox();
        if fault == Some(Fault::Refuse) {
            assert_eq!(outbox.expiring(LATER), [STREAM], "tried again");
            continue;
        }
        assert!(outbox.expiring(LATER).is_empty());
        assert_eq!((outbox.drops(), outbox.claim()), (vec![STREAM], None), "first it is forgotten");
        outbox.dropped(STREAM).unwrap();
        for index in 0..3 {
            assert!(outbox.finishes().is_empty());
            let (number, pending) = outbox.claim().unwrap();
            assert_eq!((pending.index, pending.until, pending.length), (index, until, 100));
            assert_eq!(outbox.read(&pending).unwrap(), segment(index).bytes);
            outbox.stored(number, Some(AtRelay { since: LATER, until })).unwrap();
        }
        assert_eq!(outbox.finishes(), [(STREAM, Some(3))]);
        outbox.finished(STREAM).unwrap();
        assert!(disk.outbox().expiring(LATER).is_empty());
        assert_eq!(disk.outbox().expiring(until), [STREAM]);
        assert_eq!(disk.files(), 3);
    }
}

#[test]
fn what_is_left_of_a_forgotten_clip_is_swept_at_the_start() {
    let disk = Disk::new();
    let outbox = clip_of(&disk, true);
    let (streams, batch) = outbox.forgetting(&[STREAM]);
    outbox.store.commit(batch).unwrap();
    outbox.forgotten(&streams).unwrap();
    // An answer of the relay that came a moment too late.
    let mut late = Batch::new();
    late.put(record::key(record::AT_RELAY, STREAM), privet_protocol::cbor::encode(&KEPT.unwrap()));
    outbox.store.commit(late).unwrap();
    drop(disk.outbox());
    assert_eq!(disk.store.get(&record::key(record::AT_RELAY, STREAM)).unwrap(), None);
}
