//! What was seen against what was put in.
//!
//! Pictures that show motion, with no more than [`BRIDGE_S`] between them, are one alarm, for the hub and for the baselines alike: a
//! family is told once. An alarm is right when it *begins* within an event, else it is false. An event is caught when an alarm began
//! within it, not when one that began for another reason happens to go on. Only events that follow each other within [`NEAR_S`],
//! which are one alarm even for who sees everything, may share one; each must then have been seen to move. Of what comes in the first
//! seconds, [`WARM_UP_S`], only what goes on after them counts.

use super::scene::{Label, WARM_UP_S, What};

/// Longer than from key frame to key frame, shorter than a hub waits before it calls what comes next another event.
const BRIDGE_S: f32 = 4.5;
/// Events with no more than this between them may be one alarm even for who sees everything: a method holds its word for two seconds
/// after the last motion.
const NEAR_S: f32 = BRIDGE_S + 2.5;
/// An alarm may begin a frame or two before a thing is in the picture: its shadow in the encoder's blocks.
const EARLY_S: f32 = 0.25;
/// And after it is no longer seen: the last part of it may just have gone.
const LATE_S: f32 = 0.5;
/// So long it may take to say that the view was taken away.
const TAMPER_S: f32 = 14.0;

/// What a method said of one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    pub at_s: f32,
    pub motion: bool,
}

/// All that a method said of a film, and what it cost.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    pub seen: Vec<Seen>,
    /// When it said that the view was taken away; `None` for methods that have no word for it.
    pub tampered_s: Option<Vec<f32>>,
    pub cpu_s: f64,
}

/// How good that was. Scores of several films add up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    pub events: u32,
    pub caught: u32,
    /// Alarms that began within an event, and words of tampering that were true.
    pub right_alarms: u32,
    pub false_alarms: u32,
    /// Of events whose alarm was not there before: seconds.
    pub onsets: Vec<f32>,
    pub seconds: f64,
    pub cpu_s: f64,
    /// What was missed or false, for who wants to look at it: when each began, in seconds.
    pub missed_at: Vec<f32>,
    pub false_at: Vec<f32>,
}

/// From the first picture to the last that show motion.
#[derive(Clone, Debug, PartialEq)]
struct Alarm {
    /// Before the warm-up was over, perhaps.
    began: f32,
    /// The same, but not before.
    from: f32,
    /// All that do.
    moving: Vec<f32>,
}

/// Holds what was said against what was put in. The labels come in order of time.
pub fn score(watched: &Watched, labels: &[Label], seconds: f32) -> Score {
    let alarms = alarms(&watched.seen, seconds);
    let mut score = Score { seconds: f64::from(seconds - WARM_UP_S), cpu_s: watched.cpu_s, ..Score::default() };
    let in_event = |from: f32| labels.iter().any(|label| label.what == What::Motion && holds(label, from));
    // When the events began that follow each other so closely that they are one alarm, and until when they go on.
    let (mut run_from, mut run_to) = (f32::MIN, f32::MIN);
    for label in labels.iter().filter(|label| label.what != What::Either && label.to > WARM_UP_S) {
        let until = label.from + TAMPER_S;
        let caught = match (label.what, &watched.tampered_s) {
            (What::Tampering, Some(told)) => told.iter().any(|at| (label.from..until).contains(at)),
            (What::Tampering, None) => alarms.iter().any(|alarm| holds(label, alarm.from) && alarm.from < until),
            _ => {
                if label.from - run_to > NEAR_S {
                    run_from = label.enters;
                }
                run_to = run_to.max(label.to);
                let mut begun = alarms.iter().filter(|alarm| alarm.from >= run_from - EARLY_S && in_event(alarm.from));
                begun.any(|alarm| alarm.moving.iter().any(|&at| holds(label, at)))
            }
        };
        score.events += 1;
        score.caught += u32::from(caught);
        if !caught {
            score.missed_at.push(label.from);
        }
        let begins = alarms.iter().map(|alarm| alarm.from).find(|&from| holds(label, from));
        if let (What::Motion, Some(from)) = (label.what, begins) {
            score.onsets.push((from - label.from).max(0.0));
        }
    }
    for &Alarm { began, from, .. } in &alarms {
        if began < WARM_UP_S && in_event(began) {
            continue;
        }
        let mut of = labels.iter().filter(|label| holds(label, from) && allows_motion(label, watched)).peekable();
        if of.peek().is_none() {
            score.false_at.push(from);
        } else {
            score.right_alarms += u32::from(of.any(|label| label.what != What::Either));
        }
    }
    let taken_away = |at: f32| labels.iter().any(|label| label.what == What::Tampering && at >= label.from);
    for &at in watched.tampered_s.iter().flatten().filter(|&&at| at >= WARM_UP_S) {
        if taken_away(at) {
            score.right_alarms += 1;
        } else {
            score.false_at.push(at);
        }
    }
    score.false_alarms = score.false_at.len() as u32;
    score
}

