#![allow(clippy::unwrap_used)]
use super::*;

const START: Timestamp = Timestamp(1_800_000_000_000);
const ROOM: Option<usize> = Some(3000);
const PATIENCE: Duration = Duration::from_secs(3);

fn at(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

fn wake(seconds: u64, urgency: Urgency, payload: usize) -> Waiting {
    let (at, until) = (at(seconds), at(seconds + 7200));
    Waiting { at, until, urgency, stage: Stage::Waiting, payload, stored: 1 }
}

fn target(token: &str) -> Option<PushTarget> {
    Some(PushTarget::Fcm { token: token.into() })
}

fn queue(wakes: &[Waiting]) -> Queue {
    let mut queue = Queue::default();
    queue.set_target(target("a"));
    for (place, wake) in wakes.iter().enumerate() {
        queue.add(place as u64 + 1, *wake);
    }
    queue
}

#[test]
fn urgent_ones_go_first_and_then_the_oldest() {
    let (high, normal) = (wake(0, Urgency::High, 9), wake(0, Urgency::Normal, 9));
    let mut queue = queue(&[normal, high, normal, high]);
    for seq in [2, 4, 1, 3] {
        assert_eq!(queue.next(ROOM, PATIENCE, at(1)), Step::Push(seq));
        queue.remove(seq);
    }
    assert_eq!(queue.next(ROOM, PATIENCE, at(1)), Step::Idle);
}

#[test]
fn nothing_goes_anywhere_without_a_target_or_a_gateway_for_it() {
    let mut queue = queue(&[wake(0, Urgency::High, 9)]);
    assert_eq!(queue.next(None, PATIENCE, at(1)), Step::Idle);
    queue.set_target(None);
    assert_eq!(queue.next(ROOM, PATIENCE, at(1)), Step::Idle);
    assert_eq!(queue.next(ROOM, PATIENCE, at(7200)), Step::Expired(vec![1]), "its time is over all the same");
}

#[test]
fn a_follower_has_its_patience_and_then_the_gateway_is_asked() {
    let mut queue = queue(&[wake(0, Urgency::High, 9)]);
    queue.follow(at(10));
    queue.add(2, wake(11, Urgency::High, 9));
    assert_eq!(queue.next(ROOM, PATIENCE, at(11)), Step::Wait(at(13)));
    assert_eq!(queue.next(ROOM, PATIENCE, at(13)), Step::Push(1));
    queue.remove(1);
    assert_eq!(queue.next(ROOM, PATIENCE, at(13)), Step::Wait(at(14)));
    queue.follow(at(13));
    queue.unfollow();
    assert_eq!(queue.next(ROOM, PATIENCE, at(13)), Step::Wait(at(14)), "another one follows still");
    queue.unfollow();
    assert_eq!(queue.next(ROOM, PATIENCE, at(13)), Step::Push(2), "nobody follows: at once");
}

#[test]
fn a_follower_that_works_through_a_backlog_is_not_told_by_the_gateway_as_well() {
    let mut queue = queue(&[wake(0, Urgency::High, 9), wake(0, Urgency::High, 9)]);
    queue.follow(at(10));
    queue.remove(1);
    queue.follow_on(at(12));
    assert_eq!(queue.next(ROOM, PATIENCE, at(14)), Step::Wait(at(15)));
    assert_eq!(queue.next(ROOM, PATIENCE, at(15)), Step::Push(2));
}

#[test]
fn a_new_target_that_fails_as_well_waits_as_long() {
    let mut queue = queue(&[wake(0, Urgency::High, 9)]);
    for name in 0..5 {
        queue.set_target(target(&name.to_string()));
        assert_eq!(queue.next(ROOM, PATIENCE, at(0)), Step::Push(1), "tried at once");
        let (_, generation) = queue.target().unwrap();
        queue.pause(generation, Duration::ZERO, 0, at(0));
    }
    assert_eq!(queue.next(ROOM, PATIENCE, at(0)), Step::Wait(at(16)));
    queue.succeed();
    let (_, generation) = queue.target().unwrap();
    queue.pause(generation, Duration::ZERO, 0, at(0));
    assert_eq!(queue.next(ROOM, PATIENCE, at(0)), Step::Wait(at(1)));
}

#[test]
fn pauses_grow_up_to_five_minutes_and_end_with_a_success_or_a_new_target() {
    let mut queue = queue(&[wake(0, Urgency::High, 9)]);
    let mut pauses = Vec::new();
    for _ in 0..40 {
        let (_, generation) = queue.target().unwrap();
        queue.pause(generation, Duration::ZERO, 0, at(0));
        let Step::Wait(until) = queue.next(ROOM, PATIENCE, at(0)) else { panic!("no pause") };
        pauses.push(until.since(at(0)).as_secs());
    }
    assert_eq!(pauses[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
    assert_eq!(pauses[39], 300);
    let (_, generation) = queue.target().unwrap();
    queue.pause(generation, Duration::from_secs(1800), 0, at(0));
    assert_eq!(queue.next(ROOM, PATIENCE, at(0)), Step::Wait(at(1800)), "as long as the gateway asks for");
    queue.pause(generation, Duration::ZERO, 255, at(0));
    let Step::Wait(until) = queue.next(ROOM, PATIENCE, at(0)) else { panic!("no pause") };
    assert!((400..450).contains(&until.since(at(0)).as_secs()), "spread");
    assert!(!queue.set_target(target("a")), "the same one");
    assert!(matches!(queue.next(ROOM, PATIENCE, at(0)), Step::Wait(_)));
    assert!(queue.set_target(target("b")));
    assert_eq!(queue.next(ROOM, PATIENCE, at(0)), Step::Push(1));
    queue.pause(generation, Duration::from_secs(1800), 0, at(0));
    assert_eq!(queue.next(ROOM, PATIENCE, at(0)), Step::Push(1), "what the old target's gateway says counts no more");
}

#[test]
fn a_clock_that_is_set_back_makes_no_pause_endless() {
    let mut queue = queue(&[wake(5000, Urgency::High, 9)]);
    let (_, generation) = queue.target().unwrap();
    queue.follow(at(5000));
    queue.pause(generation, Duration::from_secs(60), 0, at(5000));
    assert_eq!(queue.next(ROOM, PATIENCE, at(0)), Step::Wait(at(60)));
    assert_eq!(queue.next(ROOM, PATIENCE, at(60)), Step::Push(1));
}

#[test]
fn what_is_too_long_calls_the_phone_once() {
    let (short, long) = (wake(0, Urgency::High, 3000), wake(0, Urgency::High, 3001));
    let mut queue = queue(&[long, short, long]);
    assert_eq!(queue.next(ROOM, PATIENCE, at(1)), Step::Call(vec![1, 3]));
    queue.mark(1, Stage::Called);
    queue.mark(3, Stage::Called);
    assert_eq!(queue.next(ROOM, PATIENCE, at(1)), Step::Push(2));
    queue.remove(2);
    assert_eq!(queue.next(ROOM, PATIENCE, at(1)), Step::Idle);
    assert_eq!(queue.len(), 2, "they wait to be fetched");
}

#[test]
fn ids_are_forgotten_when_their_time_is_over_or_too_many_came() {
    let mut queue = Queue::default();
    for seq in 1..=10 {
        queue.remember(seq, [seq as u8; 16], at(seq * 10));
    }
    assert_eq!(queue.forgettable(at(0), 10), []);
    assert_eq!(queue.forgettable(at(20), 10), [(1, [1; 16]), (2, [2; 16])]);
    let over = queue.forgettable(at(0), 7);
    assert_eq!(over, [(1, [1; 16]), (2, [2; 16]), (3, [3; 16])]);
    queue.forget_ids(&over);
    assert_eq!(queue.ids().count(), 7);
}
