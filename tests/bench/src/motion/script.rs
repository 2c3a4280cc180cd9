//! The scenes of the set. Everything that varies is drawn from the seed, so that other seeds make other scenes of the same kinds.

use super::place::Place;
use super::random::Random;
use super::scene::{Actor, Air, Lens, Light, Scene};

/// Cutouts that walk; the rest are cars.
pub const WALKERS: usize = 6;
const CARS: usize = 2;

/// Each kind of scene once.
pub fn scenes(seed: u64) -> Vec<Scene> {
    KINDS
        .iter()
        .enumerate()
        .map(|(place, kind)| make(kind, seed.wrapping_mul(1_000).wrapping_add(place as u64)))
        .collect()
}

/// In the order in which they are printed.
pub const KINDS: [&str; 22] = [
    "person by day",
    "person by night",
    "passing car",
    "slow walker",
    "loiterer",
    "small and far",
    "near and large",
    "wind, and a person",
    "rain, and a person",
    "shake, and a person",
    "covered",
    "defocused",
    "quiet day",
    "night noise",
    "light switch",
    "lamp in a part",
    "infrared cut",
    "wind",
    "rain",
    "clouds",
    "light, and a person",
    "there at first, then another",
];

fn make(kind: &'static str, seed: u64) -> Scene {
    let mut random = Random::new(seed);
    let r = &mut random;
    let mut scene = Scene {
        kind,
        seed,
        seconds: 24.0,
        place: Place::Room,
        actors: Vec::new(),
        light: Light::Steady(1.0),
        air: Air::Clear,
        lens: Lens::Still,
        noise: 2.0,
        blotches: 0.0,
    };
    match kind {
        "person by day" => {
            scene.place = if r.coin() { Place::Room } else { Place::Garden };
            for from in [8.5, 16.5] {
                let begin = from + r.between(0.0, 2.0);
                let walker = across(r, begin, 4.0..5.5, 0.35..0.65, 0.98);
                scene.actors.push(walker);
            }
        }
        "person by night" => {
            night(&mut scene, r);
            let begin = 9.0 + r.between(0.0, 3.0);
            let mut walker = across(r, begin, 5.0..7.0, 0.4..0.65, 0.97);
            walker.paler = r.between(60.0, 100.0);
            scene.actors.push(walker);
        }
        "passing car" => {
            scene.place = Place::Road;
            for from in [8.5, 16.5] {
                let begin = from + r.between(0.0, 3.0);
                scene.actors.push(car(r, begin));
            }
        }
        "slow walker" => {
            scene.place = if r.coin() { Place::Room } else { Place::Garden };
            let begin = 9.0 + r.between(0.0, 2.0);
            scene.actors.push(across(r, begin, 24.0..30.0, 0.3..0.5, 0.95));
        }
        "loiterer" => {
            scene.seconds = 30.0;
            let begin = 9.0 + r.between(0.0, 2.0);
            let walker = across(r, begin, 5.0..6.0, 0.4..0.6, 0.97);
            scene.actors.push(stands(walker, r.between(8.0, 10.0)));
        }
        "small and far" => {
            scene.place = Place::Garden;
            let begin = 9.0 + r.between(0.0, 2.0);
            let foot = r.between(0.5, 0.62);
            scene.actors.push(across(r, begin, 16.0..20.0, 0.115..0.14, foot));
        }
        "near and large" => {
            let begin = 11.0 + r.between(0.0, 3.0);
            scene.actors.push(across(r, begin, 2.2..3.0, 1.7..2.2, 1.5));
        }
        "wind, and a person" | "wind" => {
            scene.place = Place::Garden;
            scene.air = Air::Wind(r.between(0.003, 0.006));
            if kind != "wind" {
                let begin = 13.0 + r.between(0.0, 3.0);
                scene.actors.push(across(r, begin, 5.0..7.0, 0.3..0.45, 0.95));
            }
        }
        "rain, and a person" | "rain" => {
            scene.place = if r.coin() { Place::Road } else { Place::Garden };
            scene.air = Air::Rain(120 + r.below(120));
            if kind != "rain" {
                let begin = 11.0 + r.between(0.0, 3.0);
                let mut walker = across(r, begin, 5.0..7.0, 0.3..0.5, 0.95);
                walker.paler = if scene.place == Place::Road { 90.0 } else { 0.0 };
                scene.actors.push(walker);
            }
        }
        "shake, and a person" => {
            scene.place = if r.coin() { Place::Room } else { Place::Garden };
            scene.lens = Lens::Shaken(r.between(0.002, 0.005));
            let begin = 13.0 + r.between(0.0, 3.0);
            scene.actors.push(across(r, begin, 5.0..7.0, 0.4..0.6, 0.95));
        }
        "covered" => {
            scene.seconds = 28.0;
            scene.place = if r.coin() { Place::Room } else { Place::Garden };
            scene.lens = Lens::Covered(r.between(13.0, 15.0));
        }
        "defocused" => {
            scene.seconds = 28.0;
            scene.place = if r.coin() { Place::Room } else { Place::Garden };
            scene.lens = Lens::Defocused(r.between(13.0, 15.0));
        }
        "night noise" => night(&mut scene, r),
        "light switch" => {
            let first = r.between(9.0, 10.5);
            let at = vec![first, first + r.between(4.0, 5.5), first + r.between(9.0, 11.0)];
            scene.light = Light::Switch { off: r.between(0.15, 0.35), on: 1.0, at };
            scene.noise = 3.0;
        }
        "light, and a person" => {
            let begin = r.between(10.0, 12.0);
            let walker = across(r, begin, 6.0..8.0, 0.4..0.6, 0.97);
            scene.actors.push(walker);
            // Whoever comes in switches it on; the first steps are in the dark, or in the lit room.
            scene.light = Light::Switch { off: r.between(0.15, 0.35), on: 1.0, at: vec![begin + r.between(-0.5, 2.0)] };
            scene.noise = 3.0;
        }
        "there at first, then another" => {
            scene.place = if r.coin() { Place::Room } else { Place::Garden };
            let (x, stands, height) = (r.between(0.3, 0.7), r.between(0.5, 2.0), r.between(0.35, 0.6));
            let (who, mirrored) = (r.below(WALKERS), r.coin());
            let out = if mirrored { -0.2 } else { 1.2 };
            let path = vec![(-1.0, x, 0.97), (stands, x, 0.97), (stands + 2.5, out, 0.97)];
            scene.actors.push(Actor { who, height, mirrored, paler: 0.0, path });
            let begin = 14.0 + r.between(0.0, 3.0);
            scene.actors.push(across(r, begin, 4.0..5.5, 0.35..0.65, 0.98));
        }
        "lamp in a part" => {
            scene.place = if r.coin() { Place::Room } else { Place::Garden };
            let first = r.between(9.0, 11.0);
            scene.light = Light::Lamp { night: r.between(0.25, 0.4), at: vec![first, first + r.between(5.0, 8.0)] };
            scene.noise = 4.0;
        }
        "infrared cut" => {
            scene.place = Place::Garden;
            let at = r.between(9.0, 12.0);
            scene.light = Light::Infrared { at, back: at + r.between(5.0, 7.0) };
            scene.noise = 3.0;
        }
        "clouds" => {
            scene.place = Place::Garden;
            scene.light = Light::Clouds { depth: r.between(0.2, 0.4), period: r.between(5.0, 9.0) };
        }
        _ => scene.place = if r.coin() { Place::Garden } else { Place::Road },
    }
    scene
}

