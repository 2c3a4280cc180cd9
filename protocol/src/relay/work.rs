//! Proof of work for those who found a home at a relay that asks for it: a [`Challenge`] in the refusal of the first hello, a
//! [`Solution`] in the place of the invite of the second.
//!
//! The relay keeps nothing meanwhile: an HMAC under a key of its own binds the challenge to the home, the founder's key, the
//! difficulty and the time. Solved, it is of use for that one home, and founding a home twice founds one.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};

use super::CapabilityKey;
use crate::id::HomeId;
use crate::time::Timestamp;

/// How long a challenge may be solved, in milliseconds of the relay's clock.
pub const WORK_WINDOW_MS: i64 = 10 * 60 * 1000;
/// The most zero bits that a relay may ask for and that a client works for: minutes on a small machine.
pub const MAX_WORK_BITS: u32 = 28;

/// What is to be solved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Challenge {
    /// How many bits a solution's hash begins with that are zero.
    pub bits: u32,
    /// When it was made, by the relay's clock.
    pub issued: Timestamp,
    /// What the relay knows it by.
    #[serde(with = "serde_bytes")]
    pub tag: [u8; 32],
}

/// A challenge with the number that solves it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Solution {
    /// The challenge.
    pub challenge: Challenge,
    /// The number.
    pub nonce: u64,
}

/// Why a solution is not good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WorkFault {
    /// The challenge was made by another relay (or before this one started), for another home or for another key.
    #[error("this relay did not give this challenge for this home")]
    Foreign,
    /// The challenge is too old.
    #[error("the challenge is too old")]
    Stale,
    /// The relay asks for more by now.
    #[error("the challenge is easier than what the relay asks for now")]
    TooEasy,
    /// The number does not solve it.
    #[error("the number does not solve the challenge")]
    Wrong,
}

/// Why a challenge was not solved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SolveError {
    /// Nobody should work so long; the relay is set up wrongly, or wants to keep us busy.
    #[error("the relay asks for {bits} bits of work, more than the {most} that are done: tell its operator", most = MAX_WORK_BITS)]
    TooHard {
        /// What it asks for.
        bits: u32,
    },
    /// The caller wants it no more.
    #[error("the work was broken off")]
    BrokenOff,
    /// So unlikely that the relay's challenge or this machine is broken.
    #[error("no number solves the relay's challenge")]
    NoSolution,
}

/// The relay's secret, with which it knows its own challenges again.
pub struct WorkKey(hmac::Key);

impl WorkKey {
    /// The key of these secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// A challenge for the one who wants to found `home` with `founder`.
    pub fn challenge(&self, home: HomeId, founder: &CapabilityKey, bits: u32, now: Timestamp) -> Challenge {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.0, &bound(home, founder, bits, now)).as_ref());
        Challenge { bits, issued: now, tag }
    }

    /// Whether `solution` lets `founder` found `home` now, where `bits` are asked for.
    ///
    /// # Errors
    /// [`WorkFault`] says why not.
    pub fn verify(
        &self,
        home: HomeId,
        founder: &CapabilityKey,
        bits: u32,
        solution: &Solution,
        now: Timestamp,
    ) -> Result<(), WorkFault> {
        let Challenge { bits: solved, issued, tag } = solution.challenge;
        hmac::verify(&self.0, &bound(home, founder, solved, issued), &tag).map_err(|_| WorkFault::Foreign)?;
        if !(0..=WORK_WINDOW_MS).contains(&now.0.saturating_sub(issued.0)) {
            return Err(WorkFault::Stale);
        }
        if solved < bits {
            return Err(WorkFault::TooEasy);
        }
        if zero_bits(&hash(&solution.challenge, solution.nonce)) < solved { Err(WorkFault::Wrong) } else { Ok(()) }
    }
}

impl fmt::Debug for WorkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkKey")
    }
}

/// So many numbers are tried between two calls of the one who waits.
const STEP: u64 = 1 << 14;
/// So many times the expected number of tries are made. That they are not enough is less likely than e^-64.
const PATIENCE_BITS: u32 = 6;

/// Solves a challenge. `go_on` is told now and then what part of the expected work is done (it may well be more than 1), and ends it
/// by saying no. Takes long: not for a thread that others wait for.
///
/// # Errors
/// [`SolveError::TooHard`] without any work, [`SolveError::BrokenOff`], [`SolveError::NoSolution`].
pub fn solve(challenge: &Challenge, mut go_on: impl FnMut(f64) -> bool) -> Result<Solution, SolveError> {
    let Challenge { bits, .. } = *challenge;
    if bits > MAX_WORK_BITS {
        return Err(SolveError::TooHard { bits });
    }
    let expected = 1_u64 << bits;
    for nonce in 0..expected << PATIENCE_BITS {
        if nonce % STEP == 0 && !go_on(nonce as f64 / expected as f64) {
            return Err(SolveError::BrokenOff);
        }
        if zero_bits(&hash(challenge, nonce)) >= bits {
            return Ok(Solution { challenge: *challenge, nonce });
        }
    }
    Err(SolveError::NoSolution)
}

