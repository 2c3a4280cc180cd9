#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

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
    fn new(sensitivity: u8, noise: i32) -> Self {
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
        Scene::new(5, noise).quiet(300);
    }
}

#[test]
fn a_person_that_walks_in_is_seen_within_half_a_second() {
    for noise in [0, 3] {
        let mut scene = Scene::new(5, noise);
        scene.quiet(50);
        let seen = (0..10).position(|i| scene.show(&[(i * 4, 30, 8, 24, 50)]).active);
        assert!(seen.is_some_and(|pictures| pictures <= 3), "{seen:?} with noise {noise}");
    }
}

#[test]
fn score_and_area_tell_how_large_it_is() {
    let mut scene = Scene::new(5, 1);
    scene.quiet(20);
    let small = (0..5).map(|i| scene.show(&[(20 + i * 6, 30, 8, 16, 60)])).last().unwrap();
    let mut scene = Scene::new(5, 1);
    scene.quiet(20);
    let large = (0..5).map(|i| scene.show(&[(20 + i * 6, 20, 40, 60, 60)])).last().unwrap();
    assert!(small.score > 0.0 && large.score > small.score && large.area > small.area, "{small:?} {large:?}");
}

#[test]
fn it_stays_while_somebody_stands_still_and_ends_after_they_left() {
    let mut scene = Scene::new(5, 2);
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

#[test]
fn a_light_switched_on_is_not_motion() {
    let mut scene = Scene::new(5, 2);
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
    let mut scene = Scene::new(5, 2);
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
    assert!(!seen(1, 5) && seen(10, 5));
    assert!(seen(5, 12) && seen(1, 40));
}

#[test]
fn a_new_size_and_time_that_goes_back_start_anew() {
    let mut scene = Scene::new(5, 0);
    scene.quiet(10);
    let small = Small { width: 40, height: 30, pixels: vec![9; 1200] };
    assert_eq!(scene.detector.look(&small, scene.now_us + 1), Verdict::default());
    assert_eq!(scene.detector.look(&small, 5), Verdict::default());
    assert_eq!(scene.detector.look(&Small::default(), 6), Verdict::default());
    assert_eq!(scene.detector.look(&Small::default(), 7), Verdict::default());
    scene.quiet(10);
}
