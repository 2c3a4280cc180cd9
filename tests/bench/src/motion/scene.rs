//! What a scene is made of, and what it looks like at a moment. Nothing here knows a detector: the labels are what was put in.

use super::cutout::Cutout;
use super::place::Place;

/// Frames a second, main stream and substream alike.
pub const FPS: usize = 15;
/// A hub has run for weeks when somebody comes: nothing is asked of a scene's first seconds.
pub const WARM_UP_S: f32 = 8.0;
/// The part of the picture's pixels in which a thing must be seen to count as having come.
pub const VISIBLE: f32 = 0.001;

/// A scene of the labelled set.
#[derive(Clone, Debug)]
pub struct Scene {
    pub kind: &'static str,
    pub seed: u64,
    pub seconds: f32,
    pub place: Place,
    pub actors: Vec<Actor>,
    pub light: Light,
    pub air: Air,
    pub lens: Lens,
    /// Deviation of the sensor's noise at 1080p, levels.
    pub noise: f32,
    /// Deviation of the blotches that a camera's own noise filter leaves at night, levels.
    pub blotches: f32,
}

/// Somebody, or a car.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Which of the cutouts.
    pub who: usize,
    /// Height in parts of the picture's height.
    pub height: f32,
    pub mirrored: bool,
    /// Added to the figure's levels.
    pub paler: f32,
    /// When it is where: seconds; the middle of its lower edge in parts of the picture. Not there before the first and after the last.
    pub path: Vec<(f32, f32, f32)>,
}

/// What the light does.
#[derive(Clone, Debug)]
pub enum Light {
    /// Always this part of the place's own light.
    Steady(f32),
    /// A ceiling lamp: on, off, on ... at these seconds, beginning with off. The camera's exposure follows.
    Switch { off: f32, on: f32, at: Vec<f32> },
    /// A lamp that lights a part of the picture, from one of these seconds to the next.
    Lamp { night: f32, at: Vec<f32> },
    /// The camera goes over to infrared, and back.
    Infrared { at: f32, back: f32 },
    /// Clouds: so much less light in this many seconds, and back.
    Clouds { depth: f32, period: f32 },
}

/// What the air is full of.
#[derive(Clone, Debug)]
pub enum Air {
    Clear,
    /// The tree's leaves move by this part of the picture's width; more in gusts.
    Wind(f32),
    /// Streaks in each frame.
    Rain(usize),
}

/// What happens to the camera.
#[derive(Clone, Debug)]
pub enum Lens {
    Still,
    /// It shakes by this part of the picture's width, two seconds of every four.
    Shaken(f32),
    /// Something is put over it at this second.
    Covered(f32),
    /// It goes out of focus at this second.
    Defocused(f32),
}

/// What a scene holds from one second to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// The first bit of it is in the picture: who finds it now is not wrong.
    pub enters: f32,
    /// [`VISIBLE`] of it is.
    pub from: f32,
    pub to: f32,
    pub what: What,
}

/// What a [`Label`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// Something moves: to be found.
    Motion,
    /// The view is taken away: to be told, by whatever word.
    Tampering,
    /// Neither right nor wrong to find: the hand that covers the camera.
    Either,
}

/// What the world looks like at one moment.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// Times the place's own light.
    pub gain: f32,
    /// Added by the lamp where it shines most.
    pub lamp: f32,
    pub infrared: bool,
    /// Parts of the picture's width.
    pub shift: (f32, f32),
    /// Amplitude, parts of the picture's width.
    pub wind: f32,
    /// 0 sharp to 1.
    pub blur: f32,
    /// Part of the picture below the cover.
    pub cover: f32,
}

impl Scene {
    pub fn frames(&self) -> usize {
        (self.seconds * FPS as f32) as usize
    }

    pub fn at(&self, t: f32) -> Moment {
        let mut moment = Moment { gain: 1.0, ..Moment::default() };
        match &self.light {
            Light::Steady(gain) => moment.gain = *gain,
            Light::Switch { off, on, at } => {
                let done = at.iter().filter(|&&at| t >= at).count();
                let since = done.checked_sub(1).map_or(9.0, |last| t - at[last]);
                moment.gain = *off;
                // Too bright or too dark at first, until the exposure has followed.
                let follows = (-since / 0.35).exp();
                if done % 2 == 1 {
                    (moment.gain, moment.lamp) = (off + (on - off) * 0.6, (on - off) * 0.7 * (1.0 + 0.35 * follows));
                } else if done > 0 {
                    moment.gain = off * (1.0 - 0.4 * follows);
                }
            }
            Light::Lamp { night, at } => {
                let lit = at.iter().filter(|&&at| t >= at).count() % 2 == 1;
                (moment.gain, moment.lamp) = (*night, if lit { 0.55 } else { 0.0 });
            }
            Light::Infrared { at, back } => {
                moment.infrared = (*at..*back).contains(&t);
                let since = if t >= *back { t - back } else { t - at };
                // The filter falls, the picture is dark for a moment, then too bright, then right.
                moment.gain = match since {
                    s if s < 0.0 => 1.0,
                    s if s < 0.3 => 0.3,
                    s => 1.0 + 0.5 * (-(s - 0.3) / 0.3).exp(),
                };
            }
            Light::Clouds { depth, period } => {
                moment.gain = 1.0 - depth * 0.5 * (1.0 - (t / period * std::f32::consts::TAU).cos());
            }
        }
        if let Air::Wind(amplitude) = self.air {
            let gust = (t * 0.7 + self.seed as f32 % 6.0).sin().max(0.0) + 0.5 * (t * 1.9).sin().max(0.0);
            moment.wind = amplitude * (0.35 + gust);
        }
        match self.lens {
            Lens::Still => {}
            Lens::Shaken(amplitude) => {
                if t % 4.0 >= 2.0 {
                    let across = (t * 19.0).sin() + 0.6 * (t * 31.0 + 1.0).sin();
                    let along = 0.6 * (t * 23.0 + 2.0).sin();
                    moment.shift = (amplitude * across, amplitude * along);
                }
            }
            Lens::Covered(at) => moment.cover = ((t - at) / 0.8).clamp(0.0, 1.0),
            Lens::Defocused(at) => moment.blur = ((t - at) / 1.2).clamp(0.0, 1.0),
        }
        moment
    }

