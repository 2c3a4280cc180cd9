//! The observer: logistic regression on what was seen in a window and in those around it. It learns from one half of the windows
//! and guesses the other, both ways round, so that every window is guessed by one that did not know it.

use crate::motion::random::Random;

/// Steps of gradient descent.
const STEPS: usize = 600;
const RATE: f64 = 0.3;
/// How much large weights cost.
const RIDGE: f64 = 0.02;
/// Draws of the bootstrap.
const DRAWS: usize = 1000;

/// A window: what was seen, and whether something moved.
#[derive(Clone, Debug)]
pub struct Window {
    /// Any numbers, as many in each window.
    pub features: Vec<f64>,
    /// Whether something moved.
    pub motion: bool,
}

/// How well it guesses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Auc {
    /// The chance that of two windows, one with motion and one without, the one with motion gets the higher score: 0.5 for guessing blindly.
    pub auc: f64,
    /// Nineteen of twenty draws are within.
    pub low: f64,
    /// See `low`.
    pub high: f64,
}

/// Learns and guesses. The windows are those of `places` one after the other, each in order of time.
pub fn guess(places: &[Vec<Window>]) -> Auc {
    let halves = |first: bool| -> Vec<Window> {
        let half = |windows: &Vec<Window>| {
            let (one, other) = windows.split_at(windows.len() / 2);
            if first { one.to_vec() } else { other.to_vec() }
        };
        places.iter().flat_map(half).collect()
    };
    let (one, other) = (halves(true), halves(false));
    // Scores of two observers are not on one scale: windows are only compared with those that the same one guessed.
    let guessed = [Guessed::new(&Observer::learn(&one), &other), Guessed::new(&Observer::learn(&other), &one)];
    let auc = mean(&guessed);
    let mut random = Random::new(7);
    let mut draws: Vec<f64> =
        (0..DRAWS).map(|_| mean(&guessed.each_ref().map(|half| half.drawn(&mut random)))).collect();
    draws.sort_by(f64::total_cmp);
    Auc { auc, low: draws[DRAWS / 40], high: draws[DRAWS - 1 - DRAWS / 40] }
}

fn mean(guessed: &[Guessed; 2]) -> f64 {
    let [one, other] = guessed.each_ref().map(Guessed::auc);
    f64::midpoint(one, other)
}

/// What was learned.
struct Observer {
    /// Mean and deviation of each feature.
    scale: Vec<(f64, f64)>,
    weights: Vec<f64>,
    bias: f64,
}

impl Observer {
    fn learn(windows: &[Window]) -> Self {
        let count = windows.len().max(1) as f64;
        let features = windows.first().map_or(0, |window| window.features.len());
        let scale: Vec<(f64, f64)> = (0..features)
            .map(|at| {
                let mean = windows.iter().map(|window| window.features[at]).sum::<f64>() / count;
                let spread = windows.iter().map(|window| (window.features[at] - mean).powi(2)).sum::<f64>() / count;
                (mean, spread.sqrt().max(1e-9))
            })
            .collect();
        let mut observer = Self { scale, weights: vec![0.0; features], bias: 0.0 };
        let rows: Vec<(Vec<f64>, f64)> = windows
            .iter()
            .map(|window| (observer.scaled(&window.features), f64::from(u8::from(window.motion))))
            .collect();
        for _ in 0..STEPS {
            let (mut by_weight, mut by_bias) = (vec![0.0; features], 0.0);
            for (row, motion) in &rows {
                let wrong = sigmoid(observer.sum(row)) - motion;
                by_bias += wrong;
                for (slope, value) in by_weight.iter_mut().zip(row) {
                    *slope += wrong * value;
                }
            }
            observer.bias -= RATE * by_bias / count;
            for (weight, slope) in observer.weights.iter_mut().zip(by_weight) {
                *weight -= RATE * (slope / count + RIDGE * *weight);
            }
        }
        observer
    }

    fn score(&self, window: &Window) -> f64 {
        self.sum(&self.scaled(&window.features))
    }

    fn scaled(&self, features: &[f64]) -> Vec<f64> {
        // Outliers of one half must not outshout everything in the other.
        let scaled = features.iter().zip(&self.scale).map(|(value, (mean, spread))| (value - mean) / spread);
        scaled.map(|value| value.clamp(-5.0, 5.0)).collect()
    }

    fn sum(&self, row: &[f64]) -> f64 {
        self.bias + row.iter().zip(&self.weights).map(|(value, weight)| value * weight).sum::<f64>()
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The scores of windows with motion, and of those without.
struct Guessed {
    with: Vec<f64>,
    without: Vec<f64>,
}

impl Guessed {
    fn new(observer: &Observer, windows: &[Window]) -> Self {
        let scores = |motion: bool| {
            windows.iter().filter(|window| window.motion == motion).map(|window| observer.score(window)).collect()
        };
        Self { with: scores(true), without: scores(false) }
    }

    /// As many, drawn from them.
    fn drawn(&self, random: &mut Random) -> Self {
        let mut draw =
            |scores: &[f64]| -> Vec<f64> { scores.iter().map(|_| scores[random.below(scores.len())]).collect() };
        Self { with: draw(&self.with), without: draw(&self.without) }
    }

    fn auc(&self) -> f64 {
        let pairs = (self.with.len() * self.without.len()) as f64;
        if pairs == 0.0 {
            return 0.5;
        }
        let mut without = self.without.clone();
        without.sort_by(f64::total_cmp);
        let won: f64 = self
            .with
            .iter()
            .map(|score| {
                let below = without.partition_point(|other| other < score);
                let not_above = without.partition_point(|other| other <= score);
                f64::midpoint(below as f64, not_above as f64)
            })
            .sum();
        won / pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(tells: f32) -> Vec<Window> {
        let mut random = Random::new(3);
        let window = |_| {
            let motion = random.coin();
            let told = if motion { tells } else { 0.0 };
            let features = vec![f64::from(random.normal() + told), f64::from(random.normal()), 4.0];
            Window { features, motion }
        };
        (0..600).map(window).collect()
    }

    #[test]
    fn what_tells_is_found_and_what_does_not_is_not() {
        let blind = guess(&[windows(0.0)]);
        assert!((0.42..0.58).contains(&blind.auc) && blind.low < 0.5 && blind.high > 0.5, "{blind:?}");
        let seen = guess(&[windows(3.0)]);
        assert!(seen.auc > 0.95 && seen.low > 0.9 && seen.low <= seen.auc && seen.auc <= seen.high, "{seen:?}");
    }

    #[test]
    fn windows_that_are_all_alike_are_guessed_blindly() {
        let alike = windows(3.0).into_iter().map(|window| Window { features: vec![1.0, 2.0], ..window }).collect();
        assert_eq!(guess(&[alike]), Auc { auc: 0.5, low: 0.5, high: 0.5 });
        assert_eq!(guess(&[Vec::new()]).auc, 0.5);
    }
}
