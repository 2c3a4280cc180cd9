#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::time::Duration;

use super::*;
use crate::motion::{Expert, Polygon, Sensitivity, Zone};

/// A made-up scene at five pictures per second.
struct Scene {
    detector: Detector,
    now_us: i64,
    random: u64,
    noise: i32,
    light: i32,
}

const W: usize = 178;
const H: usize = 100;

impl Scene {
    fn new(sensitivity: Sensitivity, noise: i32) -> Self {
        let settings = MotionSettings { sensitivity, ..MotionSettings::default() };
        Self { detector: Detector::new(&settings), now_us: 0, random: 0x9E37_79B9, noise, light: 0 }
    }

    fn show(&mut self, things: &[(i32, i32, i32, i32, i32)]) -> Verdict {
        let mut pixels = Vec::with_capacity(W * H);
        for y in 0..H as i32 {
            for x in 0..W as i32 {
                let mut level = 60 + (x * 7 + y * 13) % 60 + self.light;
                for &(left, top, width, height, change) in things {
                    if (left..left + width).contains(&x) && (top..top + height).contains(&y) {
                        level += change;
                    }
                }
                for _ in 0..2 {
                    self.random ^= self.random << 13;
                    self.random ^= self.random >> 7;
                    self.random ^= self.random << 17;
                    if self.noise > 0 {
                        level += (self.random % (2 * self.noise as u64 + 1)) as i32 - self.noise;
                    }
                }
                pixels.push(level.clamp(0, 255) as u8);
            }
        }
        self.now_us += 200_000;
        self.detector.look(&Small { width: W, height: H, pixels }, self.now_us)
    }

    fn with(settings: &MotionSettings) -> Self {
        Self { detector: Detector::new(settings), now_us: 0, random: 0x9E37_79B9, noise: 1, light: 0 }
    }

    /// A picture given by its levels.
    fn paint(&mut self, level: impl Fn(i32, i32) -> i32) -> Verdict {
        let mut pixels = Vec::with_capacity(W * H);
        for y in 0..H as i32 {
            for x in 0..W as i32 {
                self.random ^= self.random << 13;
                self.random ^= self.random >> 7;
                self.random ^= self.random << 17;
                pixels.push((level(x, y) + (self.random % 3) as i32 - 1).clamp(0, 255) as u8);
            }
        }
        self.now_us += 200_000;
        self.detector.look(&Small { width: W, height: H, pixels }, self.now_us)
    }

    fn quiet(&mut self, pictures: usize) {
        for i in 0..pictures {
            let verdict = self.show(&[]);
            assert!(!verdict.active && verdict.score == 0.0, "picture {i}: {verdict:?}");
        }
    }
}

#[test]
fn an_empty_scene_is_quiet_by_day_and_by_night() {
    for noise in [0, 2, 6] {
        Scene::new(Sensitivity::Medium, noise).quiet(300);
    }
}

#[test]
fn a_person_that_walks_in_is_seen_within_half_a_second() {
    for noise in [0, 3] {
        let mut scene = Scene::new(Sensitivity::Medium, noise);
        scene.quiet(50);
        let seen = (0..10).position(|i| scene.show(&[(i * 4, 30, 8, 24, 50)]).active);
        assert!(seen.is_some_and(|pictures| pictures <= 3), "{seen:?} with noise {noise}");
    }
}

#[test]
fn score_and_area_tell_how_large_it_is() {
    let mut scene = Scene::new(Sensitivity::Medium, 1);
    scene.quiet(20);
    let small = (0..5).map(|i| scene.show(&[(20 + i * 6, 30, 8, 16, 60)])).last().unwrap();
    let mut scene = Scene::new(Sensitivity::Medium, 1);
    scene.quiet(20);
    let large = (0..5).map(|i| scene.show(&[(20 + i * 6, 20, 40, 60, 60)])).last().unwrap();
    assert!(small.score > 0.0 && large.score > small.score && large.area > small.area, "{small:?} {large:?}");
}

