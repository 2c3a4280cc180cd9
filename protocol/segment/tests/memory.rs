//! Memory while streaming: flat in the segment's length, and not at the mercy of who sends. Counted by an allocator of its
//! own, which is the whole program's: so this is a program of its own, with one test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "it/common/mod.rs"]
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::World;
use privet_segment::{Header, Opener, Sealer, SegmentEnd};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; only its sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that was held beyond what the test itself holds while `units` units of 64 KiB went through sealer and opener.
fn peak(world: &World, units: usize) -> usize {
    let facts = world.facts(0, [0; 32]);
    let header = Header { stream: facts.stream, index: 0 };
    let media = world.media(facts.first_frame, &[65_486]);
    let (head, chunk) = &media.units[0];
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let mut out = Vec::new();
    let mut sealer = Sealer::begin(&mut world.key(), &world.session, facts.clone(), &mut out).unwrap();
    let mut opener = Opener::new(&world.key(), header).unwrap();
    let mut opened = 0;
    let mut pass = |out: &mut Vec<u8>| {
        opener.push(out);
        out.clear();
        while let Some(item) = opener.next().unwrap() {
            opened += 1;
            drop(item);
        }
    };
    sealer.init(&media.info, &media.init, &mut out).unwrap();
    for at in 0..units {
        let head = privet_segment::UnitHead { frame: head.frame + at as u64, ..*head };
        sealer.unit(&head, chunk, common::sample(&head, chunk), &mut out).unwrap();
        pass(&mut out);
    }
    sealer.finish(SegmentEnd { ended: facts.started, clock_stepped_back: false }, &mut out).unwrap();
    pass(&mut out);
    opener.finish(&world.trust).unwrap();
    assert_eq!(opened, units + 1);
    PEAK.load(Ordering::Relaxed) - before
}

#[test]
fn memory_is_flat_when_streaming() {
    let world = World::new("memory");
    let short = peak(&world, 16);
    let long = peak(&world, 1024);
    assert!(short < 2 << 20, "1 MiB in {short} bytes");
    // The largest padding, and the leaves: 36 bytes a record, in the sealer's list, in the trailer and in its copy.
    assert!(long < short + (512 << 10) + 1024 * 36 * 8, "64 MiB in {long} bytes, 1 MiB in {short}");
}
