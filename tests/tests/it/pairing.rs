//! What goes wrong at pairing says what it is.

use privet_demo::house::{Plan, RelayAt};
use privet_demo::process::Said;
use privet_tests::House;

/// Exit code 3 and a text with these words.
fn refused(said: &Said, words: &[&str]) {
    assert_eq!(said.code, 3, "{said:?}");
    for word in words {
        assert!(said.err.to_lowercase().contains(word), "'{word}' is not in: {}", said.err);
    }
}

fn house() -> House {
    let mut house = House::new(Plan::default());
    house.start_relay().unwrap();
    house.start_hub().unwrap();
    house
}

#[test]
fn what_is_no_code_or_a_damaged_one_is_named() {
    let house = house();
    let phone = house.phone("phone");
    refused(&phone.pair("https://example.org/").unwrap(), &["not a privet pairing code"]);
    refused(&phone.pair("PRIVET9:AAAA").unwrap(), &["version"]);
    let invitation = house.invite().unwrap();
    let mut damaged = invitation.code().to_owned();
    let at = damaged.len() / 2;
    let other = if damaged.as_bytes()[at] == b'A' { "B" } else { "A" };
    damaged.replace_range(at..=at, other);
    refused(&phone.pair(&damaged).unwrap(), &["damaged"]);
    // And the true one still works: a typing error costs nothing.
    phone.pair(invitation.code()).unwrap().ok().unwrap();
}

#[test]
fn a_code_is_good_once() {
    let house = house();
    let invitation = house.invite().unwrap();
    house.phone("first").pair(invitation.code()).unwrap().ok().unwrap();
    refused(&house.phone("second").pair(invitation.code()).unwrap(), &["used"]);
    let phones = house.hub_says(&["phones", "list"]).unwrap();
    assert!(phones.out.contains("first") && !phones.out.contains("second"), "{}", phones.out);
}

#[test]
fn a_code_expires() {
    let house = house();
    let mut invitation = house.invite_for(10).unwrap();
    invitation.wait_for(|line| line["is"] == "expired").unwrap();
    refused(&house.phone("late").pair(invitation.code()).unwrap(), &["expired"]);
}

#[test]
fn a_code_of_another_home_does_not_open_this_one() {
    let (here, there) = (house(), house());
    let foreign = there.invite().unwrap();
    let phone = here.phone("phone");
    phone.pair(foreign.code()).unwrap().ok().unwrap();
    let here_phones = here.hub_says(&["phones", "list"]).unwrap().ok().unwrap();
    assert!(!here_phones.out.contains("\"phone\""), "{}", here_phones.out);
}

#[test]
fn a_relay_with_another_key_is_not_talked_to() {
    let mut house = house();
    let phone = house.pair("phone").unwrap();
    let code = house.invite().unwrap().code().to_owned();
    // The relay loses its identity, as if somebody else had taken its address.
    house.relay.take().unwrap().kill();
    std::fs::remove_dir_all(house.relay_data()).unwrap();
    let RelayAt { pin, .. } = house.relay_at().unwrap().clone();
    assert_ne!(house.start_relay().unwrap().pin, pin);
    refused(&house.phone("new").pair(&code).unwrap(), &["can't show that it is the code's relay", "identity"]);
    let status = phone.says(&["status", "--wait", "5"]).unwrap().first().unwrap();
    let shown = status.to_string();
    assert!(shown.contains("can't show that it is the one of the pairing") && shown.contains("identity"), "{shown}");
    let hub = privet_demo::process::until("the hub's refusing it", privet_tests::SOON, || {
        let status = house.status();
        status["relay"]["why"].as_str().filter(|why| why.contains("key") || why.contains("identity")).map(str::to_owned)
    })
    .unwrap();
    assert!(!hub.is_empty());
}

#[test]
fn a_device_whose_key_is_lost_is_told_how_to_start_over_and_pairs_anew() {
    let house = house();
    let phone = house.pair("phone").unwrap();
    std::fs::write(phone.folder().join("wrap.key"), [7; 32]).unwrap();
    let lost = || {
        let said = phone.says(&["cameras"]).unwrap();
        assert_eq!(said.code, 8, "{said:?}");
        assert!(said.err.contains("`privet-viewer start-over`, then `privet-viewer pair`"), "{}", said.err);
    };
    lost();
    // Nothing goes before it was said twice.
    let asked = phone.says(&["start-over"]).unwrap();
    assert_eq!(asked.code, 2, "{asked:?}");
    // It names the folder, which is not the usual one.
    for words in ["keys, state and clips", phone.folder().to_str().unwrap(), "the same with --yes"] {
        assert!(asked.err.contains(words), "'{words}' is not in: {}", asked.err);
    }
    lost();
    let done = phone.says(&["start-over", "--yes"]).unwrap().first().unwrap();
    assert_eq!(done["started_over"], true);
    assert_eq!(phone.says(&["cameras"]).unwrap().code, 4, "in no home");
    phone.pair(house.invite().unwrap().code()).unwrap().ok().unwrap();
    phone.says(&["cameras"]).unwrap().ok().unwrap();
}
