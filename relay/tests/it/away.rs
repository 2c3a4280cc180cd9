//! A storage that is away for a moment: what is kept is waited for, and only what is lost is skipped.

use privet_protocol::relay::Rights;
use privet_relay::storage::Storage as _;
use privet_relay_client::{FollowEvent, Follower, From};

use crate::common::{body, in_time, keep, key, put, read_all, stream, until};
use crate::shared::Nodes;

/// Bytes of a segment: some reads of its file.
const LENGTH: usize = 300_000;

async fn comes_whole(follower: &mut Follower, index: u64) {
    match in_time(follower.next()).await.unwrap() {
        Some(FollowEvent::Segment(mut segment)) => {
            assert_eq!(segment.index(), index);
            assert_eq!(read_all(&mut segment).await.unwrap(), body(index, LENGTH));
        }
        other => panic!("no segment {index}, but {other:?}"),
    }
}

async fn ends(follower: &mut Follower) {
    let event = in_time(follower.next()).await.unwrap();
    assert!(matches!(event, Some(FollowEvent::Ended { segments: 3 })), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_while_the_storage_is_away_for_a_moment_misses_nothing() {
    let nodes = Nodes::new(1).await;
    let (home, at) = nodes.home_of(0);
    let hub = nodes.hub(at, home).await;
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    let phone = nodes.phone(at, home, 2).await;
    let film = stream();
    for index in 0..3 {
        put(&hub, film, index, keep(), body(index, LENGTH)).await;
    }
    hub.finish_stream(film, 3).await.unwrap();

    let troubles = &nodes.store.troubles;
    // Before the first one is opened, and in the middle of it.
    for reads in [0, 3] {
        troubles.go_away_after(reads);
        let mut follower = phone.follow(film, From::Index(0)).await.unwrap();
        until(|| async { troubles.failed() >= 3 }).await;
        troubles.come_back();
        for index in 0..3 {
            comes_whole(&mut follower, index).await;
        }
        ends(&mut follower).await;
    }

    // What is lost for good is not waited for.
    nodes.store.remove_body(format!("{home}-{film}-{:016x}", 1).parse().unwrap()).await.unwrap();
    let mut follower = phone.follow(film, From::Index(0)).await.unwrap();
    // That it is skipped is told on a stream of its own: the next segment may overtake that, the end does not.
    let (mut whole, mut skipped) = (Vec::new(), Vec::new());
    loop {
        match in_time(follower.next()).await.unwrap().unwrap() {
            FollowEvent::Segment(mut segment) => match read_all(&mut segment).await {
                Ok(bytes) => {
                    assert_eq!(bytes, body(segment.index(), LENGTH));
                    whole.push(segment.index());
                }
                // It was begun, and broken off.
                Err(_) => assert_eq!(segment.index(), 1),
            },
            FollowEvent::Skipped { from, to } => skipped.push((from, to)),
            FollowEvent::Ended { segments } => break assert_eq!(segments, 3),
        }
    }
    assert_eq!((whole, skipped), (vec![0, 2], vec![(1, 2)]));
}
