//! Clips after their end: notes, pins, what goes and what the relay is told, with a crash at every write.

use privet_home::{ClipNotes, Env, HubHome, HubMessage, Thumbnail};
use privet_protocol::random::SeededRandom;

use super::*;
use crate::outbox::retention::Elsewhere;

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

fn pin(outbox: &Outbox, pinned: bool) {
    outbox.store.commit(outbox.pinning(STREAM, pinned).unwrap().unwrap().1).unwrap();
    outbox.set_pinned(STREAM, pinned);
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
    assert!(outbox.clips(AT).is_empty() && outbox.unnoted().is_empty());
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
    outbox.keep(&segment(0), KEEP, AT).unwrap();
    let head = home.head().seq;
    assert!(outbox.pin(&mut home, env, STREAM, true).unwrap(), "also while it is made");
    assert_eq!(home.head().seq, head, "its notes will say so");
    drop(outbox);

    let outbox = disk.outbox();
    end(&outbox).unwrap();
    assert!(note(&outbox, notes()).unwrap().unwrap().pinned);
    assert_eq!(outbox.forget(&mut home, env, &[STREAM]).unwrap().clips(), 0);
    assert_eq!(outbox.thin(&[STREAM]).unwrap().clips(), 0);
    assert_eq!((disk.files(), outbox.clips(AT)[0].here), (1, true));
    assert!(disk.outbox().clips(AT)[0].pinned);

    let outbox = disk.outbox();
    let (Some(HubMessage::ClipNotes(told)), _) = outbox.pinning(STREAM, false).unwrap().unwrap() else { panic!() };
    assert_eq!(*told, notes(), "nothing of them is lost");
    assert!(outbox.pin(&mut home, env, STREAM, false).unwrap());
    assert_eq!(home.head().seq, head + 1);
    let outbox = disk.outbox();
    let leftovers = outbox.forget(&mut home, env, &[STREAM]).unwrap();
    assert_eq!((leftovers.clips(), disk.files()), (1, 1), "the disk's work is left to somebody who has time");
    outbox.sweep(leftovers).unwrap();
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
        assert_eq!((outbox.clips(AT)[0].pinned, home.head().seq), (written, head + u64::from(written)), "{fault:?}");
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
            assert_eq!((outbox.clips(AT).is_empty(), outbox.drops().len()), (said, usize::from(said)));
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
    outbox.sweep(outbox.forgotten(&streams)).unwrap();
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
        let thinned = outbox.thin(&[STREAM]);
        assert_eq!(thinned.is_err(), fault.is_some());
        if let Ok(leftovers) = thinned {
            assert_eq!((leftovers.clips(), disk.files()), (1, 3));
            outbox.sweep(leftovers).unwrap();
            assert_eq!((outbox.thin(&[STREAM]).unwrap().clips(), disk.files()), (0, 0), "once");
        }
        drop(outbox);
        let clips = disk.outbox().clips(AT);
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
    assert!(!outbox.clips(AT)[0].here);
    assert_eq!(disk.files(), 0, "the rest of it is of no use");
    assert!(!disk.outbox().clips(AT)[0].here);
}

