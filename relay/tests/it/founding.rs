//! Who may found a home: by token, by proof of work, and how many in an hour; and by an invite or a token that is brought to two relays at
//! once. (Invites that the command makes: `program.rs`, and `storage.rs` where relays share a store.)

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use privet_protocol::id::HomeId;
use privet_protocol::random::SystemRandom;
use privet_protocol::relay::{Challenge, Code, Principal, Solution, SolveError, WORK_WINDOW_MS, solve};
use privet_protocol::time::Timestamp;
use privet_relay::Config;
use privet_relay::config::Policy;
use privet_relay_client::{ClientError, Connection, connect, found};

use crate::common::{House, PATIENCE, code, in_time, key, target, until};
use crate::shared::Nodes;
use crate::shared::troubles::Deed;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const CLUB: &str = "a-token-for-two-homes-of-the-club";

fn home() -> HomeId {
    HomeId::generate(&SystemRandom)
}

async fn bring(house: &House, home: HomeId, words: Option<&str>) -> Result<Connection, ClientError> {
    let founder = Principal::Founder { home, invite: words.map(str::to_owned) };
    connect(&house.target(), founder, &key(1), PATIENCE).await
}

fn reason(outcome: Result<Connection, ClientError>) -> String {
    outcome.unwrap_err().to_string()
}

#[tokio::test]
async fn a_token_lets_in_as_many_homes_as_its_line_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    std::fs::write(&file, format!("# for all\n{TOKEN}\n{CLUB} 2\n")).unwrap();
    let tokens = file.clone();
    let house = House::with(move |config| {
        config.homes.policy = Policy::Token;
        config.homes.token_file = Some(tokens);
    })
    .await;
    for wrong in [None, Some("0123456789abcdef0123456789abcdee"), Some("# for all"), Some("2")] {
        assert!(reason(bring(&house, home(), wrong).await).contains("by token"), "{wrong:?}");
    }
    let homes = [home(), home()];
    for home in homes {
        bring(&house, home, Some(CLUB)).await.unwrap();
    }
    assert!(reason(bring(&house, home(), Some(CLUB)).await).contains("made already"));
    for _ in 0..5 {
        bring(&house, home(), Some(TOKEN)).await.unwrap();
    }
    // Who is there needs no token, and uses none.
    bring(&house, homes[0], None).await.unwrap();
    // The file is read again, and what was used stays used.
    std::fs::write(&file, format!("{CLUB} 3\n")).unwrap();
    bring(&house, home(), Some(CLUB)).await.unwrap();
    assert_eq!(code(bring(&house, home(), Some(CLUB)).await), Code::Denied);
    assert_eq!(code(bring(&house, home(), Some(TOKEN)).await), Code::Denied, "taken back");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(code(bring(&house, home(), Some(CLUB)).await), Code::Storage, "its operator has to look");
}

