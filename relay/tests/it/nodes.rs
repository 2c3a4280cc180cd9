//! Relays that are one: three of them in this process on one store and one list. Clients come to any of them, nodes go, and nothing that
//! was acknowledged is lost.

use std::time::Duration;

use privet_protocol::id::MailboxId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{
    ALPN, Code, HelloAnswer, Principal, Refusal, Request, Response, Retention, Rights, SegmentHead, Side, Urgency,
    frame,
};
use privet_protocol::time::Timestamp;
use privet_relay_client::{ClientError, Connection, FollowEvent, Follower, From, connect};

use crate::by_hand::half_sent::{HALF, HalfSent};
use crate::by_hand::{self, answer, next_answer, raw_at, say, signed};
use crate::common::{PATIENCE, body, code, entries, entry, in_time, keep, key, put, read_all, stream, target, until};
use crate::shared::Nodes;
use crate::shared::troubles::Deed;

/// The next segment that the follower gets, whole.
async fn segment(follower: &mut Follower) -> (u64, Vec<u8>) {
    loop {
        match in_time(follower.next()).await.unwrap().expect("the stream ended") {
            FollowEvent::Segment(mut reader) => {
                let index = reader.index();
                return (index, read_all(&mut reader).await.unwrap());
            }
            FollowEvent::Skipped { .. } => {}
            FollowEvent::Ended { .. } => panic!("the stream ended"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_works_through_the_wrong_node() {
    let nodes = Nodes::new(3).await;
    let (home, at) = nodes.home_of(0);
    let (wrong, other) = ((at + 1) % 3, (at + 2) % 3);
    let hub = nodes.hub(wrong, home).await;
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    let phone = nodes.phone(other, home, 2).await;

    assert_eq!(hub.append(1, b"one".to_vec()).await.unwrap(), 1);
    let mut log = phone.read_log(1, true).await.unwrap();
    assert_eq!(entry(&mut log).await, (1, b"one".to_vec()));
    hub.append(2, b"two".to_vec()).await.unwrap();
    assert_eq!(entry(&mut log).await, (2, b"two".to_vec()));
    assert_eq!(phone.send(b"hello".to_vec()).await.unwrap(), 1);
    assert_eq!(entries(hub.read_inbox(1, false).await.unwrap()).await, [(1, b"hello".to_vec())]);

    let kept = stream();
    assert_eq!(put(&hub, kept, 0, keep(), body(1, 300_000)).await, 300_000);
    assert_eq!(read_all(&mut phone.get(kept, 0, 0).await.unwrap()).await.unwrap(), body(1, 300_000));
    let mut follower = phone.follow(kept, From::Index(0)).await.unwrap();
    assert_eq!(segment(&mut follower).await, (0, body(1, 300_000).to_vec()));
    hub.finish_stream(kept, 1).await.unwrap();
    assert!(matches!(in_time(follower.next()).await.unwrap(), Some(FollowEvent::Ended { segments: 1 })));

    let soon = Timestamp::from(std::time::SystemTime::now()).after(Duration::from_secs(600));
    let mailbox = MailboxId::generate(&SystemRandom);
    hub.open_mailbox(mailbox, key(5).public(), soon).await.unwrap();
    let guest = Principal::Mailbox { mailbox };
    let guest = connect(&target(&nodes.servers[other]), guest, &key(5), PATIENCE).await.unwrap();
    guest.post(mailbox, Side::Hub, b"a card".to_vec()).await.unwrap();
    let mut side = hub.collect(mailbox, Side::Hub, 1).await.unwrap();
    assert_eq!(entry(&mut side).await, (1, b"a card".to_vec()));

    hub.wake(key(2).public(), [1; 16], b"wake up".to_vec(), Urgency::High, soon).await.unwrap();
    let mut wakes = phone.read_wakes(1, true).await.unwrap();
    assert_eq!(entry(&mut wakes).await, (1, b"wake up".to_vec()));
    phone.ack_wakes(1).await.unwrap();

    assert_eq!(code(phone.append(3, vec![1]).await), Code::Denied);
    let stranger = connect(&target(&nodes.servers[other]), Principal::Member { home }, &key(9), PATIENCE).await;
    assert_eq!(code(stranger), Code::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_through_another_node_whose_hub_goes_is_not_taken_for_whole() {
    let nodes = Nodes::new(2).await;
    let (home, at) = nodes.home_of(0);
    let kept = stream();
    for index in 0..10 {
        let bytes = body(index, 60_000);
        let hub = nodes.hub(1 - at, home).await;
        let mut writer = hub.put(kept, index, keep(), true).await.unwrap();
        writer.write(bytes.slice(..20_000)).await.unwrap();
        // The bytes have come when this is answered.
        hub.usage().await.unwrap();
        hub.close();
        let hub = nodes.hub(1 - at, home).await;
        let mut writer = in_time(hub.put(kept, index, keep(), true)).await.unwrap();
        assert_eq!(writer.stored(), None, "segment {index}");
        let rest = usize::try_from(writer.offset()).unwrap();
        writer.write(bytes.slice(rest..)).await.unwrap();
        assert_eq!(in_time(writer.finish()).await.unwrap(), 60_000);
        assert!(read_all(&mut hub.get(kept, index, 0).await.unwrap()).await.unwrap() == bytes, "segment {index}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_at_another_node_may_have_as_much_on_its_way_as_at_its_own() {
    const SEGMENT: usize = 1 << 20;
    // The node that serves the home takes one piece, and then nothing for as long as the test lasts.
    let nodes = Nodes::with(2, |config| config.limits.received_bytes_per_s = 1).await;
    let (home, at) = nodes.home_of(0);
    let (_endpoint, connection) = raw_at(nodes.servers[1 - at].address(), by_hand::config(ALPN)).await.unwrap();
    let hello = signed(&connection, Principal::Founder { home, invite: None }, 1);
    say(&connection, &frame(&hello)).await;
    let (id, mut uploads) = (stream(), Vec::new());
    for index in 0..5 {
        let (mut send, receive) = in_time(connection.open_bi()).await.unwrap();
        let put = Request::Put { stream: id, index, retention: keep(), resume: false };
        send.write_all(&frame(&put)).await.unwrap();
        send.write_all(&body(index, SEGMENT)).await.unwrap();
        uploads.push((send, receive));
    }
    until(|| async { connection.stats().udp_tx.bytes > 3 * SEGMENT as u64 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_given_up_count_as_requests_also_at_another_node() {
    let nodes = Nodes::with(2, |config| config.limits.requests_per_s = 1).await;
    let (home, at) = nodes.home_of(0);
    // Ten may come at once. A machine that takes more than a second for them is given another try.
    until(|| async {
        let (_endpoint, connection) = raw_at(nodes.servers[1 - at].address(), by_hand::config(ALPN)).await.unwrap();
        let hello = signed(&connection, Principal::Founder { home, invite: None }, 1);
        say(&connection, &frame(&hello)).await;
        for round in 0..12_u32 {
            let (mut send, _receive) = in_time(connection.open_bi()).await.unwrap();
            send.write_all(&round.to_be_bytes()).await.unwrap();
            send.reset(0_u32.into()).unwrap();
        }
        let answered: Response = answer(&say(&connection, &frame(&Request::Usage)).await);
        matches!(answered, Response::Refused(Refusal { code: Code::Busy, .. }))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_of_half_sent_requests_is_bounded_for_a_home_also_at_another_node() {
    let nodes = Nodes::with(2, |config| config.limits.key_connections = 64).await;
    let (home, at) = nodes.home_of(0);
    let edge = 1 - at;
    let mut half_sent = HalfSent::begin(nodes.servers[edge].address(), home, 12).await;
    let hub = nodes.hub(edge, home).await;
    half_sent.fill(&hub).await;
    hub.usage().await.unwrap();
    // Others go on there, also those who come now; and so does the home elsewhere, where nothing of it is half sent.
    for _ in 0..3 {
        let other = nodes.hub(edge, nodes.home_of(at).0).await;
        assert_eq!(in_time(other.append(1, vec![1; HALF])).await.unwrap(), 1);
    }
    assert_eq!(in_time(nodes.hub(at, home).await.append(1, vec![1; HALF])).await.unwrap(), 1);
    drop(half_sent);
    until(|| async { hub.append(1, vec![1; HALF]).await.is_ok() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_followers_at_another_node_bring_a_live_stream_there_once() {
    let nodes = Nodes::new(3).await;
    let (home, at) = nodes.home_of(1);
    let hub = nodes.hub(at, home).await;
    let live = stream();
    let (mut phones, mut followers) = (Vec::new(), Vec::new());
    for number in 2..12 {
        hub.grant(key(number).public(), Rights::PHONE).await.unwrap();
        let phone = nodes.phone((at + 1) % 3, home, number).await;
        followers.push(phone.follow(live, From::Newest).await.unwrap());
        phones.push(phone);
    }
    for index in 0..4 {
        put(&hub, live, index, Retention::Pass, body(index, 40_000)).await;
        for follower in &mut followers {
            assert_eq!(segment(follower).await, (index, body(index, 40_000).to_vec()));
        }
    }
    assert_eq!(nodes.number((at + 1) % 3, "privet_relay_pulled_streams").await, 1.0);
    assert_eq!(nodes.number((at + 1) % 3, "privet_relay_followers").await, 10.0);
    assert_eq!(nodes.number(at, "privet_relay_followers").await, 1.0);
    drop((followers, phones));
    until(|| async {
        let pulled = nodes.number((at + 1) % 3, "privet_relay_pulled_streams").await;
        pulled == 0.0 && nodes.number(at, "privet_relay_followers").await == 0.0
    })
    .await;
}

/// Each of them has it whole before the next one begins.
async fn all_get(quick: &mut [Follower], index: u64, length: usize) {
    for follower in quick {
        let Some(FollowEvent::Segment(mut segment)) = in_time(follower.next()).await.unwrap() else {
            panic!("segment {index} was skipped");
        };
        assert_eq!(segment.index(), index);
        assert!(read_all(&mut segment).await.unwrap() == body(index, length), "segment {index}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_reads_at_another_node_holds_up_nobody_and_is_told_when_it_reads_again() {
    const SEGMENT: usize = 500_000;
    const SEGMENTS: u64 = 30;
    let nodes = Nodes::new(2).await;
    let (home, at) = nodes.home_of(0);
    let wrong = 1 - at;
    let hub = nodes.hub(at, home).await;
    for number in 2..5 {
        hub.grant(key(number).public(), Rights::PHONE).await.unwrap();
    }
    let live = stream();
    // It follows twice: from the newest segment on, which its node serves it, and from the first, which the home's node does.
    let address = nodes.servers[wrong].address();
    let (_endpoint, slow) = in_time(raw_at(address, by_hand::narrow(ALPN))).await.unwrap();
    let hello = signed(&slow, Principal::Member { home }, 2);
    let welcome: HelloAnswer = answer(&say(&slow, &frame(&hello)).await);
    assert!(matches!(welcome, HelloAnswer::Welcome { .. }), "{welcome:?}");
    let mut unread = Vec::new();
    for from in [From::Newest, From::Index(0)] {
        let (mut send, receive) = in_time(slow.open_bi()).await.unwrap();
        send.write_all(&frame(&Request::Follow { stream: live, from })).await.unwrap();
        send.finish().unwrap();
        unread.push(receive);
    }
    let (beside, elsewhere) = (nodes.phone(wrong, home, 3).await, nodes.phone(at, home, 4).await);
    let mut quick =
        [beside.follow(live, From::Newest).await.unwrap(), elsewhere.follow(live, From::Newest).await.unwrap()];
    let followers = |at| nodes.number(at, "privet_relay_followers");
    // At the home's node: the other node once for both, the one from the first segment on, and the phone there.
    until(|| async { followers(wrong).await == 2.0 && followers(at).await == 3.0 }).await;

    let held = |at| nodes.number(at, "privet_relay_passing_bytes");
    for index in 0..SEGMENTS {
        put(&hub, live, index, Retention::Pass, body(index, SEGMENT)).await;
        all_get(&mut quick, index, SEGMENT).await;
        // The newest two, and the one that it does not read.
        for node in [wrong, at] {
            let held = held(node).await;
            assert!(held <= (3 * SEGMENT) as f64, "{held} bytes at node {node} after segment {index}");
        }
    }
    for node in [wrong, at] {
        until(|| async { held(node).await <= (2 * SEGMENT) as f64 }).await;
        until(|| async { nodes.number(node, "privet_relay_skipped_segments_total").await >= 1.0 }).await;
    }

    // It reads again: it is told of the gap, and has the next segment whole.
    let (sender, mut whole) = tokio::sync::mpsc::unbounded_channel();
    let reader = slow.clone();
    tokio::spawn(async move {
        while let Ok(mut segment) = reader.accept_uni().await {
            // Those that it was too slow for break off.
            let Ok(bytes) = segment.read_to_end(2 * SEGMENT).await else { continue };
            let head = 4 + u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
            let SegmentHead { follow, index } = answer(&bytes[..head]);
            let _ = sender.send((follow, index, bytes[head..].to_vec()));
        }
    });
    let mut numbers = Vec::new();
    for receive in &mut unread {
        let following: Response = next_answer(receive).await;
        let Response::Following { follow, first: 0 } = following else { panic!("{following:?}") };
        let told: Response = next_answer(receive).await;
        assert!(matches!(told, Response::Skipped { from: 0, to } if (1..SEGMENTS).contains(&to)), "{told:?}");
        numbers.push(follow);
    }
    put(&hub, live, SEGMENTS, Retention::Pass, body(SEGMENTS, SEGMENT)).await;
    all_get(&mut quick, SEGMENTS, SEGMENT).await;
    while !numbers.is_empty() {
        let (follow, index, bytes) = in_time(whole.recv()).await.unwrap();
        if index == SEGMENTS {
            assert!(bytes == body(SEGMENTS, SEGMENT));
            numbers.retain(|number| *number != follow);
        }
    }
}

/// One node knows of a third one, the others do not yet: it goes there for what its client follows, and that takes long.
#[tokio::test(flavor = "multi_thread")]
async fn who_follows_one_home_does_not_wait_for_the_reading_of_another_one() {
    let nodes = Nodes::with(3, |config| {
        config.limits.home_ms = 60_000;
        config.limits.sweep_s = 3600;
    })
    .await;
    let (owner, edge, new) = (0, 1, 2);
    for before in [owner, edge] {
        nodes.sights[before].hide(nodes.servers[new].node_id().unwrap());
        until(|| async { nodes.number(before, "privet_relay_nodes").await == 2.0 }).await;
    }
    let home_that = |moves: bool| loop {
        let (home, _) = nodes.home_of(owner);
        if nodes.servers[new].serves(home) == moves {
            return home;
        }
    };
    let (slow, quick) = (home_that(true), home_that(false));
    let (mut hubs, mut phones) = (Vec::new(), Vec::new());
    for home in [slow, quick] {
        let hub = nodes.hub(owner, home).await;
        hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
        hubs.push(hub);
        phones.push(nodes.phone(edge, home, 2).await);
    }
    nodes.sights[edge].show_all();
    until(|| async { nodes.number(edge, "privet_relay_nodes").await == 3.0 }).await;

    let troubles = &nodes.store.troubles;
    troubles.hold(Deed::Scan, slow);
    let phone = phones[0].clone();
    let waiting = tokio::spawn(async move { phone.follow(stream(), From::Newest).await.map(drop) });
    until(|| async { troubles.waiting() == 1 }).await;
    let live = stream();
    let mut follower = in_time(phones[1].follow(live, From::Newest)).await.unwrap();
    put(&hubs[1], live, 0, Retention::Pass, body(5, 40_000)).await;
    assert_eq!(segment(&mut follower).await, (0, body(5, 40_000).to_vec()));
    assert!(!waiting.is_finished(), "the other one was answered before");
    troubles.release();
    in_time(waiting).await.unwrap().unwrap();
}

async fn closed_with(connection: &Connection) -> ClientError {
    in_time(connection.closed()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_closes_across_nodes_and_says_so() {
    let nodes = Nodes::new(2).await;
    let (home, at) = nodes.home_of(0);
    let hub = nodes.hub(at, home).await;
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    let phone = nodes.phone(1 - at, home, 2).await;
    let live = stream();
    let mut follower = phone.follow(live, From::Newest).await.unwrap();
    put(&hub, live, 0, Retention::Pass, body(0, 1000)).await;
    segment(&mut follower).await;
    hub.revoke(key(2).public()).await.unwrap();
    assert!(matches!(closed_with(&phone).await, ClientError::Closed { revoked: true, .. }));
    let again = connect(&target(&nodes.servers[1 - at]), Principal::Member { home }, &key(2), PATIENCE).await;
    assert_eq!(code(again), Code::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_leaves_hands_its_homes_over_with_all_that_was_acknowledged() {
    let mut nodes = Nodes::new(3).await;
    let (home, at) = nodes.home_of(2);
    let hub = nodes.hub(at, home).await;
    hub.grant(key(2).public(), Rights::PHONE).await.unwrap();
    let phone = nodes.phone((at + 1) % 3, home, 2).await;
    hub.append(1, b"one".to_vec()).await.unwrap();
    let kept = stream();
    put(&hub, kept, 0, keep(), body(3, 50_000)).await;
    let mut begun = hub.put(kept, 1, keep(), true).await.unwrap();
    begun.write(body(4, 20_000)).await.unwrap();

    let leaving = nodes.servers.remove(at);
    leaving.shutdown().await;
    closed_with(&hub).await;
    closed_with(&phone).await;
    // Both come again, to whichever node there is.
    let hub = nodes.hub(0, home).await;
    let phone = nodes.phone(1, home, 2).await;
    assert_eq!(entries(phone.read_log(1, false).await.unwrap()).await, [(1, b"one".to_vec())]);
    assert_eq!(read_all(&mut phone.get(kept, 0, 0).await.unwrap()).await.unwrap(), body(3, 50_000));
    assert_eq!(hub.append(2, b"two".to_vec()).await.unwrap(), 2);
    assert_eq!(put(&hub, kept, 1, keep(), body(4, 60_000)).await, 60_000);
    assert_eq!(nodes.number(0, "privet_relay_nodes").await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_others_took_for_gone_acknowledges_nothing_more_of_its_homes() {
    let nodes = Nodes::new(2).await;
    let (home, at) = nodes.home_of(0);
    let hub = nodes.hub(at, home).await;
    hub.append(1, b"one".to_vec()).await.unwrap();
    // As another node does it that knows no better.
    let other = nodes.store.take_over_by_another(home).await;
    let outcome = hub.append(2, b"two".to_vec()).await;
    assert!(outcome.is_err(), "{outcome:?}");
    closed_with(&hub).await;
    drop(other);
    let hub = nodes.hub(1 - at, home).await;
    assert_eq!(hub.append(2, b"second".to_vec()).await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_of_which_nothing_can_be_found_out_holds_no_other_one_up() {
    let lifetime = Duration::from_secs(2);
    let nodes = Nodes::lasting(2, lifetime, |_| {}).await;
    let (stuck, other) = (nodes.home_of(0).0, nodes.home_of(0).0);
    let hubs = [nodes.hub(0, stuck).await, nodes.hub(0, other).await];
    let troubles = &nodes.store.troubles;
    troubles.hold(Deed::Commit, stuck);
    // So long that others may have taken it for gone: it looks whether its homes are still its own.
    nodes.table.set_away(true);
    tokio::time::sleep(lifetime + Duration::from_secs(1)).await;
    nodes.table.set_away(false);
    until(|| async { troubles.waiting() == 1 }).await;
    nodes.servers[0].leave();
    for hub in &hubs {
        closed_with(hub).await;
    }
    troubles.release();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_list_is_away_everything_goes_on() {
    let nodes = Nodes::new(2).await;
    let (home, at) = nodes.home_of(0);
    let hub = nodes.hub(1 - at, home).await;
    nodes.table.set_away(true);
    until(|| async { !nodes.ready(at).await && !nodes.ready(1 - at).await }).await;
    assert_eq!(hub.append(1, b"one".to_vec()).await.unwrap(), 1);
    nodes.table.set_away(false);
    until(|| async { nodes.ready(at).await && nodes.ready(1 - at).await }).await;
    assert_eq!(hub.append(2, b"two".to_vec()).await.unwrap(), 2);
    assert_eq!(nodes.number(at, "privet_relay_nodes").await, 2.0);
}
