//! When a view asks for the camera's substream, and when it tries the main stream again.
//!
//! Pure: time comes in. What a follower sees is judged by the second. A second is bad when something was lost in it, or when even
//! its freshest picture was late: a burst of old pictures, as after a gap, is no slow link. How late a picture is, is reckoned
//! against the fastest one of the view, so the clocks of hub and phone need not agree.
//!
//! Two bad seconds of five on the main stream ask for the substream. After a pause, and once all has been well for a while, the main
//! stream is tried again. A trial that fails makes the next pause twice as long: nothing but a trial tells whether a link that is
//! not full would hold more.

use std::time::Duration;

use privet_home::Feed;

use super::late::TOO_LATE_US;

/// A picture that comes so much later than the fastest one is late.
const LATE_US: i64 = 1_500_000;
/// Among the last five seconds.
const LAST: u32 = 0b1_1111;
/// So many bad ones are enough. One is a hiccup.
const BAD: u32 = 2;
/// Ten seconds without a bad one come before a trial.
const CALM: u32 = 0b11_1111_1111;
/// The first pause before a trial.
const FIRST_PAUSE: Duration = Duration::from_secs(20);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// A trial that fails later than this has not failed: the link got worse.
const TRIAL: Duration = Duration::from_secs(60);
/// Two clocks run apart by less than one part of so many.
const DRIFT: i64 = 5_000;
/// No link is so slow, because what is old is dropped on the way: a clock leapt.
const LEAP_US: i64 = 30_000_000;
/// When no picture was in time for so long, a clock leapt too: by less, as while one of the machines slept for a moment.
const NEVER: Duration = Duration::from_secs(60);
/// What is lost so soon after something else was lost with it: one loss is heard of in several ways.
const ONE_LOSS: Duration = Duration::from_millis(500);

/// What is known of the link, and what is asked for because of it. Public for `tests/bench`, which measures with it; apps have no use for it.
#[derive(Debug, Default)]
pub struct Pace {
    feed: Feed,
    /// Since when that is asked for; once it is shown, since when it is.
    since: Duration,
    /// The pause before the next trial, or before the last one. None while there was no need.
    pause: Option<Duration>,
    shown: Option<Feed>,
    /// The phone's time less the hub's of the fastest picture, and when that came.
    fastest: Option<(i64, Duration)>,
    /// When a picture was in time last.
    in_time: Duration,
    /// The second that is not over.
    second: u64,
    /// How late its freshest picture was.
    freshest_us: Option<i64>,
    /// Something was lost in it.
    lost: bool,
    /// When something was lost last.
    loss: Option<Duration>,
    /// Which of the seconds before it were bad; the last one is the lowest bit.
    bad: u32,
}

impl Pace {
    /// A picture came that the hub received at `captured_us` of its clock: how much later than the fastest one, in microseconds.
    pub fn picture(&mut self, now: Duration, captured_us: i64) -> i64 {
        self.pass(now);
        let late = self.late_us(now, micros(now).saturating_sub(captured_us));
        self.freshest_us = Some(self.freshest_us.map_or(late, |freshest| freshest.min(late)));
        late
    }

    /// Pictures were lost on the way.
    pub fn lost(&mut self, now: Duration) {
        self.pass(now);
        if self.loss.is_none_or(|last| now.saturating_sub(last) >= ONE_LOSS) {
            self.lost = true;
            self.loss = Some(now);
        }
    }

    /// The pictures that follow are of another stream of the hub's: its clock may be another one too, as after a restart of its machine.
    pub fn starts_anew(&mut self) {
        self.fastest = None;
    }

    /// The pictures that follow are of this stream.
    pub fn shows(&mut self, now: Duration, feed: Feed) {
        self.pass(now);
        if self.shown.replace(feed) != Some(feed) && feed == self.feed {
            // What came before says nothing about it.
            self.begin(now);
        }
    }

    /// What to ask the hub for.
    pub fn feed(&self) -> Feed {
        self.feed
    }

    fn pass(&mut self, now: Duration) {
        let second = now.as_secs();
        if second <= self.second {
            return;
        }
        let bad = self.lost || self.freshest_us.is_some_and(|late| late > LATE_US);
        // Seconds in which nothing came are not the link's fault: the camera may be away.
        let empty = u32::try_from(second - self.second - 1).unwrap_or(u32::MAX);
        self.bad = ((self.bad << 1) | u32::from(bad)).checked_shl(empty).unwrap_or(0);
        (self.second, self.freshest_us, self.lost) = (second, None, false);
        self.decide(now);
    }