#[test]
fn a_pinned_clip_is_put_again_before_the_relay_s_time_is_over_and_the_relay_forgets_it_first() {
    for fault in [None, Some(Fault::Refuse), Some(Fault::WrittenButFailed)] {
        let disk = Disk::new();
        let outbox = clip_of(&disk, true);
        let due = Timestamp(500_000 + 12 * 3_600_000);
        assert!(outbox.expiring(due).is_empty(), "nobody wants it kept");
        pin(&outbox, true);
        assert!(outbox.expiring(Timestamp(due.0 - 1)).is_empty(), "not at once, however short the relay keeps it");
        assert_eq!(outbox.expiring(due), [STREAM]);
        let keep = Duration::from_secs(86_400);
        let lengths = outbox.lengths(STREAM).unwrap().unwrap();
        if let Some(fault) = fault {
            disk.store.fail_after(0, fault);
            outbox.put_again(STREAM, &lengths, keep, AT).unwrap_err();
            drop(outbox);
        } else {
            assert!(outbox.put_again(STREAM, &lengths, keep, AT).unwrap());
        }

        let outbox = disk.outbox();
        if fault == Some(Fault::Refuse) {
            assert_eq!(outbox.expiring(due), [STREAM], "tried again");
            continue;
        }
        assert!(outbox.expiring(due).is_empty());
        assert_eq!((outbox.drops(), outbox.claim()), (vec![STREAM], None), "first it is forgotten");
        outbox.dropped(STREAM).unwrap();
        for index in 0..3 {
            assert!(outbox.finishes().is_empty());
            let (number, pending) = outbox.claim().unwrap();
            assert_eq!((pending.index, pending.keep_ms, pending.length), (index, 86_400_000, 100));
            assert_eq!(outbox.read(&pending).unwrap(), segment(index).bytes);
            outbox.stored(number, Some(AtRelay::new(due, due.after(keep)))).unwrap();
        }
        assert_eq!(outbox.finishes(), [(STREAM, Some(3))]);
        outbox.finished(STREAM).unwrap();
        assert!(disk.outbox().expiring(due).is_empty());
        assert_eq!(disk.outbox().expiring(due.after(keep)), [STREAM]);
        assert_eq!(disk.files(), 3);
    }
}

#[test]
fn a_pinned_clip_that_lacks_a_file_or_was_let_go_is_not_put_again_and_what_is_left_of_it_stays() {
    let disk = Disk::new();
    let outbox = clip_of(&disk, true);
    pin(&outbox, true);
    let lengths = outbox.lengths(STREAM).unwrap().unwrap();
    pin(&outbox, false);
    assert!(!outbox.put_again(STREAM, &lengths, KEEP, AT).unwrap(), "nobody wants it any more");
    pin(&outbox, true);
    Blobs::open(disk.folder.path(), 0).unwrap().remove(&file_name(STREAM, 1).unwrap()).unwrap();
    assert_eq!(outbox.expiring(Timestamp(i64::MAX)), [STREAM]);
    assert_eq!(outbox.lengths(STREAM).unwrap(), None);
    assert!(outbox.expiring(Timestamp(i64::MAX)).is_empty(), "it holds up no other");
    assert_eq!((disk.files(), outbox.drops()), (2, vec![]));
}

#[test]
fn what_the_relay_has_otherwise_than_it_was_sent_is_sent_again_with_all_of_its_clip_and_once() {
    for fault in [None, Some(Fault::Refuse), Some(Fault::WrittenButFailed)] {
        let disk = Disk::new();
        let outbox = clip_of(&disk, false);
        outbox.stored(outbox.claim().unwrap().0, KEPT).unwrap();
        let (wrong, other) = (outbox.claim().unwrap().0, outbox.claim().unwrap().0);
        let lengths = outbox.lengths(STREAM).unwrap().unwrap();
        if let Some(fault) = fault {
            disk.store.fail_after(0, fault);
            outbox.send_again(STREAM, &lengths, KEEP, AT).unwrap_err();
            disk.store.heal();
            outbox.stored(other, KEPT).unwrap();
            drop(outbox);
            let (outbox, written) = (disk.outbox(), fault == Fault::WrittenButFailed);
            assert_eq!(outbox.drops().len(), usize::from(written), "{fault:?}");
            // What the relay forgets is sent, whatever was taken off the list in between.
            assert_eq!(outbox.waiting().segments, if written { 3 } else { 1 }, "{fault:?}");
            continue;
        }
        let again = |outbox: &Outbox| outbox.send_again(STREAM, &lengths, KEEP, AT).unwrap();
        assert_eq!([again(&outbox), again(&outbox)], [Mended::Again; 2]);
        assert!(outbox.drops().is_empty(), "two of them are being sent");
        outbox.stored(other, KEPT).unwrap();
        outbox.release(wrong);
        assert_eq!((outbox.drops(), outbox.claim()), (vec![STREAM], None), "first it is forgotten");
        assert_eq!(outbox.waiting().segments, 3, "also what it had as it should");
        outbox.dropped(STREAM).unwrap();
        for index in 0..3 {
            assert!(outbox.finishes().is_empty());
            let (number, pending) = outbox.claim().unwrap();
            assert_eq!((pending.index, pending.length, pending.keep_ms), (index, 100, 8_000));
            assert_eq!(outbox.read(&pending).unwrap(), segment(index).bytes);
            outbox.stored(number, KEPT).unwrap();
        }
        assert_eq!(outbox.finishes(), [(STREAM, Some(3))]);
        assert_eq!(again(&outbox), Mended::Never, "a relay that does it again is not sent it for ever");
        assert_eq!((outbox.waiting(), outbox.drops()), (Waiting::default(), vec![]));
    }
}