fn night(scene: &mut Scene, r: &mut Random) {
    scene.place = if r.coin() { Place::Road } else { Place::Garden };
    scene.light = Light::Steady(r.between(0.35, 0.5));
    scene.noise = r.between(8.0, 12.0);
    scene.blotches = r.between(1.5, 2.5);
}

type Span = std::ops::Range<f32>;

/// Somebody who crosses the picture from one side to the other.
fn across(r: &mut Random, from: f32, seconds: Span, height: Span, foot: f32) -> Actor {
    let (seconds, height) = (r.between(seconds.start, seconds.end), r.between(height.start, height.end));
    let (mirrored, out) = (r.coin(), 0.06 + height * 0.2);
    let (x0, x1) = if mirrored { (1.0 + out, -out) } else { (-out, 1.0 + out) };
    let who = r.below(WALKERS);
    Actor { who, height, mirrored, paler: 0.0, path: vec![(from, x0, foot), (from + seconds, x1, foot)] }
}

/// The same, but stands for so long half-way.
fn stands(walker: Actor, seconds: f32) -> Actor {
    let [(t0, x0, y), (t1, x1, _)] = [walker.path[0], walker.path[1]];
    let (middle, x) = ((t0 + t1) / 2.0, (x0 + x1) / 2.0);
    Actor { path: vec![(t0, x0, y), (middle, x, y), (middle + seconds, x, y), (t1 + seconds, x1, y)], ..walker }
}

/// A car seen from above, that drives up the picture.
fn car(r: &mut Random, from: f32) -> Actor {
    let (height, x, seconds) = (r.between(0.35, 0.6), r.between(0.2, 0.8), r.between(1.8, 3.0));
    let who = WALKERS + r.below(CARS);
    Actor {
        who,
        height,
        mirrored: r.coin(),
        paler: 0.0,
        path: vec![(from, x, 1.0 + height), (from + seconds, x, -0.02)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_set_and_another_one_another() {
        let told = |seed| format!("{:?}", scenes(seed));
        assert_eq!(told(1), told(1));
        assert_ne!(told(1), told(2));
        assert_eq!(scenes(1).len(), KINDS.len());
    }
}
