//! Events: their queue, the listener, receipts.
#![allow(clippy::unwrap_used)]
use super::*;

#[tokio::test]
async fn the_queue_is_bounded_and_tells_what_it_lost() {
    let events = Events::default();
    for _ in 0..QUEUE + 3 {
        events.tell(Event::CamerasChanged);
    }
    assert_eq!(events.next(Duration::ZERO).await.unwrap(), Some(Event::Missed { count: 3 }));
    for _ in 0..QUEUE {
        assert_eq!(events.next(Duration::ZERO).await.unwrap(), Some(Event::CamerasChanged));
    }
    assert_eq!(events.next(Duration::ZERO).await.unwrap(), None);
    events.close();
    assert_eq!(events.next(Duration::from_secs(60)).await, Err(CoreError::Stopped));
}

#[tokio::test]
async fn a_listener_that_blocks_holds_up_nobody() {
    struct Blocks(Mutex<std::sync::mpsc::Receiver<()>>);
    impl EventListener for Blocks {
        fn on_event(&self, _: Event) {
            let _ = self.0.lock().unwrap().recv();
        }
    }
    let events = Events::default();
    let (release, blocked) = std::sync::mpsc::channel();
    events.set_listener(Some(Arc::new(Blocks(Mutex::new(blocked)))));
    for _ in 0..QUEUE * 3 {
        events.tell(Event::CamerasChanged);
    }
    assert!(matches!(events.next(Duration::ZERO).await.unwrap(), Some(Event::Missed { .. })));
    drop(release);
}