fn holds(label: &Label, from: f32) -> bool {
    (label.enters - EARLY_S..label.to + LATE_S).contains(&from)
}

/// Who has a word for tampering may not call it motion.
fn allows_motion(label: &Label, watched: &Watched) -> bool {
    label.what != What::Tampering || watched.tampered_s.is_none()
}

/// What of the alarms is left after the warm-up.
fn alarms(seen: &[Seen], seconds: f32) -> Vec<Alarm> {
    let mut alarms: Vec<Alarm> = Vec::new();
    let mut last_s = f32::MIN;
    for &Seen { at_s, .. } in seen.iter().filter(|seen| seen.motion && seen.at_s < seconds) {
        match alarms.last_mut() {
            Some(alarm) if at_s - last_s <= BRIDGE_S => alarm.moving.push(at_s),
            _ => alarms.push(Alarm { began: at_s, from: at_s, moving: vec![at_s] }),
        }
        last_s = at_s;
    }
    for alarm in &mut alarms {
        alarm.moving.retain(|&at| at >= WARM_UP_S);
        alarm.from = alarm.from.max(WARM_UP_S);
    }
    alarms.retain(|alarm| !alarm.moving.is_empty());
    alarms
}

impl Score {
    /// Adds another film's.
    pub fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.caught += other.caught;
        self.right_alarms += other.right_alarms;
        self.false_alarms += other.false_alarms;
        self.onsets.extend_from_slice(&other.onsets);
        self.seconds += other.seconds;
        self.cpu_s += other.cpu_s;
    }

    /// Part of the events that were caught; 1 where there was none.
    pub fn recall(&self) -> f64 {
        if self.events == 0 { 1.0 } else { f64::from(self.caught) / f64::from(self.events) }
    }

    /// Part of what was said that was right; 1 where nothing was said.
    pub fn precision(&self) -> f64 {
        let said = self.alarms();
        if said == 0 { 1.0 } else { f64::from(self.right_alarms) / f64::from(said) }
    }

    /// How often something was said.
    pub fn alarms(&self) -> u32 {
        self.right_alarms + self.false_alarms
    }

    pub fn false_per_hour(&self) -> f64 {
        f64::from(self.false_alarms) / self.seconds.max(1e-9) * 3600.0
    }

    /// Median seconds from an event's beginning to its alarm.
    pub fn onset_s(&self) -> Option<f64> {
        let mut onsets = self.onsets.clone();
        onsets.sort_by(f32::total_cmp);
        let middle = onsets.len() / 2;
        match onsets.len() {
            0 => None,
            count if count % 2 == 1 => Some(f64::from(onsets[middle])),
            _ => Some(f64::from(onsets[middle - 1] + onsets[middle]) / 2.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(motion: &[(f32, f32)], tampered_s: Option<Vec<f32>>) -> Watched {
        let seen = (0..150).map(|n| n as f32 / 5.0);
        let moves = |at: f32| motion.iter().any(|&(from, to)| (from..to).contains(&at));
        Watched { seen: seen.map(|at_s| Seen { at_s, motion: moves(at_s) }).collect(), tampered_s, cpu_s: 0.5 }
    }

    fn label(from: f32, to: f32, what: What) -> Label {
        Label { enters: from, from, to, what }
    }

    #[test]
    fn an_alarm_that_begins_in_an_event_is_right_and_any_other_false() {
        let labels = [label(10.0, 14.0, What::Motion), label(22.0, 24.0, What::Motion)];
        let one = score(&watched(&[(10.3, 16.0)], None), &labels, 30.0);
        assert_eq!((one.events, one.caught, one.false_alarms), (2, 1, 0));
        assert_eq!((one.recall(), one.precision(), one.seconds), (0.5, 1.0, 22.0));
        assert!(one.onset_s().is_some_and(|onset| (onset - 0.4).abs() < 0.001), "{:?}", one.onsets);
        let late = score(&watched(&[(15.0, 16.0)], None), &labels, 30.0);
        assert_eq!((late.caught, late.false_alarms, late.onset_s()), (0, 1, None));
        let before = score(&watched(&[(9.0, 11.0)], None), &labels, 30.0);
        assert_eq!((before.caught, before.false_alarms, before.onset_s()), (0, 1, None), "it cried before");
        assert_eq!((before.precision(), before.alarms()), (0.0, 1));
        let endless = score(&watched(&[(10.3, 30.0)], None), &labels, 30.0);
        assert_eq!((endless.caught, endless.right_alarms), (1, 1), "an alarm without end catches what it began with");
    }

    #[test]
    fn events_close_to_each_other_may_share_an_alarm_that_began_in_the_first_of_them() {
        let labels = [label(10.0, 14.0, What::Motion), label(17.0, 20.0, What::Motion)];
        let caught = |motion: &[(f32, f32)]| {
            let score = score(&watched(motion, None), &labels, 30.0);
            (score.caught, score.right_alarms, score.false_alarms)
        };
        assert_eq!(caught(&[(10.1, 15.0), (17.3, 20.0)]), (2, 1, 0));
        assert_eq!(caught(&[(10.1, 15.0)]), (1, 1, 0), "the second was not seen");
        assert_eq!(caught(&[(17.3, 20.0)]), (1, 1, 0), "the first was not seen");
        assert_eq!(caught(&[(15.5, 20.0)]), (0, 0, 1), "it cried between them");
    }

    #[test]
    fn pictures_close_to_each_other_are_one_alarm() {
        let labels = [label(10.0, 24.0, What::Motion)];
        let broken = score(&watched(&[(10.0, 11.0), (14.0, 15.0)], None), &labels, 30.0);
        assert_eq!((broken.caught, broken.false_alarms, broken.onsets.len()), (1, 0, 1));
        let ghost = score(&watched(&[(10.0, 11.0), (26.0, 27.0), (29.0, 29.5)], None), &labels, 30.0);
        assert_eq!((ghost.caught, ghost.false_alarms), (1, 1));
    }

    #[test]
    fn only_what_goes_on_after_the_warm_up_counts() {
        assert_eq!(score(&watched(&[(1.0, 7.0)], None), &[], 30.0).false_alarms, 0);
        assert_eq!(score(&watched(&[(1.0, 9.0)], None), &[], 30.0).false_alarms, 1);
        assert_eq!(score(&watched(&[], None), &[label(0.0, 7.0, What::Motion)], 30.0).events, 0);
        let early = [label(0.0, 5.0, What::Motion), label(15.0, 18.0, What::Motion)];
        let lasting = score(&watched(&[(1.0, 9.0)], None), &early, 30.0);
        assert_eq!((lasting.events, lasting.false_alarms, lasting.right_alarms), (1, 0, 0), "it began with reason");
        let endless = score(&watched(&[(1.0, 20.0)], None), &early, 30.0);
        assert_eq!((endless.caught, endless.false_alarms), (0, 0), "but catches nothing of what comes after");
        let hour = score(&watched(&[(9.0, 9.5)], None), &[], 30.0).false_per_hour();
        assert!((hour - 3600.0 / 22.0).abs() < 0.01);
    }

    #[test]
    fn tampering_must_be_told_by_who_has_a_word_for_it() {
        let labels = [label(14.0, 16.0, What::Either), label(14.0, 30.0, What::Tampering)];
        let told = score(&watched(&[(14.2, 15.0)], Some(vec![20.0])), &labels, 30.0);
        assert_eq!((told.events, told.caught, told.false_alarms), (1, 1, 0));
        let silent = score(&watched(&[(14.2, 15.0), (22.0, 23.0)], Some(vec![])), &labels, 30.0);
        assert_eq!((silent.caught, silent.false_alarms), (0, 1));
        let wordless = score(&watched(&[(14.2, 15.0)], None), &labels, 30.0);
        assert_eq!((wordless.caught, wordless.false_alarms), (1, 0));
        assert_eq!(score(&watched(&[], Some(vec![12.0])), &labels, 30.0).false_alarms, 1, "told too early");
    }

    #[test]
    fn the_median_of_two_lies_between_them() {
        let score = Score { onsets: vec![0.4, 0.1], ..Score::default() };
        assert!(score.onset_s().is_some_and(|onset| (onset - 0.25).abs() < 0.001));
        assert_eq!((Score::default().recall(), Score::default().precision()), (1.0, 1.0));
    }
}
