#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

const FPS: i64 = 15;

fn ration(portion: Portion, rate: f32) -> Ration {
    Ration::new(portion, &MotionSettings { pictures_per_second: rate, ..MotionSettings::default() })
}

fn unit(number: i64, gop: i64) -> Unit {
    unit_of(number, number % gop == 0, 100)
}

fn unit_of(number: i64, key: bool, size: usize) -> Unit {
    Unit { data: vec![0; size].into(), key, disposable: false, pts_us: number * 1_000_000 / FPS }
}

/// Gives the units; every look and every trial is answered at once. Trials are suspicious from `from` to `until` (in units), looks
/// show motion then. Returns the orders with the numbers of their units.
fn run(ration: &mut Ration, units: impl IntoIterator<Item = Unit>, moving: std::ops::Range<i64>) -> Vec<(i64, Use)> {
    let number = |pts_us: i64| (pts_us * FPS + 500_000) / 1_000_000;
    let mut all = Vec::new();
    for unit in units {
        let mut out = Vec::new();
        ration.take(unit, &mut out);
        while !out.is_empty() {
            let mut more = Vec::new();
            for Order { unit, as_what } in out.drain(..) {
                let at = number(unit.pts_us);
                all.push((at, as_what));
                match as_what {
                    // A key frame differs when something moved since the one before.
                    Use::Try if moving.start <= at && moving.end > at - 30 => ration.suspect(unit.pts_us, &mut more),
                    Use::Try => ration.saw(unit.pts_us, Motion::None),
                    Use::Look => ration.saw(unit.pts_us, motion(moving.contains(&at))),
                    Use::Reference => {}
                }
            }
            out = more;
        }
    }
    all
}

fn motion(seen: bool) -> Motion {
    if seen { Motion::Seen } else { Motion::None }
}

fn looks(orders: &[(i64, Use)]) -> Vec<i64> {
    orders.iter().filter(|(_, as_what)| *as_what == Use::Look).map(|(at, _)| *at).collect()
}

#[test]
fn of_a_whole_stream_every_third_picture_is_looked_at_and_the_others_come_with_it() {
    let mut ration = ration(Portion::Whole, 5.0);
    let mut out = Vec::new();
    let mut sizes = Vec::new();
    for number in 0..31 {
        let before = out.len();
        ration.take(unit(number, 30), &mut out);
        sizes.push(out.len() - before);
    }
    assert_eq!(sizes[..7], [1, 0, 0, 3, 0, 0, 3], "together, when one is due");
    let uses: Vec<Use> = out.iter().map(|order| order.as_what).collect();
    assert_eq!(uses[..4], [Use::Look, Use::Reference, Use::Reference, Use::Look]);
    assert!(out.windows(2).all(|pair| pair[1].unit.pts_us > pair[0].unit.pts_us), "in their order");
}

#[test]
fn what_nobody_refers_to_is_decoded_only_to_be_looked_at() {
    let mut ration = ration(Portion::Whole, 5.0);
    let units = (0..60).map(|number| Unit { disposable: number % 2 == 1, ..unit(number, 30) });
    let orders = run(&mut ration, units, 0..0);
    assert!(orders.iter().all(|(at, as_what)| at % 2 == 0 || *as_what == Use::Look), "{orders:?}");
    assert!(orders.len() < 45 && looks(&orders).len() > 17, "{orders:?}");
}

#[test]
fn a_quiet_main_stream_costs_its_key_frames_once_the_scene_is_learnt() {
    let mut ration = ration(Portion::KeyFrames, 5.0);
    let orders = run(&mut ration, (0..900).map(|number| unit(number, 30)), 0..0);
    let after: Vec<_> = orders.into_iter().filter(|(at, _)| *at > 60).collect();
    assert!(after.iter().all(|(at, as_what)| at % 30 == 0 && *as_what == Use::Try), "{after:?}");
    assert_eq!(after.len(), 27);
}