    /// What was put into the scene, in order of time.
    pub fn labels(&self, cast: &[Cutout]) -> Vec<Label> {
        let mut labels: Vec<_> = self.actors.iter().filter_map(|actor| actor.seen(cast, self.frames())).collect();
        if let Lens::Covered(at) | Lens::Defocused(at) = self.lens {
            labels.push(Label { enters: at, from: at, to: at + 2.0, what: What::Either });
            labels.push(Label { enters: at, from: at, to: self.seconds, what: What::Tampering });
        }
        labels.sort_by(|a, b| a.from.total_cmp(&b.from));
        labels
    }
}

impl Actor {
    /// Where it is: the middle of its lower edge.
    pub fn position(&self, t: f32) -> Option<(f32, f32)> {
        self.path.windows(2).find_map(|pair| {
            let [(t0, x0, y0), (t1, x1, y1)] = [pair[0], pair[1]];
            let part = (t - t0) / (t1 - t0);
            (t0..t1).contains(&t).then_some((x0 + (x1 - x0) * part, y0 + (y1 - y0) * part))
        })
    }

    /// Which of its figure's pictures is shown: ten a second while it goes, one while it stands.
    pub fn step(&self, t: f32, count: usize) -> usize {
        let going: f32 = self
            .path
            .windows(2)
            .filter(|pair| pair[0].1 != pair[1].1 || pair[0].2 != pair[1].2)
            .map(|pair| (t.min(pair[1].0) - pair[0].0).max(0.0))
            .sum();
        (going * 10.0) as usize % count.max(1)
    }

    /// The part of the picture's pixels in which it is seen.
    pub fn visible(&self, cast: &[Cutout], t: f32) -> f32 {
        let Some((x, y)) = self.position(t) else { return 0.0 };
        let pictures = &cast[self.who].pictures;
        let picture = &pictures[self.step(t, pictures.len())];
        // Parts of a picture of 16 : 9.
        let pixel = self.height / picture.height as f32;
        let (wide, left) = (pixel * 9.0 / 16.0, x - picture.width as f32 * pixel * 9.0 / 16.0 / 2.0);
        let seen = (0..picture.alpha.len())
            .filter(|at| {
                let across = left + (at % picture.width) as f32 * wide;
                let down = y - self.height + (at / picture.width) as f32 * pixel;
                picture.alpha[*at] > 127 && (0.0..1.0).contains(&across) && (0.0..1.0).contains(&down)
            })
            .count();
        seen as f32 * pixel * wide
    }

    fn seen(&self, cast: &[Cutout], frames: usize) -> Option<Label> {
        let visible: Vec<_> = (0..frames).map(|n| self.visible(cast, n as f32 / FPS as f32)).collect();
        let second = |n: usize| n as f32 / FPS as f32;
        let enters = second(visible.iter().position(|&part| part > 0.0)?);
        let from = second(visible.iter().position(|&part| part >= VISIBLE)?);
        let to = second(visible.iter().rposition(|&part| part >= VISIBLE)? + 1);
        Some(Label { enters, from, to, what: What::Motion })
    }
}

#[cfg(test)]
mod tests {
    use super::super::cutout::Picture;
    use super::*;

    fn block() -> Vec<Cutout> {
        let (width, height) = (9, 16);
        let picture = Picture { width, height, luma: vec![9; 144], alpha: vec![255; 144] };
        vec![Cutout { pictures: vec![picture] }]
    }

    #[test]
    fn an_event_begins_when_enough_of_the_thing_is_in_the_picture() {
        // 0.2 high and 0.0633 wide, a hundredth of the picture; its middle comes from 0.1 left of the edge, 0.1 a second.
        let actor =
            Actor { who: 0, height: 0.2, mirrored: false, paler: 0.0, path: vec![(10.0, -0.1, 0.9), (22.0, 1.1, 0.9)] };
        let label = actor.seen(&block(), 450).unwrap_or(Label { enters: 0.0, from: 0.0, to: 0.0, what: What::Either });
        assert!((label.from - 10.73).abs() < 0.1 && (label.to - 21.3).abs() < 0.15, "{label:?}");
        assert!(label.enters <= label.from && label.enters > 10.6, "{label:?}");
        assert_eq!(actor.visible(&block(), 9.9), 0.0);
        assert!((actor.visible(&block(), 16.0) - 0.0127).abs() < 0.001);
        let far = Actor { height: 0.02, ..actor };
        assert_eq!(far.seen(&block(), 450), None, "less than counts");
    }

    #[test]
    fn who_stands_does_not_step() {
        let path = vec![(0.0, 0.1, 0.9), (1.0, 0.2, 0.9), (3.0, 0.2, 0.9), (4.0, 0.3, 0.9)];
        let actor = Actor { who: 0, height: 0.2, mirrored: false, paler: 0.0, path };
        assert_eq!(actor.step(1.2, 100), actor.step(2.9, 100));
        assert!(actor.step(3.5, 100) > actor.step(2.9, 100));
        assert_eq!(actor.position(4.0), None);
    }
}