fn bound(home: HomeId, founder: &CapabilityKey, bits: u32, issued: Timestamp) -> Vec<u8> {
    let mut bytes = b"privet relay work v1\0".to_vec();
    bytes.extend_from_slice(home.as_bytes());
    bytes.extend_from_slice(&founder.0);
    bytes.extend_from_slice(&bits.to_be_bytes());
    bytes.extend_from_slice(&issued.0.to_be_bytes());
    bytes
}

/// The tag stands for all that the challenge is bound to.
fn hash(challenge: &Challenge, nonce: u64) -> [u8; 32] {
    let mut input = [0; 40];
    input[..32].copy_from_slice(&challenge.tag);
    input[32..].copy_from_slice(&nonce.to_be_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, &input).as_ref());
    out
}

fn zero_bits(hash: &[u8; 32]) -> u32 {
    let whole = hash.iter().take_while(|byte| **byte == 0).count();
    hash.get(whole).map_or(0, |byte| byte.leading_zeros()) + u32::try_from(whole).unwrap_or(0) * 8
}

/// What a solution begins with as text, so that nobody takes it for an invite.
const PREFIX: &str = "work-";
/// Bits, time, tag, number.
const LENGTH: usize = 4 + 8 + 32 + 8;

impl fmt::Display for Solution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Challenge { bits, issued, tag } = self.challenge;
        let mut bytes = [0; LENGTH];
        bytes[..4].copy_from_slice(&bits.to_be_bytes());
        bytes[4..12].copy_from_slice(&issued.0.to_be_bytes());
        bytes[12..44].copy_from_slice(&tag);
        bytes[44..].copy_from_slice(&self.nonce.to_be_bytes());
        write!(f, "{PREFIX}{}", BASE32_NOPAD.encode(&bytes).to_lowercase())
    }
}

/// The text is not a solution.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a solution of a relay's challenge")]
pub struct NotASolution;

impl FromStr for Solution {
    type Err = NotASolution;