#[test]
fn a_listener_that_was_too_slow_is_told_how_many_it_missed() {
    struct Slow {
        may: Mutex<std::sync::mpsc::Receiver<()>>,
        had: std::sync::mpsc::Sender<Event>,
    }
    impl EventListener for Slow {
        fn on_event(&self, event: Event) {
            let _ = self.had.send(event);
            let _ = self.may.lock().unwrap().recv();
        }
    }
    let patience = Duration::from_secs(30);
    let events = Events::default();
    let ((release, may), (had, heard)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    events.set_listener(Some(Arc::new(Slow { may: Mutex::new(may), had })));
    events.tell(Event::CamerasChanged);
    // It has the first one before itself; of the rest as many wait as there is room for.
    assert_eq!(heard.recv_timeout(patience), Ok(Event::CamerasChanged));
    for _ in 0..QUEUE + 5 {
        events.tell(Event::CamerasChanged);
    }
    drop(release);
    for _ in 0..QUEUE {
        assert_eq!(heard.recv_timeout(patience), Ok(Event::CamerasChanged));
    }
    events.tell(Event::Rejoined);
    assert_eq!(heard.recv_timeout(patience), Ok(Event::Missed { count: 5 }));
    assert_eq!(heard.recv_timeout(patience), Ok(Event::Rejoined));
}

static TOLD: Event = Event::WishesChanged;

fn about(number: u8) -> EventId {
    EventId::from_bytes([number; 16])
}

/// Whether it is handed over by now; no time passes.
async fn is_had(hand: std::pin::Pin<&mut impl Future<Output = ()>>) -> bool {
    tokio::select! {
        biased;
        () = hand => true,
        () = std::future::ready(()) => false,
    }
}

#[tokio::test]
async fn what_is_handed_over_counts_when_somebody_popped_it() {
    let events = Events::default();
    let mut hand = std::pin::pin!(events.hand(about(1), &TOLD));
    assert!(!is_had(hand.as_mut()).await);
    // It has to make room, and is told again.
    for _ in 0..QUEUE {
        events.tell(Event::CamerasChanged);
    }
    assert!(!is_had(hand.as_mut()).await);
    assert_eq!(events.next(Duration::ZERO).await.unwrap(), Some(Event::Missed { count: 2 }));
    for _ in 1..QUEUE {
        assert_eq!(events.next(Duration::ZERO).await.unwrap(), Some(Event::CamerasChanged));
    }
    assert!(!is_had(hand.as_mut()).await);
    assert_eq!(events.next(Duration::ZERO).await.unwrap(), Some(Event::WishesChanged));
    assert!(is_had(hand.as_mut()).await);
}

#[tokio::test]
async fn who_begins_anew_to_hand_it_over_does_not_tell_it_twice() {
    let events = Events::default();
    assert!(!is_had(std::pin::pin!(events.hand(about(1), &TOLD))).await);
    let mut hand = std::pin::pin!(events.hand(about(1), &TOLD));
    assert!(!is_had(hand.as_mut()).await);
    assert_eq!(events.next(Duration::ZERO).await.unwrap(), Some(Event::WishesChanged));
    assert!(is_had(hand.as_mut()).await);
    assert_eq!(events.next(Duration::ZERO).await.unwrap(), None);
}

/// Says when it is called; returns, or panics, when it is told to.
struct Held(std::sync::mpsc::Sender<()>, Mutex<std::sync::mpsc::Receiver<bool>>);

impl EventListener for Held {
    fn on_event(&self, _: Event) {
        self.0.send(()).unwrap();
        assert!(self.1.lock().unwrap().recv().unwrap(), "the host's listener fails");
    }
}

fn held() -> (Arc<Held>, std::sync::mpsc::Receiver<()>, std::sync::mpsc::Sender<bool>) {
    let (called, calls) = std::sync::mpsc::channel();
    let (release, may_return) = std::sync::mpsc::channel();
    (Arc::new(Held(called, Mutex::new(may_return))), calls, release)
}

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn what_is_handed_over_counts_when_the_listener_returned() {
    let events = Events::default();
    let (listener, calls, release) = held();
    events.set_listener(Some(listener));
    let mut hand = std::pin::pin!(events.hand(about(1), &TOLD));
    assert!(!is_had(hand.as_mut()).await);
    calls.recv_timeout(PATIENCE).unwrap();
    assert!(!is_had(hand.as_mut()).await, "it is in the host's code");
    release.send(true).unwrap();
    tokio::time::timeout(PATIENCE, hand).await.unwrap();
}

#[tokio::test]
async fn a_listener_that_is_taken_back_or_fails_takes_nothing_any_more() {
    let events = Events::default();
    assert!(is_had(std::pin::pin!(events.nobody_listens())).await);
    events.set_listener(Some(held().0));
    assert!(is_had(std::pin::pin!(events.somebody_listens())).await);
    events.set_listener(None);
    assert!(is_had(std::pin::pin!(events.nobody_listens())).await);
    let (listener, calls, release) = held();
    events.set_listener(Some(listener));
    assert!(!is_had(std::pin::pin!(events.hand(about(1), &TOLD))).await);
    calls.recv_timeout(PATIENCE).unwrap();
    release.send(false).unwrap();
    tokio::time::timeout(PATIENCE, events.nobody_listens()).await.unwrap();
    // What failed in the host's hands goes to the next one.
    let (listener, calls, release) = held();
    events.set_listener(Some(listener));
    let mut hand = std::pin::pin!(events.hand(about(1), &TOLD));
    assert!(!is_had(hand.as_mut()).await);
    calls.recv_timeout(PATIENCE).unwrap();
    release.send(true).unwrap();
    tokio::time::timeout(PATIENCE, hand).await.unwrap();
}

#[tokio::test]
async fn a_listener_without_room_gets_it_when_it_has_some() {
    let events = Events::default();
    let (listener, calls, release) = held();
    events.set_listener(Some(listener));
    events.tell(Event::CamerasChanged);
    calls.recv_timeout(PATIENCE).unwrap();
    for _ in 0..QUEUE {
        events.tell(Event::CamerasChanged);
    }
    let mut hand = std::pin::pin!(events.hand(about(1), &TOLD));
    assert!(!is_had(hand.as_mut()).await);
    (0..QUEUE + 2).for_each(|_| release.send(true).unwrap());
    tokio::time::timeout(PATIENCE, hand).await.unwrap();
}
