//! What chance decides of a round. All of it is thrown before the round begins: so it follows from the seed alone, and not from
//! what happens meanwhile.

use std::fmt;
use std::time::Duration;

use crate::dice::Dice;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    Relay,
    Hub,
    Phone,
}

/// What the phone begins, unless it still does what it began before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// It shows what happened, and what comes.
    Follow,
    /// It fetches a clip.
    Fetch,
    /// It watches a camera.
    Watch,
    /// It changes a setting, which the hub keeps.
    Wish,
}

/// A round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// Who dies, one right after the other; they start again the other way round.
    pub(super) victims: Vec<Victim>,
    pub(super) work: Work,
    /// Which clip is fetched, of those that there are.
    pub(super) which: u64,
    /// From the round's beginning to the kill.
    pub(super) strike: Duration,
    /// From the kill to the new start.
    pub(super) dark: Duration,
    /// From the new start to the round's end.
    pub(super) after: Duration,
}

impl Round {
    /// The next round.
    pub(super) fn throw(dice: &mut Dice) -> Self {
        let first = dice.below(3);
        let second = (first + 1 + dice.below(2)) % 3;
        let mut victims = vec![victim(first)];
        if dice.below(4) == 0 {
            victims.push(victim(second));
        }
        let work = match dice.below(5) {
            0 => Work::Fetch,
            1 => Work::Watch,
            2 => Work::Wish,
            _ => Work::Follow,
        };
        let mut within = |ms| Duration::from_millis(dice.below(ms));
        let (strike, dark, after) = (within(1500), within(300), within(1000));
        Self { victims, work, which: dice.below(1 << 32), strike, dark, after }
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.victims.iter().map(|victim| victim.name()).collect();
        write!(f, "{} killed after {} ms", names.join(" and "), self.strike.as_millis())
    }
}

impl Victim {
    fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Hub => "hub",
            Self::Phone => "phone",
        }
    }
}

fn victim(number: u64) -> Victim {
    match number {
        0 => Victim::Relay,
        1 => Victim::Hub,
        _ => Victim::Phone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(seed: u64) -> Vec<Round> {
        let mut dice = Dice::new(seed);
        (0..200).map(|_| Round::throw(&mut dice)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_rounds() {
        assert_eq!(rounds(7), rounds(7));
        assert_ne!(rounds(7), rounds(8));
    }

    #[test]
    fn the_phone_does_everything() {
        for work in [Work::Follow, Work::Fetch, Work::Watch, Work::Wish] {
            assert!(rounds(7).iter().any(|round| round.work == work), "{work:?}");
        }
    }

    #[test]
    fn everybody_dies_alone_and_in_company_and_nobody_twice_in_a_round() {
        for seed in 0..20 {
            let rounds = rounds(seed);
            for victim in [Victim::Relay, Victim::Hub, Victim::Phone] {
                for company in 1..=2 {
                    let dies = |round: &Round| round.victims.len() == company && round.victims.contains(&victim);
                    assert!(rounds.iter().any(dies), "seed {seed}: {victim:?}, {company}");
                }
            }
            assert!(rounds.iter().all(|round| round.victims.len() < 2 || round.victims[0] != round.victims[1]));
        }
    }
}