#[test]
fn it_stays_while_somebody_stands_still_and_ends_after_they_left() {
    let mut scene = Scene::new(Sensitivity::Medium, 2);
    scene.quiet(50);
    for i in 0..10 {
        scene.show(&[(i * 4, 30, 10, 30, 50)]);
    }
    for i in 0..25 {
        assert!(scene.show(&[(40, 30, 10, 30, 50)]).active, "picture {i} of standing still");
    }
    for i in 10..36 {
        scene.show(&[(i * 4, 30, 10, 30, 50)]);
    }
    for _ in 0..25 {
        scene.show(&[]);
    }
    scene.quiet(50);
}

/// Crossings over the place where somebody was, every fifteen seconds: each must be an activity of its own.
fn crossings_end(scene: &mut Scene) {
    for crossing in 0..6 {
        let walk = (0..20).filter(|i| scene.show(&[(i * 9, 35, 9, 28, -45)]).active).count();
        let after: Vec<_> = (0..55).map(|_| scene.show(&[]).active).collect();
        assert!(crossing == 0 || walk > 5, "crossing {crossing} is seen");
        let ends = after.iter().rposition(|&active| active).map_or(0, |last| last + 1);
        assert!(ends < 25, "crossing {crossing} goes on for {ends} pictures after it");
    }
}

#[test]
fn what_was_in_the_first_picture_and_left_leaves_no_ghost_that_keeps_an_activity_going() {
    for (noise, stands) in [(1, 0), (3, 0), (1, 30), (3, 30)] {
        let mut scene = Scene::new(Sensitivity::Medium, noise);
        for _ in 0..stands {
            scene.show(&[(60, 30, 10, 30, 50)]);
        }
        for i in 0..30 {
            scene.show(&[(60 + i * 5, 30, 10, 30, 50)]);
        }
        crossings_end(&mut scene);
    }
}

#[test]
fn somebody_who_moved_while_the_light_came_on_leaves_no_ghost() {
    let mut scene = Scene::new(Sensitivity::Medium, 2);
    scene.quiet(50);
    for i in 0..40 {
        scene.light = if i < 12 { 0 } else { 60 };
        scene.show(&[(i * 5, 30, 10, 30, 50)]);
    }
    crossings_end(&mut scene);
}

#[test]
fn who_stands_still_before_a_wall_or_before_leaves_is_no_ghost() {
    for ground in [|_: i32, _: i32| 90, |x: i32, y: i32| 70 + (x / 3 * 37 + y / 4 * 53) % 60] {
        let mut scene = Scene::with(&MotionSettings::default());
        let who = |left: i32| {
            move |x: i32, y: i32| {
                let within = (left..left + 12).contains(&x) && (30..66).contains(&y);
                if within { 30 + (x * 5 + y * 3) % 20 } else { ground(x, y) }
            }
        };
        for _ in 0..50 {
            scene.paint(ground);
        }
        for i in 0..15 {
            scene.paint(who(i * 4));
        }
        for i in 0..60 {
            assert!(scene.paint(who(60)).active, "picture {i} of standing still");
        }
    }
}

#[test]
fn a_light_switched_on_is_not_motion() {
    let mut scene = Scene::new(Sensitivity::Medium, 2);
    scene.quiet(50);
    for light in [60, 0, 90] {
        scene.light = light;
        let verdict = scene.show(&[]);
        assert!(verdict.light && !verdict.active, "{verdict:?}");
        scene.quiet(30);
    }
}

#[test]
fn dusk_and_exposure_are_not_motion() {
    let mut scene = Scene::new(Sensitivity::Medium, 2);
    scene.quiet(50);
    for step in 0..60 {
        scene.light = step;
        assert!(!scene.show(&[]).active, "at {step}");
    }
    for step in 0..10 {
        scene.light = 60 - step * 5;
        assert!(!scene.show(&[]).active, "exposure at {step}");
    }
}

#[test]
fn sensitivity_decides_about_small_things() {
    let seen = |sensitivity, size| {
        let mut scene = Scene::new(sensitivity, 1);
        scene.quiet(50);
        (0..20).any(|i| scene.show(&[(i * 3, 40, size, size, 40)]).active)
    };
    use Sensitivity::{High, Low, Medium};
    assert!(!seen(Low, 5) && seen(High, 5));
    assert!(seen(Medium, 12) && seen(Low, 40));
}