#[test]
fn a_clip_that_is_still_being_made_is_sent_again_as_far_as_it_goes() {
    let disk = Disk::new();
    let outbox = disk.outbox();
    announce(&outbox, StreamKind::Clip).unwrap();
    outbox.keep(&segment(0), KEEP, AT).unwrap();
    let (wrong, _) = outbox.claim().unwrap();
    let lengths = outbox.lengths(STREAM).unwrap().unwrap();
    outbox.keep(&segment(1), KEEP, AT).unwrap();
    assert_eq!(outbox.send_again(STREAM, &lengths, KEEP, AT).unwrap(), Mended::Later);
    let lengths = outbox.lengths(STREAM).unwrap().unwrap();
    assert_eq!(outbox.send_again(STREAM, &lengths, KEEP, AT).unwrap(), Mended::Again);
    outbox.release(wrong);
    outbox.keep(&segment(2), KEEP, AT).unwrap();
    end(&outbox).unwrap();
    drop(outbox);
    let outbox = disk.outbox();
    assert_eq!((outbox.drops(), outbox.waiting().segments), (vec![STREAM], 3));
    outbox.dropped(STREAM).unwrap();
    for index in 0..3 {
        let (number, pending) = outbox.claim().unwrap();
        assert_eq!(pending.index, index);
        outbox.stored(number, KEPT).unwrap();
    }
    assert_eq!(outbox.finishes(), [(STREAM, Some(3))]);
}

#[test]
fn a_file_of_another_length_is_not_sent_for_the_segment() {
    let disk = Disk::new();
    let outbox = clip_of(&disk, false);
    let (_, pending) = outbox.claim().unwrap();
    let blobs = Blobs::open(disk.folder.path(), 0).unwrap();
    let name = file_name(STREAM, 0).unwrap();
    blobs.remove(&name).unwrap();
    let mut writer = blobs.write(&name).unwrap();
    writer.append(&[0; 40]).unwrap();
    writer.finish().unwrap();
    assert!(matches!(outbox.read(&pending), Err(StoreError::Damaged(_))));
}

#[test]
fn a_pin_whose_commit_failed_but_was_written_holds() {
    for (fault, wanted) in [(Fault::WrittenButFailed, true), (Fault::WrittenButFailed, false), (Fault::Refuse, true)] {
        let disk = Disk::new();
        let (mut home, random) = (disk.home(), SeededRandom::new(b"pin"));
        let env = Env::new(NOW, &random);
        let outbox = clip_of(&disk, true);
        pin(&outbox, !wanted);
        disk.store.fail_after(0, fault);
        outbox.pin(&mut home, env, STREAM, wanted).unwrap_err();
        disk.store.heal();
        let pinned = (fault == Fault::WrittenButFailed) == wanted;
        assert_eq!(outbox.clips(AT)[0].pinned, pinned, "{fault:?}, {wanted}");
        assert_eq!(disk.outbox().clips(AT)[0].pinned, pinned, "as it is stored");
        assert_eq!(outbox.forgetting(&[STREAM]).0.is_empty(), pinned);
    }
}

