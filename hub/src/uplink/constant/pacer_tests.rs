#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;

use privet_protocol::random::SeededRandom;
use privet_protocol::time::Timestamp;
use proptest::prelude::*;

use super::*;

const CONTENT: usize = 100;

fn pending(number: u64, length: usize) -> (Pending, Bytes) {
    let stream = StreamId::from_bytes([u8::try_from(number % 251).unwrap(); 16]);
    let bytes: Vec<u8> = (0..length).map(|at| u8::try_from((at as u64 + 7 * number) % 256).unwrap()).collect();
    let length = length as u64;
    (Pending { stream, index: number, length, keep_ms: 1, kept: Timestamp(0) }, bytes.into())
}

/// The time that a cell with this number is kept.
fn kept(number: u64) -> AtRelay {
    let at = i64::try_from(number).unwrap();
    AtRelay::new(Timestamp(at), Timestamp(1_000_000 + at))
}

/// What the relay sees of a cell: how many it had of which carrier, counted, and the size.
type Seen = (usize, u64, usize);

/// Runs so many beats, with segments of these lengths handed in at these beats, and beats at which the relay does not answer. Gives
/// what the relay sees, and what arrived.
fn run(beats: u64, loads: &[(u64, usize)], deaf: &[u64], anew: &[u64]) -> (Vec<Seen>, Vec<(Arrived, Vec<u8>)>) {
    let random = SeededRandom::new(b"pacer");
    let mut pacer = Pacer::new(CONTENT, &random);
    let (mut carriers, mut seen, mut arrived) = (Vec::new(), Vec::new(), Vec::new());
    let mut cells: BTreeMap<(StreamId, u64), Bytes> = BTreeMap::new();
    for beat in 0..beats {
        if anew.contains(&beat) {
            pacer.begin_anew(&random);
        }
        for (number, (_, length)) in loads.iter().enumerate().filter(|(_, (at, _))| *at == beat) {
            let number = number as u64;
            let (pending, bytes) = pending(number, *length);
            pacer.load(number, pending, bytes);
        }
        let cell = pacer.cell(&random).unwrap();
        if !carriers.contains(&cell.carrier) {
            carriers.push(cell.carrier);
        }
        seen.push((carriers.len(), cell.index, cell.bytes.len()));
        // Whatever was sent for a place before is what is sent for it now.
        let before = cells.insert((cell.carrier, cell.index), cell.bytes.clone());
        assert!(before.is_none_or(|before| before == cell.bytes));
        if deaf.contains(&beat) {
            continue;
        }
        for one in pacer.stored(&cell, kept(beat)) {
            let (first, last) = (one.placed.at / 100, (one.placed.at + one.placed.length - 1) / 100);
            let opened = (first..=last).flat_map(|n| one.key.open(n, cells[&(one.carrier, n)].to_vec()).unwrap());
            let skip = usize::try_from(one.placed.at % 100).unwrap();
            let bytes = opened.skip(skip).take(usize::try_from(one.placed.length).unwrap()).collect();
            arrived.push((one, bytes));
        }
    }
    (seen, arrived)
}

#[test]
fn a_segment_that_takes_many_cells_arrives_with_the_time_of_its_first_one() {
    let (_, arrived) = run(10, &[(1, 30), (1, 250), (5, 20)], &[], &[]);
    let told: Vec<_> = arrived.iter().map(|(one, _)| (one.number, one.placed.at, one.placed.length)).collect();
    assert_eq!(told, [(0, 100, 30), (1, 130, 250), (2, 500, 20)]);
    assert_eq!(arrived[1].0.kept, kept(1));
    for (one, bytes) in &arrived {
        let (_, sent) = pending(one.number, bytes.len());
        assert_eq!(*bytes, sent);
    }
}

#[test]
fn a_full_carrier_is_followed_by_another_one_and_what_was_under_way_begins_again_there() {
    let (seen, arrived) = run(CELLS + 10, &[(CELLS - 1, 250)], &[], &[]);
    assert_eq!(seen[CELLS as usize - 1], (1, CELLS - 1, CONTENT + 16));
    assert_eq!(seen[CELLS as usize], (2, 0, CONTENT + 16));
    let (one, bytes) = &arrived[0];
    assert_eq!((one.placed.at, one.kept, arrived.len()), (0, kept(CELLS), 1));
    assert_eq!(*bytes, pending(0, 250).1);
}

#[test]
fn it_is_hungry_until_two_cells_are_full() {
    let random = SeededRandom::new(b"pacer");
    let mut pacer = Pacer::new(CONTENT, &random);
    for number in 0..2 {
        assert!(pacer.is_hungry());
        let (pending, bytes) = pending(number, 100);
        pacer.load(number, pending, bytes);
    }
    assert!(!pacer.is_hungry());
    assert!(pacer.cell(&random).is_some() && pacer.is_hungry());
}

proptest! {
    #[test]
    fn what_the_relay_sees_does_not_depend_on_what_there_is_to_be_sent(
        one in prop::collection::vec((0_u64..300, 1_usize..3000), 0..20),
        other in prop::collection::vec((0_u64..300, 1_usize..3000), 0..20),
        deaf in prop::collection::vec(0_u64..300, 0..20),
        anew in prop::collection::vec(0_u64..300, 0..3),
    ) {
        let (quiet, nothing) = run(300, &[], &deaf, &anew);
        prop_assert!(nothing.is_empty());
        prop_assert_eq!(&run(300, &one, &deaf, &anew).0, &quiet);
        prop_assert_eq!(&run(300, &other, &deaf, &anew).0, &quiet);
    }

    #[test]
    fn everything_arrives_once_in_order_and_as_it_was(
        loads in prop::collection::vec((0_u64..100, 1_usize..1000), 0..20),
        deaf in prop::collection::vec(0_u64..300, 0..20),
        anew in prop::collection::vec(0_u64..300, 0..3),
    ) {
        let mut loads = loads;
        loads.sort_unstable();
        let (_, arrived) = run(800, &loads, &deaf, &anew);
        let numbers: Vec<u64> = arrived.iter().map(|(one, _)| one.number).collect();
        prop_assert_eq!(numbers, (0..loads.len() as u64).collect::<Vec<_>>());
        for (one, bytes) in &arrived {
            let (sent, content) = pending(one.number, loads[usize::try_from(one.number).unwrap()].1);
            prop_assert_eq!((one.placed.stream, one.placed.index), (sent.stream, sent.index));
            prop_assert_eq!(&bytes[..], &content[..]);
        }
    }
}