    fn decide(&mut self, now: Duration) {
        let held = now.saturating_sub(self.since);
        let pause = self.pause.unwrap_or(FIRST_PAUSE);
        match self.feed {
            Feed::Main if (self.bad & LAST).count_ones() >= BAD => {
                let failed = self.pause.is_some() && held < TRIAL;
                self.pause = Some(if failed { (pause * 2).min(LONGEST_PAUSE) } else { FIRST_PAUSE });
                self.feed = Feed::Substream;
                self.begin(now);
            }
            Feed::Substream if held >= pause && self.bad & CALM == 0 => {
                self.feed = Feed::Main;
                self.begin(now);
            }
            Feed::Main | Feed::Substream => {}
        }
    }

    fn begin(&mut self, now: Duration) {
        (self.since, self.bad, self.freshest_us, self.lost) = (now, 0, None, false);
    }

    /// `apart_us` is the phone's time less the hub's.
    fn late_us(&mut self, now: Duration, apart_us: i64) -> i64 {
        if let Some((fastest, at)) = self.fastest {
            let drift = micros(now.saturating_sub(at)) / DRIFT;
            let late = apart_us.saturating_sub(fastest.saturating_add(drift));
            if late < TOO_LATE_US {
                self.in_time = now;
            }
            if (0..LEAP_US).contains(&late) && now.saturating_sub(self.in_time) < NEVER {
                return late;
            }
        }
        (self.fastest, self.in_time) = (Some((apart_us, now)), now);
        0
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Pictures come 40 ms apart, 50 of them from one key frame to the next.
    const STEP: Duration = Duration::from_millis(40);
    const GROUP: u64 = 50;
    /// The relay gives the rest of a segment up so long after a newer one has begun.
    const PATIENCE: Duration = Duration::from_millis(300);
    /// Where the hub's clock stands when the view begins.
    const HUB_US: i64 = 77_000_000_000;

    /// Bytes of a picture: 4 Mbit/s and 0.5 Mbit/s.
    fn size(feed: Feed) -> u64 {
        match feed {
            Feed::Main => 20_000,
            Feed::Substream => 2_500,
        }
    }

    struct Picture {
        made: Duration,
        group: u64,
        feed: Feed,
        left: u64,
    }

    /// A camera, a relay that drops as ours does, and a link of so many bytes a picture.
    #[derive(Default)]
    struct World {
        pace: Pace,
        pictures: u64,
        sent: Feed,
        waiting: VecDeque<Picture>,
        seen: u64,
        worst: Duration,
        /// When another stream than before was asked for.
        asked: Vec<(Duration, Feed)>,
    }

    impl World {
        fn now(&self) -> Duration {
            STEP * u32::try_from(self.pictures).unwrap_or(u32::MAX)
        }

        fn run(&mut self, seconds: u64, link: u64) {
            for _ in 0..seconds * 25 {
                let before = self.pace.feed();
                self.picture(link);
                if self.pace.feed() != before {
                    self.asked.push((self.now(), self.pace.feed()));
                }
            }
        }

        fn picture(&mut self, link: u64) {
            let (now, group) = (self.now(), self.pictures / GROUP);
            if self.pictures.is_multiple_of(GROUP) {
                self.sent = self.pace.feed();
            }
            self.waiting.push_back(Picture { made: now, group, feed: self.sent, left: size(self.sent) });
            self.pictures += 1;
            let begun = STEP * u32::try_from(group * GROUP).unwrap_or(u32::MAX);
            if now >= begun + PATIENCE && self.waiting.front().is_some_and(|first| first.group < group) {
                self.waiting.retain(|picture| picture.group >= group);
                self.pace.lost(now);
            }
            let mut room = link;
            while let Some(first) = self.waiting.front_mut() {
                if first.left > room {
                    first.left -= room;
                    return;
                }
                room -= first.left;
                self.worst = self.worst.max(now - first.made);
                self.pace.shows(now, first.feed);
                self.pace.picture(now, HUB_US + micros(first.made));
                self.waiting.pop_front();
                self.seen += 1;
            }
        }
    }

    /// Half of what the main stream needs.
    const SLOW: u64 = 10_000;
    const FAST: u64 = 100_000;

    #[test]
    fn an_hour_on_a_link_too_slow_for_the_main_stream_is_spent_on_the_other() {
        let mut world = World::default();
        world.run(3600, SLOW);
        assert!(world.worst < Duration::from_secs(3), "{:?}", world.worst);
        assert!(world.asked[0].0 < Duration::from_secs(10), "{:?}", world.asked);
        assert!((5..=20).contains(&(world.asked.len() / 2)), "trials: {:?}", world.asked);
        assert!(world.seen * 100 > world.pictures * 95, "{} of {} pictures", world.seen, world.pictures);
        let pauses: Vec<u64> =
            world.asked.windows(2).filter(|p| p[1].1 == Feed::Main).map(|p| (p[1].0 - p[0].0).as_secs()).collect();
        assert!(pauses[0] < 30 && pauses.iter().all(|pause| *pause < 320), "{pauses:?}");
        assert!(pauses.windows(2).all(|pair| pair[1] + 5 > pair[0]), "ever longer: {pauses:?}");
    }

    #[test]
    fn a_link_that_gets_better_is_found_out_within_minutes_and_kept() {
        let mut world = World::default();
        world.run(600, SLOW);
        assert!(!world.asked.is_empty());
        world.run(330, FAST);
        assert_eq!((world.pace.feed(), world.pace.shown), (Feed::Main, Some(Feed::Main)), "{:?}", world.asked);
        let asked = world.asked.len();
        world.run(600, FAST);
        assert_eq!(world.asked.len(), asked);
        // What comes after a good while is a new beginning.
        world.run(60, SLOW);
        let again = &world.asked[asked..];
        assert!(again.len() >= 2 && again[1].0 - again[0].0 < Duration::from_secs(30), "{again:?}");
    }

    #[test]
    fn a_link_that_is_fast_enough_stays_with_the_main_stream_whatever_hiccup_it_has() {
        let mut world = World::default();
        for _ in 0..360 {
            world.run(10, FAST);
            let now = world.now();
            world.pace.lost(now);
        }
        assert!(world.asked.is_empty(), "{:?}", world.asked);
    }

    #[test]
    fn one_loss_that_is_heard_of_twice_is_one_bad_second() {
        let mut pace = Pace::default();
        let ms = Duration::from_millis;
        let fresh = |pace: &mut Pace, now: Duration| {
            pace.picture(now, HUB_US + micros(now));
            pace.feed()
        };
        // At the turn of a second: the segment broke off, and then the relay says so.
        pace.lost(ms(9_990));
        pace.lost(ms(10_010));
        assert_eq!(fresh(&mut pace, ms(11_000)), Feed::Main);
        pace.lost(ms(12_500));
        assert_eq!(fresh(&mut pace, ms(13_000)), Feed::Substream);
    }

    #[test]
    fn a_hub_without_a_substream_is_asked_ever_less_often() {
        let mut pace = Pace::default();
        let mut asked = 0;
        for second in 0..3600 {
            let before = pace.feed();
            let now = Duration::from_secs(second);
            pace.shows(now, Feed::Main);
            pace.picture(now, HUB_US + micros(now));
            // Bad without end, but for the calm that a trial needs.
            if second % 30 < 18 {
                pace.lost(now);
            }
            asked += u32::from(pace.feed() != before);
        }
        assert!((4..=40).contains(&asked), "{asked} messages");
    }

    #[test]
    fn a_burst_of_old_pictures_is_no_slow_link() {
        let mut pace = Pace::default();
        for second in 0..60 {
            let now = Duration::from_secs(second) + STEP;
            for age in (0..100).rev() {
                pace.picture(now, HUB_US + micros(now) - age * 40_000);
            }
        }
        assert_eq!(pace.feed(), Feed::Main);
    }

    #[test]
    fn clocks_that_run_apart_or_leap_are_no_slow_link() {
        for parts in [10_000, -10_000] {
            let mut pace = Pace::default();
            for second in 0..36_000 {
                let now = Duration::from_secs(second);
                let hub_us = HUB_US + micros(now) + micros(now) / parts;
                pace.picture(now, hub_us);
                assert_eq!(pace.feed(), Feed::Main, "after {second} s");
            }
        }
        let mut pace = Pace::default();
        for second in 0..600 {
            let now = Duration::from_secs(second);
            let leap = [0, 3_600_000_000, -7_200_000_000][usize::try_from(second / 200).unwrap_or(0)];
            pace.picture(now, HUB_US + micros(now) + leap);
        }
        assert_eq!(pace.feed(), Feed::Main);
    }

    #[test]
    fn a_clock_that_leapt_a_little_is_found_out() {
        let mut pace = Pace::default();
        let late: Vec<i64> = (0..100)
            .map(|second| {
                let now = Duration::from_secs(second);
                let slept = if second < 10 { 0 } else { 5_000_000 };
                pace.picture(now, HUB_US + micros(now) - slept)
            })
            .collect();
        assert!(late[..10].iter().all(|us| *us == 0) && late[10..60].iter().all(|us| *us > 4_900_000), "{late:?}");
        assert_eq!(late[80..], [0; 20]);
    }

    #[test]
    fn pictures_that_are_all_late_ask_and_a_silence_does_not() {
        let mut pace = Pace::default();
        let late = |second: u64, by_us: i64| (Duration::from_secs(second), HUB_US + second as i64 * 1_000_000 - by_us);
        for (second, by_us) in [(0, 0), (1, 0), (2, 1_600_000), (3, 0), (4, 0)] {
            let (now, captured) = late(second, by_us);
            pace.picture(now, captured);
        }
        let (now, captured) = late(1000, 0);
        pace.picture(now, captured);
        assert_eq!(pace.feed(), Feed::Main);
        for second in 1001..1004 {
            let (now, captured) = late(second, 1_900_000);
            pace.picture(now, captured);
        }
        assert_eq!(pace.feed(), Feed::Substream);
    }
}