#[test]
fn a_new_size_and_time_that_goes_back_start_anew() {
    let mut scene = Scene::new(Sensitivity::Medium, 0);
    scene.quiet(10);
    let small = Small { width: 40, height: 30, pixels: vec![9; 1200] };
    assert_eq!(scene.detector.look(&small, scene.now_us + 1), Verdict::default());
    assert_eq!(scene.detector.look(&small, 5), Verdict::default());
    assert_eq!(scene.detector.look(&Small::default(), 6), Verdict::default());
    assert_eq!(scene.detector.look(&Small::default(), 7), Verdict::default());
    scene.quiet(10);
}

/// A room: soft light, furniture with hard edges.
fn room(x: i32, y: i32) -> i32 {
    let furniture = i32::from((x / 22 + y / 17) % 2 == 0) * 45 + i32::from(x % 31 < 3) * 30;
    50 + x / 4 + y / 3 + furniture
}

fn corner(name: &str, left: f32, top: f32, right: f32, bottom: f32) -> Zone {
    let outline = Polygon::new(vec![[left, top], [right, top], [right, bottom], [left, bottom]]).unwrap();
    Zone { name: name.into(), outline }
}

/// Shows one thing that walks from left to right at this height; the zones that were ever active.
fn walk(scene: &mut Scene, top: i32) -> u32 {
    scene.quiet(30);
    (0..20).map(|i| scene.show(&[(i * 8, top, 10, 16, 60)]).zones).fold(0, |all, zones| all | zones)
}

#[test]
fn each_zone_is_told_apart_and_the_rest_of_the_frame_is_nothing() {
    let zones = vec![corner("door", 0.0, 0.0, 1.0, 0.3), corner("garden", 0.0, 0.6, 1.0, 1.0)];
    let settings = MotionSettings { zones, ..MotionSettings::default() };
    assert_eq!(walk(&mut Scene::with(&settings), 5), 0b01);
    assert_eq!(walk(&mut Scene::with(&settings), 70), 0b10);
    assert_eq!(walk(&mut Scene::with(&settings), 40), 0);
    assert_eq!(walk(&mut Scene::with(&MotionSettings::default()), 40), 1, "without zones the frame is one");
}

#[test]
fn a_thing_counts_as_a_part_of_its_zone() {
    let half = 0.5_f32;
    let of_zone = |right, bottom| {
        let expert = Expert { area: Some(0.03), ..Expert::default() };
        let zones = vec![corner("z", 0.0, 0.0, right, bottom)];
        let mut scene = Scene::with(&MotionSettings { zones, expert, ..MotionSettings::default() });
        scene.quiet(30);
        (0..6).any(|i| scene.show(&[(i * 10, 10, 16, 16, 60)]).active)
    };
    assert!(of_zone(half, half), "its leading edge is 0.036 of a quarter of the frame");
    assert!(!of_zone(1.0, 1.0), "and 0.009 of the frame");
}

#[test]
fn a_mask_hides_what_moves_below_it() {
    let settings = MotionSettings { masks: vec![corner("tree", 0.0, 0.0, 1.0, 0.5)], ..MotionSettings::default() };
    assert_eq!(walk(&mut Scene::with(&settings), 10), 0);
    assert_eq!(walk(&mut Scene::with(&settings), 70), 1);
}

#[test]
fn the_heat_map_is_warm_where_it_moves_and_cold_elsewhere() {
    let mut scene = Scene::new(Sensitivity::Medium, 1);
    scene.quiet(30);
    let heat = (0..6).filter_map(|i| scene.show(&[(10 + i * 4, 70, 10, 20, 60)]).heat).last().unwrap();
    let warm: Vec<_> = (0..256).filter(|&field| heat[field] > 0).collect();
    assert!(!warm.is_empty());
    assert!(warm.iter().all(|field| field / 16 >= 10 && field % 16 <= 4), "{warm:?}");
}