/// Two homes that come at once, each to the node that will serve it, with these words: what became of them, and what becomes of one more.
async fn come_at_once(change: impl Fn(&mut Config), words: &'static str) -> ([Result<(), String>; 2], String) {
    let nodes = Nodes::with(2, |config| {
        change(config);
        config.limits.home_ms = 60_000;
    })
    .await;
    let bring = |at: usize, home: HomeId| {
        let target = target(&nodes.servers[at]);
        async move {
            let founder = Principal::Founder { home, invite: Some(words.to_owned()) };
            connect(&target, founder, &key(1), PATIENCE).await.map(drop).map_err(|error| error.to_string())
        }
    };
    let troubles = &nodes.store.troubles;
    let founding = [0, 1].map(|at| {
        let (home, _) = nodes.home_of(at);
        troubles.hold(Deed::Commit, home);
        tokio::spawn(bring(at, home))
    });
    // Both were let in, and neither is there yet.
    until(|| async { troubles.waiting() == 2 }).await;
    troubles.release();
    let [one, other] = founding;
    let outcomes = [in_time(one).await.unwrap(), in_time(other).await.unwrap()];
    (outcomes, bring(0, nodes.home_of(0).0).await.unwrap_err())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_lets_one_home_in_also_when_it_is_brought_to_two_relays_at_once() {
    let invite = "an invite that is long enough";
    let by_invite = |config: &mut Config| {
        config.homes.policy = Policy::Invite;
        config.homes.invites = vec![invite.into()];
    };
    let (outcomes, more) = come_at_once(by_invite, invite).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    let refused = outcomes.into_iter().find_map(Result::err).unwrap();
    assert!(refused.contains("was used already") && more.contains("was used already"), "{refused}, {more}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_in_as_many_homes_as_it_is_good_for_also_when_they_come_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    std::fs::write(&file, format!("{CLUB} 2\n{TOKEN} 1\n")).unwrap();
    let by_token = |config: &mut Config| {
        config.homes.policy = Policy::Token;
        config.homes.token_file = Some(file.clone());
    };
    // Each notes another one of the two, and neither takes the other one's.
    let (outcomes, more) = come_at_once(by_token, CLUB).await;
    assert!(outcomes.iter().all(Result::is_ok) && more.contains("made already"), "{outcomes:?}, {more}");
    let (outcomes, more) = come_at_once(by_token, TOKEN).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert!(more.contains("made already"), "{more}");
}

async fn working(bits: u32) -> House {
    House::with(|config| {
        config.homes.policy = Policy::ProofOfWork;
        config.homes.work_bits = bits;
    })
    .await
}

fn challenge(outcome: Result<Connection, ClientError>) -> Challenge {
    match outcome.unwrap_err() {
        ClientError::Refused(refusal) if refusal.code == Code::Denied => refusal.challenge.expect("no challenge"),
        other => panic!("{other}"),
    }
}

async fn bring_work(house: &House, home: HomeId, solution: &Solution) -> Result<Connection, ClientError> {
    bring(house, home, Some(&solution.to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_works_for_it_founds_a_home_and_nobody_has_to_work_twice() {
    let house = working(10).await;
    found(&house.target(), house.home, None, &key(1), PATIENCE, |_| {}).await.unwrap();
    // Its owner comes again without any work, also with words that say nothing.
    bring(&house, house.home, None).await.unwrap();
    bring(&house, house.home, Some("an invite of another relay")).await.unwrap();
    found(&house.target(), house.home, None, &key(1), PATIENCE, |_| panic!("there is nothing to do")).await.unwrap();
    // An invite is of no use, and in no way of the work.
    found(&house.target(), home(), Some("an invite".into()), &key(1), PATIENCE, |_| {}).await.unwrap();
    let other = found(&house.target(), house.home, None, &key(2), PATIENCE, |_| {}).await;
    assert_eq!(code(other), Code::Denied, "somebody else's home");
}

#[tokio::test]
async fn a_solution_is_good_for_its_home_its_key_and_its_time() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    let hands = Arc::clone(&clock);
    let house = House::with_clock(
        |config| {
            config.homes.policy = Policy::ProofOfWork;
            config.homes.work_bits = 10;
        },
        Arc::new(move || Timestamp(hands.load(Ordering::Relaxed))),
    )
    .await;
    let mine = home();
    let given = challenge(bring(&house, mine, None).await);
    assert_eq!(given.bits, 10);
    let solution = solve(&given, |_| true).unwrap();
    challenge(bring_work(&house, home(), &solution).await);
    let thief = Principal::Founder { home: mine, invite: Some(solution.to_string()) };
    challenge(connect(&house.target(), thief, &key(2), PATIENCE).await);
    let easy = Solution { challenge: Challenge { bits: 0, ..given }, ..solution };
    challenge(bring_work(&house, mine, &easy).await);
    // Numbers are tried from 0 on: the one before solves nothing.
    if let Some(nonce) = solution.nonce.checked_sub(1) {
        challenge(bring_work(&house, mine, &Solution { nonce, ..solution }).await);
    }
    clock.fetch_add(WORK_WINDOW_MS + 1, Ordering::Relaxed);
    let again = bring_work(&house, mine, &solution).await;
    assert!(reason(again).contains("too long"));
    let fresh = solve(&challenge(bring_work(&house, mine, &solution).await), |_| true).unwrap();
    bring_work(&house, mine, &fresh).await.unwrap();
    // The same home again is the same home.
    bring_work(&house, mine, &fresh).await.unwrap();
}

#[tokio::test]
async fn a_relay_that_asks_for_absurd_work_gets_none() {
    let house = working(60).await;
    let outcome = found(&house.target(), house.home, None, &key(1), PATIENCE, |_| panic!("it works")).await;
    assert_eq!(outcome.unwrap_err(), ClientError::Work(SolveError::TooHard { bits: 60 }));
}

#[tokio::test]
async fn an_hour_has_so_many_homes_that_nobody_spoke_for() {
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
    for policy in [Policy::Open, Policy::ProofOfWork] {
        let hands = Arc::clone(&clock);
        let house = House::with_clock(
            |config| {
                config.homes.policy = policy;
                config.homes.work_bits = 4;
                config.limits.homes_per_h = 3;
            },
            Arc::new(move || Timestamp(hands.load(Ordering::Relaxed))),
        )
        .await;
        let try_one = |home| {
            let target = house.target();
            async move { found(&target, home, None, &key(1), PATIENCE, |_| {}).await }
        };
        let first = home();
        for home in [first, home(), home()] {
            try_one(home).await.unwrap();
        }
        let refused = try_one(home()).await.unwrap_err();
        assert!(refused.is_retryable() && refused.to_string().contains("takes 3 new homes an hour"), "{refused}");
        try_one(first).await.unwrap();
        clock.fetch_add(i64::try_from(Duration::from_secs(3660).as_millis()).unwrap(), Ordering::Relaxed);
        try_one(home()).await.unwrap();
    }
}