#[test]
fn the_age_of_a_clip_counts_from_when_it_was_kept_whatever_the_clock_said() {
    let disk = Disk::new();
    let hour_us = 3_600_000_000;
    // The hub starts in 2026, and a clip is made.
    let today = Timestamp(1_795_219_200_000);
    let first = Moment { wall: today, mono_us: 0 };
    let outbox = disk.outbox();
    let began = outbox.pass(first);
    outbox.keep_count().unwrap();
    // It starts again in 1970 and makes another one; then the time server answers.
    let outbox = disk.outbox();
    let reboot = Moment { wall: Timestamp(5_000), mono_us: 7 };
    assert_eq!(outbox.pass(reboot), began);
    announce(&outbox, StreamKind::Clip).unwrap();
    outbox.keep(&segment(0), KEEP, Moment { wall: Timestamp(3_605_000), mono_us: 7 + hour_us }).unwrap();
    end(&outbox).unwrap();
    let clip = outbox.clips(reboot)[0];
    assert_eq!(clip.kept, began.after(Duration::from_secs(3_600)));
    let mended = Moment { wall: today.after(Duration::from_secs(86_400)), mono_us: 7 + 2 * hour_us };
    assert_eq!(outbox.pass(mended), began.after(Duration::from_secs(7_200)));
    assert_eq!(outbox.clips(mended)[0].age, Duration::from_secs(3_600));
    drop(outbox);
    // Killed before the count was written: what is dated says how late it is at least.
    let outbox = disk.outbox();
    assert_eq!(outbox.pass(reboot), clip.kept);
    assert_eq!(outbox.clips(reboot)[0], clip, "no older than it was");
}

#[test]
fn a_clip_of_which_the_relay_gave_up_a_part_is_only_here() {
    let disk = Disk::new();
    let outbox = disk.outbox();
    outbox.pass(AT);
    live_once(&outbox);
    let elsewhere = |outbox: &Outbox| outbox.clips(AT)[0].elsewhere;
    for kept in [KEPT, KEPT, KEPT] {
        assert_eq!(
            (elsewhere(&outbox) == Elsewhere::Nowhere, outbox.clips(AT)[0].waiting),
            (outbox.waiting().segments == 3, true)
        );
        outbox.stored(outbox.claim().unwrap().0, kept).unwrap();
    }
    // As long as nobody heard the relay, its time is counted here.
    assert_eq!(elsewhere(&outbox), Elsewhere::Relay);
    let later = |s: u64| Moment { mono_us: AT.mono_us + s * 1_000_000, wall: NOW.after(Duration::from_secs(s)) };
    outbox.pass(later(8));
    assert_eq!(elsewhere(&outbox), Elsewhere::Unknown);
    outbox.heard(Timestamp(507_999), later(8));
    assert_eq!(outbox.clips(later(8))[0].elsewhere, Elsewhere::Relay, "its own clock counts");
    assert_eq!(outbox.clips(later(9))[0].elsewhere, Elsewhere::Nowhere, "and goes on");

    for nothing in 0..3 {
        let disk = Disk::new();
        let outbox = disk.outbox();
        outbox.pass(AT);
        live_once(&outbox);
        outbox.heard(Timestamp(500_000), AT);
        for index in 0..3 {
            outbox.stored(outbox.claim().unwrap().0, KEPT.filter(|_| index != nothing)).unwrap();
        }
        assert_eq!(elsewhere(&outbox), Elsewhere::Nowhere, "without {nothing}");
        assert_eq!(elsewhere(&disk.outbox()), Elsewhere::Nowhere, "also after a restart");
    }
}

#[test]
fn what_is_left_of_a_forgotten_clip_is_swept_at_the_start() {
    let disk = Disk::new();
    let outbox = clip_of(&disk, true);
    let (streams, batch) = outbox.forgetting(&[STREAM]);
    outbox.store.commit(batch).unwrap();
    outbox.sweep(outbox.forgotten(&streams)).unwrap();
    // An answer of the relay that came a moment too late.
    let mut late = Batch::new();
    late.put(record::key(record::AT_RELAY, STREAM), privet_protocol::cbor::encode(&KEPT.unwrap()));
    outbox.store.commit(late).unwrap();
    drop(disk.outbox());
    assert_eq!(disk.store.get(&record::key(record::AT_RELAY, STREAM)).unwrap(), None);
}