#[test]
fn a_camera_that_shakes_sees_no_motion() {
    let mut scene = Scene::with(&MotionSettings::default());
    for _ in 0..30 {
        scene.paint(room);
    }
    let sway = [1, -1, 2, 0, -2, 1, 0, 2, -1, 0];
    for i in 0..60 {
        let (dx, dy) = (sway[i % 10], sway[(i + 3) % 10] / 2);
        let verdict = scene.paint(|x, y| room(x + dx, y + dy));
        assert!(!verdict.active, "picture {i}: {verdict:?}");
    }
}

#[test]
fn a_wall_with_few_edges_that_shakes_a_little_is_no_motion() {
    // Posts before a wall, and the edge of a door: little of it changes when it shakes, but in many places.
    let within = |at: f32, from: f32, to: f32| (at - from).clamp(0.0, 1.0) * (to - at).clamp(0.0, 1.0);
    let wall = |x: f32, y: f32| {
        let post = within(x.rem_euclid(60.0), 20.0, 25.0) * within(y.rem_euclid(50.0), 15.0, 24.0);
        (90.0 + 90.0 * post + 60.0 * within(x, 160.0, 200.0) * within(y, 5.0, 95.0)) as i32
    };
    let mut scene = Scene::with(&MotionSettings::default());
    for _ in 0..50 {
        scene.paint(|x, y| wall(x as f32, y as f32));
    }
    for i in 0..40 {
        let (dx, dy) = (0.9 * (i as f32 * 2.3).sin(), 0.6 * (i as f32 * 1.7).sin());
        let verdict = scene.paint(|x, y| wall(x as f32 + dx, y as f32 + dy));
        assert!(!verdict.active, "picture {i}: {verdict:?}");
    }
}

#[test]
fn a_person_is_seen_although_the_camera_shakes() {
    let mut scene = Scene::with(&MotionSettings::default());
    for _ in 0..30 {
        scene.paint(room);
    }
    let seen = (0..15).any(|i| {
        let d = i % 2;
        let inside = |x: i32, y: i32| (i * 6..i * 6 + 14).contains(&x) && (40..80).contains(&y);
        scene.paint(|x, y| if inside(x, y) { 230 } else { room(x + d, y) }).active
    });
    assert!(seen);
}

#[test]
fn the_switch_to_infrared_is_not_motion() {
    let mut scene = Scene::with(&MotionSettings::default());
    for _ in 0..30 {
        scene.paint(room);
    }
    // Green leaves become bright, dark cloth too, the sky dark.
    let infrared = |x: i32, y: i32| 20 + (room(x, y) * if y < 40 { 3 } else { 9 } / 8 - 30 + (x * y) % 40);
    for i in 0..40 {
        let verdict = scene.paint(infrared);
        assert!(!verdict.active, "picture {i}: {verdict:?}");
    }
}

#[test]
fn leaves_in_the_wind_fall_silent_in_half_a_minute() {
    let mut scene = Scene::with(&MotionSettings::default());
    let leaf = |i: i32| {
        move |x: i32, y: i32| room(x, y) + if x > 120 && y < 40 { ((x + i * 5) * (y + i * 3)) % 7 * 6 } else { 0 }
    };
    for i in 0..200 {
        scene.paint(leaf(i));
    }
    for i in 200..400 {
        let verdict = scene.paint(leaf(i));
        assert!(!verdict.active, "picture {i}: {verdict:?}");
    }
    let seen = (0..15).any(|i| {
        let person = |x: i32, y: i32| (i * 6..i * 6 + 10).contains(&x) && (50..80).contains(&y);
        scene.paint(|x, y| if person(x, y) { 220 } else { leaf(i)(x, y) }).active
    });
    assert!(seen, "who walks beside the tree is seen");
}

fn tampers(scene: &mut Scene, pictures: usize, level: impl Fn(i32, i32) -> i32) -> Vec<Tamper> {
    (0..pictures).filter_map(|_| scene.paint(&level).tamper).collect()
}