#[test]
fn a_key_frame_that_differs_has_the_group_before_it_looked_at_and_then_it_gets_quiet_again() {
    let mut ration = ration(Portion::KeyFrames, 5.0);
    // Something moves from picture 310 to 420; the key frame 330 shows it.
    let orders = run(&mut ration, (0..900).map(|number| unit(number, 30)), 310..420);
    let looked = looks(&orders);
    let onset = looked.iter().find(|at| **at >= 310).unwrap();
    assert!(*onset <= 313, "found where it was: {onset}");
    assert!(looked.windows(2).all(|pair| pair[1] > pair[0]), "the detector never goes back: {looked:?}");
    let at_first: Vec<_> = looked.iter().copied().filter(|at| (310..330).contains(at)).collect();
    assert!(at_first.windows(2).all(|pair| pair[1] - pair[0] <= 3), "{at_first:?}");
    let later: Vec<_> = orders.iter().filter(|(at, _)| (460..900).contains(at)).collect();
    assert!(later.iter().all(|(at, as_what)| at % 30 == 0 && *as_what == Use::Try), "{later:?}");
    // What was decoded twice: the look back's first key frame and the one on trial.
    assert!(orders.len() < 40 + 30 + 150 + 30, "{} orders", orders.len());
}

#[test]
fn of_what_goes_on_and_on_the_ends_of_groups_are_left_out_and_its_end_is_found() {
    for (gop, most) in [(15, 7), (30, 7), (60, 37)] {
        let mut ration = ration(Portion::KeyFrames, 5.0);
        let orders = run(&mut ration, (0..1800).map(|number| unit(number, gop)), 310..1200);
        let looked = looks(&orders);
        let on_and_on: Vec<_> = looked.iter().copied().filter(|at| (360..1180).contains(at)).collect();
        // Shorter than the detector's hold, so that it is one activity.
        assert!(on_and_on.windows(2).all(|pair| pair[1] - pair[0] < 2 * FPS - 3), "{gop}: {on_and_on:?}");
        let in_group = |from: i64| orders.iter().filter(|(at, _)| (from..from + gop).contains(at)).count();
        assert!((600..1080).step_by(gop as usize).all(|from| in_group(from) <= most), "{gop}: {}", in_group(600));
        let seen_in = |from: i64| looked.iter().filter(|at| (from..from + gop).contains(*at)).count();
        assert!((600..1080).step_by(gop as usize).all(|from| seen_in(from) >= 3), "where it moves is to be seen");
        let last_of =
            |from: i64| orders.iter().rfind(|(at, _)| (from..from + gop).contains(at)).map(|(_, as_what)| *as_what);
        let all_for_something = (600..1080).step_by(gop as usize).all(|from| last_of(from) == Some(Use::Look));
        assert!(all_for_something, "what is decoded is looked at, or something on top of it is");
        let later: Vec<_> = orders.iter().filter(|(at, _)| (1200 + gop + 30..1800).contains(at)).collect();
        assert!(later.iter().all(|(at, as_what)| at % gop == 0 && *as_what == Use::Try), "{gop}: {later:?}");
    }
}

#[test]
fn an_activity_that_is_held_for_a_moment_only_is_looked_at_all_the_time() {
    let mut settings = MotionSettings::default();
    settings.expert.hold_ms = Some(500);
    let mut ration = Ration::new(Portion::KeyFrames, &settings);
    let looked = looks(&run(&mut ration, (0..900).map(|number| unit(number, 30)), 310..900));
    let on_and_on: Vec<_> = looked.into_iter().filter(|at| (360..880).contains(at)).collect();
    assert!(on_and_on.windows(2).all(|pair| pair[1] - pair[0] <= 3), "{on_and_on:?}");
}

#[test]
fn what_is_held_and_does_not_move_costs_key_frames_alone() {
    // The detector holds it for a minute after picture 420.
    let held = |at: i64| if (310..420).contains(&at) { Motion::Seen } else { Motion::Held };
    let mut settings = MotionSettings::default();
    settings.expert.hold_ms = Some(60_000);
    let mut ration = Ration::new(Portion::KeyFrames, &settings);
    let (mut all, mut out) = (Vec::new(), Vec::new());
    for number in 0..900 {
        ration.take(unit(number, 30), &mut out);
        if number == 330 {
            ration.suspect(unit(number, 30).pts_us, &mut out);
        }
        let orders = numbers(&out);
        orders.iter().filter(|(_, as_what)| *as_what != Use::Reference).for_each(|(at, _)| {
            let motion = if *at < 310 { Motion::None } else { held(*at) };
            ration.saw(unit(*at, 30).pts_us, motion);
        });
        out.clear();
        all.extend(orders);
    }
    let after: Vec<_> = all.iter().filter(|(at, _)| *at >= 420).collect();
    assert_eq!(after[0], &(420, Use::Look), "it may go on");
    let later = &after[1..];
    assert!(later.iter().all(|(at, as_what)| at % 30 == 0 && *as_what == Use::Try), "{later:?}");
    assert_eq!(later.len(), 15);
}