    fn from_str(text: &str) -> Result<Self, NotASolution> {
        let text = text.strip_prefix(PREFIX).filter(|text| text.len() == BASE32_NOPAD.encode_len(LENGTH));
        let bytes = BASE32_NOPAD.decode(text.ok_or(NotASolution)?.to_uppercase().as_bytes());
        let bytes: [u8; LENGTH] = bytes.map_err(|_| NotASolution)?.try_into().map_err(|_| NotASolution)?;
        let (bits, rest) = bytes.split_first_chunk::<4>().ok_or(NotASolution)?;
        let (issued, rest) = rest.split_first_chunk::<8>().ok_or(NotASolution)?;
        let (tag, rest) = rest.split_first_chunk::<32>().ok_or(NotASolution)?;
        let nonce = rest.first_chunk::<8>().ok_or(NotASolution)?;
        let issued = Timestamp(i64::from_be_bytes(*issued));
        let challenge = Challenge { bits: u32::from_be_bytes(*bits), issued, tag: *tag };
        Ok(Self { challenge, nonce: u64::from_be_bytes(*nonce) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use data_encoding::HEXLOWER;

    use super::*;
    use crate::random::{Random as _, SeededRandom};

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn home() -> HomeId {
        HomeId::from_bytes([1; 16])
    }

    fn founder() -> CapabilityKey {
        CapabilityKey([4; 32])
    }

    fn solved(bits: u32) -> (WorkKey, Solution) {
        let key = WorkKey::new(&[9; 32]);
        let solution = solve(&key.challenge(home(), &founder(), bits, NOW), |_| true).unwrap();
        (key, solution)
    }

    #[test]
    fn a_challenge_and_its_solution_are_what_they_were() {
        let (key, solution) = solved(12);
        let tag = "ac5594587b93f29aeb4cdc6bd867fb38c0223db70a72670cd26f415972adfc56";
        assert_eq!(HEXLOWER.encode(&solution.challenge.tag), tag);
        assert_eq!(solution.nonce, 2_314);
        assert_eq!(
            HEXLOWER.encode(&hash(&solution.challenge, solution.nonce)),
            "000d9a088fb375717c5a77d1799e7944b9a69090a57099b79ae2462112082561"
        );
        let text = "work-aaaaadaaaaa2ggc4kaakyvmulb5zh4u25ngny26ym75trqbchw3qu4thbtjg6qkzokw7yvqaaaaaaaaabefa";
        assert_eq!(solution.to_string(), text);
        assert_eq!(text.parse::<Solution>(), Ok(solution));
        assert_eq!(key.verify(home(), &founder(), 12, &solution, NOW), Ok(()));
    }

    #[test]
    fn what_is_wrong_stale_too_easy_or_somebody_else_s_is_refused() {
        let (key, solution) = solved(8);
        let verify = |solution: &Solution, bits, now| key.verify(home(), &founder(), bits, solution, now);
        let later = |ms| Timestamp(NOW.0 + ms);
        assert_eq!(verify(&solution, 8, later(WORK_WINDOW_MS)), Ok(()));
        assert_eq!(verify(&solution, 7, NOW), Ok(()), "more than is asked for");
        assert_eq!(verify(&solution, 8, later(WORK_WINDOW_MS + 1)), Err(WorkFault::Stale));
        assert_eq!(verify(&solution, 8, later(-1)), Err(WorkFault::Stale));
        assert_eq!(verify(&solution, 9, NOW), Err(WorkFault::TooEasy));
        let mut others = (0..).map(|nonce| Solution { nonce, ..solution });
        let wrong = others.find(|other| zero_bits(&hash(&other.challenge, other.nonce)) < 8).unwrap();
        assert_eq!(verify(&wrong, 8, NOW), Err(WorkFault::Wrong));
        for forged in [
            Challenge { bits: 0, ..solution.challenge },
            Challenge { issued: later(1), ..solution.challenge },
            Challenge { issued: Timestamp(i64::MIN), ..solution.challenge },
            Challenge { tag: [0; 32], ..solution.challenge },
        ] {
            let forged = Solution { challenge: forged, ..solution };
            assert_eq!(verify(&forged, 8, NOW), Err(WorkFault::Foreign));
        }
        let foreign = Err(WorkFault::Foreign);
        let other = HomeId::from_bytes([2; 16]);
        assert_eq!(key.verify(other, &founder(), 8, &solution, NOW), foreign, "for another home");
        assert_eq!(key.verify(home(), &CapabilityKey([5; 32]), 8, &solution, NOW), foreign, "by another key");
        assert_eq!(WorkKey::new(&[8; 32]).verify(home(), &founder(), 8, &solution, NOW), foreign, "another relay's");
    }

    #[test]
    fn whatever_was_solved_is_good_for_its_home_and_comes_back_from_its_text() {
        let random = SeededRandom::new(b"work");
        for round in 0..200_u32 {
            let mut bytes = [0; 80];
            random.fill(&mut bytes);
            let key = WorkKey::new(bytes.first_chunk().unwrap());
            let founder = CapabilityKey(*bytes[32..].first_chunk().unwrap());
            let home = HomeId::from_bytes(*bytes[64..].first_chunk().unwrap());
            let (bits, now) = (round % 10, Timestamp(i64::from(round) * 1_000_003));
            let solution = solve(&key.challenge(home, &founder, bits, now), |_| true).unwrap();
            assert_eq!(key.verify(home, &founder, bits, &solution, now), Ok(()));
            assert_eq!(solution.to_string().parse::<Solution>(), Ok(solution));
        }
    }

    #[test]
    fn absurd_work_is_not_begun_and_any_can_be_broken_off() {
        let challenge = |bits| Challenge { bits, issued: NOW, tag: [7; 32] };
        for bits in [MAX_WORK_BITS + 1, 64, u32::MAX] {
            let outcome = solve(&challenge(bits), |_| panic!("it was begun"));
            assert_eq!(outcome, Err(SolveError::TooHard { bits }));
        }
        let mut told = Vec::new();
        let outcome = solve(&challenge(MAX_WORK_BITS), |part| {
            told.push(part);
            told.len() < 3
        });
        assert_eq!(outcome, Err(SolveError::BrokenOff));
        assert!(told.is_sorted() && told[0] <= 0.0 && told[2] < 0.01, "{told:?}");
    }

    #[test]
    fn texts_that_are_no_solution_are_not_taken_for_one() {
        let text = solved(4).1.to_string();
        let wrong =
            ["", "work-", "wkyzl7m4szppn3e2x5mnb3dqpe", &text[1..], &text[..text.len() - 1], &format!("{text}a")];
        for wrong in wrong {
            assert_eq!(wrong.parse::<Solution>(), Err(NotASolution), "{wrong}");
        }
        assert_eq!(text.replace('a', "1").replace('b', "ä").parse::<Solution>().err(), Some(NotASolution));
    }

    #[test]
    fn zero_bits_are_counted_over_bytes() {
        let with = |at: usize, byte: u8| {
            let mut hash = [0; 32];
            hash[at] = byte;
            zero_bits(&hash)
        };
        assert_eq!([with(0, 0x80), with(0, 1), with(1, 0x40), with(31, 1)], [0, 7, 9, 255]);
        assert_eq!(zero_bits(&[0; 32]), 256);
    }
}