#[test]
fn covered_defocused_and_moved_are_told_once() {
    let soft = |x: i32, y: i32| {
        let at = |dx: i32, dy: i32| room((x + dx).max(0), (y + dy).max(0));
        (-12..=12)
            .step_by(2)
            .flat_map(|dx| (-12..=12).step_by(2).map(move |dy| (dx, dy)))
            .map(|(dx, dy)| at(dx, dy))
            .sum::<i32>()
            / 169
    };
    let elsewhere = |x: i32, y: i32| {
        60 + i32::from((x - 60).pow(2) + (y - 40).pow(2) < 900) * 100 + i32::from(y % 23 < 4) * 50 - x / 5
    };
    type Levels<'a> = &'a dyn Fn(i32, i32) -> i32;
    let cases: [(Tamper, Levels<'_>); 3] =
        [(Tamper::Covered, &|_, _| 40), (Tamper::Defocused, &soft), (Tamper::Moved, &elsewhere)];
    for (how, level) in cases {
        let mut scene = Scene::with(&MotionSettings::default());
        assert_eq!(tampers(&mut scene, 100, room), []);
        assert_eq!(tampers(&mut scene, 100, level), [how]);
        assert_eq!(tampers(&mut scene, 100, room), [], "good again");
        assert_eq!(tampers(&mut scene, 100, level), [how], "and once more");
    }
}

#[test]
fn a_camera_that_goes_grey_is_told_and_what_is_left_of_its_picture_is_still_looked_at() {
    let walker = |i: i32| move |x: i32, y: i32| (i * 6..i * 6 + 10).contains(&x) && (15..45).contains(&y);
    let grey = |_: i32, _: i32| 128;
    let half = |x: i32, y: i32| if y < 50 { room(x, y) } else { 128 };
    let mut scene = Scene::with(&MotionSettings::default());
    assert_eq!(tampers(&mut scene, 100, room), []);
    assert_eq!(tampers(&mut scene, 50, grey), [Tamper::Covered]);
    assert!((0..100).all(|_| !scene.paint(grey).active), "nothing moves in it");
    for level in [&room as &dyn Fn(i32, i32) -> i32, &half] {
        // A minute, after which what stands there is part of the scene.
        tampers(&mut scene, 400, level);
        assert!((0..50).all(|_| !scene.paint(level).active), "quiet again");
        let seen = (0..20).any(|i| scene.paint(|x, y| if walker(i)(x, y) { 220 } else { level(x, y) }).active);
        assert!(seen, "who walks through it is seen");
    }
}

#[test]
fn light_and_motion_are_no_tampering() {
    let mut scene = Scene::with(&MotionSettings::default());
    assert_eq!(tampers(&mut scene, 100, room), []);
    assert_eq!(tampers(&mut scene, 150, |x, y| room(x, y) * 2 / 3), [], "dimmed");
    assert_eq!(tampers(&mut scene, 150, |x, y| room(x, y) + 60), [], "lit");
    for i in 0..300 {
        let near = |x: i32, y: i32| (i % 178..i % 178 + 60).contains(&x) && y > 20;
        assert_eq!(scene.paint(|x, y| if near(x, y) { 90 } else { room(x, y) }).tamper, None);
    }
    let off = Expert { tamper: Some(false), ..Expert::default() };
    let mut scene = Scene::with(&MotionSettings { expert: off, ..MotionSettings::default() });
    assert_eq!(tampers(&mut scene, 100, room), []);
    assert_eq!(tampers(&mut scene, 100, |_, _| 40), [], "switched off");
}

#[test]
fn a_dark_room_is_told_late_and_a_featureless_one_never() {
    let mut scene = Scene::with(&MotionSettings::default());
    assert_eq!(tampers(&mut scene, 100, room), []);
    assert_eq!(tampers(&mut scene, 250, |_, _| 5), [], "fifty seconds");
    assert_eq!(tampers(&mut scene, 100, |_, _| 5), [Tamper::Covered]);
    let mut scene = Scene::with(&MotionSettings::default());
    assert_eq!(tampers(&mut scene, 100, |_, _| 80), []);
    assert_eq!(tampers(&mut scene, 400, |_, _| 5), []);
}

#[test]
fn a_large_thing_is_told_with_its_first_picture_and_a_small_one_with_its_second() {
    let first = |size: i32| {
        let mut scene = Scene::with(&MotionSettings::default());
        // It hides what is behind it and has a face of its own: what only grows brighter may be a lamp's light.
        let ground = |x: i32, y: i32| 60 + (x * 7 + y * 13) % 60;
        for _ in 0..30 {
            assert!(!scene.paint(ground).active);
        }
        (0..5).position(|i| {
            let within = |x, y| (20 + i * 6..20 + i * 6 + size).contains(&x) && (30..30 + size).contains(&y);
            scene.paint(|x, y| if within(x, y) { 170 + (x * 3 + y * 5) % 30 } else { ground(x, y) }).active
        })
    };
    assert_eq!((first(12), first(6)), (Some(0), Some(1)));
}

#[test]
fn rain_is_no_motion_and_who_walks_in_it_is() {
    let mut scene = Scene::with(&MotionSettings::default());
    let mut seed = 7u64;
    let mut drops = move || -> Vec<(i32, i32)> {
        let mut next = |end: i32| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as i32 % end
        };
        (0..30).map(|_| (next(W as i32), next(H as i32))).collect()
    };
    let wet = |drops: &[(i32, i32)], x: i32, y: i32| {
        i32::from(drops.iter().any(|&(left, top)| x == left && (top..top + 10).contains(&y))) * 60
    };
    for i in 0..300 {
        let drops = drops();
        let verdict = scene.paint(|x, y| room(x, y) + wet(&drops, x, y));
        assert!(i < 10 || !verdict.active, "picture {i}: {verdict:?}");
    }
    let seen = (0..15).any(|i| {
        let drops = drops();
        let person = |x: i32, y: i32| (i * 6..i * 6 + 14).contains(&x) && (40..80).contains(&y);
        scene.paint(|x, y| if person(x, y) { 230 } else { room(x, y) + wet(&drops, x, y) }).active
    });
    assert!(seen);
}

#[test]
fn who_fills_a_large_part_of_the_view_is_not_taken_for_light() {
    let mut scene = Scene::with(&MotionSettings::default());
    for _ in 0..30 {
        scene.paint(room);
    }
    let verdict = scene.paint(|x, y| if (20..120).contains(&x) { 30 + y / 9 } else { room(x, y) });
    assert!(verdict.active && !verdict.light, "{verdict:?}");
    // Shade over the same part leaves what is there to be seen.
    let mut scene = Scene::with(&MotionSettings::default());
    for _ in 0..30 {
        scene.paint(room);
    }
    let verdict = scene.paint(|x, y| if (20..120).contains(&x) { room(x, y) / 2 } else { room(x, y) });
    assert!(!verdict.active && verdict.light && verdict.is_suspicious(), "{verdict:?}");
}

#[test]
fn a_cloth_that_comes_over_the_lens_is_told_soon_although_it_is_dark_below() {
    let mut scene = Scene::with(&MotionSettings::default());
    assert_eq!(tampers(&mut scene, 100, room), []);
    for rows in [25, 50, 75] {
        assert_eq!(tampers(&mut scene, 1, |x, y| if y < rows { 8 } else { room(x, y) }), []);
    }
    assert_eq!(tampers(&mut scene, 40, |_, _| 8), [Tamper::Covered], "within eight seconds");
}

/// `cargo test --release -p privet-hub detector_step -- --ignored --nocapture`
#[test]
#[ignore = "prints how long a step takes"]
fn detector_step() {
    let mut scene = Scene::new(Sensitivity::Medium, 2);
    let pictures: Vec<_> = (0..20)
        .map(|i| {
            scene.show(&[(i * 4, 30, 8, 24, 50)]);
            Small { width: W, height: H, pixels: scene.detector.history.back().unwrap().1.clone() }
        })
        .collect();
    let mut detector = Detector::new(&MotionSettings::default());
    // The processor's time, not the clock's, and the quickest round: others may use the machine.
    let used = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let rounds = (0..50).map(|round| {
        let began = used();
        for i in round * 100..(round + 1) * 100 {
            detector.look(&pictures[i % 20], i as i64 * 200_000);
        }
        (used() - began) / 100
    });
    println!("{:?} for each picture of {W}x{H}", rounds.min().unwrap());
}