#[test]
fn a_key_frame_that_is_late_does_not_keep_an_activity_unseen() {
    let mut ration = ration(Portion::KeyFrames, 5.0);
    let key = |number: i64| number % 30 == 0 && number != 600;
    let orders = run(&mut ration, (0..900).map(|number| unit_of(number, key(number), 100)), 310..900);
    let looked = looks(&orders);
    assert!(looked.iter().filter(|at| (602..630).contains(*at)).count() > 7, "{looked:?}");
}

#[test]
fn no_picture_is_decoded_without_those_it_refers_to() {
    // Motion on and off, so that decoding stops and starts inside of groups.
    for (from, until) in [(47, 52), (95, 400), (301, 303)] {
        let mut ration = ration(Portion::KeyFrames, 5.0);
        let orders = run(&mut ration, (0..600).map(|number| unit(number, 30)), from..until);
        let mut has = -1;
        for (at, _) in orders {
            assert!(at % 30 == 0 || at == has + 1, "{at} after {has}");
            has = at;
        }
    }
}

#[test]
fn what_is_built_on_a_key_frame_on_trial_is_built_on_it_as_it_was_sent() {
    let mut ration = ration(Portion::KeyFrames, 5.0);
    run(&mut ration, (0..90).map(|number| unit(number, 30)), 0..0);
    let mut out = Vec::new();
    ration.take(unit(90, 30), &mut out);
    assert_eq!(numbers(&out), [(90, Use::Try)]);
    out.clear();
    // The decoder was slow: only now it is told that something moved just before.
    ration.saw(unit(88, 30).pts_us, Motion::Seen);
    (91..94).for_each(|number| ration.take(unit(number, 30), &mut out));
    let all = [(90, Use::Reference), (91, Use::Reference), (92, Use::Reference), (93, Use::Look)];
    assert_eq!(numbers(&out), all);
    out.clear();
    // The trial's own outcome comes last, and changes nothing.
    ration.suspect(unit(90, 30).pts_us, &mut out);
    (94..97).for_each(|number| ration.take(unit(number, 30), &mut out));
    assert_eq!(numbers(&out), [(94, Use::Reference), (95, Use::Reference), (96, Use::Look)]);
}

#[test]
fn a_group_that_gets_too_large_while_it_is_awake_is_decoded_from_its_beginning() {
    for size in [100, 1 << 20] {
        let mut ration = ration(Portion::KeyFrames, 5.0);
        run(&mut ration, (0..90).map(|number| unit(number, 30)), 0..0);
        let mut out = Vec::new();
        // On trial, and with the next unit too much to be kept, if they are large.
        (90..101).for_each(|number| ration.take(unit_of(number, number == 90, size), &mut out));
        assert_eq!(numbers(&out), [(90, Use::Try)]);
        out.clear();
        ration.saw(unit(100, 30).pts_us, Motion::Seen);
        (101..110).for_each(|number| ration.take(unit_of(number, false, size), &mut out));
        let decoded: Vec<_> = numbers(&out).iter().map(|(at, _)| *at).collect();
        assert_eq!(ration.is_long(), size > 100);
        assert!(decoded.len() > 15 && decoded.iter().copied().eq((90..).take(decoded.len())), "{decoded:?}");
    }
}

/// The numbers of the orders' units.
fn numbers(orders: &[Order]) -> Vec<(i64, Use)> {
    orders.iter().map(|order| ((order.unit.pts_us * FPS + 500_000) / 1_000_000, order.as_what)).collect()
}

