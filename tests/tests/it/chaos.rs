//! Some rounds of `./dev chaos`, always the same ones.

use privet_tests::chaos::{Wish, run};

#[test]
fn ten_rounds_of_chaos_lose_nothing() {
    let folder = tempfile::Builder::new().prefix("privet-").tempdir().unwrap();
    let wish = Wish { rounds: 10, seconds: None, seed: 4, folder: folder.path().join("chaos") };
    let outcome = run(&wish);
    if !outcome.all_well {
        panic!("{outcome:#?}; all is kept in {}", folder.keep().display());
    }
    assert_eq!(outcome.rounds, 10);
    let kills = outcome.kills;
    assert!(kills.relay > 0 && kills.hub > 0 && kills.phone > 0, "{kills:?}");
}