proptest! {
    /// Whatever moves, however long groups are and however late the decoder answers: what is decoded has what it refers to, and
    /// nothing that is looked at is built on a trial.
    #[test]
    fn nothing_that_is_looked_at_is_built_on_a_trial(
        gops in proptest::collection::vec(1_i64..90, 1..16),
        moving in proptest::collection::vec((0_i64..700, 1_i64..60), 0..6),
        late in 0_usize..60,
        reorders in any::<bool>(),
        size in prop_oneof![Just(100_usize), Just(300_000)],
        hold_ms in prop_oneof![Just(500_u32), Just(3_000)],
        held in any::<bool>(),
    ) {
        let mut settings = MotionSettings::default();
        settings.expert.hold_ms = Some(hold_ms);
        let mut ration = Ration::new(Portion::KeyFrames, &settings);
        let moves = |from: i64, until: i64| moving.iter().any(|(start, length)| *start < until && start + length > from);
        // In the order in which they are decoded; the number is in the unit.
        let mut units = Vec::new();
        for gop in gops {
            let first = units.len() as i64;
            for at in 0..gop {
                let shown = match at {
                    at if !reorders || at == 0 => at,
                    at if at % 2 == 0 => at - 1,
                    at => (at + 1).min(gop - 1),
                };
                let mut data = vec![0; size];
                data[..8].copy_from_slice(&(first + at).to_be_bytes());
                let pts_us = (first + shown) * 1_000_000 / FPS;
                units.push(Unit { data: data.into(), key: at == 0, disposable: false, pts_us });
            }
        }
        let (mut answers, mut has, mut is_on_trial) = (VecDeque::<(usize, i64, Use)>::new(), -1, true);
        let mut out = Vec::new();
        for (now, unit) in units.into_iter().enumerate() {
            ration.take(unit, &mut out);
            while let Some((_, pts_us, as_what)) = answers.pop_front_if(|(due, ..)| *due <= now) {
                let at = (pts_us * FPS + 500_000) / 1_000_000;
                match as_what {
                    Use::Try if moves(at - 30, at + 1) => ration.suspect(pts_us, &mut out),
                    Use::Try => ration.saw(pts_us, Motion::None),
                    Use::Look if held => ration.saw(pts_us, if moves(at, at + 1) { Motion::Seen } else { Motion::Held }),
                    Use::Look => ration.saw(pts_us, motion(moves(at, at + 1))),
                    Use::Reference => {}
                }
            }
            for Order { unit, as_what } in out.drain(..) {
                let number = i64::from_be_bytes(unit.data[..8].try_into().unwrap());
                prop_assert!(unit.key || number == has + 1, "{number} after {has}");
                prop_assert!(unit.key || as_what != Use::Try);
                has = number;
                is_on_trial = if unit.key { as_what == Use::Try } else { is_on_trial };
                prop_assert!(!is_on_trial || as_what != Use::Look, "{number} is looked at on top of a trial");
                answers.push_back((now + late, unit.pts_us, as_what));
            }
        }
    }
}

#[test]
fn groups_of_half_a_minute_are_decoded_whole_and_shorter_ones_are_not_any_more() {
    let mut ration = ration(Portion::KeyFrames, 5.0);
    let orders = run(&mut ration, (0..900).map(|number| unit(number, 450)), 0..0);
    assert!(ration.is_long());
    let looked = looks(&orders);
    assert!(looked.windows(2).all(|pair| pair[1] - pair[0] <= 3), "{looked:?}");
    assert!(looked.len() > 290, "{}", looked.len());
    run(&mut ration, (900..1200).map(|number| unit(number, 30)), 0..0);
    assert!(!ration.is_long());
    let orders = run(&mut ration, (1200..1500).map(|number| unit(number, 30)), 0..0);
    assert_eq!(orders.len(), 10, "{orders:?}");
}

#[test]
fn what_is_kept_for_a_look_back_is_bounded() {
    let mut ration = ration(Portion::KeyFrames, 5.0);
    for number in 0..300 {
        ration.take(unit_of(number, number == 0, 1 << 20), &mut Vec::new());
        assert!(ration.kept <= MAX_KEPT + (2 << 20), "{} bytes at {number}", ration.kept);
    }
    assert!(ration.is_long());
}

#[test]
fn time_that_goes_back_or_leaps_stops_nothing() {
    for portion in [Portion::Whole, Portion::KeyFrames] {
        let mut ration = ration(portion, 5.0);
        run(&mut ration, (9000..9100).map(|number| unit(number, 30)), 0..0);
        let orders = run(&mut ration, (0..300).map(|number| unit(number, 30)), 0..0);
        assert!(orders.len() >= 9, "{portion:?}: {orders:?}");
        let orders = run(&mut ration, (1_000_000..1_000_300).map(|number| unit(number, 30)), 0..0);
        assert!(orders.len() >= 9, "{portion:?}: {orders:?}");
    }
}

#[test]
fn large_units_do_not_wait_for_the_picture_that_is_due() {
    let mut ration = ration(Portion::Whole, 0.5);
    let (mut out, mut sizes) = (Vec::new(), Vec::new());
    for number in 0..6 {
        let before = out.len();
        ration.take(unit_of(number, number == 0, 1 << 20), &mut out);
        sizes.push(out.len() - before);
    }
    assert_eq!(sizes, [1, 0, 0, 0, 4, 0], "4 MiB are enough");
}
